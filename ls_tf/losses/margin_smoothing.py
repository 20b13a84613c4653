"""Cross-entropy and a penalty on logits far below the largest one."""

from dataclasses import dataclass
from typing import ClassVar

from ls_tf.objective import distillation, penalties
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """``-log p_label + weight * sum_k max(0, max_j z_j - z_k - margin)``.

    Attributes:
        weight: of the penalty, 0 or more.
        margin: distance to the largest logit that is free, 0 or more.
        reduction: "sum" over the K classes or their "mean".

    Raises:
        ValueError: if an option is not as above.

    Source: Liu et al. 2022 (arXiv 2111.15430); margin 10 and weight 0.1 are
    also the defaults of their code.
    """

    weight: float = 0.1
    margin: float = 10.0
    reduction: str = "sum"

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks the options."""
        penalties.check_weight(self.weight)
        penalties.check_weight(self.margin, "margin")
        distillation.check_reduction(self.reduction)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        return penalties.margin_penalty(
            answers.labels,
            answers.logits,
            weight=self.weight,
            margin=self.margin,
            reduction=self.reduction,
        )
