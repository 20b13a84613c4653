"""A student's loss on labels and on the distance to its teacher's logits.

The loss of a student where an experiment names none and ``teacher.matching``
is "logits".
"""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import distillation
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor

EXAMPLE = {"reduction": "mean"}  # to be tried with: it has no default


@dataclass(frozen=True)
class Loss:
    """``(1 - beta) * H(y, p)`` and ``beta`` times half the squared error.

    Attributes:
        beta: weight of the squared error, in [0, 1]; the run's.
        reduction: "sum" or "mean" of the error over the K logits. The paper
            does not say which.

    Raises:
        ValueError: if ``beta`` or ``reduction`` is not as above.

    Source: Mueller et al. 2019, App. A.5.
    """

    beta: float
    reduction: str

    needs_teacher: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Checks the options."""
        distillation.check_beta(self.beta)
        distillation.check_reduction(self.reduction)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return distillation.logit_matching_loss(
            answers.labels,
            answers.logits,
            answers.teacher_logits,
            beta=self.beta,
            reduction=self.reduction,
        )
