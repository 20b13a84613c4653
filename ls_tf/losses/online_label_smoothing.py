"""Cross-entropy with targets that are learnt from the epoch before."""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import label_smoothing, learnt_targets
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """``(1 - alpha) * H(y, p) + alpha * H(s_y, p)``, in nats.

    The target s_y of a class is the mean answer to its examples that were
    answered rightly in the epoch before; in the first epoch, and for a class
    without such examples, it is the uniform one, or the one before.

    Attributes:
        alpha: weight of the learnt target, in [0, 1]; the run's. The paper's
            alpha is the weight of the label, 0.5.

    Raises:
        ValueError: if ``alpha`` is out of range.

    Source: Zhang et al. 2021 (arXiv 2011.12562).
    """

    alpha: float

    needs_teacher: ClassVar[bool] = False
    learns_targets: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Checks alpha."""
        label_smoothing.check_alpha(self.alpha)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return learnt_targets.learnt_target_loss(
            answers.labels,
            answers.logits,
            answers.learnt,
            alpha=self.alpha,
        )
