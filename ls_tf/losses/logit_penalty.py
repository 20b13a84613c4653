"""Cross-entropy and a share of the logits' squared norm."""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import penalties
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """``-log p_label + weight * sum_k z_k**2``.

    Attributes:
        weight: of the squared norm, 0 or more.

    Raises:
        ValueError: if ``weight`` is negative.

    Source: Kornblith et al. 2021 (arXiv 2010.16402), whose code takes half the
    squared norm.
    """

    weight: float = 1e-3

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks the weight."""
        penalties.check_weight(self.weight)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return penalties.logit_penalty(
            answers.labels, answers.logits, weight=self.weight
        )
