"""What a network has said of each class, for targets that are learnt."""

from typing import Any

import keras
from keras import ops

NAME = "label_memory"


class LabelMemory(keras.layers.Layer):  # type: ignore[misc]
    """Gives logits on as they are, and keeps a target for each class.

    Its variables belong to the model so that checkpoints, stacks and engines
    keep them as they keep a batch normalization's averages.

    Attributes:
        targets: float32 [K, K], a distribution for each label; even ones at
            first.
        sums: float32 [K, K], what is added up in an epoch.
        epoch: int32, the one that is added up.

    Source: Zhang et al. 2021 (arXiv 2011.12562), section 3.
    """

    def __init__(self, num_classes: int) -> None:
        """Takes the number of classes."""
        super().__init__(name=NAME, dtype="float32", trainable=False)
        self.targets = self.add_weight(
            name="targets",
            shape=(num_classes, num_classes),
            initializer=keras.initializers.Constant(1 / num_classes),
            trainable=False,
            # Each replica adds up its share; only the ratios count.
            aggregation="mean",
        )
        self.sums = self.add_weight(
            name="sums",
            shape=(num_classes, num_classes),
            initializer="zeros",
            trainable=False,
            aggregation="mean",
        )
        self.epoch = self.add_weight(
            name="epoch",
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            aggregation="only_first_replica",
        )

    def call(self, logits: Any) -> Any:
        """Gives the logits on."""
        return logits

    def begin(self, epoch: Any) -> None:
        """Makes targets of the sums if an epoch is over.

        A class of which nothing was added keeps its target.

        Args:
            epoch: int32 scalar, the one that the step is of.
        """
        targets, sums = self.targets.value, self.sums.value
        total = ops.sum(sums, axis=1, keepdims=True)
        some = total > 0
        is_new = ops.greater(epoch, self.epoch.value)
        self.targets.assign(
            ops.where(
                ops.logical_and(is_new, some),
                sums / ops.where(some, total, 1),
                targets,
            )
        )
        self.sums.assign(ops.where(is_new, 0.0, sums))
        self.epoch.assign(ops.maximum(epoch, self.epoch.value))

    def add(self, seen: Any) -> None:
        """Adds up what a batch has shown: float32 [K, K]."""
        self.sums.assign(self.sums.value + seen)


def remembering(model: keras.Model, num_classes: int) -> keras.Model:
    """A model with such a layer behind its logits; it shares all others.

    Args:
        model: images -> ``logits`` and others.
        num_classes: K.

    Returns:
        The model, with the layer ``label_memory``.

    Source: ours.
    """
    logits = LabelMemory(num_classes)(model.output["logits"])
    outputs = {**model.output, "logits": logits}
    return keras.Model(model.input, outputs, name=model.name)
