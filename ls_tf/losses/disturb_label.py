"""Cross-entropy with labels of which some are drawn anew at every step."""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import label_smoothing, penalties
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """``-log p_c``, where c is the label or, by chance, any class; in nats.

    Its mean over the draws is the loss of smoothed labels.

    Attributes:
        alpha: the probability that a label is drawn anew among all classes,
            in [0, 1]; the run's.

    Raises:
        ValueError: if ``alpha`` is out of range.

    Source: Xie et al. 2016 (arXiv 1605.00055), DisturbLabel.
    """

    alpha: float

    needs_teacher: ClassVar[bool] = False
    num_draws: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Checks alpha."""
        label_smoothing.check_alpha(self.alpha)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        labels = penalties.disturbed(
            answers.labels, answers.draws, answers.num_classes, self.alpha
        )
        return label_smoothing.nll(labels, answers.logits)
