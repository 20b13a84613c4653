"""The training step of the MNIST teacher against the replication's PyTorch.

Also against what the machine can do at all: the rate of its float32 matrix
products, measured in the same process and the same rounds.

Run: python benchmarks/step_time.py --out=results/benchmarks
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import _common
import numpy as np
from _common import Case, Target, Timing

WIDTHS = (784, 1200, 1200, 10)
OURS = "ours, XLA"
OURS_PLAIN = "ours, no XLA"
LOADER = "PyTorch, as the replication"
LEAN = "PyTorch, leaner images"
RESIDENT = "PyTorch, resident batch"
COMPILED = "PyTorch, resident, compiled"
# Per library: products of square matrices, and the products of one step.
SQUARE, STEP = "square {size}, {library}", "the step's products, {library}"
SIZES = (1024, 2048)


def flop(batch_size: int) -> int:
    """Floating-point operations of the matrix products of one step.

    Forward, and backward for every weight; backward for the inputs of every
    layer but the first, whose inputs are pixels.
    """
    macs = [a * b for a, b in zip(WIDTHS, WIDTHS[1:], strict=False)]
    return 2 * batch_size * (2 * sum(macs) + sum(macs[1:]))


def ours(batch_size: int, steps: int) -> dict[str, Case]:
    """The engine with and without XLA."""
    from _engine import Steps

    cases = {}
    for name, xla in ((OURS, True), (OURS_PLAIN, False)):
        engine = Steps(batch_size=batch_size, xla=xla)

        def run(engine: Steps = engine) -> None:
            engine.run(steps)

        cases[name] = _common.timed(run, steps)
    return cases


def peers(
    batch_size: int, steps: int, skip: set[str]
) -> tuple[dict[str, Case], dict[str, str]]:
    """The PyTorch loops; what cannot run here, with the reason."""
    import torch
    from _engine import LEARNING_RATE, random_split
    from _peer import WORKERS, Peer, loader

    torch.set_num_threads(_common.cpus())
    data = random_split("train")
    images, labels = data["image"][..., 0], data["label"].astype(np.int64)
    # Two batches in advance for each worker, and one more.
    first = 2 * WORKERS + 1
    cases: dict[str, Case] = {}
    for name, lean in ((LOADER, False), (LEAN, True)):
        batches = loader(images, labels, batch_size, lean=lean)
        peer = Peer(learning_rate=LEARNING_RATE)

        def run(peer: Peer = peer, batches: Any = batches) -> float:
            return peer.timed_with_loader(batches, steps, first)

        cases[name] = run
    batch = (
        torch.from_numpy(images[:batch_size] / np.float32(255))[:, None],
        torch.from_numpy(labels[:batch_size]),
    )

    def endless() -> Iterator[Any]:
        while True:
            yield batch

    resident = Peer(learning_rate=LEARNING_RATE)
    cases[RESIDENT] = _common.timed(
        lambda: resident.train(endless(), steps), steps
    )
    if "compile" in skip:
        return cases, {COMPILED: "left out by --skip"}
    compiled = Peer(learning_rate=LEARNING_RATE, compiled=True)
    _common.say("torch.compile")
    try:
        compiled.train(endless(), 2)
    except Exception as error:  # The compiler of its back end raises anything.
        line = " ".join(str(error).split())[:200]
        return cases, {COMPILED: f"{type(error).__name__}: {line}"}
    cases[COMPILED] = _common.timed(
        lambda: compiled.train(endless(), steps), steps
    )
    return cases, {}


def _products(multiply: Callable[..., Any], arrays: list[Any]) -> list[Any]:
    """The products of one step, given activations and weights.

    Args:
        multiply: (a, b, whether to transpose a, the same for b) -> a @ b.
        arrays: the batch and its activations [B, width] of each layer, then
            the weights [width, next width].
    """
    layers = len(WIDTHS) - 1
    x, w = arrays[: layers + 1], arrays[layers + 1 :]
    found = []
    for i in range(layers):
        found.append(multiply(x[i], w[i], False, False))  # forward
        found.append(multiply(x[i], x[i + 1], True, False))  # weights
        if i:
            found.append(multiply(x[i + 1], w[i], False, True))  # inputs
    return found


def _arrays(batch_size: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = [(batch_size, width) for width in WIDTHS]
    shapes += list(zip(WIDTHS, WIDTHS[1:], strict=False))
    return [rng.standard_normal(s, np.float32) for s in shapes]


def rates(batch_size: int) -> dict[str, Case]:
    """Matrix products alone, in seconds per floating-point operation."""
    import tensorflow as tf
    import torch

    def tf_multiply(a: Any, b: Any, ta: bool, tb: bool) -> Any:
        return tf.matmul(a, b, transpose_a=ta, transpose_b=tb)

    def torch_multiply(a: Any, b: Any, ta: bool, tb: bool) -> Any:
        return torch.mm(a.T if ta else a, b.T if tb else b)

    square = [np.ones((n, n), np.float32) for n in SIZES]
    step = _arrays(batch_size)
    cases: dict[str, Case] = {}

    def add(library: str, convert: Any, one: Any, all_of_step: Any) -> None:
        for size, array in zip(SIZES, square, strict=True):
            a = convert(array)
            count = max(1, 2 * (max(SIZES) // size) ** 3)
            cases[SQUARE.format(size=size, library=library)] = _common.timed(
                lambda a=a, n=count: [one(a, a) for _ in range(n)],
                count * 2 * size**3,
            )
        arrays = [convert(array) for array in step]
        cases[STEP.format(library=library)] = _common.timed(
            lambda: [all_of_step(arrays) for _ in range(20)],
            20 * flop(batch_size),
        )

    for library, jit in (("TensorFlow", False), ("XLA", True)):
        add(
            library,
            tf.constant,
            tf.function(tf.matmul, jit_compile=jit, autograph=False),
            tf.function(
                lambda arrays: _products(tf_multiply, arrays),
                jit_compile=jit,
                autograph=False,
            ),
        )
    add(
        "PyTorch",
        torch.from_numpy,
        torch.mm,
        lambda arrays: _products(torch_multiply, arrays),
    )
    return cases


def conclude(
    timings: dict[str, Timing], batch_size: int
) -> tuple[dict[str, Any], list[Target]]:
    """Prints the tables; gives ratios, rates and targets."""
    squares = [k for k in timings if k.startswith("square")]
    best = min(squares, key=lambda name: timings[name].median)
    rate = 1 / timings[best].median
    head = ("steps", "median ms", "min ms", "steps/s", "ours/it", "of rate")
    rows, results = [], {}
    work = flop(batch_size)
    for name in (OURS, OURS_PLAIN, LOADER, LEAN, RESIDENT, COMPILED):
        if name not in timings:
            continue
        t = timings[name]
        results[name] = {
            "steps_per_second": 1 / t.median,
            "ours_over_it": t.median / timings[OURS].median,
            "ours_over_it_min": t.min / timings[OURS].min,
            "fraction_of_rate": work / t.median / rate,
        }
        rows.append(
            (name, t.median * 1e3, t.min * 1e3, *results[name].values())
        )
    _common.table(head, [(*row[:5], f"{row[6]:.1%}") for row in rows])
    products = [k for k in timings if k.startswith(("square", "the step"))]
    results |= {
        name: {"gflop_per_second": 1e-9 / timings[name].median}
        for name in products
    }
    _common.table(
        ("matrix products", "GFLOP/s", "at best", "of rate"),
        [
            (
                name,
                1e-9 / timings[name].median,
                1e-9 / timings[name].min,
                f"{1 / timings[name].median / rate:.1%}",
            )
            for name in products
        ],
    )
    results["rate"] = {"gflop_per_second": rate * 1e-9, "case": best}
    results["gflop_per_step"] = work * 1e-9
    targets = [
        Target(
            "steps/s over the replication's loop",
            2.0,
            results[LOADER]["ours_over_it"],
        ),
        Target(
            "part of the float32 matrix-product rate",
            0.6,
            results[OURS]["fraction_of_rate"],
        ),
    ]
    return results, targets


def main() -> int:
    """Measures, prints and writes."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=11)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument(
        "--steps",
        type=int,
        default=150,
        help="steps of a case in one round, at most 500",
    )
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        choices=["compile"],
        help="compile: without torch.compile, which takes a minute to start",
    )
    flags = parser.parse_args()
    _common.start()
    about = _common.machine()
    found, skipped = peers(flags.batch_size, flags.steps, set(flags.skip))
    cases = ours(flags.batch_size, flags.steps) | found
    cases |= rates(flags.batch_size)
    timings = _common.interleaved(cases, repeats=flags.repeats)
    results, targets = conclude(timings, flags.batch_size)
    _common.finish(
        "step_time",
        flags,
        about=about,
        timings=timings,
        results=results,
        targets=targets,
        skipped=skipped,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
