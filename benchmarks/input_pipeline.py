"""What the input pipeline costs, and what a per-image one would.

Three measurements: the training step with the pipeline (plan, gather, shift,
scale) against the same step on one batch that is ready on the device; images
per second of the pipeline alone against per-image augmentation with Pillow in
one process and in two; and the host's plan.

Run: python benchmarks/input_pipeline.py --out=results/benchmarks
"""

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.sharedctypes import RawArray
from typing import Any

import _common
import numpy as np
from _common import Case, Target, Timing

WITH, WITHOUT = "step, whole pipeline", "step, resident float batch"
PIPELINE = "ours: plan, gather, shift, scale"
AUGMENT = "ours: without the plan"
ONE, TWO = "as torchvision, 1 process", "as torchvision, 2 processes"
LEAN_ONE, LEAN_TWO = "least Pillow work, 1 process", "least, 2 processes"
PLAN = "plan"
PROCESSES = 2
SHAPE = (28, 28)


class PillowPool:
    """Processes that augment image by image into memory shared with us.

    A batch is written in place and never sent, which is the least that a
    loader of several processes can spend.
    """

    def __init__(self, batch_size: int, batches: int, *, lean: bool) -> None:
        """Makes images and memory; the processes inherit both.

        Args:
            batch_size: B.
            batches: how many batches one call of ``run`` makes.
            lean: see ``_peer.augmented``.
        """
        rng = np.random.default_rng(0)
        self._lean = lean
        self._size = batch_size
        self._images = rng.integers(
            0, 256, (batch_size * batches, *SHAPE), np.uint8
        )
        self._memory = RawArray("f", self._images.size)
        self._batches = range(batches)
        # The processes are forks: they must come before any thread.
        self._pool = multiprocessing.get_context("fork").Pool(
            PROCESSES, _inherit, (self,)
        )

    def make(self, number: int) -> None:
        """Augments one batch, stacked and in place.

        Args:
            number: which batch.
        """
        from _peer import augmented

        rows = slice(number * self._size, (number + 1) * self._size)
        target = np.frombuffer(self._memory, np.float32).reshape(-1, *SHAPE)
        made = [augmented(x, lean=self._lean) for x in self._images[rows]]
        np.stack(made, out=target[rows])

    def alone(self) -> None:
        """Makes all batches in this process."""
        for number in self._batches:
            self.make(number)

    def together(self) -> None:
        """Makes all batches in the processes."""
        self._pool.map(_make, self._batches, chunksize=1)

    def close(self) -> None:
        """Ends the processes."""
        self._pool.terminate()
        self._pool.join()

    def __getstate__(self) -> dict[str, Any]:
        """Refuses: what is inherited needs no pickle."""
        raise TypeError("a PillowPool is inherited, not sent")


_inherited: list[PillowPool] = []  # in a process of the pool, the pool


def _inherit(pool: PillowPool) -> None:
    _inherited.append(pool)


def _make(number: int) -> None:
    _inherited[0].make(number)


def steps(batch_size: int, count: int) -> dict[str, Case]:
    """The training step with and without the pipeline."""
    from _engine import ConstantBatch, RandomData, Steps

    cases = {}
    for name, task in ((WITH, RandomData), (WITHOUT, ConstantBatch)):
        engine = Steps(batch_size=batch_size, task=task)

        def run(engine: Steps = engine) -> None:
            engine.run(count)

        cases[name] = _common.timed(run, count)
    return cases


def program(task: Any, *, xla: bool = True) -> Callable[..., Any]:
    """A compiled loop that makes one batch after the other.

    The last batch is carried from turn to turn as a whole, so that no part
    of it can be left out.

    Args:
        task: whose batches.
        xla: whether XLA compiles it.

    Returns:
        callable: (resident, draws, a batch of images) -> the last batch.
    """
    import tensorflow as tf

    def loop(resident: Any, draws: Any, first: Any) -> Any:
        count = draws["index"].shape[0]

        def body(i: Any, batch: Any) -> Any:
            row = {k: v[i] for k, v in draws.items()}
            return i + 1, task.batch(resident, row)["image"]

        return tf.while_loop(
            lambda i, batch: i < count, body, (tf.constant(0), first)
        )[1]

    return tf.function(loop, jit_compile=xla, autograph=False)


def images(
    batch_size: int, count: int, pool: PillowPool, lean: PillowPool
) -> dict[str, Case]:
    """The pipeline alone, ours and per image; seconds per image."""
    import tensorflow as tf
    from _engine import Steps

    task = Steps(batch_size=batch_size).task
    resident = {k: tf.constant(v) for k, v in task.resident.items()}
    compiled = program(task)
    first = tf.zeros((batch_size, *SHAPE, 1))
    at = iter(range(0, 10**9, count))

    def pipeline() -> None:
        plan = task.plan(next(at), count)
        draws = {k: tf.constant(v) for k, v in plan.items()}
        compiled(resident, draws, first)

    draws = {k: tf.constant(v) for k, v in task.plan(0, count).items()}
    number = count * batch_size
    few = len(pool._batches) * batch_size
    return {
        PIPELINE: _common.timed(pipeline, number),
        AUGMENT: _common.timed(
            lambda: compiled(resident, draws, first), number
        ),
        ONE: _common.timed(pool.alone, few),
        TWO: _common.timed(pool.together, few),
        LEAN_ONE: _common.timed(lean.alone, few),
        LEAN_TWO: _common.timed(lean.together, few),
    }


def plan(batch_size: int, count: int) -> dict[str, Case]:
    """The host's plan, a new epoch's order and shifts included."""
    from _engine import random_split

    from ls_tf.pipeline import augment
    from ls_tf.pipeline import plan as plans

    epochs = plans.EpochPlan(
        len(random_split("train")["label"]),
        batch_size,
        0,
        augment.augmentation("shift2"),
    )
    at = iter(range(0, 10**9, count))
    return {PLAN: _common.timed(lambda: epochs.steps(next(at), count), count)}


def conclude(
    timings: dict[str, Timing],
) -> tuple[dict[str, Any], list[Target]]:
    """Prints the tables; gives costs, ratios and targets."""
    whole, bare = timings[WITH], timings[WITHOUT]
    _common.table(
        ("per step", "median ms", "min ms"),
        [
            (name, timings[name].median * 1e3, timings[name].min * 1e3)
            for name in (WITH, WITHOUT, PLAN)
        ],
    )
    added = {
        "milliseconds": (whole.median - bare.median) * 1e3,
        "milliseconds_min": (whole.min - bare.min) * 1e3,
        "fraction": whole.median / bare.median - 1,
        "fraction_min": whole.min / bare.min - 1,
    }
    print(
        f"the pipeline adds {added['milliseconds']:.3f} ms "
        f"({added['fraction']:.2%}) by medians, "
        f"{added['milliseconds_min']:.3f} ms ({added['fraction_min']:.2%}) "
        "by minima\n"
    )
    results: dict[str, Any] = {
        "added_to_step": added,
        "plan_milliseconds_per_step": timings[PLAN].median * 1e3,
    }
    rows = []
    for name in (PIPELINE, AUGMENT, ONE, TWO, LEAN_ONE, LEAN_TWO):
        t = timings[name]
        results[name] = {
            "images_per_second": 1 / t.median,
            "ours_over_it": t.median / timings[PIPELINE].median,
        }
        rows.append((name, *results[name].values()))
    _common.table(("images", "images/s", "ours/it"), rows)
    targets = [
        Target("part of the step added", 0.05, added["fraction"], at_most=True),
        Target(
            "images/s over torchvision's work with Pillow, 1 process",
            20.0,
            results[ONE]["ours_over_it"],
        ),
        Target(
            "images/s over torchvision's work with Pillow, 2 processes",
            20.0,
            results[TWO]["ours_over_it"],
        ),
    ]
    return results, targets


def main() -> int:
    """Measures, prints and writes."""
    parser = _common.arguments(__doc__.splitlines()[0], repeats=15)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument(
        "--steps",
        type=int,
        default=100,
        help="steps of a case in one round, at most 500",
    )
    parser.add_argument(
        "--pillow_batches",
        type=int,
        default=40,
        help="batches that Pillow makes in one round",
    )
    flags = parser.parse_args()
    pool, lean = (
        PillowPool(flags.batch_size, flags.pillow_batches, lean=lean)
        for lean in (False, True)
    )
    try:
        _common.start()
        about = _common.machine()
        # The two steps alone first: what they differ by is small, and the
        # closer in time they are run the better it is known.
        timings = _common.interleaved(
            steps(flags.batch_size, flags.steps), repeats=flags.repeats
        )
        rest = images(flags.batch_size, 469, pool, lean)
        rest |= plan(flags.batch_size, 469)
        timings |= _common.interleaved(rest, repeats=flags.repeats)
    finally:
        pool.close()
        lean.close()
    results, targets = conclude(timings)
    _common.finish(
        "input_pipeline",
        flags,
        about=about,
        timings=timings,
        results=results,
        targets=targets,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
