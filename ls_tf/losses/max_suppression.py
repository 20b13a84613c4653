"""Cross-entropy and the height of the largest logit above their mean."""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import label_smoothing, penalties
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """``-log p_label + alpha * (max_k z_k - mean_k z_k)``: MaxSup.

    Attributes:
        alpha: weight of the penalty, in [0, 1]; the run's. With the label's
            logit in place of the largest it would be that of label smoothing.

    Raises:
        ValueError: if ``alpha`` is out of range.

    Source: Zhou et al. 2025 (arXiv 2502.15798).
    """

    alpha: float

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks alpha."""
        label_smoothing.check_alpha(self.alpha)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return penalties.max_suppression(
            answers.labels, answers.logits, alpha=self.alpha
        )
