"""How long a user waits: for the help, for a specification, for step one.

The first training step is seen from outside: the run is told to log every
step, and its row in ``metrics.csv`` is waited for. A default run does the
same work up to there, in a program that holds more steps.

Run: python benchmarks/start_up.py --data_dir=DIR --out=results/benchmarks
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import _common
from _common import Case, Target

EXPERIMENT = "fc_mnist"
COMMAND = [sys.executable, "run_experiment.py"]
HELP, PRINT = "--help", f"--experiment={EXPERIMENT} --mode=print"
IMPORT = "python -c 'import keras' (TensorFlow)"
BUILT, FIRST = "until all is built", "until the first step is done"
_LIMIT_SECONDS = 120.0
_POLL_SECONDS = 0.005
_STOPPED = 3  # the exit code of a run that SIGTERM ended with its state saved


def _environment() -> dict[str, str]:
    return {**os.environ, "KERAS_BACKEND": "tensorflow"}


def answering(words: Sequence[str]) -> Case:
    """A command that runs to its end; its seconds."""

    def case() -> float:
        began = time.perf_counter()
        subprocess.run(
            words,
            cwd=_common.ROOT,
            check=True,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - began

    return case


class Training:
    """Starts a run, sees its first step, and stops it."""

    def __init__(self, data_dir: Path) -> None:
        """Takes where the data lies."""
        self._data_dir = data_dir
        self.built: list[float] = []  # seconds until all was built, per call

    def __call__(self) -> float:
        """Gives the seconds from the start to the first step.

        Raises:
            RuntimeError: the run ended or took too long.
        """
        with tempfile.TemporaryDirectory() as folder:
            words = [
                *COMMAND,
                f"--experiment={EXPERIMENT}",
                f"--data_dir={self._data_dir}",
                f"--runs_dir={folder}",
                "--set=train.log_every_steps=1",
            ]
            began = time.perf_counter()
            process = subprocess.Popen(
                words,
                cwd=_common.ROOT,
                env=_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            lines: list[tuple[float, str]] = []
            reader = threading.Thread(target=_read, args=(process, lines))
            reader.start()
            try:
                seconds = _first_row(process, Path(folder), began)
            finally:
                process.terminate()
                try:
                    code = process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    code = process.wait()
                reader.join()
                said = "".join(line for _, line in lines)
                if code != _STOPPED:
                    _common.say(said)
        if code != _STOPPED:
            raise RuntimeError(f"wanted exit code {_STOPPED}, got {code}")
        # The progress speaks first when model, data and record are there.
        ready = [at for at, line in lines if ": step 0 of " in line]
        self.built.append(ready[0] - began if ready else float("nan"))
        return seconds


def _read(
    process: "subprocess.Popen[str]", lines: list[tuple[float, str]]
) -> None:
    for line in process.stderr or ():
        lines.append((time.perf_counter(), line))


def _first_row(
    process: "subprocess.Popen[str]", folder: Path, began: float
) -> float:
    """Waits for the head and the first whole row of the metrics."""
    table = None
    while (now := time.perf_counter()) < began + _LIMIT_SECONDS:
        table = table or next(folder.rglob("metrics.csv"), None)
        if table is not None and table.read_text("utf-8").count("\n") >= 2:
            return now - began
        if process.poll() is not None:
            raise RuntimeError(
                f"the run ended early with exit code {process.returncode}"
            )
        time.sleep(_POLL_SECONDS)
    raise RuntimeError(f"no first step in {_LIMIT_SECONDS:g} s")


def unready(data_dir: Path | None) -> str:
    """Says why the run cannot be measured; empty if it can."""
    if data_dir is None:
        return "no --data_dir (nor TFDS_DATA_DIR) was given"
    if not data_dir.is_dir():
        return f"{data_dir} is not a directory"
    if not (data_dir / "ls_tf_arrays" / "mnist" / "train.json").is_file():
        return (
            f"{data_dir} holds no cached arrays of MNIST; a first run with "
            f"--data_dir={data_dir} makes them"
        )
    return ""


def _flags() -> argparse.Namespace:
    parser = _common.arguments(__doc__.splitlines()[0], repeats=7)
    default = os.environ.get("TFDS_DATA_DIR")
    parser.add_argument(
        "--data_dir",
        type=lambda text: Path(text).expanduser().resolve(),
        default=Path(default).expanduser().resolve() if default else None,
        help="where TFDS data lies, with cached arrays of MNIST",
    )
    return parser.parse_args()


def main() -> int:
    """Measures, prints and writes."""
    flags = _flags()
    _common.start()
    about = _common.machine()
    cases: dict[str, Case] = {
        HELP: answering([*COMMAND, "--help"]),
        PRINT: answering([*COMMAND, *PRINT.split()]),
        IMPORT: answering([sys.executable, "-c", "import keras"]),
    }
    skipped = {}
    training = None
    why = unready(flags.data_dir)
    if why:
        skipped[FIRST] = why
    else:
        training = cases[FIRST] = Training(flags.data_dir)
    timings = _common.interleaved(cases, repeats=flags.repeats)
    if training is not None:
        built = training.built[-flags.repeats :]
        timings[BUILT] = _common.Timing(tuple(built))
    _common.table(
        ("from the shell", "median s", "min s", "max s"),
        [(k, t.median, t.min, max(t.seconds)) for k, t in timings.items()],
    )
    wanted = {HELP: 0.3, PRINT: 0.5, FIRST: 12.0}
    targets = [
        Target(f"{k}, seconds", wanted[k], timings[k].median, at_most=True)
        for k in wanted
        if k in timings
    ]
    settings = {"experiment": EXPERIMENT, "repeats": flags.repeats}
    _common.finish(
        "start_up",
        flags,
        about=about,
        settings=settings,
        timings=timings,
        results={k: t.median for k, t in timings.items()},
        targets=targets,
        skipped=skipped,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
