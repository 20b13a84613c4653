"""The training loop, written once for every engine.

It asks the engine for steps that end where something is due: a row of
metrics, a checkpoint, a measurement, the end. What a step computes depends on
(specification, step) alone, so where the calls are cut changes no number.
Runs that an engine trains together, as a stack, go from step to step side by
side.
"""

import time
from collections.abc import Sequence

import numpy as np

from ls_tf.running.run import Run
from ls_tf.training.engine import Engine, max_chunk
from ls_tf.training.progress import Progress
from ls_tf.training.stopping import StoppedError, StopRequest

# A stop request is seen between two compiled calls: keep them this short.
_CHUNK_SECONDS = 2.0


def train(
    engine: Engine, together: Sequence[Run], stop: StopRequest, title: str
) -> None:
    """Trains an engine's networks to their last step.

    A run whose loss is no number any more has its ``failure`` set and is left
    alone; the others go on.

    Args:
        engine: built.
        together: one run for each of its networks, all at the same step.
        stop: looked at between compiled calls.
        title: what the progress line says.

    Raises:
        StoppedError: a signal came; the state is saved.
        OSError: the disk is full; the checkpoint before is intact.

    Source: ours.
    """
    first = together[0]
    progress = Progress(title, first.step, first.task.total_steps)
    seconds_per_step = 0.0
    first_call = True
    try:
        while alive := [r for r in together if not r.is_over]:
            count = _next_count(alive[0], seconds_per_step)
            stopping, count = engine.agree(bool(stop), count)
            if stopping:
                for run in alive:
                    run.stop()
                raise StoppedError
            began = time.perf_counter()
            logs = engine.run(alive[0].step, count)
            seconds = time.perf_counter() - began
            if not first_call:  # the first one compiles
                seconds_per_step = seconds / count
            first_call = False
            reached = alive[0].step + count
            losses = []
            for run, log in zip(together, logs, strict=True):
                if run in alive:
                    run.take(log, seconds)
                    losses.append(log["loss"][-1])
            progress.advance(reached, float(np.mean(losses)))
            for run in alive:
                if not run.failure:
                    run.write_due()
    finally:
        progress.close()


def _next_count(run: Run, seconds_per_step: float) -> int:
    """Steps until something is due, at most one static call."""
    spec, step = run.task.spec, run.step
    cadences = [spec.train.log_every_steps, spec.train.checkpoint_every_steps]
    cadences += [e.every_steps for e in spec.evaluators if e.every_steps]
    to_due = min(c - step % c for c in cadences)
    count = min(to_due, max_chunk(spec), run.task.total_steps - step)
    if seconds_per_step > 0:
        count = min(count, max(1, int(_CHUNK_SECONDS / seconds_per_step)))
    return count
