"""Rematerialisation: activations that are computed again, not kept.

A network in which everything passes through one tensor here and there is cut
there. Of each part only what goes in is kept for the way back, on which the
part is computed once more. So the memory of activations is that of the cuts and
of one part, and the forward pass is made twice.

Keras's own scope wraps single layers, whose inputs are the outputs of others
and are kept all the same; and on TensorFlow a layer that is computed twice
would move its averages, and its noise, twice.
"""

import math
from collections.abc import Callable
from typing import Any

import keras

Tensor = Any


class Recomputed:
    """A functional model that is called in training mode, part by part."""

    def __init__(self, model: keras.Model) -> None:
        """Cuts the model into about as many parts as each has layers.

        Args:
            model: of one input; its layers are shared.

        Raises:
            ValueError: it is no functional model, or cannot be cut.

        Source: Chen et al. 2016, "Training deep nets with sublinear memory
        cost", section 4.
        """
        cuts = _cuts(model)
        starts = [model.input, *cuts]
        ends = [*cuts, model.output]
        self._parts = [
            keras.Model(start, end)
            for start, end in zip(starts, ends, strict=True)
        ]

    @property
    def num_parts(self) -> int:
        """How many parts there are; the last is computed once."""
        return len(self._parts)

    def __call__(self, inputs: Tensor) -> dict[str, Tensor]:
        """What the model gives in training mode.

        Args:
            inputs: of the model.
        """
        *before, last = self._parts
        for part in before:
            inputs = _recomputed(part, inputs)
        outputs: dict[str, Tensor] = last(inputs, training=True)
        return outputs


def _cuts(model: keras.Model) -> list[Tensor]:
    """Tensors that all of the outputs can be computed from alone."""
    if not hasattr(model, "operations"):
        raise ValueError(_refusal(model))
    layers = [
        layer
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    size = max(2, math.isqrt(len(layers)))
    cuts, due = [], size
    for number, layer in enumerate(layers[:-1], 1):
        if number < due:
            continue
        try:
            keras.Model(layer.output, model.output)
        except (ValueError, AttributeError):
            continue  # something passes beside it
        cuts.append(layer.output)
        due = number + size
    if not cuts:
        raise ValueError(_refusal(model))
    return cuts


def _refusal(model: keras.Model) -> str:
    return (
        f"train.remat: model '{model.name}' has no tensor that everything "
        "passes through, so that it cannot be cut into parts"
    )


def _remat() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    if keras.backend.backend() == "jax":
        from ls_tf.layers import recomputed_jax

        return recomputed_jax.remat
    remat: Callable[[Callable[..., Any]], Callable[..., Any]] = keras.remat
    return remat


def _recomputed(part: keras.Model, inputs: Tensor) -> Tensor:
    """A part's output; its inner activations are not kept.

    The state of its layers goes in and out as values, so that computing it
    again changes nothing.
    """
    trainable = [v.value for v in part.trainable_variables]
    others = part.non_trainable_variables
    state = [v.value for v in others]

    def compute(inputs: Tensor, *values: Tensor) -> Any:
        outputs, after = part.stateless_call(
            list(values[: len(trainable)]),
            list(values[len(trainable) :]),
            inputs,
            training=True,
        )
        return (outputs, *after)

    outputs, *after = _remat()(compute)(inputs, *trainable, *state)
    for variable, value in zip(others, after, strict=True):
        variable.assign(value)
    return outputs
