"""A student's loss on labels and on the distance to its teacher's logits.

The loss of a student where an experiment names none and ``teacher.matching``
is "logits".
"""

from dataclasses import dataclass
from typing import ClassVar

from keras import ops

from ls_tf.objective import distillation
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor

_TEACHERS = ("logits", "probabilities")

EXAMPLE = {"reduction": "mean"}  # to be tried with: it has no default


@dataclass(frozen=True)
class Loss:
    """``(1 - beta) * H(y, p)`` and ``beta`` times half the squared error.

    Attributes:
        beta: weight of the squared error, in [0, 1]; the run's.
        reduction: "sum" or "mean" of the error over the K logits. The paper
            does not say which.
        teacher: "logits", or "probabilities": what the student's logits are
            compared with.

    Raises:
        ValueError: if ``beta``, ``reduction`` or ``teacher`` is not as above.

    Source: Mueller et al. 2019, App. A.5; that the teacher's are
    probabilities is an error of Wagner et al. 2023.
    """

    beta: float
    reduction: str
    teacher: str = "logits"

    needs_teacher: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Checks the options."""
        distillation.check_beta(self.beta)
        distillation.check_reduction(self.reduction)
        if self.teacher not in _TEACHERS:
            raise ValueError(
                f"wanted a teacher of {', '.join(_TEACHERS)}, got "
                f"{self.teacher!r}"
            )

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        teacher = answers.teacher_logits
        if self.teacher == "probabilities":
            teacher = ops.softmax(teacher, axis=-1)
        return distillation.logit_matching_loss(
            answers.labels,
            answers.logits,
            teacher,
            beta=self.beta,
            reduction=self.reduction,
        )
