"""One run: its identity, its network and its record.

A ``Run`` goes on from a checkpoint, takes the logs of the steps that its
engine runs, writes what is due, measures the finished network and ends its
record. Runs that are trained together, as a stack, each have their own.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ls_tf import stopping, streams
from ls_tf.measuring import measure
from ls_tf.measuring.measurement import Measurement
from ls_tf.pipeline import usage
from ls_tf.records import runs as records
from ls_tf.records.runs import Path, RunDirectory
from ls_tf.running import assembly
from ls_tf.spec import EvaluatorSpec, Value
from ls_tf.spec.resolve import RunIdentity, teacher_of
from ls_tf.stopping import StoppedError
from ls_tf.training import checkpoints
from ls_tf.training.engine import Network
from ls_tf.training.saving import Saver
from ls_tf.training.summaries import Summaries


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


def hyper_parameters(identity: RunIdentity) -> dict[str, Value]:
    """What TensorBoard's table of runs says of one: what it may differ in.

    Returns:
        dict: experiment, alpha, seed, every changed field, and of a student
        all that its teacher's run changes, with the teacher's alpha in any
        case.

    Source: ours.
    """
    values: dict[str, Value] = {
        "experiment": identity.experiment,
        "alpha": identity.spec.train.alpha,
        "seed": identity.seed,
    }
    teacher = teacher_of(identity)
    if teacher is not None and identity.spec.teacher is not None:
        values["teacher.experiment"] = teacher.experiment
        for path, value in identity.spec.teacher.changes.items():
            values[f"teacher.changes.{path}"] = value
        values["teacher.changes.alpha"] = teacher.spec.train.alpha
    return {**values, **identity.changes}


class Run:
    """A run at some step, from the first to its finished record."""

    def __init__(
        self, identity: RunIdentity, network: Network, runs_dir: str
    ) -> None:
        """Stands at step 0; writes nothing until its record is ``opened``.

        Args:
            identity: which run.
            network: its network, of a built engine.
            runs_dir: where records lie.
        """
        self.identity = identity
        self.network = network
        self.task = network.task
        self.step = 0
        self.failure = ""
        self._spec = self.task.spec
        self._runs_dir = runs_dir
        # None in a process that writes no record.
        self._directory: RunDirectory | None = None
        self._summaries = Summaries(None, 0)
        # What the record said of the data before this process went on.
        self._used_before: Mapping[str, Any] = {}
        self._saver = Saver(self.checkpoint_folder)
        self._learning_rate = assembly.learning_rate_at(
            self._spec, self.task.total_steps
        )
        self._seconds = 0.0
        # Means of each step since the last row.
        self._pending = {k: np.zeros(0, np.float32) for k in self.task.logged}
        self._last_finite_loss = float("nan")
        # The last steps whose row, and whose measurements, were due or made.
        self._logged = self._measured = 0

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to train."""
        return bool(self.failure) or self.step >= self.task.total_steps

    @property
    def checkpoint_folder(self) -> Path:
        """Where the checkpoints lie."""
        return records.checkpoint_folder(self._runs_dir, self.identity)

    # --- Before the first step ----------------------------------------------

    @contextlib.contextmanager
    def opened(self, facts: Mapping[str, Any]) -> Iterator[None]:
        """Holds the record for writing; in the one process that writes it.

        Args:
            facts: what the record says of this process.

        Raises:
            RunError: see ``records.opened``.
        """
        with records.opened(
            self._runs_dir, self.identity, **facts
        ) as directory:
            self._directory = directory
            checkpoints.sweep(self.checkpoint_folder)
            try:
                yield
            except StoppedError:
                # Where no state was there to save, or it was saved before.
                if directory.run["outcome"] == "running":
                    self._end("stopped")
                raise
            finally:
                self._saver.close()
                self._summaries.close()

    def restore(self, checkpoint: checkpoints.Checkpoint | None) -> None:
        """Goes on from a checkpoint; from step 0 without one.

        The record follows when the run is to ``begin``, not before: a run
        that is refused after this keeps what it has.
        """
        if checkpoint is None:
            return
        self.network.load(checkpoint.arrays)
        # In the order of a fresh run: it is that of the columns.
        self._pending = {
            k: checkpoint.arrays[f"pending/{k}"] for k in self.task.logged
        }
        self.step = self._logged = self._measured = checkpoint.step
        if checkpoint.extra.get("unmeasured"):
            self._measured = -1
        self._seconds = float(checkpoint.extra.get("seconds", 0.0))

    def refuse_other_data(self) -> None:
        """Refuses to go on on other data than the run was begun on.

        Raises:
            DataError: one line; nothing is changed.
        """
        if self.step and self._directory is not None:
            usage.refuse_other(
                self.identity.title,
                self._directory.run.get("data", {}),
                self.task.data_used,
            )

    def begin(self) -> None:
        """Says in the record, and to TensorBoard, that the run goes on.

        What an earlier process recorded of steps that are made again is
        dropped, also where it left no checkpoint at all; a measurement that a
        signal broke off is made.
        """
        if self._directory is not None:
            self._begin_record(self._directory)
        self._measure_if_due()

    def _begin_record(self, directory: RunDirectory) -> None:
        if self.step:
            self._used_before = directory.run.get("data", {})
        directory.begin(
            self.step,
            steps=self.task.total_steps,
            train_seconds=round(self._seconds, 3),
            data=self._data_used(),
        )
        self._summaries = Summaries(str(directory.tensorboard), self.step)
        self._summaries.hparams(
            hyper_parameters(self.identity),
            self.identity.folder.rsplit("/", 1)[0],
        )
        for line in usage.lines(self.task.data_used):
            streams.say(f"data: {line}")

    def _data_used(self) -> dict[str, Any]:
        """What is used of the data; damaged photographs show as they come."""
        return {
            name: part.after(self._used_before.get(name, {})).as_dict()
            for name, part in self.task.data_used.items()
        }

    # --- From step to step --------------------------------------------------

    def take(self, logs: Mapping[str, np.ndarray], seconds: float) -> None:
        """Takes the per-step means of one call; fails at a non-finite loss.

        Args:
            logs: name -> float32 [steps].
            seconds: that the call took.
        """
        self._seconds += seconds
        losses = logs["loss"]
        is_finite = np.isfinite(losses)
        # A network of a stack may have gone on behind its failure.
        good = len(losses) if is_finite.all() else int(np.argmin(is_finite))
        if good:
            self._last_finite_loss = float(losses[good - 1])
        if good < len(losses):
            self._fail(losses, good)
            return
        self._pending = {
            k: np.concatenate([v, logs[k]]) for k, v in self._pending.items()
        }
        self.step += len(losses)

    def _fail(self, losses: np.ndarray, place: int) -> None:
        """Ends the run at a loss that is no number; names its examples."""
        step = self.step + place
        ids = self.task.plan(step, 1)["index"][0].ravel()
        shown = " ".join(str(i) for i in ids[:20])
        more = f" and {ids.size - 20} more" if ids.size > 20 else ""
        self.failure = (
            f"the loss of step {step} is {losses[place]}; examples "
            f"{shown}{more}; last finite loss {self._last_finite_loss:g}"
        )
        self._saver.wait()
        self._end("failed", reason=self.failure)

    def write_due(self) -> None:
        """Writes what is due at the present step."""
        self._saver.look()
        self._log_if_due()
        self._measure_if_due()
        if self._is_last or self._is_step_of(
            self._spec.train.checkpoint_every_steps
        ):
            self.save()

    def write_row(self) -> None:
        """Writes the row of the present step, if one is due, and no more."""
        self._log_if_due()
        if self._directory is not None:
            self._directory.flush()

    def wants_state(self, step: int) -> bool:
        """Whether at a step the variables are saved or measured."""
        cadences = [
            self._spec.train.checkpoint_every_steps,
            *(e.every_steps for e in self._spec.evaluators),
        ]
        return step == self.task.total_steps or any(
            every and step % every == 0 for every in cadences
        )

    @property
    def _is_last(self) -> bool:
        return self.step == self.task.total_steps

    def _is_step_of(self, every_steps: int) -> bool:
        return bool(every_steps) and self.step % every_steps == 0

    def _log_if_due(self) -> None:
        is_due = self._is_last or self._is_step_of(
            self._spec.train.log_every_steps
        )
        if is_due and self._logged != self.step:
            self._log()
        self._logged = self.step

    def _measure_if_due(self) -> None:
        """Measures what is watched; at the last step all is, by ``finish``."""
        if self._measured != self.step and not self._is_last:
            watched = [
                e
                for e in self._spec.evaluators
                if self._is_step_of(e.every_steps)
            ]
            self._measure(watched, self._publish)
        self._measured = self.step
        if self._directory is not None:
            self._directory.flush()  # the row is whole now

    def save(self) -> None:
        """Begins a checkpoint; the rows before it are on the disk by then."""
        if self._directory is None:
            return
        self._directory.seal()
        pending = {f"pending/{k}": v for k, v in self._pending.items()}
        extra: dict[str, Any] = {"seconds": self._seconds}
        if self._measured != self.step:
            extra["unmeasured"] = True  # a signal came while it was measured
        # Curves first: a run goes on from a checkpoint, and from its points.
        self._summaries.flush()
        self._saver.save(
            checkpoints.Checkpoint(
                self.step, {**self.network.state(), **pending}, extra
            ),
            functools.partial(
                self._directory.update,
                step=self.step,
                train_seconds=round(self._seconds, 3),
                data=self._data_used(),
            ),
        )

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
        self._summaries.scalars(self.step, values)
        if self._directory is not None:
            self._directory.log(self.step, values)

    def _measure(
        self,
        evaluators: Sequence[EvaluatorSpec],
        write: Callable[[EvaluatorSpec, Measurement], None],
    ) -> None:
        """Measures the network as it is; evaluators share what is computed."""
        if not evaluators:
            return
        with self.network.measuring():
            view = self.task.view(self.network)
            for evaluator in evaluators:
                name = f"{evaluator.role}/{evaluator.name}"
                with stopping.doing(f"measuring {name}"):
                    measurement = measure.measure(evaluator, view)
                write(evaluator, measurement)

    def _publish(
        self, evaluator: EvaluatorSpec, measurement: Measurement
    ) -> None:
        """Shows a measurement at the present step, as curves and pictures."""
        if self._directory is None:
            return
        from ls_tf.pages import drawing

        values = tagged(evaluator, measurement.scalars)
        self._summaries.scalars(self.step, values)
        for name, png in drawing.pictures(
            evaluator.name, measurement.arrays
        ).items():
            self._summaries.image(self.step, f"{evaluator.role}/{name}", png)
        # A column of metrics.csv is a curve: what is measured once has its
        # own file.
        if evaluator.every_steps:
            self._directory.log(self.step, values)

    # --- The end ------------------------------------------------------------

    def stop(self) -> None:
        """Saves the state at a signal; the same command goes on from it.

        The signal may have come in the midst of ``write_due``: what was not
        measured at this step is measured after the resume.
        """
        self._log_if_due()
        self.save()
        self._saver.wait()
        self._end("stopped")

    def lose(self, reason: str) -> None:
        """Ends the record of a run that has lost one of its processes."""
        self._saver.close()
        self._end("lost", reason=reason)

    def finish(self, mode: str) -> None:
        """Measures the trained network and ends the record.

        Args:
            mode: "train" measures nothing.
        """
        if self._directory is None or self.failure:
            return
        self._saver.wait()
        began = time.perf_counter()
        if mode != "train":
            self._measure(self._spec.evaluators, self._record)
        self._summaries.finish(True)
        total = self.task.total_steps
        seconds = float(self._directory.run.get("train_seconds", 0.0))
        self._end(
            "trained" if mode == "train" else "finished",
            step=total,
            data=self._data_used(),
            eval_seconds=round(time.perf_counter() - began, 3),
            steps_per_second=round(total / max(seconds, 1e-9), 2),
        )

    def _record(
        self, evaluator: EvaluatorSpec, measurement: Measurement
    ) -> None:
        """Writes the measurement files of the finished network."""
        if self._directory is None:
            return
        self._directory.measure(
            evaluator.name,
            evaluator.role,
            split=getattr(self._spec.data, evaluator.role),
            step=self.task.total_steps,
            count=measurement.count,
            scalars=measurement.scalars,
            arrays=measurement.arrays,
            notes=measurement.notes,
        )
        self._publish(evaluator, measurement)

    def _end(self, outcome: str, **fields: Any) -> None:
        if self._directory is not None:
            self._directory.update(
                outcome=outcome, ended=records.now(), **fields
            )
