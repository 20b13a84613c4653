"""Cross-entropy against a given probability of the label.

The notation of the literature on label noise. Below 1 / K the label is the
least likely class, which is alpha above 1: no alpha of ours says that.
"""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import label_smoothing
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor

EXAMPLE = {"p": 0.8}  # to be tried with: it has no default


@dataclass(frozen=True)
class Loss:
    """Cross-entropy with p on the label, (1 - p) / (K - 1) elsewhere, in nats.

    Attributes:
        p: probability on the label, in (0, 1]; 1 is the plain loss.

    Raises:
        ValueError: if ``p`` is out of range.

    Source: Chen et al. 2020, equation 1.
    """

    p: float

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks p."""
        label_smoothing.check_p(self.p)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return label_smoothing.target_loss(
            answers.labels, answers.logits, p=self.p
        )
