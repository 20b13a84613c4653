"""Two losses that a user might add, each one file, for as long as a test."""

import contextlib
import pathlib
import re
import shutil
import sys

import ls_tf.losses

_PAGE = pathlib.Path(__file__).parents[1] / "docs/adding.md"
# Name -> text, as the page on adding things shows them.
FILES = dict(
    re.findall(
        r"^```python\n# ls_tf/losses/(\w+)\.py\n(.*?)^```$",
        _PAGE.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)


@contextlib.contextmanager
def added(folder: pathlib.Path):
    """Lets the two be found beside the package's own losses.

    Args:
        folder: an empty one, where the files are written.
    """
    places = ls_tf.losses.__path__
    for file in pathlib.Path(places[0]).glob("*.py"):
        shutil.copy(file, folder)
    for name, text in FILES.items():
        (folder / f"{name}.py").write_text(text)
    places.insert(0, str(folder))
    try:
        yield
    finally:
        places.remove(str(folder))
        for name in FILES:
            sys.modules.pop(f"ls_tf.losses.{name}", None)
            vars(ls_tf.losses).pop(name, None)
