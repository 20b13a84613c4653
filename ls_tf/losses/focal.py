"""Cross-entropy that counts less the likelier the label is."""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import penalties
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """``-(1 - p_label)**gamma * log p_label``, in nats.

    Attributes:
        gamma: 0 or more; 0 is the plain loss. Not the smoothness of that
            name.

    Raises:
        ValueError: if ``gamma`` is negative.

    Source: Mukhoti et al. 2020 (arXiv 2002.09437); 1, 2 and 3 are the fixed
    ones of their code.
    """

    gamma: float = 3.0

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks gamma."""
        penalties.check_weight(self.gamma, "gamma")

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return penalties.focal_loss(
            answers.labels, answers.logits, gamma=self.gamma
        )
