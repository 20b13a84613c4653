"""Carries out runs: parts put together, trained, measured, recorded.

A run is trained alone, or side by side with others of its kind as one stack;
everything here takes the list of the runs that are trained together.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_tf.records import runs
from ls_tf.records.runs import Record, RunDirectory
from ls_tf.running import stack, teaching
from ls_tf.running.session import Session
from ls_tf.running.teaching import MissingRunError
from ls_tf.spec import EvaluatorSpec, ExperimentSpec, SpecError, registry
from ls_tf.spec.resolve import RunIdentity

if TYPE_CHECKING:
    from ls_tf.training.engine import Recipe
    from ls_tf.training.loop import Hooks, Member, StopRequest


def needed(identity: RunIdentity) -> list[RunIdentity]:
    """A run and the teachers before it, in the order to train them.

    Raises:
        SpecError: a teacher has other classes.
    """
    teacher = teaching.run_of(identity)
    return [*(needed(teacher) if teacher else []), identity]


class _Trained:
    """A network at one step, its outputs computed once for each split."""

    def __init__(self, network: Any) -> None:
        self.spec, self.model = network.task.spec, network.task.model
        self._task, self._predict = network.task, network.predict
        self.compute = network.compute
        self._cache: dict[str, Mapping[str, np.ndarray]] = {}

    @property
    def task(self) -> Any:
        return self._task

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self._task.class_names)

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

    @property
    def num_views(self) -> int | None:
        # What is no image is as it is.
        found: int | None = getattr(self._task, "num_views", 1)
        return found

    def views(
        self,
        role: str,
        index: np.ndarray,
        view: np.ndarray | np.random.Generator,
    ) -> np.ndarray:
        batch = self._task.views(role, index, view)
        return np.asarray(self._predict(batch)["logits"])

    def teacher_logits(self, *, every_view: bool) -> np.ndarray | None:
        give = getattr(self._task, "teacher_logits", None)
        found: np.ndarray | None = give and give(every_view=every_view)
        return found


def _learning_rate(spec: ExperimentSpec, total_steps: int) -> Any:
    from ls_tf import schedules

    return schedules.build(
        spec.schedule.name,
        dict(spec.schedule.options),
        base_learning_rate=spec.learning_rate,
        total_steps=total_steps,
    )


def _transform(spec: ExperimentSpec) -> Callable[..., list[Any]]:
    from ls_tf import optimizers

    train = spec.train

    def transform(
        grads: list[Any], variables: list[Any], values: list[Any] | None
    ) -> list[Any]:
        grads = optimizers.decayed(
            grads,
            variables,
            weight_decay=train.weight_decay,
            exclude=train.decay_exclude,
            values=values,
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


def _recipe(identity: RunIdentity, session: Session, teacher: Any) -> "Recipe":
    from ls_tf import optimizers
    from ls_tf.training.engine import Recipe

    spec = identity.spec

    def make_task(like: Any) -> Any:
        return registry.get("ls_tf.tasks", spec.task).build(
            spec,
            data_dir=session.machine.data_dir,
            teacher=teacher,
            like=like,
        )

    def make_optimizer(task: Any) -> Any:
        return optimizers.build(
            spec.optimizer.name,
            dict(spec.optimizer.options),
            learning_rate=_learning_rate(spec, task.total_steps),
            ema_momentum=spec.train.ema_momentum,
        )

    return Recipe(make_task, make_optimizer)


def _build(
    identities: Sequence[RunIdentity], session: Session, stop: "StopRequest"
) -> Any:
    """Builds the engine with its networks.

    Raises:
        SpecError: what a specification asks for cannot be built; library
            errors about values are told in their own one line.
        StoppedError: a signal came while a teacher's table was made.
    """
    from ls_tf import optimizers

    spec = identities[0].spec
    engine = session.engine(spec, _transform(spec))
    teachers: dict[str, Any] = {}
    recipes = [
        _recipe(one, session, teaching.load(one, session, stop, teachers))
        for one in identities
    ]
    with _one_line():
        engine.build(recipes)
        # Of a stack, all are alike in what can be wrong here.
        network = engine.networks[0]
        # A name in decay_exclude that fits no variable shows here.
        optimizers.decay_penalty(
            network.task.model.trainable_variables,
            weight_decay=spec.train.weight_decay,
            exclude=spec.train.decay_exclude,
        )
        trained = _Trained(network)
        for evaluator in spec.evaluators:
            network.task.check(evaluator, trained)
    return engine


def _pictures(
    evaluator: str, arrays: Mapping[str, np.ndarray]
) -> Mapping[str, bytes]:
    from ls_tf.pages import drawing

    return drawing.pictures(evaluator, arrays)


def _hooks(network: Any) -> "Hooks":
    from ls_tf.training.loop import Hooks

    def measure(evaluator: EvaluatorSpec) -> Any:
        return network.task.measure(evaluator, _Trained(network))

    return Hooks(measure=measure, pictures=_pictures)


def _member(
    identity: RunIdentity, network: Any, directory: RunDirectory | None
) -> "Member":
    from ls_tf.training.loop import Member

    schedule = _learning_rate(identity.spec, network.task.total_steps)
    rate = schedule if callable(schedule) else (lambda step: schedule)
    return Member(
        network, directory, lambda step: float(rate(step)), _hooks(network)
    )


def _final_measurements(member: "Member", directory: RunDirectory) -> None:
    """Measures the finished network and writes the measurement files."""
    task = member.task
    trained = _Trained(member.network)
    with member.network.measuring():
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
                notes=found.notes,
            )
            member.publish(evaluator, found)


@contextlib.contextmanager
def _record(
    identity: RunIdentity, session: Session, engine: Any
) -> Iterator[RunDirectory | None]:
    """The run's directory in the one process that writes it."""
    if not engine.is_chief:
        yield None
        return
    facts = session.facts(engine, identity.spec)
    with runs.opened(session.machine.runs_dir, identity, **facts) as directory:
        yield directory


def _folder(identity: RunIdentity, runs_dir: str) -> runs.Path:
    return runs.Path(runs_dir) / identity.folder / "checkpoints"


def _restore(
    members: Sequence["Member"],
    identities: Sequence[RunIdentity],
    runs_dir: str,
) -> int:
    """Sets all networks to the newest step that all have; returns it."""
    from ls_tf.training import checkpoints

    folders = [_folder(one, runs_dir) for one in identities]
    if len(members) == 1:
        return members[0].restore(checkpoints.latest(folders[0]))
    for member, found in zip(
        members, checkpoints.latest_common(folders), strict=True
    ):
        member.restore(found)
    return members[0].step


def run(
    identities: Sequence[RunIdentity],
    session: Session,
    *,
    mode: str = "train_and_eval",
    title: str = "",
) -> None:
    """Trains and measures one run, or several together, from where they stand.

    Args:
        identities: the run; or those of a stack, see ``stack.check``.
        session: the process's devices.
        mode: "train_and_eval", "train" or "eval".
        title: what the progress line says; default: the run's title.

    Raises:
        SpecError, RunError, DataError, CheckpointError: bad input; one line.
        StoppedError: a signal came; the state is saved.
        NonFiniteLossError: with step, example ids and last finite loss; the
            other runs of a stack are finished.
        OSError: the disk is full; the last checkpoint is intact.

    Source: ours.
    """
    stack.check(identities, session.machine.engine)
    runs_dir = session.machine.runs_dir
    for one in identities:
        runs.refuse(runs_dir, one, is_writer=session.worker[0] == 0)
    for group in _resumable(identities, runs_dir):
        name = title or (
            group[0].title
            if len(group) == 1
            else f"{group[0].experiment}, {len(group)} networks"
        )
        _run_together(group, session, mode, name)


def _resumable(
    identities: Sequence[RunIdentity], runs_dir: str
) -> list[list[RunIdentity]]:
    """Parts a stack into groups that can go on from one common step.

    A stack that was killed while it saved has members a checkpoint apart, but
    each keeps two; members that were added later have none.
    """
    from ls_tf.training import checkpoints

    if len(identities) == 1:
        return [list(identities)]
    steps = {
        one.folder: set(checkpoints.steps(_folder(one, runs_dir)))
        for one in identities
    }
    fresh = [one for one in identities if not steps[one.folder]]
    begun = [one for one in identities if steps[one.folder]]
    groups = [begun]
    if begun and not set.intersection(*(steps[one.folder] for one in begun)):
        groups = [[one] for one in begun]
    return [group for group in (*groups, fresh) if group]


def _run_together(
    identities: Sequence[RunIdentity], session: Session, mode: str, title: str
) -> None:
    import keras

    from ls_tf.training import checkpoints
    from ls_tf.training.loop import NonFiniteLossError, stop_requests
    from ls_tf.training.summaries import Summaries

    runs_dir = session.machine.runs_dir
    keras.utils.clear_session()
    with stop_requests() as stop, contextlib.ExitStack() as opened:
        engine = _build(identities, session, stop)
        members = []
        for one, network in zip(identities, engine.networks, strict=True):
            directory = opened.enter_context(_record(one, session, engine))
            if directory is not None:
                checkpoints.sweep(_folder(one, runs_dir))
            members.append(_member(one, network, directory))
        start = _restore(members, identities, runs_dir)
        total = members[0].task.total_steps
        if mode == "eval" and start < total:
            raise MissingRunError(
                f"run {identities[0].title} is at step {start} of {total}; "
                f"finish it with: {identities[0].command()}"
            )
        for one, member in zip(identities, members, strict=True):
            if member.directory is None:
                continue
            member.summaries = Summaries(
                str(member.directory.tensorboard), start
            )
            opened.callback(member.summaries.close)
            _describe(member, one)
            member.directory.update(outcome="running", steps=total, step=start)
        _train(engine, members, stop, title, start, total)
        for member in members:
            if member.directory is not None and not member.failure:
                _finish(member, member.directory, mode)
        failures = [
            f"{one.title}: {member.failure}"
            if len(members) > 1
            else member.failure
            for one, member in zip(identities, members, strict=True)
            if member.failure
        ]
        if failures:
            raise NonFiniteLossError("; ".join(failures))


@contextlib.contextmanager
def trained(identity: RunIdentity, session: Session) -> Iterator[Any]:
    """A finished run's network, ready to be measured or used.

    Args:
        identity: the run; it must be finished.
        session: the process's devices.

    Yields:
        ``Classifier``, with its ``task``.

    Raises:
        MissingRunError: the run is not finished, or has no checkpoint.
    """
    import keras

    from ls_tf.training import checkpoints
    from ls_tf.training.loop import StopRequest

    record_of(identity, session.machine.runs_dir)
    keras.utils.clear_session()
    engine = _build([identity], session, StopRequest())
    (network,) = engine.networks
    member = _member(identity, network, None)
    found = checkpoints.latest(_folder(identity, session.machine.runs_dir))
    if member.restore(found) < network.task.total_steps:
        raise MissingRunError(
            f"the record of run {identity.title} has no checkpoint; make it "
            f"with: {identity.command()}"
        )
    with network.measuring():
        yield _Trained(network)


def _train(
    engine: Any,
    members: Sequence["Member"],
    stop: "StopRequest",
    title: str,
    start: int,
    total: int,
) -> None:
    from ls_tf.training.loop import Loop, StoppedError
    from ls_tf.training.progress import Progress

    progress = Progress(title, start, total)
    try:
        Loop(engine, members).run(stop, progress)
    except StoppedError:
        for member in members:
            if member.directory is not None and not member.failure:
                member.directory.update(outcome="stopped", ended=runs.now())
        raise
    finally:
        progress.close()
        for member in members:
            if member.directory is not None and member.failure:
                member.directory.update(
                    outcome="failed", reason=member.failure, ended=runs.now()
                )


def _describe(member: "Member", identity: RunIdentity) -> None:
    values = {
        "experiment": identity.experiment,
        "alpha": identity.spec.train.alpha,
        "seed": identity.seed,
    }
    member.summaries.hparams(
        {**values, **identity.changes}, identity.folder.rsplit("/", 1)[0]
    )


def _finish(member: "Member", directory: RunDirectory, mode: str) -> None:
    began = time.perf_counter()
    if mode != "train":
        _final_measurements(member, directory)
    member.summaries.finish(True)
    total = member.task.total_steps
    seconds = float(directory.run.get("train_seconds", 0.0))
    directory.update(
        outcome="trained" if mode == "train" else "finished",
        step=total,
        ended=runs.now(),
        eval_seconds=round(time.perf_counter() - began, 3),
        steps_per_second=round(total / max(seconds, 1e-9), 2),
    )


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
