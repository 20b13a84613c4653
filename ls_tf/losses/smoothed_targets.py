"""Keras's cross-entropy against smoothed one-hot targets.

The classifiers' loss where an experiment names none. The target of each
example is built, so that it suits tens of classes and not a vocabulary.
"""

from dataclasses import dataclass
from typing import ClassVar

import keras
from keras import ops

from ls_tf.objective import guarded
from ls_tf.objective.label_smoothing import check_alpha
from ls_tf.objective.loss import Answers
from ls_tf.protocols import Tensor


@dataclass(frozen=True)
class Loss:
    """Cross-entropy with ``(1 - alpha) * onehot + alpha / K``, in nats.

    Attributes:
        alpha: weight of the uniform distribution, in [0, 1]; the run's.

    Raises:
        ValueError: if ``alpha`` is out of range.

    Source: Mueller et al. 2019, section 1.1.
    """

    alpha: float

    needs_teacher: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks alpha."""
        check_alpha(self.alpha)

    def __call__(self, answers: Answers) -> Tensor:
        """See ``objective.loss.Loss``."""
        classes, alpha = answers.num_classes, self.alpha
        ids, inside = guarded.classes(answers.labels, classes)
        targets = ops.one_hot(ids, classes, dtype="float32")
        share = ops.logical_or(ops.equal(targets, 1), alpha != 0)
        # Keras's own loss is exact for this form, but it wants alpha as a
        # number; a tensor is mixed in before, by the same formula.
        if not isinstance(alpha, int | float):
            targets = targets * (1 - alpha) + alpha / classes
            alpha = 0.0
        loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=alpha, reduction=None
        )
        free = ops.logical_not(share)
        return loss(targets, guarded.entered(answers.logits, free, inside))
