"""What it costs that records and checkpoints are on the disk when they appear.

The writing of a record and of checkpoints of three sizes, with and without
waiting for the disk (``fsync``); the waiting's part of a whole run of
``fc_digits``; and its part of training ResNet-56 and the base Transformer,
whose steps are those that ``cifar_step.json`` and ``transformer_step.json``
have recorded.

Run: python benchmarks/durability.py --out=results/benchmarks
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import _common
import numpy as np
from _common import ROOT, Target, Timing

DIGITS, RESNET, TRANSFORMER = (
    "fc_digits",
    "resnet56_cifar10",
    "transformer_ende",
)
RECORD, RUN = "run.json", "the command for fc_digits"
# Experiment -> record of a benchmark, and the case of it that is its step.
STEPS = {
    RESNET: ("cifar_step.json", "resnet56: float32"),
    TRANSFORMER: ("transformer_step.json", "ours, TensorFlow, XLA"),
}
MOST = 0.02  # of a run


class Waiting:
    """Counts the seconds that are spent waiting for the disk."""

    def __init__(self) -> None:
        """Stands at 0."""
        from ls_tf.records import files

        self.seconds, self.times = 0.0, 0
        self._files, self._sync = files, files.sync
        files.sync = self._count

    def _count(self, path: Any) -> None:
        began = time.perf_counter()
        self._sync(path)
        self.seconds += time.perf_counter() - began
        self.times += 1

    @contextlib.contextmanager
    def off(self) -> Iterator[None]:
        """Waits for nothing."""
        self._files.sync = lambda path: None
        try:
            yield
        finally:
            self._files.sync = self._count


def state(experiment: str) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint of an experiment's paper run."""
    from ls_tf.running import assembly
    from ls_tf.spec.resolve import resolve
    from ls_tf.tasks import classification, translation
    from ls_tf.training.naming import named

    spec = resolve(experiment).spec
    if spec.task == "translation":
        model = translation.build_model(spec, spec.data.vocabulary_size)
    else:
        model = classification.build_model(spec)
    optimizer = assembly.optimizer(spec, 1000)
    optimizer.build(model.trainable_variables)
    variables = {
        **named("model", model.variables),
        **named("optimizer", optimizer.variables),
    }
    return {name: np.asarray(v) for name, v in variables.items()}


def writers(folder: Any) -> dict[str, Any]:
    """Name -> what writes it once."""
    from ls_tf.records import files
    from ls_tf.training import checkpoints

    stored = ROOT / "results/runs/fc_mnist/paper/seed=0/run.json"
    run = json.loads(stored.read_text())
    found: dict[str, Any] = {
        RECORD: lambda: files.write_json(folder / "run.json", run)
    }
    for experiment in (DIGITS, RESNET, TRANSFORMER):
        arrays, step = state(experiment), [0]

        def save(
            arrays: Any = arrays, step: Any = step, name: str = experiment
        ) -> None:
            step[0] += 1
            point = checkpoints.Checkpoint(step[0], arrays, {"seconds": 0.0})
            checkpoints.save(folder / name, point)

        mib = sum(array.nbytes for array in arrays.values()) / 2**20
        found[f"checkpoint of {experiment}, {mib:.1f} MiB"] = save
    return found


def measured(
    waiting: Waiting, work: Any, spent: list[float]
) -> dict[str, _common.Case]:
    """Cases of one writing with and without waiting; notes the waits."""

    def on() -> float:
        before, began = waiting.seconds, time.perf_counter()
        work()
        spent.append(waiting.seconds - before)
        return time.perf_counter() - began

    def off() -> float:
        with waiting.off():
            began = time.perf_counter()
            work()
            return time.perf_counter() - began

    return {"fsync": on, "none": off}


def command(folder: str) -> None:
    """Runs ``fc_digits`` as the command does; prints what it waited."""
    from ls_tf import cli

    waiting = Waiting()
    with contextlib.redirect_stdout(sys.stderr):
        code = cli.main(["", f"--experiment={DIGITS}", f"--runs_dir={folder}"])
    if code:
        sys.exit(code)
    print(json.dumps([waiting.seconds, waiting.times]))


def whole_runs(repeats: int) -> tuple[Timing, Timing, int]:
    """Seconds of commands, those of waiting in them, and how many waits."""
    took, waited, times = [], [], 0
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(dir=ROOT) as folder:
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, __file__, f"--command={folder}"],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            took.append(time.perf_counter() - began)
        seconds, times = json.loads(done.stdout.splitlines()[-1])
        waited.append(seconds)
    return Timing(tuple(took)), Timing(tuple(waited)), times


def _step_seconds(experiment: str) -> float:
    file, case = STEPS[experiment]
    record = json.loads((ROOT / "results" / "benchmarks" / file).read_text())
    return float(record["timings"][case]["median"])


def main() -> None:
    """Measures, prints the parts and writes the record."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=7)
    parser.add_argument("--command", help=argparse.SUPPRESS)
    options = parser.parse_args()
    about = _common.machine()
    _common.start()
    if options.command:
        command(options.command)
        return
    from etils import epath

    from ls_tf.spec.resolve import resolve

    run, waits, times = whole_runs(options.repeats)
    waiting = Waiting()
    timings = {RUN: run, f"{RUN}: waiting": waits}
    results: dict[str, Any] = {
        RUN: {"waits": times, "part": waits.median / run.median}
    }
    targets = [
        Target(
            "part of the command for fc_digits",
            MOST,
            results[RUN]["part"],
            True,
        )
    ]
    spent: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        cases = {}
        for name, work in writers(epath.Path(folder)).items():
            pair = measured(waiting, work, spent.setdefault(name, []))
            cases |= {f"{name}, {how}": case for how, case in pair.items()}
        timings |= _common.interleaved(cases, repeats=options.repeats)
    waited = {k: Timing(tuple(v[1:])) for k, v in spent.items()}
    for name, timing in waited.items():
        timings[f"{name}: waiting"] = timing
        experiment = next((e for e in STEPS if e in name), None)
        if experiment is None:
            continue
        train = resolve(experiment).spec.train
        cost = timing.median + waited[RECORD].median
        every, step = train.checkpoint_every_steps, _step_seconds(experiment)
        results[name] = {
            "every_steps": every,
            "seconds_per_step": step,
            "part": cost / (every * step),
            # At quicker steps than that the waiting is more of the run.
            "step_of_most_ms": 1e3 * cost / every / MOST,
        }
        targets.append(
            Target(
                f"part of training {experiment}",
                MOST,
                results[name]["part"],
                True,
            )
        )
    _common.table(
        ("case", "ms, min", "ms, median"),
        [(k, t.min * 1e3, t.median * 1e3) for k, t in timings.items()],
    )
    _common.finish(
        "durability",
        options,
        about=about,
        settings={"repeats": options.repeats},
        timings=timings,
        results=results,
        targets=targets,
    )


if __name__ == "__main__":
    main()
