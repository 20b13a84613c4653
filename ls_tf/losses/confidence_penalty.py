"""Cross-entropy minus a share of the answer's entropy."""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import penalties
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """``-log p_label - weight * H(p)``, in nats.

    Attributes:
        weight: of the entropy, 0 or more; 0.1 suited the paper's images.

    Raises:
        ValueError: if ``weight`` is negative.

    Source: Pereyra et al. 2017 (arXiv 1701.06548).
    """

    weight: float = 0.1

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks the weight."""
        penalties.check_weight(self.weight)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return penalties.confidence_penalty(
            answers.labels, answers.logits, weight=self.weight
        )
