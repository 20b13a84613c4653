"""Smoothed cross-entropy in closed form, with a choice of what is mixed in.

The translations' loss where an experiment names none, and the classifiers'
where ``train.smoothing`` is not "uniform". No target is built, so that a
vocabulary of 30,000 classes costs no more memory than its logits.
"""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import label_smoothing
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor

SPREADS = (*label_smoothing.SPREADS, "prior")


@dataclass(frozen=True)
class Loss:
    """Cross-entropy with a share of another distribution, in nats.

    Attributes:
        alpha: weight of the other distribution, in [0, 1]; the run's.
        spread: "uniform" over all K classes, "others" over the K - 1 that are
            not the label, or "prior", the classes' frequencies in the
            training split.

    Raises:
        ValueError: if ``alpha`` or ``spread`` is not as above.

    Source: Mueller et al. 2019, section 1.1 (uniform) and App. B (prior);
    tensor2tensor (others).
    """

    alpha: float
    spread: str = "uniform"

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks the options."""
        label_smoothing.check_alpha(self.alpha)
        if self.spread not in SPREADS:
            raise ValueError(
                f"wanted a spread of {', '.join(SPREADS)}, got {self.spread!r}"
            )

    @property
    def needs_frequencies(self) -> bool:
        """Whether the classes' frequencies are mixed in."""
        return self.spread == "prior"

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return label_smoothing.sparse_loss(
            answers.labels,
            answers.logits,
            alpha=self.alpha,
            spread="others" if self.spread == "others" else "uniform",
            prior=answers.prior if self.spread == "prior" else None,
        )
