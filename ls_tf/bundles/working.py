"""What the script ``run`` of an unpacked bundle does: all runs, in order.

Each run is a command line of its own, with JAX. Nothing is imported before the
packages that it wants are known to be there.
"""

import importlib.util
import itertools
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from ls_tf import streams
from ls_tf.bundles import archive
from ls_tf.spec import SpecError

BAD_INPUT, STOPPED = 2, 3
# Package that is imported -> what installs it.
PACKAGES = {
    "numpy": "numpy",
    "jax": "jax",
    "keras": "keras",
    "absl": "absl-py",
    "etils": "etils[epath]",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "matplotlib": "matplotlib",
    "tensorboard": "tensorboard",
    "safetensors": "safetensors",
    "tqdm": "tqdm",
}
_LIMIT = "--time_limit"


def main(folder: Path, flags: Sequence[str]) -> int:
    """Carries out the runs of an unpacked bundle.

    Args:
        folder: of the bundle.
        flags: further ones, of the machine; ``--time_limit`` is of all runs
            together.

    Returns:
        int: 0, or the exit code of the first run that did not end well.

    Source: ours.
    """
    until, rest = _limit(flags)
    try:
        listed = archive.parse((folder / archive.LIST).read_bytes(), folder)
        _refuse_missing(listed)
        _expand(folder, listed)
    except (SpecError, OSError) as error:
        streams.say(str(error))
        return BAD_INPUT
    again = f"go on with: {_command(folder, flags)}"
    codes: list[int] = []
    for run in listed["runs"]:
        more = list(rest)
        if until is not None:
            minutes = (until - time.monotonic()) / 60
            if minutes <= 0:
                streams.say(f"the time limit is over; {again}")
                return STOPPED
            more.append(f"{_LIMIT}={minutes:.6f}")
        code = _Child(
            [
                sys.executable,
                str(folder / "run_experiment.py"),
                *run["flags"],
                "--engine=jax",
                f"--data_dir={folder / run['data']}",
                f"--runs_dir={folder / archive.RUNS}",
                *more,
            ]
        ).wait()
        if code == STOPPED or code < 0:
            by = f" by signal {-code}" if code < 0 else ""
            streams.say(
                f"stopped{by} in run {len(codes) + 1} of "
                f"{len(listed['runs'])}; {again}"
            )
            return STOPPED
        codes.append(code)
    return next((code for code in codes if code), 0)


def _refuse_missing(listed: dict[str, Any]) -> None:
    missing = [
        install
        for name, install in listed["needs"].items()
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise SpecError(
            "packages are missing; install them with: "
            + shlex.join(["pip", "install", *missing])
        )


def _expand(folder: Path, listed: dict[str, Any]) -> None:
    """Makes prepared files of those that hold compressed pictures."""
    for run in listed["runs"]:
        file, packed = folder / run["data"], run.get("packed")
        if packed is not None and not file.exists():
            from ls_tf.pipeline import pictures
            from ls_tf.pipeline.contract import DataError

            try:
                pictures.expand(str(folder / packed), str(file))
            except DataError as error:
                raise SpecError(str(error)) from None


def _limit(flags: Sequence[str]) -> tuple[float | None, list[str]]:
    """When all has to be over, and the other flags.

    A limit that is none is left among them: the program says what is wrong.
    """
    began, until, rest = time.monotonic(), None, []
    words = iter(flags)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in (_LIMIT, _LIMIT[1:]):
            rest.append(word)
            continue
        given = [word] if equals else [word, *itertools.islice(words, 1)]
        try:
            minutes = float(value if equals else given[-1])
        except ValueError:
            minutes = 0.0
        if not 0 < minutes < float("inf"):
            return None, list(flags)
        until = began + 60 * minutes
    return until, rest


def _command(folder: Path, flags: Sequence[str]) -> str:
    """The words that carry out the runs again, whoever types them."""
    usual = shutil.which("python3")
    is_usual = usual and Path(usual).parent == Path(sys.executable).parent
    python = [] if is_usual else [sys.executable]
    return shlex.join([*python, str(folder / archive.SCRIPT), *flags])


class _Child:
    """A command that is told of signals."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command)

    def wait(self) -> int:
        """Waits for its end; gives its exit code."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = [signal.signal(number, self._tell) for number in numbers]
        try:
            return self._process.wait()
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self._process.send_signal(number)
