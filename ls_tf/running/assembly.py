"""Puts the parts of a run together: task, optimizer, engine, teacher."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ls_tf import optimizers, schedules, stopping
from ls_tf.measuring import measure
from ls_tf.protocols import Task
from ls_tf.running import teaching
from ls_tf.running.session import Session
from ls_tf.spec import ExperimentSpec, SpecError, registry
from ls_tf.spec.resolve import RunIdentity
from ls_tf.training.engine import Engine, Recipe, Transform

if TYPE_CHECKING:
    from ls_tf.tasks.distillation import Teacher


def learning_rate(spec: ExperimentSpec, total_steps: int) -> Any:
    """Builds the schedule of an experiment, as Keras optimizers take it."""
    return schedules.build(
        spec.schedule.name,
        dict(spec.schedule.options),
        base_learning_rate=spec.learning_rate,
        total_steps=total_steps,
    )


def learning_rate_at(
    spec: ExperimentSpec, total_steps: int
) -> Callable[[int], float]:
    """Gives the schedule as a function: step -> rate."""
    schedule = learning_rate(spec, total_steps)
    if callable(schedule):
        return lambda step: float(schedule(step))
    return lambda step: float(schedule)


def transform(spec: ExperimentSpec) -> Transform:
    """Gives what happens to the mean gradient: decay, then clipping."""
    train = spec.train

    def decay_and_clip(
        grads: list[Any], variables: list[Any], values: list[Any] | None
    ) -> list[Any]:
        grads = optimizers.decayed(
            grads,
            variables,
            weight_decay=train.weight_decay,
            exclude=train.decay_exclude,
            values=values,
            of=train.decay_of,
        )
        return optimizers.clipped(grads, train.clip_global_norm)

    return decay_and_clip


def optimizer(spec: ExperimentSpec, total_steps: int) -> Any:
    """Builds the optimizer of an experiment, with its schedule."""
    return optimizers.build(
        spec.optimizer.name,
        dict(spec.optimizer.options),
        learning_rate=learning_rate(spec, total_steps),
        ema_momentum=spec.train.ema_momentum,
    )


def recipe(
    spec: ExperimentSpec,
    *,
    data_dir: str | None,
    teacher: "Teacher | None" = None,
) -> Recipe:
    """Says how an engine makes the task and the optimizer of a run.

    Args:
        spec: the experiment.
        data_dir: where the data lies; see ``Machine``.
        teacher: the trained teacher of a student.

    Returns:
        Recipe.

    Source: ours.
    """

    def make_task(like: Task | None) -> Task:
        stopping.look()
        task: Task = registry.get("ls_tf.tasks", spec.task).build(
            spec, data_dir=data_dir, teacher=teacher, like=like
        )
        return task

    return Recipe(make_task, lambda task: optimizer(spec, task.total_steps))


def build(identities: Sequence[RunIdentity], session: Session) -> Engine:
    """Builds an engine with the networks of some runs.

    Args:
        identities: the run, or those of a stack.
        session: the process's devices.

    Raises:
        SpecError: what a specification asks for cannot be built; library
            errors about values are told in their own one line.
        StoppedError: a signal came; what there is of a teacher's table is
            kept.

    Source: ours.
    """
    spec = identities[0].spec
    alone = identities[0] if len(identities) == 1 else None
    engine = session.engine(spec, transform(spec), alone)
    known: dict[teaching.Taught, Teacher] = {}
    recipes = [
        recipe(
            identity.spec,
            data_dir=session.machine.data_dir,
            teacher=teaching.load(identity, session, known),
        )
        for identity in identities
    ]
    with one_line(), stopping.doing("building"):
        engine.build(recipes)
        # Of a stack, all are alike in what can be wrong here.
        _check(engine, spec)
    return engine


def _check(engine: Engine, spec: ExperimentSpec) -> None:
    """Refuses what would fail only after the training."""
    network = engine.networks[0]
    # A name in decay_exclude that fits no variable shows here.
    variables = network.task.model.trainable_variables
    optimizers.decayed(
        [None] * len(variables),  # nothing to compute
        variables,
        weight_decay=spec.train.weight_decay,
        exclude=spec.train.decay_exclude,
    )
    view = network.task.view(network)
    for evaluator in spec.evaluators:
        measure.check(evaluator, view)


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """Makes a library's complaint about a value the run's own."""
    try:
        yield
    except ValueError as error:
        if "\n" in str(error):
            raise
        raise SpecError(str(error)) from error
