"""A student's loss on labels and on how far it is from its teacher's answers.

``soft_targets`` less the teacher's entropy: another number for the same
gradient. It reaches 0, so that students of different teachers can be compared
by it.
"""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import distillation
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """``(1 - beta) * H(y, p) + beta * KL(p_t(T_t) || p(T_s))``, in nats.

    Attributes:
        beta: weight of the teacher, in [0, 1]; the run's.
        teacher_temperature: positive, divides the teacher's logits; the run's.
        student_temperature: positive, divides the student's in the second
            term; the run's.

    Raises:
        ValueError: if a number is out of range.

    Source: Shen et al. 2021, equations 3 and 4, with beta 1 and temperatures
        1: no labels.
    """

    beta: float
    teacher_temperature: float
    student_temperature: float

    needs_teacher: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Checks the numbers."""
        distillation.check_beta(self.beta)
        distillation.check_temperatures(
            self.teacher_temperature, self.student_temperature, False
        )

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return distillation.divergence_loss(
            answers.labels,
            answers.logits,
            answers.teacher_logits,
            beta=self.beta,
            teacher_temperature=self.teacher_temperature,
            student_temperature=self.student_temperature,
        )
