"""Inception-v4's step and evaluation, in time and memory.

299 x 299, the full width, 1000 classes, photographs of the stand-in, through
the project's own engines: float32 and bfloat16, with and without
rematerialisation. Each case has a process of its own, whose peak resident set
is the measure of memory; on JAX there is XLA's own figure too. On an
accelerator each case also looks for the largest batch that fits, and says what
share of a matrix product's rate it reaches.

Run: python benchmarks/inception.py --engine=jax --out=results/benchmarks
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _common
from _common import Target, Timing

EXPERIMENT = "inception_v4_imagenet"
ENGINES = ("tensorflow", "jax")
PRECISIONS = ("float32", "bfloat16")
SIZE = {"cpu": 2048, "accelerator": 8192}  # of square matrices
LONGEST_S = 600  # of one case
# Rematerialisation makes the forward pass, a third of the step, twice.
MOST_MEMORY, MOST_TIME = 0.6, 1.5


# --- One case, in a process of its own ----------------------------------------


def _peak() -> int:
    """The largest resident set that this process ever had, in bytes."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _is_accelerated(engine: str) -> bool:
    if engine == "jax":
        import jax

        return bool(jax.default_backend() != "cpu")
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _rate(engine: str, precision: str, size: int) -> float:
    """Operations a second of the quickest of some matrix products."""
    from keras import ops

    one = ops.ones((size, size), precision)
    if engine == "jax":
        import jax

        with jax.default_matmul_precision("float32"):
            product = jax.jit(lambda a: a @ a).lower(one).compile()

        def work() -> None:
            product(one).block_until_ready()
    else:
        import tensorflow as tf

        function = tf.function(lambda a: tf.matmul(a, a), autograph=False)

        def work() -> None:
            function(one)[0, 0].numpy()

    work()
    return float(2 * size**3 / min(_seconds(work) for _ in range(5)))


def case(options: argparse.Namespace) -> dict[str, Any]:
    """Trains some steps, evaluates; says what it took."""
    from cifar_step import macs

    from ls_tf.running import assembly
    from ls_tf.running.session import Machine, Session
    from ls_tf.spec.resolve import resolve

    spec = resolve(
        EXPERIMENT,
        changed={
            "data.name": "imagenet_stand_in",
            "data.report": f"validation[:{options.evaluated}]",
            "data.calibrate": f"validation[:{options.evaluated}]",
            "train.precision": options.precision,
            "train.remat": options.remat,
            "train.global_batch_size": options.batch,
            "train.steps": options.repeats + 1,
            "train.log_every_steps": 1,
            "learning_rate": 1e-4,
            "model.options.width_multiplier": options.width,
        },
    ).spec
    engine = Session(Machine(engine=options.engine)).engine(
        spec, assembly.transform(spec)
    )
    build = _seconds(
        lambda: engine.build([assembly.recipe(spec, data_dir=None)])
    )
    before = _peak()
    took = [
        _seconds(lambda step=step: engine.run(step, 1))
        for step in range(options.repeats + 1)
    ]
    peak = _peak()
    xla = None
    if options.engine == "jax":
        (program,) = engine._programs.values()
        xla = program.memory_analysis().temp_size_in_bytes
    network = engine.networks[0]
    passes = []
    # Inference keeps no activations: rematerialisation has no part in it.
    for _ in range(0 if options.remat else 2):
        with network.measuring():
            passes.append(
                _seconds(
                    lambda: network.predict(network.task.examples("report"))
                )
            )
    accelerated = _is_accelerated(options.engine)
    size = SIZE["accelerator" if accelerated else "cpu"]
    multiplications, first = macs(network.task.model)
    rate = _rate(options.engine, options.precision, size)
    work = 2 * options.batch * (3 * multiplications - first)
    return {
        "build_s": build,
        "compile_s": took[0] - min(took[1:]),
        "steps_s": took[1:],
        "evaluation_s": passes[1:],
        "resident_before_bytes": before,
        "peak_bytes": peak,
        "xla_temp_bytes": xla,
        "step_operations": work,
        "product_rate": rate,
        "share_of_rate": work / min(took[1:]) / rate,
        "is_accelerated": accelerated,
    }


# --- All of them --------------------------------------------------------------


def measured(
    options: argparse.Namespace, precision: str, remat: bool, batch: int
) -> dict[str, Any] | None:
    """One case of its own process; None if that failed."""
    command = [sys.executable, __file__, "--worker"]
    command += [f"--engine={options.engine}", f"--precision={precision}"]
    command += [f"--batch={batch}", f"--repeats={options.repeats}"]
    command += [f"--evaluated={options.evaluated}", f"--width={options.width}"]
    command += ["--remat"] * remat
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=LONGEST_S
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _largest(
    options: argparse.Namespace, precision: str, remat: bool
) -> dict[str, Any]:
    """The largest batch, of doubled ones, that fits; its images a second."""
    largest, batch = {}, options.batch
    while found := measured(options, precision, remat, batch):
        step = min(found["steps_s"])
        largest = {
            "batch": batch,
            "images_per_second": batch / step,
            "share_of_rate": found["share_of_rate"],
        }
        batch *= 2
    return largest


def _row(name: str, found: dict[str, Any]) -> list[Any]:
    gib = [found["resident_before_bytes"], found["peak_bytes"]]
    gib += [found["xla_temp_bytes"] or 0]
    return [
        name,
        Timing(tuple(found["steps_s"])).median,
        found["compile_s"],
        *(value / 2**30 for value in gib),
        found["share_of_rate"],
    ]


def _targets(engine: str, cases: dict[str, dict[str, Any]]) -> list[Target]:
    """What rematerialisation is to save, and may cost."""
    targets = []
    for precision in PRECISIONS:
        kept, again = cases[precision], cases[f"{precision}, remat"]
        grown = [
            one["peak_bytes"] - one["resident_before_bytes"]
            for one in (again, kept)
        ]
        if engine == "jax":
            grown = [one["xla_temp_bytes"] for one in (again, kept)]
        took = [Timing(tuple(one["steps_s"])).median for one in (again, kept)]
        for what, most, (one, other) in (
            ("memory", MOST_MEMORY, grown),
            ("step", MOST_TIME, took),
        ):
            name = f"{engine}, {precision}: {what} with train.remat / without"
            targets.append(Target(name, most, one / other, True))
    return targets


def flags() -> argparse.Namespace:
    """The command line."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=3)
    parser.add_argument("--engine", choices=ENGINES, default="tensorflow")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--evaluated", type=int, default=32)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="", help=argparse.SUPPRESS)
    parser.add_argument("--remat", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures, prints and writes the record."""
    options = flags()
    about = _common.machine()
    os.environ["KERAS_BACKEND"] = options.engine
    _common.start()
    if options.worker:
        print(json.dumps(case(options)), flush=True)
        return
    cases: dict[str, dict[str, Any]] = {}
    largest = {}
    for precision in PRECISIONS:
        for remat in (False, True):
            name = f"{precision}, remat" if remat else precision
            _common.say(f"{options.engine}, {name}")
            found = measured(options, precision, remat, options.batch)
            if found is None:
                sys.exit(f"inception.py: {options.engine}, {name} failed")
            cases[name] = found
            if found["is_accelerated"]:
                largest[name] = _largest(options, precision, remat)
    _common.table(
        ("case", "step, s", "compile, s", "before, GiB", "peak, GiB")
        + ("XLA, GiB", "share of rate"),
        [_row(name, found) for name, found in cases.items()],
    )
    timings = {
        f"{name}: a step": Timing(tuple(found["steps_s"]))
        for name, found in cases.items()
    } | {
        f"{name}: evaluation of an image": Timing(
            tuple(s / options.evaluated for s in found["evaluation_s"])
        )
        for name, found in cases.items()
        if found["evaluation_s"]
    }
    _common.finish(
        f"inception_{options.engine}",
        options,
        about=about,
        settings={
            "experiment": EXPERIMENT,
            "engine": options.engine,
            "batch": options.batch,
            "evaluated": options.evaluated,
            "width": options.width,
            "repeats": options.repeats,
        },
        timings=timings,
        results={"cases": cases, "largest_batch": largest},
        targets=_targets(options.engine, cases),
        skipped={} if largest else {"largest batch": "no accelerator"},
    )


if __name__ == "__main__":
    main()
