"""Smoothed cross-entropy, the labels of frequent classes smoothed more."""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import penalties
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """Cross-entropy with ``1 - eps`` on the label, eps of its class; in nats.

    Attributes:
        head: eps of the most frequent class of the training split, in [0, 1).
        tail: eps of the rarest.
        shape: "concave", "linear" or "convex": how eps grows between them.

    Raises:
        ValueError: if an option is not as above.

    Source: Zhong et al. 2021 (arXiv 2104.00466), section 3.2; 0.4 and 0.1 are
    their code's for CIFAR-100, imbalance 100 (0.3 and 0 for CIFAR-10).
    """

    head: float = 0.4
    tail: float = 0.1
    shape: str = "concave"

    needs_teacher: ClassVar[bool] = False
    needs_frequencies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Checks the options."""
        penalties.check_smoothing_of_classes(self.head, self.tail, self.shape)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return penalties.label_aware_loss(
            answers.labels,
            answers.logits,
            answers.prior,
            head=self.head,
            tail=self.tail,
            shape=self.shape,
        )
