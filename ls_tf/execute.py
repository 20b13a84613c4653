"""Carries out one run: parts put together, trained, measured, recorded."""

import contextlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_tf import registry, runs
from ls_tf.resolve import RunIdentity, teacher_of
from ls_tf.runs import Record, RunDirectory
from ls_tf.spec import EvaluatorSpec, ExperimentSpec, SpecError

if TYPE_CHECKING:
    from ls_tf.training.loop import Hooks, Loop, StopRequest
    from ls_tf.training.summaries import Summaries


class MissingRunError(SpecError):
    """A run that another one needs is not there; says how to make it."""


@dataclass(frozen=True)
class Machine:
    """Where and how to run; none of it may change the numbers."""

    runs_dir: str = "runs"
    data_dir: str | None = None
    strategy: str = "default"
    logical_devices: int = 1
    micro_batches: int = 1
    deterministic: bool = False
    command: tuple[str, ...] = ()


def _git() -> dict[str, Any]:
    """The commit of the code that runs, and whether it was altered."""

    def ask(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        changed = ask("status", "--porcelain", "--untracked-files=no")
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(changed)}
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drops what TensorFlow's C++ start-up writes to standard error.

    It speaks of CUDA and of rounding on every start, before any setting of
    its own is read; errors come as exceptions all the same.
    """
    sys.stderr.flush()
    kept, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)


class Session:
    """The process's devices: one strategy, however many runs."""

    def __init__(self, machine: Machine) -> None:
        """Prepares TensorFlow; costs seconds, so only when a run needs it."""
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        from ls_tf.training import strategy

        self.machine = machine
        strategy.check(machine.strategy)
        self.worker = strategy.worker(machine.strategy)
        with _quiet():
            self.strategy = strategy.make(
                machine.strategy, logical_devices=machine.logical_devices
            )
        if machine.deterministic:
            import tensorflow as tf

            tf.config.experimental.enable_op_determinism()

    def facts(self, devices: list[str]) -> dict[str, Any]:
        """Fields of ``run.json`` about this process."""
        import keras
        import tensorflow as tf

        return {
            "command": list(self.machine.command),
            "git": _git(),
            "versions": {
                "python": platform.python_version(),
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "numpy": np.__version__,
            },
            "engine": "tensorflow",
            "strategy": self.machine.strategy,
            "replicas": self.strategy.num_replicas_in_sync,
            "devices": devices,
            "host_cpus": os.cpu_count(),
        }


def needed(identity: RunIdentity) -> list[RunIdentity]:
    """A run and the teachers before it, in the order to train them."""
    teacher = teacher_of(identity)
    return [*(needed(teacher) if teacher else []), identity]


def _teacher(identity: RunIdentity, runs_dir: str) -> Any:
    """The trained teacher of a run, if it has one."""
    found = teacher_of(identity)
    if found is None:
        return None
    record = runs.find(runs_dir, found)
    if record is None:
        raise MissingRunError(
            f"the teacher's run is missing or unfinished; make it with: "
            f"{found.command()} --runs_dir={runs_dir} (or add --run_missing)"
        )
    from ls_tf.tasks.distillation import Teacher
    from ls_tf.training import checkpoints
    from ls_tf.training._variables import assign_model

    checkpoint = checkpoints.latest(record.path / "checkpoints")
    if checkpoint is None:
        raise MissingRunError(
            f"the teacher's record {record.path} has no checkpoint; make it "
            f"with: {found.command()} --runs_dir={runs_dir}"
        )
    return Teacher(
        found.spec, lambda model: assign_model(model, checkpoint.arrays)
    )


class _Trained:
    """A task's model at one step, its outputs computed once for each split."""

    def __init__(self, task: Any, predict: Callable[..., Any]) -> None:
        self.spec, self.model = task.spec, task.model
        self._task, self._predict = task, predict
        self._cache: dict[str, Mapping[str, np.ndarray]] = {}

    def labels(self, role: str) -> np.ndarray:
        return np.asarray(self._task.examples(role)["label"])

    def outputs(
        self, role: str, index: np.ndarray | None = None
    ) -> Mapping[str, np.ndarray]:
        examples = self._task.examples(role)
        if index is not None:
            picked = {k: v[index] for k, v in examples.items()}
            return dict(self._predict(picked))
        split = getattr(self.spec.data, role)
        if split not in self._cache:
            self._cache[split] = self._predict(examples)
        return self._cache[split]


def _learning_rate(spec: ExperimentSpec, total_steps: int) -> Any:
    from ls_tf import schedules

    return schedules.build(
        spec.schedule.name,
        dict(spec.schedule.options),
        base_learning_rate=spec.learning_rate,
        total_steps=total_steps,
    )


def _transform(spec: ExperimentSpec) -> Callable[[list[Any], list[Any]], Any]:
    from ls_tf import optimizers

    train = spec.train

    def transform(grads: list[Any], variables: list[Any]) -> list[Any]:
        grads = optimizers.decayed(
            grads,
            variables,
            weight_decay=train.weight_decay,
            exclude=train.decay_exclude,
        )
        return optimizers.clipped(grads, train.clip_global_norm)

    return transform


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """Makes a library's complaint about a value the run's own."""
    try:
        yield
    except ValueError as error:
        if "\n" in str(error):
            raise
        raise SpecError(str(error)) from error


def _build(identity: RunIdentity, session: Session) -> tuple[Any, Any]:
    """Builds engine and task.

    Raises:
        SpecError: what the specification asks for cannot be built; library
            errors about values are told in their own one line.
    """
    from ls_tf import optimizers
    from ls_tf.training.tensorflow_engine import TensorFlowEngine

    spec, machine = identity.spec, session.machine
    teacher = _teacher(identity, machine.runs_dir)
    engine = TensorFlowEngine(
        spec,
        session.strategy,
        _transform(spec),
        micro_batches=machine.micro_batches,
        worker=session.worker,
    )

    def make_task() -> Any:
        return registry.get("ls_tf.tasks", spec.task).build(
            spec, data_dir=machine.data_dir, teacher=teacher
        )

    def make_optimizer(task: Any) -> Any:
        return optimizers.build(
            spec.optimizer.name,
            dict(spec.optimizer.options),
            learning_rate=_learning_rate(spec, task.total_steps),
            ema_momentum=spec.train.ema_momentum,
        )

    with _one_line():
        task = engine.build(make_task, make_optimizer)
        # A name in decay_exclude that fits no variable shows here.
        optimizers.decay_penalty(
            task.model.trainable_variables,
            weight_decay=spec.train.weight_decay,
            exclude=spec.train.decay_exclude,
        )
        trained = _Trained(task, engine.predict)
        for evaluator in spec.evaluators:
            task.check(evaluator, trained)
    return engine, task


def _pictures(
    evaluator: str, arrays: Mapping[str, np.ndarray]
) -> Mapping[str, bytes]:
    from ls_tf.reports import _draw

    return _draw.pictures(evaluator, arrays)


def _hooks(engine: Any, task: Any) -> "Hooks":
    from ls_tf.training.loop import Hooks

    def measure(evaluator: EvaluatorSpec) -> Any:
        return task.measure(evaluator, _Trained(task, engine.predict))

    return Hooks(measure=measure, pictures=_pictures)


def _final_measurements(
    engine: Any,
    task: Any,
    loop: "Loop",
    directory: RunDirectory,
    summaries: "Summaries",
) -> None:
    """Measures the finished network and writes the measurement files."""
    trained = _Trained(task, engine.predict)
    with engine.averaged_weights():
        for evaluator in task.spec.evaluators:
            found = task.measure(evaluator, trained)
            directory.measure(
                evaluator.name,
                evaluator.role,
                split=getattr(task.spec.data, evaluator.role),
                step=task.total_steps,
                count=found.count,
                scalars=found.scalars,
                arrays=found.arrays,
            )
            loop.publish(evaluator, found, summaries)


def _train(
    loop: "Loop",
    directory: RunDirectory | None,
    summaries: "Summaries",
    stop: "StopRequest",
    title: str,
    start: int,
    total: int,
) -> None:
    from ls_tf.training.loop import NonFiniteLossError, StoppedError
    from ls_tf.training.progress import Progress

    progress = Progress(title, start, total)
    try:
        loop.run(stop, summaries, progress)
    except StoppedError:
        if directory is not None:
            directory.update(outcome="stopped", ended=runs.now())
        raise
    except NonFiniteLossError as error:
        if directory is not None:
            directory.update(
                outcome="failed", reason=str(error), ended=runs.now()
            )
        raise
    finally:
        progress.close()


@contextlib.contextmanager
def _record(
    identity: RunIdentity, session: Session, engine: Any
) -> Iterator[RunDirectory | None]:
    """The run's directory in the one process that writes it."""
    if not engine.is_chief:
        yield None
        return
    facts = session.facts(engine.devices())
    with runs.opened(session.machine.runs_dir, identity, **facts) as directory:
        yield directory


def run(
    identity: RunIdentity,
    session: Session,
    *,
    mode: str = "train_and_eval",
    title: str = "",
) -> None:
    """Trains and measures one run, from wherever it stands.

    Args:
        identity: the run.
        session: the process's devices.
        mode: "train_and_eval", "train" or "eval".
        title: what the progress line says; default: the run's title.

    Raises:
        SpecError, RunError, DataError, CheckpointError: bad input; one line.
        StoppedError: a signal came; the state is saved.
        NonFiniteLossError: see ``Loop.run``.
        OSError: the disk is full; the last checkpoint is intact.

    Source: ours.
    """
    import keras

    from ls_tf.training import checkpoints
    from ls_tf.training.loop import Loop, stop_requests
    from ls_tf.training.summaries import Summaries

    runs_dir = session.machine.runs_dir
    runs.refuse(runs_dir, identity, is_writer=session.worker[0] == 0)
    keras.utils.clear_session()
    with stop_requests() as stop:
        engine, task = _build(identity, session)
        folder = runs.Path(runs_dir) / identity.folder / "checkpoints"
        with _record(identity, session, engine) as directory:
            if directory is not None:
                checkpoints.sweep(folder)
            checkpoint = checkpoints.latest(folder)
            schedule = _learning_rate(identity.spec, task.total_steps)
            rate = schedule if callable(schedule) else (lambda step: schedule)
            loop = Loop(
                engine,
                task,
                directory,
                lambda step: float(rate(step)),
                _hooks(engine, task),
            )
            start = loop.restore(checkpoint)
            if mode == "eval" and start < task.total_steps:
                raise MissingRunError(
                    f"run {identity.title} is at step {start} of "
                    f"{task.total_steps}; finish it with: {identity.command()}"
                )
            logs = None if directory is None else str(directory.tensorboard)
            summaries = Summaries(logs, start)
            _describe(summaries, identity)
            if directory is not None:
                directory.update(
                    outcome="running", steps=task.total_steps, step=start
                )
            _train(
                loop,
                directory,
                summaries,
                stop,
                title or identity.title,
                start,
                task.total_steps,
            )
            if directory is not None:
                _finish(engine, task, loop, directory, summaries, mode)


def _describe(summaries: "Summaries", identity: RunIdentity) -> None:
    values = {
        "experiment": identity.experiment,
        "alpha": identity.spec.train.alpha,
        "seed": identity.seed,
    }
    summaries.hparams(
        {**values, **identity.changes}, identity.folder.rsplit("/", 1)[0]
    )


def _finish(
    engine: Any,
    task: Any,
    loop: "Loop",
    directory: RunDirectory,
    summaries: "Summaries",
    mode: str,
) -> None:
    began = time.perf_counter()
    if mode != "train":
        _final_measurements(engine, task, loop, directory, summaries)
    summaries.finish(True)
    seconds = float(directory.run.get("train_seconds", 0.0))
    directory.update(
        outcome="trained" if mode == "train" else "finished",
        step=task.total_steps,
        ended=runs.now(),
        eval_seconds=round(time.perf_counter() - began, 3),
        steps_per_second=round(task.total_steps / max(seconds, 1e-9), 2),
    )


def make_missing(
    wanted: list[RunIdentity], machine: Machine, session: Session | None = None
) -> None:
    """Trains, one after the other, the runs that have no finished record.

    Args:
        wanted: the runs; their teachers are added before them.
        machine: where to run.
        session: default: one is made when the first run needs it.

    Raises:
        See ``run``.
    """
    missing: dict[str, RunIdentity] = {}
    for identity in wanted:
        for one in needed(identity):
            if runs.find(machine.runs_dir, one) is None:
                missing.setdefault(one.folder, one)
    for i, one in enumerate(missing.values(), 1):
        session = session or Session(machine)
        run(one, session, title=f"[{i}/{len(missing)}] {one.title}")


def record_of(identity: RunIdentity, runs_dir: str) -> Record:
    """The finished record of a run.

    Raises:
        MissingRunError: there is none; says how to make it.
    """
    record = runs.find(runs_dir, identity)
    if record is None:
        raise MissingRunError(
            f"run {identity.title} is missing; make it with: "
            f"{identity.command()}"
        )
    return record
