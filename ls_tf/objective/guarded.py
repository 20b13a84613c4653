"""What keeps a loss right at its edges: weights of 0, ids of no class.

Whatever can be looked at is checked and refused in one line. Inside a
compiled function there are no values to look at: a label of no class gives
NaN there, with either engine, and never a number that could be believed.

None of this changes a bit of a loss whose labels are classes and whose terms
are finite.
"""

import functools
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ls_tf import kernels

LOWEST = -1e30  # a logit of no probability


def seen(values: Any) -> np.ndarray | None:
    """Gives the values of something, if there are any to look at.

    Args:
        values: numbers, an array or a tensor.

    Returns:
        The values; None of a tensor of a compiled function.

    Source: ours.
    """
    try:
        return np.asarray(ops.convert_to_numpy(values))
    # JAX's tracers raise a TypeError, TensorFlow's symbols the second one,
    # Keras's the third.
    except (TypeError, NotImplementedError, ValueError):
        return None


def check_number(value: Any, wanted: str, holds: Any) -> None:
    """Refuses a number out of its range, where it can be looked at.

    Args:
        value: a number, an array or a tensor.
        wanted: what it has to be, for the message.
        holds: function from a finite float to whether it is in the range.

    Raises:
        ValueError: it is not a number, not finite or out of range.

    Source: ours.
    """
    if isinstance(value, str | bool | np.bool_):
        raise ValueError(f"wanted {wanted}, got {value!r}")
    # Not through float32: 1 + 1e-9 is out of a range that ends at 1.
    plain = isinstance(value, numbers.Real)
    given = np.asarray(value) if plain else seen(value)
    if given is None:
        return
    if given.dtype == bool:
        raise ValueError(f"wanted {wanted}, got {given}")
    if given.size != 1:  # It would be spread along the classes.
        raise ValueError(f"wanted {wanted}, got {given.size} numbers")
    for number in given.astype(np.float64).ravel().tolist():
        if not (math.isfinite(number) and holds(number)):
            raise ValueError(f"wanted {wanted}, got {number}")


def check_count(value: Any, name: str, least: int) -> None:
    """Refuses what is not a whole number of at least ``least``.

    Args:
        value: a Python or NumPy integer.
        name: for the message.
        least: the smallest that will do.

    Raises:
        ValueError: it is another number or no whole one.

    Source: ours.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"wanted {name} of {least} or more, got {value}")


def check_shape(name: str, array: Any, wanted: Sequence[int | None]) -> None:
    """Refuses an array of another shape, which would be repeated in silence.

    Args:
        name: what to call it in a message.
        array: numbers, an array or a tensor; a length that a compiled
            function does not know is let through.
        wanted: its lengths; None for one that is not known.

    Raises:
        ValueError: it has other ones.

    Source: ours.
    """
    shape = tuple(array.shape) if hasattr(array, "shape") else np.shape(array)
    are_equal = (
        None in (a, b) or a == b for a, b in zip(shape, wanted, strict=False)
    )
    if len(shape) != len(wanted) or not all(are_equal):
        raise ValueError(
            f"wanted {name} of shape {tuple(wanted)}, got {tuple(shape)}"
        )


def as_float(x: Any) -> Any:
    """Converts to a float tensor of at least 32 bits.

    Raises:
        ValueError: it holds no real numbers.
    """
    if getattr(getattr(x, "dtype", None), "kind", "f") in "cSUOMm":
        raise ValueError(f"wanted real numbers, got {x.dtype}")
    x = ops.convert_to_tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    return x if dtype == "float64" else ops.cast(x, "float32")


def masked(logits: Any) -> Any:
    """Tells which classes are masked: bool [..., K] of float [..., K]."""
    return ops.equal(logits, -math.inf)


def entered(
    logits: Any, free: Any, inside: Any = True, lowest: float = LOWEST
) -> Any:
    """Gives the logits to begin a loss with.

    Done to the logits, and not to the loss, so that every rounding of a
    compiled loss is that of the formula alone.

    Args:
        logits: float [..., K].
        free: bool [..., K], whether the class has no share of the target. If
            it is masked it gets a number: 0 times the logarithm of its
            probability is then 0 and not NaN, in the gradient too. False for
            none of them.
        inside: bool [...], of ``classes``; NaN for a label of no class.
        lowest: the number.

    Returns:
        float [..., K].

    Source: ours.
    """
    return _at_edges(logits, free, inside, lowest, lambda entering: entering)


def log_softmax(logits: Any, free: Any, inside: Any = True) -> Any:
    """Gives the log-probabilities to begin a loss with.

    Args:
        logits: float [..., K].
        free: as of ``entered``.
        inside: as of ``entered``.

    Returns:
        float [..., K], of the logits that ``entered`` gives.

    Source: ours.
    """
    return _at_edges(
        logits, free, inside, LOWEST, lambda z: ops.log_softmax(z, axis=-1)
    )


def _at_edges(
    logits: Any,
    free: Any,
    inside: Any,
    lowest: float,
    function: Callable[[Any], Any],
) -> Any:
    """A function of the logits that ``entered`` gives."""

    def guarded() -> Any:
        entering = logits
        if free is not False:
            is_free = ops.logical_and(masked(logits), free)
            entering = ops.where(is_free, lowest, logits)
        if inside is not True:
            is_inside = ops.expand_dims(inside, axis=-1)
            entering = ops.where(is_inside, entering, math.nan)
        return function(entering)

    if not kernels.by_operation():
        return guarded()
    # Each of its operations would go over all logits, and back. Outside of the
    # branches, what several losses make of the same logits is computed once.
    usual = function(logits)
    edges = []
    if free is not False:
        edges.append(ops.any(masked(logits)))
    if inside is not True:
        edges.append(ops.logical_not(ops.all(inside)))
    is_edge = functools.reduce(ops.logical_or, edges, False)
    return ops.cond(is_edge, guarded, lambda: usual)


def classes(labels: Any, num_classes: int) -> tuple[Any, Any]:
    """Tells which labels are of a class.

    Args:
        labels: int [...], class ids.
        num_classes: K.

    Returns:
        ids int32 [...]; and bool [...], which ones are of a class.

    Raises:
        ValueError: labels that are no integers; or, where they can be looked
            at, one below 0 or from K on.

    Source: ours.
    """
    values = seen(labels)
    if values is None:
        dtype = keras.backend.standardize_dtype(labels.dtype)
    else:
        dtype = "int32" if not values.size else values.dtype.name
    if not dtype.startswith(("int", "uint")):
        raise ValueError(f"wanted labels of integers, got {dtype}")
    if values is not None and values.size:
        least, most = int(values.min()), int(values.max())
        if least < 0 or most >= num_classes:
            raise ValueError(
                f"wanted labels from 0 to {num_classes - 1}, got {least} to "
                f"{most}"
            )
    labels = ops.convert_to_tensor(labels)
    if dtype.endswith(("int8", "int16")):  # which may not hold K
        labels = ops.cast(labels, "int32")
    # Before the cast, which would wrap an id of 64 bits around.
    inside = ops.logical_and(labels >= 0, labels < num_classes)
    # The ids stay as they are: another look-up is another program, whose
    # roundings are not those of the formula alone.
    return ops.cast(labels, "int32"), inside
