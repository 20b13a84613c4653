r"""How long a user waits: for the help, for a specification, for step one.

The first training step is seen from outside: the run is told to log every
step, and its row in ``metrics.csv`` is waited for. A default run does the
same work up to there, in a program that holds more steps.

With ``--engine=jax``: until the first and the hundredth step of a network with
one program and of a Transformer with many, from an empty folder of compiled
programs and from the one that the run before has filled. With ``--before``, a
folder with an older version of this project, its starts too, in the same
rounds: what a user has waited until then, each time.

Run: python benchmarks/start_up.py --data_dir=DIR --out=results/benchmarks
     python benchmarks/start_up.py --engine=jax --data_dir=DIR \
       --out=results/benchmarks [--before=FOLDER]
"""

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import _common
from _common import Case, Target

EXPERIMENT = "fc_mnist"
COMMAND = [sys.executable, "run_experiment.py"]
HELP, PRINT = "--help", f"--experiment={EXPERIMENT} --mode=print"
IMPORT = "python -c 'import keras' (TensorFlow)"
BUILT, FIRST = "until all is built", "until the first step is done"
_LIMIT_SECONDS = 240.0
_POLL_SECONDS = 0.005
_STOPPED = 3  # the exit code of a run that SIGTERM ended with its state saved


COLD, WARM = "nothing compiled", "all compiled"
BEFORE = "the older version"
_MANY = 100  # the step by which a run has met most of its shapes


def _environment() -> dict[str, str]:
    # What the machine sets of JAX's cache is no part of what is measured.
    # Nor that its Python compiles modules anew each time.
    unlike = (
        "JAX_COMPILATION_CACHE_DIR",
        "JAX_ENABLE_COMPILATION_CACHE",
        "PYTHONDONTWRITEBYTECODE",
    )
    kept = {k: v for k, v in os.environ.items() if k not in unlike}
    return {**kept, "KERAS_BACKEND": "tensorflow"}


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
    """Starts a run, sees some of its steps, and stops it."""

    def __init__(
        self,
        *flags: str,
        steps: Sequence[int] = (1,),
        root: Path = _common.ROOT,
    ) -> None:
        """Takes the flags, which steps are waited for, and whose program."""
        self._flags, self._steps, self._root = flags, steps, root
        self.empties: Path | None = None  # a folder, before each call
        self.built: list[float] = []  # seconds until all was built, per call
        # Step -> seconds until it was done, per call.
        self.reached: dict[int, list[float]] = {step: [] for step in steps}

    @property
    def compiling(self) -> list[float]:
        """Seconds from all that was built to the first of the steps."""
        reached = self.reached[self._steps[0]]
        return [a - b for a, b in zip(reached, self.built, strict=True)]

    def __call__(self) -> float:
        """Gives the seconds from the start to the first of the steps.

        Raises:
            RuntimeError: the run ended or took too long.
        """
        if self.empties is not None:
            shutil.rmtree(self.empties, ignore_errors=True)
        with tempfile.TemporaryDirectory() as folder:
            words = [
                *COMMAND,
                *self._flags,
                f"--runs_dir={folder}",
                "--set=train.log_every_steps=1",
            ]
            began = time.perf_counter()
            process = subprocess.Popen(
                words,
                cwd=self._root,
                env=_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            lines: list[tuple[float, str]] = []
            reader = threading.Thread(target=_read, args=(process, lines))
            reader.start()
            try:
                seconds = [
                    _row(process, Path(folder), step, began)
                    for step in self._steps
                ]
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
        for step, took in zip(self._steps, seconds, strict=True):
            self.reached[step].append(took)
        return seconds[0]


def _read(
    process: "subprocess.Popen[str]", lines: list[tuple[float, str]]
) -> None:
    for line in process.stderr or ():
        lines.append((time.perf_counter(), line))


def _row(
    process: "subprocess.Popen[str]", folder: Path, step: int, began: float
) -> float:
    """Waits for the head of the metrics and the rows up to a step."""
    table = None
    while (now := time.perf_counter()) < began + _LIMIT_SECONDS:
        table = table or next(folder.rglob("metrics.csv"), None)
        if table is not None and table.read_text("utf-8").count("\n") > step:
            return now - began
        if process.poll() is not None:
            raise RuntimeError(
                f"the run ended early with exit code {process.returncode}"
            )
        time.sleep(_POLL_SECONDS)
    raise RuntimeError(f"no step {step} in {_LIMIT_SECONDS:g} s")


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
    parser.add_argument(
        "--engine", choices=["tensorflow", "jax"], default="tensorflow"
    )
    parser.add_argument(
        "--experiments",
        default=f"{EXPERIMENT},transformer_numbers",
        help="with --engine=jax: which",
    )
    parser.add_argument(
        "--steps", type=int, default=_MANY, help="with --engine=jax: the last"
    )
    parser.add_argument(
        "--before",
        type=_checkout,
        help="with --engine=jax: a clean checkout of an older version",
    )
    return parser.parse_args()


def _checkout(text: str) -> Path:
    """The folder of an older version, whose commit the record can name."""
    folder = Path(text).expanduser().resolve()
    if not (folder / "run_experiment.py").is_file():
        raise argparse.ArgumentTypeError(
            f"wanted a folder with run_experiment.py, got {folder}"
        )
    if _common.commit(folder) is None:
        raise argparse.ArgumentTypeError(
            f"wanted a checkout of git, got {folder}"
        )
    return folder


def main() -> int:
    """Measures, prints and writes."""
    flags = _flags()
    _common.start()
    about = _common.machine()
    if flags.engine == "jax":
        return _main_jax(flags, about)
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
        training = cases[FIRST] = Training(
            f"--experiment={EXPERIMENT}", f"--data_dir={flags.data_dir}"
        )
    timings = _common.interleaved(cases, repeats=flags.repeats)
    if training is not None:
        built = training.built[-flags.repeats :]
        timings[BUILT] = _common.Timing(tuple(built))
    _show(timings)
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


def _show(timings: Mapping[str, _common.Timing]) -> None:
    _common.table(
        ("from the shell", "median s", "min s", "max s"),
        [(k, t.median, t.min, max(t.seconds)) for k, t in timings.items()],
    )


def _ratio(cold: Sequence[float], warm: Sequence[float]) -> float:
    """The middle one of the rounds' ratios."""
    rounds = zip(cold, warm, strict=True)
    return statistics.median(a / b for a, b in rounds)


def _main_jax(flags: argparse.Namespace, about: Mapping[str, Any]) -> int:
    """Cold and warm starts of the JAX engine."""
    names = flags.experiments.split(",")
    data = [] if flags.data_dir is None else [f"--data_dir={flags.data_dir}"]
    trainings: dict[tuple[str, str], Training] = {}
    with contextlib.ExitStack() as folders:
        for name in names:
            # Filled by the cold start of a round, and emptied by the next one.
            kept = folders.enter_context(tempfile.TemporaryDirectory())
            for start in (COLD, WARM):
                trainings[name, start] = Training(
                    f"--experiment={name}",
                    "--engine=jax",
                    f"--compile_cache={kept}/programs",
                    *data,
                    steps=(1, flags.steps),
                )
            trainings[name, COLD].empties = Path(kept, "programs")
            if flags.before is not None:
                trainings[name, BEFORE] = Training(
                    f"--experiment={name}",
                    "--engine=jax",
                    *data,
                    steps=(1, flags.steps),
                    root=flags.before,
                )
        _common.interleaved(
            {" ".join(k): case for k, case in trainings.items()},
            repeats=flags.repeats,
            warmups=0,
        )
    timings = {}
    for (name, start), training in trainings.items():
        # An older version's words of being ready are not known.
        seconds = {} if start == BEFORE else {BUILT: training.built}
        for step, took in training.reached.items():
            seconds[f"until step {step}"] = took
        for what, took in seconds.items():
            timings[f"{name}, {start}, {what}"] = _common.Timing(tuple(took))
    _show(timings)
    quicker = {}
    for name in names:
        cold, warm = (trainings[name, start] for start in (COLD, WARM))
        for step in (1, flags.steps):
            ratio = _ratio(cold.reached[step], warm.reached[step])
            quicker[f"{name}, until step {step}: {COLD} / {WARM}"] = ratio
        # Imports, data and model take the same time in both.
        quicker[f"{name}, from all built to step 1: {COLD} / {WARM}"] = _ratio(
            cold.compiling, warm.compiling
        )
    wanted = {f"until step 1: {COLD} / {WARM}": 3.0}
    others = {}
    if flags.before is not None:
        others[BEFORE] = _common.commit(flags.before)
        wanted[f"until step 1: {BEFORE} / {WARM}"] = 3.0
        wanted[f"until step {flags.steps}: {BEFORE} / {COLD}"] = 2.0
        wanted[f"until step {flags.steps}: {BEFORE} / {WARM}"] = 2.0
        for name in names:
            before = trainings[name, BEFORE].reached
            for step in (1, flags.steps):
                for start in (COLD, WARM):
                    after = trainings[name, start].reached[step]
                    what = f"until step {step}: {BEFORE} / {start}"
                    quicker[f"{name}, {what}"] = _ratio(before[step], after)
    targets = [
        Target(name, wanted[what], ratio)
        for name, ratio in quicker.items()
        if (what := name.partition(", ")[2]) in wanted
    ]
    _common.finish(
        "start_up_jax",
        flags,
        about=about,
        timings=timings,
        results={**{k: t.median for k, t in timings.items()}, **quicker},
        targets=targets,
        others=others,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
