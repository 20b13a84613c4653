"""How this program was started, for the commands that it tells a user.

A clone has ``run_experiment.py``; an installed wheel ``ls_tf`` and
``python -m ls_tf``. What a message or a page gives to be typed begins with the
words that were typed.

Source: ours.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

_NAME = "ls_tf"
_SCRIPT = "run_experiment.py"


def in_clone() -> bool:
    """Whether the package lies in a clone, beside its script and ``flags/``.

    Source: ours.
    """
    return (Path(__file__).resolve().parents[1] / _SCRIPT).is_file()


def words() -> tuple[str, ...]:
    """The words that start this program, up to its flags.

    Source: ours.
    """
    if _module() == f"{_NAME}.__main__":
        return ("python", "-m", _NAME)
    script = sys.argv[0]
    name = Path(script.replace("\\", "/")).name
    if name == _SCRIPT:
        return ("python", _from_here(script))
    if name.removesuffix(".exe") == _NAME and os.path.isfile(script):
        usual = shutil.which(_NAME)
        is_usual = usual is not None and os.path.samefile(usual, script)
        return (_NAME if is_usual else _from_here(script),)
    # A notebook, a test or a program of a user's own.
    return ("python", _SCRIPT) if in_clone() else (_NAME,)


def command(flags: Iterable[str]) -> str:
    """A command line of this program with other flags.

    Source: ours.
    """
    return shlex.join([*words(), *flags])


def after_interpreter(script: str) -> list[str]:
    """The words that start this program again from another folder.

    Args:
        script: of ``sys.argv``.

    Returns:
        list[str]: what follows the path of Python.

    Source: ours.
    """
    module = _module()
    if module is not None:
        return ["-m", module.removesuffix(".__main__")]
    return [os.path.abspath(os.path.expanduser(script))]


def _module() -> str | None:
    """The module that ``python -m`` runs; None where it is a file."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return None if spec is None else str(spec.name)


def _from_here(script: str) -> str:
    """A path as a user of this folder would type it."""
    here = os.path.join(os.getcwd(), "")
    return script.removeprefix(here)
