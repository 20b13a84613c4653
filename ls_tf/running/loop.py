"""The training loop, written once for every engine.

It asks the engine for steps that end where something is due: a row of
metrics, a checkpoint, a measurement, the end. What a step computes depends on
(specification, step) alone, so where the calls are cut changes no number.
Runs that an engine trains together, as a stack, go from step to step side by
side.
"""

import contextlib
import time
from collections.abc import Sequence

import numpy as np

from ls_tf import stopping
from ls_tf.running.run import Run
from ls_tf.stopping import StoppedError
from ls_tf.training.engine import Engine, max_chunk
from ls_tf.training.progress import Progress

# A stop request is seen between two compiled calls: keep them this short.
_CHUNK_SECONDS = 2.0
# A call may end so much later than a time limit: what follows takes the rest.
_LATE_SECONDS = stopping.PATIENCE_SECONDS - 3.0


def train(engine: Engine, together: Sequence[Run], title: str) -> float | None:
    """Trains an engine's networks to their last step.

    A run whose loss is no number any more has its ``failure`` set and is left
    alone; the others go on.

    Args:
        engine: built.
        together: one run for each of its networks, all at the same step.
        title: what the progress line says.

    Returns:
        When the first call had ended, by ``time.monotonic``; None if there
        was no step left.

    Raises:
        StoppedError: a signal came, or a time limit; the state is saved.
        OSError: the disk is full; the checkpoint before is intact.

    Source: ours.
    """
    first = together[0]
    progress = Progress(title, first.step, first.task.total_steps)
    # Of several workers none stops by itself: they agree on the step.
    alone = engine.num_workers == 1
    try:
        with contextlib.nullcontext() if alone else stopping.deferred():
            return _train(engine, together, progress)
    except StoppedError:
        with stopping.saving():
            for run in together:
                if not run.failure:
                    run.stop()
        raise
    finally:
        progress.close()


def _train(
    engine: Engine, together: Sequence[Run], progress: Progress
) -> float | None:
    pace = _Pace()
    while alive := [r for r in together if not r.is_over]:
        count = min(_to_due(alive[0]), pace.limit)
        stopping.refuse(
            pace.seconds(count), "the next steps take {}", late=_LATE_SECONDS
        )
        stop, count = engine.agree(stopping.requested(), count)
        if stop:
            raise StoppedError
        with stopping.doing(pace.what):
            began = time.perf_counter()
            logs = engine.run(alive[0].step, count)
            seconds = time.perf_counter() - began
        pace.took(count, seconds)
        losses = []
        for run, log in zip(together, logs, strict=True):
            if run in alive:
                run.take(log, seconds)
                losses.append(log["loss"][-1])
        reached = max(run.step for run in alive)
        progress.advance(reached, float(np.mean(losses)))
        for run in alive:
            if not run.failure:
                run.write_due()
    return pace.began


class _Pace:
    """How many steps a call may take: one at first, then a time's worth.

    The first call compiles and tells nothing of the steps that follow; what
    the second one tells of many steps is a guess. So the count doubles at
    most, and a slow machine waits for a few steps and not for hundreds.
    """

    def __init__(self) -> None:
        self.limit = 1
        self.what = "compiling and the first step"
        self.began: float | None = None  # when the first call had ended
        self._calls = 0
        self._each = 0.0  # seconds of a step

    def seconds(self, count: int) -> float:
        """What a call of ``count`` steps takes; 0 as long as nobody knows."""
        return count * self._each

    def took(self, count: int, seconds: float) -> None:
        """Takes the seconds of a call of ``count`` steps."""
        self._calls += 1
        self.began = self.began or time.monotonic()
        self.what = "the present steps"
        if self._calls > 1:
            self._each = seconds / count
            fitting = int(_CHUNK_SECONDS * count / max(seconds, 1e-9))
            self.limit = max(1, min(2 * self.limit, fitting))


def _to_due(run: Run) -> int:
    """Steps until something is due, at most one static call."""
    spec, step = run.task.spec, run.step
    cadences = [spec.train.log_every_steps, spec.train.checkpoint_every_steps]
    cadences += [e.every_steps for e in spec.evaluators if e.every_steps]
    to_due = min(c - step % c for c in cadences)
    return min(to_due, max_chunk(spec), run.task.total_steps - step)
