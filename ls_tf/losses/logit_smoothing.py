"""Logits are smoothed by the matrix that label smoothing has for labels."""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import label_smoothing, noisy_labels
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor

EXAMPLE = {"p": 0.8}  # to be tried with: it has no default


@dataclass(frozen=True)
class Loss:
    """Cross-entropy of logits that are p of their own and shares of others.

    Attributes:
        p: the weight of a class's own logit, in (0, 1]; the others have (1 -
            p) / (K - 1) each. 1 is the plain loss.

    Raises:
        ValueError: if ``p`` is out of range.

    Source: Chen et al. 2020, equation 19.
    """

    p: float

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks p."""
        label_smoothing.check_p(self.p)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return noisy_labels.logit_smoothing_loss(
            answers.labels, answers.logits, p=self.p
        )
