"""What a loss sees of a batch, and how a run's loss is put together.

A loss is a file of ``ls_tf/losses`` with a frozen dataclass ``Loss``. Its
fields are the options of ``ExperimentSpec.loss``, less those that a run has
in any case (``spec.LOSS_NUMBERS``: alpha of the labels, beta and temperatures
of the teacher), which it is given. Fields of type ``float`` are its
hyperparameters: a compiled step takes them as arguments, so that networks of
one program may differ in them.
"""

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Protocol

import numpy as np

from ls_tf.spec import (
    LOSS_NUMBERS,
    ExperimentSpec,
    Part,
    SpecError,
    check_loss,
    registry,
)


@dataclass(frozen=True, eq=False)
class Answers:
    """A network's answers on a batch, and what there is to learn from.

    Attributes:
        labels: int [...], class ids.
        logits: float32 [..., K], the network's, in training mode.
        prior: float32 [K], how often each class is a label of the training
            split.
        teacher_logits: float32 [..., K], on the same augmented views; None
            without a teacher.
        draws: int32 [..., n], drawn anew for each step, evenly from 0 to
            2**31 - 1; None for a loss that asks for none.
        learnt: float32 [K, K], the target of each label that was learnt from
            the epoch before; None for a loss that asks for none.
    """

    labels: Any
    logits: Any
    prior: np.ndarray
    teacher_logits: Any = None
    draws: Any = None
    learnt: Any = None

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.prior)


class Loss(Protocol):
    """What is minimised, example by example.

    It may say three things more: ``num_draws``, how many numbers of
    ``Answers.draws`` each example has; ``needs_frequencies``, whether it
    reads ``Answers.prior``, which takes a pass over streamed labels; and
    ``learns_targets``, whether it reads ``Answers.learnt``. A method
    ``check(num_classes)`` refuses options that are for other classes.
    """

    # Whether it is one of a student, who has a teacher's logits.
    needs_teacher: ClassVar[bool]

    def __call__(self, answers: Answers) -> Any:
        """The loss of each example or token, float32 [...], not reduced."""


def build(spec: ExperimentSpec, default: Part) -> Loss:
    """Builds the loss of a run.

    Args:
        spec: the experiment.
        default: the loss where the experiment names none: what its older
            fields mean, such as ``train.smoothing``.

    Returns:
        Loss: with the run's numbers.

    Raises:
        SpecError: no such loss, one for other tasks, a number that it has no
            use for, or an option out of range.

    Source: ours.
    """
    part = spec.loss or default
    made: Any = registry.get("ls_tf.losses", part.name, "loss").Loss
    fields = {f.name for f in dataclasses.fields(made)}
    check_loss(spec, fields, needs_teacher=made.needs_teacher)
    given = {
        name: reduce(getattr, path.split("."), spec)
        for name, (path, _) in LOSS_NUMBERS.items()
        if name in fields
    }
    try:
        loss: Loss = made(**part.options, **given)
    except (TypeError, ValueError) as error:
        raise SpecError(f"loss '{part.name}': {error}") from error
    return loss


def check_classes(loss: Any, num_classes: int) -> None:
    """Refuses a loss whose options are for another number of classes.

    Args:
        loss: of ``build``.
        num_classes: K.

    Raises:
        SpecError: one line.

    Source: ours.
    """
    check = getattr(loss, "check", None)
    if check is None:
        return
    try:
        check(num_classes)
    except ValueError as error:
        raise SpecError(f"loss.options: {error}") from error


def num_draws(loss: Any) -> int:
    """How many numbers a loss draws for each example of a step."""
    return int(getattr(loss, "num_draws", 0))


def needs_frequencies(loss: Any) -> bool:
    """Whether a loss reads how often each class occurs."""
    return bool(getattr(loss, "needs_frequencies", False))


def learns_targets(loss: Any) -> bool:
    """Whether a loss, or its class, reads targets of the epoch before."""
    return bool(getattr(loss, "learns_targets", False))


def hyperparameters(loss: Any) -> dict[str, float]:
    """Lists the numbers of a loss that a compiled step takes as arguments.

    Args:
        loss: of ``build``.

    Returns:
        dict: name of the field -> number.

    Source: ours.
    """
    return {
        f.name: float(getattr(loss, f.name))
        for f in dataclasses.fields(loss)
        if f.type is float
    }


def with_numbers(loss: Loss, numbers: Mapping[str, Any]) -> Loss:
    """Puts other numbers, or tensors, in the place of a loss's own.

    Args:
        loss: of ``build``.
        numbers: some of its ``hyperparameters``; unchecked, for a tensor of a
            compiled step has no value yet.

    Returns:
        Loss: a copy.

    Source: ours.
    """
    changed = copy.copy(loss)
    for name, number in numbers.items():
        object.__setattr__(changed, name, number)
    return changed
