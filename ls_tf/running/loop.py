"""The training loop, written once for every engine.

It asks the engine for steps that end where something is due: a row of
metrics, a checkpoint, a measurement, the end. What a step computes depends on
(specification, step) alone, so where the calls are cut changes no number.
Runs that an engine trains together, as a stack, go from step to step side by
side.
"""

import collections
import contextlib
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ls_tf import stopping
from ls_tf.running.run import Run
from ls_tf.stopping import StoppedError
from ls_tf.training.engine import Engine, Underway, max_chunk
from ls_tf.training.progress import Progress

# A stop request is seen between two compiled calls: keep what is waited for
# then this short.
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
    training = _Training(engine, together, progress)
    # Of several workers none stops by itself: they agree on the step.
    alone = engine.num_workers == 1
    try:
        with contextlib.nullcontext() if alone else stopping.deferred():
            return training.run()
    except StoppedError:
        with stopping.saving():
            training.take_rest()
            for run in together:
                if not run.failure:
                    run.stop()
        raise
    except Exception:
        # What ended it may be what the rest fails of: it comes first.
        with contextlib.suppress(Exception), stopping.deferred():
            training.take_rest()
        raise
    finally:
        progress.close()


class _Call(NamedTuple):
    """Steps that the devices were given, and when."""

    steps: Underway
    began: float


class _Training:
    """Gives an engine its calls, and takes their rows one call late.

    The devices have the next call by the time that the host waits for the rows
    of the one before. Where the state itself is wanted, by a checkpoint or a
    measurement, nothing may be given before: it is that of the step, and is not
    saved unless all losses before are numbers.
    """

    def __init__(
        self, engine: Engine, together: Sequence[Run], progress: Progress
    ) -> None:
        self._engine, self._together = engine, together
        self._progress = progress
        self._pace = _Pace(_CHUNK_SECONDS / (2 if engine.runs_ahead else 1))
        # At most two; the rows of none have been taken.
        self._calls: collections.deque[_Call] = collections.deque()
        self._taken = 0.0  # when the last rows were taken

    @property
    def _alive(self) -> list[Run]:
        return [r for r in self._together if not r.is_over]

    def run(self) -> float | None:
        """See ``train``; when the first call had ended."""
        while alive := self._alive:
            self._give(alive[0])
            most = 0 if self._waits(alive[0]) else 1
            while len(self._calls) > most:
                self._take()
                for run in self._together:
                    if not run.failure:
                        run.write_due()
        # Behind a failure of all of them nothing is of use.
        self.take_rest()
        return self._pace.began

    @property
    def _under_way(self) -> int:
        return sum(call.steps.count for call in self._calls)

    def _give(self, run: Run) -> None:
        """Gives the devices the next call."""
        step, pace = run.step + self._under_way, self._pace
        count = min(_to_due(run, step), pace.limit)
        stopping.refuse(
            pace.seconds(self._under_way + count),
            "the next steps take {}",
            late=_LATE_SECONDS,
        )
        stop, count = self._engine.agree(stopping.requested(), count)
        if stop:
            raise StoppedError
        with stopping.doing(pace.what):
            began = time.perf_counter()
            steps = self._engine.begin(step, count)
        self._calls.append(_Call(steps, began))

    def _waits(self, run: Run) -> bool:
        """Whether the last call is to end before another one is given.

        The first one tells when a stop could save something.
        """
        return (
            not self._engine.runs_ahead
            or self._pace.began is None
            or run.wants_state(run.step + self._under_way)
        )

    def _take(self) -> None:
        """Waits for the oldest call, and takes its rows."""
        call = self._calls.popleft()
        # What is computed already must come back: nothing may break it off.
        with stopping.deferred(), stopping.doing(self._pace.what):
            logs = call.steps.logs()
        # The devices began it when they had done the one before.
        now = time.perf_counter()
        seconds = now - max(call.began, self._taken)
        self._taken = now
        self._pace.took(call.steps.count, seconds)
        alive, losses = self._alive, []
        for run, log in zip(self._together, logs, strict=True):
            if run in alive:
                run.take(log, seconds)
                losses.append(log["loss"][-1])
        if alive:
            reached = max(run.step for run in alive)
            self._progress.advance(reached, float(np.mean(losses)))

    def take_rest(self) -> None:
        """Takes and writes the rows of what is under way, where all ends."""
        while self._calls:
            self._take()
            for run in self._together:
                if not run.failure:
                    run.write_row()


class _Pace:
    """How many steps a call may take: one at first, then a time's worth.

    The first call compiles and tells nothing of the steps that follow; what
    the second one tells of many steps is a guess. So the count doubles at
    most, and a slow machine waits for a few steps and not for hundreds.
    """

    def __init__(self, chunk: float) -> None:
        self.limit = 1
        self.what = "compiling and the first step"
        self.began: float | None = None  # when the first call had ended
        self._chunk = chunk  # seconds of a call
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
            fitting = int(self._chunk * count / max(seconds, 1e-9))
            self.limit = max(1, min(2 * self.limit, fitting))


def _to_due(run: Run, step: int) -> int:
    """Steps from one until something is due, at most one static call."""
    spec = run.task.spec
    cadences = [spec.train.log_every_steps, spec.train.checkpoint_every_steps]
    cadences += [e.every_steps for e in spec.evaluators if e.every_steps]
    to_due = min(c - step % c for c in cadences)
    return min(to_due, max_chunk(spec), run.task.total_steps - step)
