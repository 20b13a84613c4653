"""The training loop, written once for every engine.

It asks the engine for runs of steps that end where something is due: a row of
metrics, a checkpoint, a measurement, the end. What a step computes depends on
(specification, step) alone, so where the runs are cut changes no number.

Runs that an engine trains together, as a stack, each have a ``Member`` that
keeps their books; one ``Loop`` leads them from step to step.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from ls_tf.records.runs import RunDirectory
from ls_tf.spec import EvaluatorSpec, ExperimentSpec
from ls_tf.training import checkpoints
from ls_tf.training.engine import Engine, Network, max_chunk
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


class Member:
    """The books of one run: rows, measurements, checkpoints, failure."""

    def __init__(
        self,
        network: Network,
        directory: RunDirectory | None,
        learning_rate: Callable[[int], float],
        hooks: Hooks,
    ) -> None:
        """Takes the parts.

        Args:
            network: of a built engine.
            directory: None in a process that writes no record.
            learning_rate: step -> rate, for the logs.
            hooks: evaluation and pictures.
        """
        self.network = network
        self.directory = directory
        self.task = network.task
        self.step = 0
        self.failure = ""
        self.summaries = Summaries(None, 0)
        self._spec: ExperimentSpec = self.task.spec
        self._learning_rate = learning_rate
        self._hooks = hooks
        self._seconds = 0.0
        self._pending = {k: np.zeros(0, np.float32) for k in self.task.logged}
        self._last_finite = float("nan")

    def restore(self, checkpoint: checkpoints.Checkpoint | None) -> int:
        """Goes on from a checkpoint; returns its step, 0 for a fresh run."""
        if checkpoint is None:
            return 0
        self.network.load(checkpoint.arrays)
        # In the order of a fresh run: it is that of the columns.
        self._pending = {
            k: checkpoint.arrays[f"pending/{k}"] for k in self.task.logged
        }
        self.step = checkpoint.step
        self._seconds = float(checkpoint.extra.get("seconds", 0.0))
        if self.directory is not None:
            self.directory.rewind(checkpoint.step)
        return self.step

    def save(self) -> None:
        """Writes a checkpoint."""
        if self.directory is None:
            return
        pending = {f"pending/{k}": v for k, v in self._pending.items()}
        checkpoints.save(
            self.directory.checkpoints,
            checkpoints.Checkpoint(
                self.step,
                {**self.network.state(), **pending},
                {"seconds": self._seconds},
            ),
        )
        self.directory.update(
            step=self.step, train_seconds=round(self._seconds, 3)
        )

    def take(self, logs: Mapping[str, np.ndarray], seconds: float) -> None:
        """Adds the per-step means of one call; fails at a non-finite loss."""
        self._seconds += seconds
        losses = logs["loss"]
        bad = np.flatnonzero(~np.isfinite(losses))
        finite = losses[np.isfinite(losses)]
        if finite.size:
            self._last_finite = float(finite[-1])
        if bad.size:
            step = self.step + int(bad[0])
            ids = self.task.plan(step, 1)["index"][0].ravel()
            shown = " ".join(str(i) for i in ids[:20])
            more = f" and {ids.size - 20} more" if ids.size > 20 else ""
            self.failure = (
                f"the loss of step {step} is {losses[bad[0]]}; examples "
                f"{shown}{more}; last finite loss {self._last_finite:g}"
            )
            return
        self._pending = {
            k: np.concatenate([v, logs[k]]) for k, v in self._pending.items()
        }
        self.step += len(losses)

    def due(self) -> None:
        """Writes what is due at the present step."""
        train, step = self._spec.train, self.step
        last = step == self.task.total_steps
        if step % train.log_every_steps == 0 or last:
            self._log()
        for evaluator in self._spec.evaluators:
            every = evaluator.every_steps
            if every and step % every == 0 and not last:
                self._watch(evaluator)
        if step % train.checkpoint_every_steps == 0 or last:
            self.save()

    def _log(self) -> None:
        """Writes the mean of each value since the last row."""
        values = {
            f"train/{k}": float(np.mean(v, dtype=np.float64))
            for k, v in self._pending.items()
            if v.size
        }
        self._pending = {k: v[:0] for k, v in self._pending.items()}
        values["epoch"] = self.task.epoch(self.step)
        values["learning_rate"] = self._learning_rate(self.step - 1)
        self.summaries.scalars(self.step, values)
        if self.directory is not None:
            self.directory.log(self.step, values)

    def _watch(self, evaluator: EvaluatorSpec) -> None:
        """Measures during training: a row of metrics, no measurement file."""
        with self.network.measuring():
            found = self._hooks.measure(evaluator)
        self.publish(evaluator, found)

    def publish(self, evaluator: EvaluatorSpec, found: Any) -> None:
        """Shows a measurement at the present step, as curves and pictures.

        Args:
            evaluator: what was measured.
            found: its measurement.
        """
        if self.directory is None:
            return
        values = tagged(evaluator, found.scalars)
        self.summaries.scalars(self.step, values)
        for name, png in self._hooks.pictures(
            evaluator.name, found.arrays
        ).items():
            self.summaries.image(self.step, f"{evaluator.role}/{name}", png)
        # A column of metrics.csv is a curve: what is measured once has its
        # own file.
        if evaluator.every_steps:
            self.directory.log(self.step, values)


class Loop:
    """The training of an engine's networks to their last step."""

    def __init__(self, engine: Engine, members: Sequence[Member]) -> None:
        """Takes the parts.

        Args:
            engine: built.
            members: one for each of its networks, all at the same step.
        """
        self._engine = engine
        self._members = members
        self._spec: ExperimentSpec = members[0].task.spec
        self._total = members[0].task.total_steps
        self._step = members[0].step

    def _next_count(self, seconds_per_step: float) -> int:
        """Steps until something is due, at most one static call."""
        train = self._spec.train
        cadences = [train.log_every_steps, train.checkpoint_every_steps]
        cadences += [
            e.every_steps for e in self._spec.evaluators if e.every_steps
        ]
        to_due = min(c - self._step % c for c in cadences)
        count = min(to_due, max_chunk(self._spec), self._total - self._step)
        if seconds_per_step > 0:
            count = min(count, max(1, int(_CHUNK_SECONDS / seconds_per_step)))
        return count

    def run(self, stop: StopRequest, progress: Progress) -> None:
        """Trains to the last step.

        A network whose loss is no number any more has its ``failure`` set and
        is left alone; the others go on.

        Args:
            stop: looked at between compiled calls.
            progress: what a person sees.

        Raises:
            StoppedError: a signal came; the state is saved.
            OSError: the disk is full; the checkpoint before is intact.
        """
        per_step = 0.0
        first_call = True
        alive = [m for m in self._members if not m.failure]
        while self._step < self._total and alive:
            count = self._next_count(per_step)
            stopping, count = self._engine.agree(bool(stop), count)
            if stopping:
                for member in alive:
                    member.save()
                raise StoppedError
            began = time.perf_counter()
            logs = self._engine.run(self._step, count)
            took = time.perf_counter() - began
            if not first_call:  # the first one compiles
                per_step = took / count
            first_call = False
            losses = []
            for member, log in zip(self._members, logs, strict=True):
                if not member.failure:
                    member.take(log, took)
                    losses.append(log["loss"][-1])
            alive = [m for m in alive if not m.failure]
            self._step += count
            progress.advance(self._step, float(np.mean(losses)))
            for member in alive:
                member.due()
