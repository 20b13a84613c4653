"""The training loop, written once for every engine.

It asks the engine for runs of steps that end where something is due: a row of
metrics, a checkpoint, a measurement, the end. What a step computes depends on
(specification, step) alone, so where the runs are cut changes no number.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from ls_tf.runs import RunDirectory
from ls_tf.spec import EvaluatorSpec, ExperimentSpec
from ls_tf.tasks._protocol import Task
from ls_tf.training import checkpoints
from ls_tf.training._engine import Engine, max_chunk
from ls_tf.training.progress import Progress
from ls_tf.training.summaries import Summaries

# A stop request is seen between two compiled calls: keep them this short.
_CHUNK_SECONDS = 2.0


class StoppedError(Exception):
    """A signal asked to stop; the state was saved."""


class NonFiniteLossError(Exception):
    """The loss is not a number any more; the message is one line."""


@dataclass
class StopRequest:
    """Whether SIGTERM or SIGINT has come."""

    signal: int = 0

    def __bool__(self) -> bool:
        """True once a signal has come."""
        return self.signal != 0


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turns SIGTERM and SIGINT into a request, seen between steps."""
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:
        request.signal = number

    before = {
        number: signal.signal(number, note)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Hooks:
    """What the loop calls back: evaluation, and pictures of measurements."""

    measure: Callable[[EvaluatorSpec], Any]
    pictures: Callable[[str, Mapping[str, np.ndarray]], Mapping[str, bytes]]


def tagged(
    evaluator: EvaluatorSpec, scalars: Mapping[str, float]
) -> dict[str, float]:
    """Names an evaluator's numbers as columns and curves: ``report/ece``.

    The classifier's numbers stand under the split's role alone; on the
    training split they are kept apart from the means over training batches.
    """
    prefix = evaluator.role
    if evaluator.name != "classification":
        prefix = f"{prefix}/{evaluator.name}"
    elif evaluator.role == "train":
        prefix = "train_split"
    return {f"{prefix}/{name}": value for name, value in scalars.items()}


class Loop:
    """One run's training from its last checkpoint to its last step."""

    def __init__(
        self,
        engine: Engine,
        task: Task,
        directory: RunDirectory | None,
        learning_rate: Callable[[int], float],
        hooks: Hooks,
    ) -> None:
        """Takes the parts.

        Args:
            engine: built.
            task: what the engine built.
            directory: None in a process that writes no record.
            learning_rate: step -> rate, for the logs.
            hooks: evaluation and pictures.
        """
        self._engine = engine
        self._task = task
        self._spec: ExperimentSpec = task.spec
        self._directory = directory
        self._learning_rate = learning_rate
        self._hooks = hooks
        self._step = 0
        self._seconds = 0.0
        self._pending = {k: np.zeros(0, np.float32) for k in task.logged}
        self._last_finite = float("nan")

    def restore(self, checkpoint: checkpoints.Checkpoint | None) -> int:
        """Goes on from a checkpoint; returns its step, 0 for a fresh run."""
        if checkpoint is None:
            return 0
        prefix = "pending/"
        self._engine.load(checkpoint.arrays)
        self._pending = {
            k.removeprefix(prefix): v
            for k, v in checkpoint.arrays.items()
            if k.startswith(prefix)
        }
        self._step = checkpoint.step
        self._seconds = float(checkpoint.extra.get("seconds", 0.0))
        if self._directory is not None:
            self._directory.rewind(checkpoint.step)
        return self._step

    def _save(self) -> None:
        if self._directory is None:
            return
        pending = {f"pending/{k}": v for k, v in self._pending.items()}
        checkpoints.save(
            self._directory.checkpoints,
            checkpoints.Checkpoint(
                self._step,
                {**self._engine.state(), **pending},
                {"seconds": self._seconds},
            ),
        )
        self._directory.update(
            step=self._step, train_seconds=round(self._seconds, 3)
        )

    def _next_count(self, seconds_per_step: float) -> int:
        """Steps until something is due, at most one static call."""
        train = self._spec.train
        cadences = [train.log_every_steps, train.checkpoint_every_steps]
        cadences += [
            e.every_steps for e in self._spec.evaluators if e.every_steps
        ]
        to_due = min(c - self._step % c for c in cadences)
        count = min(
            to_due, max_chunk(self._spec), self._task.total_steps - self._step
        )
        if seconds_per_step > 0:
            count = min(count, max(1, int(_CHUNK_SECONDS / seconds_per_step)))
        return count

    def run(
        self, stop: StopRequest, summaries: Summaries, progress: Progress
    ) -> None:
        """Trains to the last step.

        Args:
            stop: looked at between compiled calls.
            summaries: where TensorBoard's values go.
            progress: what a person sees.

        Raises:
            StoppedError: a signal came; the state is saved.
            NonFiniteLossError: with step, example ids and last finite loss.
            OSError: the disk is full; the checkpoint before is intact.

        """
        total = self._task.total_steps
        per_step = 0.0
        first_call = True
        while self._step < total:
            count = self._next_count(per_step)
            stopping, count = self._engine.agree(bool(stop), count)
            if stopping:
                self._save()
                raise StoppedError
            began = time.perf_counter()
            logs = self._engine.run(self._step, count)
            took = time.perf_counter() - began
            self._seconds += took
            if not first_call:  # the first one compiles
                per_step = took / count
            first_call = False
            self._take(logs)
            progress.advance(self._step, logs["loss"][-1])
            self._due(summaries)

    def _take(self, logs: Mapping[str, np.ndarray]) -> None:
        """Adds the per-step means of one call; stops at a non-finite loss."""
        losses = logs["loss"]
        bad = np.flatnonzero(~np.isfinite(losses))
        finite = losses[np.isfinite(losses)]
        if finite.size:
            self._last_finite = float(finite[-1])
        if bad.size:
            step = self._step + int(bad[0])
            ids = self._task.plan(step, 1)["index"][0].ravel()
            shown = " ".join(str(i) for i in ids[:20])
            more = f" and {ids.size - 20} more" if ids.size > 20 else ""
            raise NonFiniteLossError(
                f"the loss of step {step} is {losses[bad[0]]}; examples "
                f"{shown}{more}; last finite loss {self._last_finite:g}"
            )
        self._pending = {
            k: np.concatenate([v, logs[k]]) for k, v in self._pending.items()
        }
        self._step += len(losses)

    def _due(self, summaries: Summaries) -> None:
        train, step = self._spec.train, self._step
        last = step == self._task.total_steps
        if step % train.log_every_steps == 0 or last:
            self._log(summaries)
        for evaluator in self._spec.evaluators:
            every = evaluator.every_steps
            if every and step % every == 0 and not last:
                self._watch(evaluator, summaries)
        if step % train.checkpoint_every_steps == 0 or last:
            self._save()

    def _log(self, summaries: Summaries) -> None:
        """Writes the mean of each value since the last row."""
        values = {
            f"train/{k}": float(np.mean(v, dtype=np.float64))
            for k, v in self._pending.items()
            if v.size
        }
        self._pending = {k: v[:0] for k, v in self._pending.items()}
        batch = self._spec.train.global_batch_size
        values["epoch"] = self._step * batch / self._task.num_examples
        values["learning_rate"] = self._learning_rate(self._step - 1)
        summaries.scalars(self._step, values)
        if self._directory is not None:
            self._directory.log(self._step, values)

    def _watch(self, evaluator: EvaluatorSpec, summaries: Summaries) -> None:
        """Measures during training: a row of metrics, no measurement file."""
        with self._engine.averaged_weights():
            found = self._hooks.measure(evaluator)
        self.publish(evaluator, found, summaries)

    def publish(
        self, evaluator: EvaluatorSpec, found: Any, summaries: Summaries
    ) -> None:
        """Shows a measurement at the present step, as curves and pictures.

        Args:
            evaluator: what was measured.
            found: its measurement.
            summaries: where TensorBoard's values go.
        """
        if self._directory is None:
            return
        values = tagged(evaluator, found.scalars)
        summaries.scalars(self._step, values)
        for name, png in self._hooks.pictures(
            evaluator.name, found.arrays
        ).items():
            summaries.image(self._step, f"{evaluator.role}/{name}", png)
        # A column of metrics.csv is a curve: what is measured once has its
        # own file.
        if evaluator.every_steps:
            self._directory.log(self._step, values)
