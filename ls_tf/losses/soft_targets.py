"""A student's loss on labels and on its teacher's tempered probabilities.

The loss of a student where an experiment names none and ``teacher.matching``
is "soft".
"""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import distillation
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """``(1 - beta) * H(y, p) + beta * H(p_t(T_t), p(T_s))``, in nats.

    Attributes:
        beta: weight of the teacher, in [0, 1]; the run's.
        teacher_temperature: positive, divides the teacher's logits; the run's.
        student_temperature: positive, divides the student's in the second
            term; the run's.
        scale_by_temperature_squared: multiplies the second term by the square
            of the temperature; wants one temperature for both.

    Raises:
        ValueError: if a number is out of range, or the temperatures differ
            where their square scales.

    Source: Mueller et al. 2019, section 4; Hinton et al. 2015, section 2.
    """

    beta: float
    teacher_temperature: float
    student_temperature: float
    scale_by_temperature_squared: bool = False

    needs_teacher: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Checks the numbers."""
        distillation.check_beta(self.beta)
        distillation.check_temperatures(
            self.teacher_temperature,
            self.student_temperature,
            self.scale_by_temperature_squared,
        )

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        squared = self.scale_by_temperature_squared
        student, teacher = self.student_temperature, self.teacher_temperature
        return distillation.distillation_loss(
            answers.labels,
            answers.logits,
            answers.teacher_logits,
            beta=self.beta,
            # One temperature where its square scales: they are equal.
            teacher_temperature=student if squared else teacher,
            student_temperature=student,
            scale_by_temperature_squared=squared,
        )
