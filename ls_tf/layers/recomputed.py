"""Rematerialisation: activations that are computed again, not kept.

A network in which everything passes through one tensor here and there is cut
there. Of each part only what goes in is kept for the way back, on which the
part is computed once more. So the memory of activations is that of the cuts and
of one part, and the forward pass is made twice.

Keras's own scope wraps single layers, whose inputs are the outputs of others
and are kept all the same; and on TensorFlow a layer that is computed twice
would move its averages, and its noise, twice.
"""

import collections
import graphlib
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
            model: of one input, with outputs by name; its layers are shared.

        Raises:
            ValueError: it is no functional model, or cannot be cut.

        Source: Chen et al. 2016, "Training deep nets with sublinear memory
        cost", section 4.
        """
        self._parts: list[keras.Model] = []
        # What each part gives of the model's outputs: an auxiliary head's
        # logits stand before the last part. The last is left out.
        self._given: list[list[str]] = []
        cuts = _cuts(model)
        start, missing = model.input, dict(model.output)
        for cut, made in cuts:
            names = [name for name in missing if id(missing[name]) in made]
            ends = [cut, *(missing.pop(name) for name in names)]
            self._parts.append(keras.Model(start, ends))
            self._given.append(names)
            start = cut
        self._parts.append(keras.Model(start, missing))

    @property
    def cuts(self) -> list[str]:
        """The layers behind which it is cut; what follows is computed once."""
        return [part.output_names[0] for part in self._parts[:-1]]

    def __call__(self, inputs: Tensor) -> dict[str, Tensor]:
        """What the model gives in training mode.

        Args:
            inputs: of the model.
        """
        *before, last = self._parts
        outputs: dict[str, Tensor] = {}
        for part, names in zip(before, self._given, strict=True):
            inputs, *given = _recomputed(part, inputs)
            outputs |= zip(names, given, strict=True)
        outputs |= last(inputs, training=True)
        return outputs


def _cuts(model: keras.Model) -> list[tuple[Tensor, set[int]]]:
    """Tensors that all that comes after them can be computed from alone.

    Returns:
        Each with the ids of the tensors that its part makes.
    """
    if not hasattr(model, "operations"):
        raise ValueError(_refusal(model))
    calls = _calls(model)
    size = max(2, math.isqrt(sum(not call.is_input for call in calls)))
    uses = collections.Counter(
        id(tensor) for call in calls for tensor in call.input_tensors
    )
    cuts: list[tuple[Tensor, set[int]]] = []
    made: set[int] = set()
    wanted: set[int] = set()  # of what is made, what is still to be used
    number, due = 0, size
    for call in calls:
        for tensor in call.input_tensors:
            uses[id(tensor)] -= 1
        made.update(map(id, call.outputs))
        wanted.update(map(id, call.outputs))
        wanted = {tensor for tensor in wanted if uses[tensor]}
        number += not call.is_input
        if number >= due and wanted == {id(call.outputs[0])}:
            cuts.append((call.outputs[0], made))
            made, due = set(), number + size
    if not cuts:
        raise ValueError(_refusal(model))
    return cuts


def _calls(model: keras.Model) -> list[Any]:
    """Keras's nodes, the calls of layers: each as early as it can be.

    So a head at the side is done soon after where it branches off.
    """
    before: dict[Any, list[Any]] = {}
    waiting = []
    for tensor in model.outputs:
        operation, number, _ = tensor._keras_history
        waiting.append(operation._inbound_nodes[number])
    while waiting:
        call = waiting.pop()
        if call not in before:
            before[call] = call.parent_nodes
            waiting += before[call]
    return list(graphlib.TopologicalSorter(before).static_order())


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


def _recomputed(part: keras.Model, inputs: Tensor) -> list[Tensor]:
    """A part's outputs; its inner activations are not kept.

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
        # Keras gives a single output without its list.
        return (*keras.tree.flatten(outputs), *after)

    made = _remat()(compute)(inputs, *trainable, *state)
    outputs, after = made[: len(part.outputs)], made[len(part.outputs) :]
    for variable, value in zip(others, after, strict=True):
        variable.assign(value)
    return list(outputs)
