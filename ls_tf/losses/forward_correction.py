"""The network's answer goes through the label noise before it is compared."""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import noisy_labels
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor

EXAMPLE = {"kept": 0.8}  # to be tried with: 1 is the plain loss


@dataclass(frozen=True)
class Loss:
    """``-log sum_j p_j P(label | true class j)``, in nats.

    Attributes:
        kept: how often a label is the true class, in [0, 1]; else it is any
            other one, each equally likely. 1 is the plain loss.
        transition: instead, a row for each true class: the probabilities of
            what is observed of it.

    Raises:
        ValueError: if they are not as above, or if both are given.

    Source: Patrini et al. 2017 (arXiv 1609.03683), forward correction; Chen
    et al. 2020, equation 18.
    """

    kept: float = 1.0
    transition: tuple[tuple[float, ...], ...] = ()

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks the options."""
        noisy_labels.check_kept(self.kept)
        noisy_labels.check_rows(self.transition)
        if self.transition and self.kept != 1:
            raise ValueError(
                f"wanted kept or a transition, got kept={self.kept} and both"
            )

    def check(self, num_classes: int) -> None:
        """Refuses a transition between other classes.

        Args:
            num_classes: K.

        Raises:
            ValueError: it has another number of rows.
        """
        rows = len(self.transition)
        if rows not in (0, num_classes):
            raise ValueError(
                f"wanted a transition of {num_classes} x {num_classes} "
                f"probabilities, one row a class, got {rows} x {rows}"
            )

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return noisy_labels.forward_loss(
            answers.labels,
            answers.logits,
            kept=self.kept,
            transition=self.transition,
        )
