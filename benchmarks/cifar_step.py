"""The training steps of CIFAR against the replication's PyTorch and Pillow.

AlexNet on crops of 24 x 24 and ResNet-56 on 32 x 32, batch 128: our whole
step, augmentation included, beside the replication's networks and loop, beside
what the machine's float32 matrix products allow, and beside our own bfloat16.
Then the augmentation alone, in images per second. PyTorch may lie in another
environment, for it runs in a process of its own.

Run: python benchmarks/cifar_step.py --out=results/benchmarks
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _common
from _cifar_peer import COMPILED, IMAGES, IMAGES_ALONE, LOADER, RESIDENT, SQUARE
from _common import Case, Target, Timing
from _workers import (
    Work,
    Worker,
    add_peer_flag,
    private_stdout,
    serve,
    timed,
)

# Model -> our experiment, and steps of one round.
MODELS = {
    "alexnet": ("alexnet_cifar10_24", 10),
    "resnet56": ("resnet56_cifar10", 1),
}
PRECISIONS = ("float32", "bfloat16")
SIZES = (1024, 2048)
# An augmentation alone: as trained, and under XLA.
PLAIN, XLA = "images, as trained", "images, under XLA"
_IMAGE_STEPS = 100  # batches of one round of an augmentation
_PILLOW_BATCHES = 20
# What a processor says that multiplies bfloat16 by itself.
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}
_STEP_TARGETS = {"alexnet": (1.6, 0.6), "resnet56": (1.2, 0.8)}


# --- Our side, in a process of its own ----------------------------------------


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _steps(models: list[str], batch: int) -> tuple[dict[str, Work], Any]:
    """The steps; and each model's multiplications."""
    from _engine import Steps, macs

    works: dict[str, Work] = {}
    counts = {}
    for model in models:
        for precision in PRECISIONS:
            _common.say(f"{model}, {precision}")
            engine = Steps(
                experiment=MODELS[model][0],
                batch_size=batch,
                xla=False,
                changed={"train.precision": precision},
            )

            def run(steps: int, engine: Any = engine) -> float:
                return _timed(lambda: engine.run(steps))

            works[f"{model}: {precision}"] = run
            counts[model] = macs(engine.task.model)
            if precision == "float32":
                works |= _images(model, engine.task, batch)
    return works, counts


def _images(model: str, task: Any, batch: int) -> dict[str, Work]:
    """The plan and its augmentation alone, with and without XLA."""
    import tensorflow as tf
    from input_pipeline import program

    resident = {k: tf.constant(v) for k, v in task.resident.items()}
    first = tf.zeros((batch, *task.model.inputs[0].shape[1:]))
    at = iter(range(0, 10**9, _IMAGE_STEPS))

    def work(compiled: Any) -> Work:
        def run(images: int) -> float:
            def whole() -> None:
                plan = task.plan(next(at), images // batch)
                draws = {k: tf.constant(v) for k, v in plan.items()}
                compiled(resident, draws, first)

            return _timed(whole)

        return run

    return {
        f"{model}: {PLAIN}": work(program(task, xla=False)),
        f"{model}: {XLA}": work(program(task, xla=True)),
    }


def _squares() -> dict[str, Work]:
    """Products of square matrices, in floating-point operations."""
    import tensorflow as tf

    def work(size: int, jit: bool) -> Work:
        a = tf.ones((size, size))
        one = tf.function(tf.matmul, jit_compile=jit, autograph=False)

        def run(flop: int) -> float:
            return _timed(
                lambda: [one(a, a).numpy() for _ in range(flop // 2 // size**3)]
            )

        return run

    return {
        f"{SQUARE.format(size=size)}, {library}": work(size, jit)
        for library, jit in (("TensorFlow", False), ("XLA", True))
        for size in SIZES
    }


def ours(settings: dict[str, Any]) -> None:
    """Serves our cases."""
    answers = private_stdout()
    _common.start()
    works, counts = _steps(settings["models"], settings["batch"])
    serve(answers, {"macs": counts}, works | _squares())


# --- The other side, which measures -------------------------------------------


def bfloat16_flags() -> list[str]:
    """The processor's own words for products of bfloat16."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    lines = [v for v in text.splitlines() if v.startswith(("flags", "Feat"))]
    return sorted(_BFLOAT16_FLAGS & set(" ".join(lines).split()))


def cases(
    models: list[str], batch: int, our: Worker, peer: Worker | None
) -> dict[str, Case]:
    """All that is timed, in the order of the tables."""
    found: dict[str, Case] = {}
    for model in models:
        steps = MODELS[model][1]
        for name in PRECISIONS:
            found[f"{model}: {name}"] = our.case(f"{model}: {name}", steps)
        for name in (PLAIN, XLA):
            key = f"{model}: {name}"
            found[key] = our.case(key, _IMAGE_STEPS * batch)
        if peer is None:
            continue
        for name in (LOADER, RESIDENT, COMPILED):
            key = f"{model}: {name}"
            if key not in peer.facts["skipped"]:
                found[key] = peer.case(key, steps)
        for name in (IMAGES, IMAGES_ALONE):
            key = f"{model}: {name}"
            found[key] = peer.case(key, _PILLOW_BATCHES * batch)
    for size in SIZES:
        flop = 2 * size**3 * max(1, 2 * (max(SIZES) // size) ** 3)
        square = SQUARE.format(size=size)
        for library in ("TensorFlow", "XLA"):
            key = f"{square}, {library}"
            found[key] = our.case(key, flop)
        if peer is not None:
            found[f"{square}, PyTorch"] = peer.case(square, flop)
    return found


def conclude(
    timings: dict[str, Timing], facts: dict[str, Any], batch: int
) -> tuple[dict[str, Any], list[Target]]:
    """Prints the tables; gives ratios, rates and targets."""
    squares = [k for k in timings if k.startswith("square")]
    best = min(squares, key=lambda name: timings[name].median)
    rate = 1 / timings[best].median
    results: dict[str, Any] = {
        "rate": {"gflop_per_second": rate * 1e-9, "case": best}
    }
    targets: list[Target] = []
    for model, (every, first) in facts["macs"].items():
        # Forward, and backward for weights and, but in the first layer,
        # for inputs.
        work = 2 * batch * (3 * every - first)
        results[model] = _steps_of(model, timings, work, rate)
        results[model]["gflop_per_step"] = work * 1e-9
        targets += _step_targets(model, results[model])
        results[model] |= _images_of(model, timings)
        plain = results[model][PLAIN]["images_per_second"]
        targets.append(Target(f"{model}: augmented images/s", 1e5, plain))
    _common.table(
        ("matrix products", "GFLOP/s", "at best"),
        [(k, 1e-9 / timings[k].median, 1e-9 / timings[k].min) for k in squares],
    )
    return results, targets


def _steps_of(
    model: str, timings: dict[str, Timing], work: int, rate: float
) -> dict[str, Any]:
    own = timings[f"{model}: float32"]
    rows, found = [], {}
    for name in (*PRECISIONS, LOADER, RESIDENT, COMPILED):
        if f"{model}: {name}" not in timings:
            continue
        t = timings[f"{model}: {name}"]
        found[name] = {
            "ms": t.median * 1e3,
            "ours_over_it": t.median / own.median,
            "ours_over_it_min": t.min / own.min,
            "fraction_of_rate": work / t.median / rate,
        }
        who = "ours" if name in PRECISIONS else "PyTorch"
        part = f"{found[name]['fraction_of_rate']:.1%}"
        rows.append(
            (
                f"{who}, {name}",
                t.median * 1e3,
                t.min * 1e3,
                found[name]["ours_over_it"],
                part if name != "bfloat16" else "-",
            )
        )
    head = (f"{model}: steps", "median ms", "min ms", "ours/it", "of rate")
    _common.table(head, rows)
    return found


def _step_targets(model: str, found: dict[str, Any]) -> list[Target]:
    ratio, part = _STEP_TARGETS[model]
    fraction = found["float32"]["fraction_of_rate"]
    targets = [Target(f"{model}: part of the float32 rate", part, fraction)]
    resident = [found[k] for k in (RESIDENT, COMPILED) if k in found]
    if resident:
        least = min(one["ours_over_it"] for one in resident)
        name = f"{model}: steps/s over the better of PyTorch's"
        targets.append(Target(name, ratio, least))
        name = f"{model}: steps/s over the replication's loop"
        targets.append(Target(name, 2.0, found[LOADER]["ours_over_it"]))
    if bfloat16_flags():
        gain = 1 / found["bfloat16"]["ours_over_it"]
        name = f"{model}: steps/s in bfloat16 over float32"
        targets.append(Target(name, 1.5, gain))
    return targets


def _images_of(model: str, timings: dict[str, Timing]) -> dict[str, Any]:
    rows, found = [], {}
    own = timings[f"{model}: {PLAIN}"]
    for name in (PLAIN, XLA, IMAGES_ALONE, IMAGES):
        if f"{model}: {name}" in timings:
            t = timings[f"{model}: {name}"]
            found[name] = {
                "images_per_second": 1 / t.median,
                "ours_over_it": t.median / own.median,
            }
            who = "ours" if name in (PLAIN, XLA) else "Pillow"
            rows.append((f"{who}, {name}", *found[name].values()))
    _common.table((f"{model}: augmentation", "images/s", "ours/it"), rows)
    return found


def _arguments() -> Any:
    parser = _common.arguments(__doc__.splitlines()[0], repeats=7)
    parser.add_argument(
        "--model",
        action="append",
        choices=list(MODELS),
        help="default: both; may be repeated",
    )
    parser.add_argument("--batch_size", type=int, default=128)
    add_peer_flag(parser, "Pillow")
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        choices=["compile", "peer"],
        help="compile: without torch.compile; peer: without PyTorch",
    )
    return parser.parse_args()


def _workers(flags: Any, models: list[str]) -> tuple[Worker, Worker | None]:
    settings = {
        "models": models,
        "batch": flags.batch_size,
        "skip": flags.skip,
        "sizes": SIZES,
    }
    text = json.dumps(settings)
    peer = None
    if "peer" not in flags.skip:
        file = Path(__file__).with_name("_cifar_peer.py")
        peer = Worker([flags.peer_python, str(file), text])
    return Worker([sys.executable, __file__, "--worker", text]), peer


def main() -> int:
    """Measures, prints and writes."""
    if sys.argv[1:2] == ["--worker"]:
        ours(json.loads(sys.argv[2]))
        return 0
    flags = _arguments()
    _common.start()
    about = _common.machine() | {"bfloat16": bfloat16_flags()}
    models = flags.model or list(MODELS)
    our, peer = _workers(flags, models)
    timings = timed(
        cases(models, flags.batch_size, our, peer),
        [our, *([peer] if peer else [])],
        flags.repeats,
    )
    results, targets = conclude(timings, our.facts, flags.batch_size)
    skipped = {} if peer is None else dict(peer.facts["skipped"])
    if not bfloat16_flags():
        skipped["bfloat16 over float32"] = "the processor has no such products"
    _common.finish(
        "cifar_step",
        flags,
        about=about,
        timings=timings,
        results=results,
        targets=targets,
        skipped=skipped,
        others=peer.facts["versions"] if peer else None,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
