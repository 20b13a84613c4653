"""Arrays of other frameworks, and what users have in place of logits.

No framework is imported: an array says itself how it becomes one of NumPy.
"""

import sys
import warnings
from typing import Any

import numpy as np

from ls_tf.analysis import outputs
from ls_tf.analysis.outputs import Array


class ProbabilityWarning(UserWarning):
    """Where logits were wanted, the numbers look like probabilities."""


def array(values: Any, name: str) -> Array:
    """Gives an array of NumPy.

    Args:
        values: an array of NumPy, JAX or TensorFlow, a tensor of PyTorch (on
            any device, with or without a gradient), whatever has
            ``__array__`` or ``__dlpack__``, or nested lists of numbers.
        name: what to call it in a message.

    Returns:
        Array of numbers or truth values; half precision of a kind that NumPy
        lacks, such as bfloat16, becomes float32.

    Raises:
        ValueError: it is no array of numbers, or one of NumPy's masked arrays
            with masked values, which would count; one line.

    Source: ours.
    """
    try:
        found = _converted(values)
    # A framework's own errors are of any kind: of a symbol without a value,
    # of a device, of rows that differ in length.
    except Exception as error:
        reason = " ".join(str(error).split())[:150]
        raise ValueError(
            f"wanted {name} as an array, got {type(values).__name__}: {reason}"
        ) from None
    if isinstance(found, np.ma.MaskedArray):
        if np.ma.is_masked(found):
            raise ValueError(
                f"wanted {name} without masked values: give its .data, and "
                "what counts as mask="
            )
        found = found.data
    if found.dtype.kind == "V" and found.dtype.type is not np.void:
        found = found.astype(np.float32)
    if found.dtype.kind not in "biuf":
        raise ValueError(
            f"wanted {name} as real numbers, got {type(values).__name__} of "
            f"{found.dtype}"
        )
    return found


def _converted(values: Any) -> Array:
    if isinstance(values, np.ndarray):
        return values
    if hasattr(values, "detach"):  # PyTorch
        values = values.detach().cpu()
        if any(kind in str(values.dtype) for kind in ("bfloat16", "float8")):
            values = values.float()
        if hasattr(values, "resolve_neg"):  # a part of a conjugate
            values = values.resolve_neg()
        return np.asarray(values.numpy())
    if isinstance(values, list | tuple) and any(
        hasattr(value, "detach") for value in values
    ):
        return np.stack([_converted(value) for value in values])
    if hasattr(values, "__array__") or not hasattr(values, "__dlpack__"):
        return np.asarray(values)
    return np.from_dlpack(values)


def scores(
    values: Any, *, from_probabilities: bool = False, name: str = "logits"
) -> Array:
    """Gives logits [..., K] of logits, or of probabilities.

    Args:
        values: float [..., K], of any framework.
        from_probabilities: whether they are probabilities; their logarithms
            are logits then. A probability of 0 is taken for the smallest
            number of its type above 0.
        name: what to call them in a message.

    Returns:
        float [..., K].

    Raises:
        ValueError: no array of numbers, or rows that are no distributions
            where these were promised.

    Warns:
        ProbabilityWarning: logits were promised and all rows are
            distributions.

    Source: ours.
    """
    found = array(values, name)
    if found.ndim == 0 or 0 in found.shape:
        raise ValueError(
            f"wanted {name} [..., K] with a row and a class or more, got "
            f"shape {found.shape}"
        )
    if from_probabilities:
        if not np.isfinite(found).all():
            raise ValueError("wanted finite probabilities, got NaN or infinity")
        flat = found.reshape(-1, found.shape[-1])
        outputs.check_probs(flat)
        if found.dtype.kind != "f":
            found = found.astype(np.float64)
        least = np.finfo(found.dtype).smallest_subnormal
        # In float64: in half precision a logarithm has three digits.
        logs: Array = np.log(np.maximum(found, least).astype(np.float64))
        return logs
    if look_like_probabilities(found):
        warn(
            f"all rows of the {name} lie in [0, 1] and sum to 1: if they are "
            "probabilities, say from_probabilities=True"
        )
    return found


def warn(message: str) -> None:
    """Warns of probabilities, at the line outside of ls_tf that gave them.

    So each such line is named, and none is passed over for another.

    Args:
        message: one line.

    Warns:
        ProbabilityWarning: always.

    Source: ours.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, ProbabilityWarning, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == __name__.partition(".")[0]


def look_like_probabilities(rows: Array) -> bool:
    """Whether rows [..., K] are such as ``from_probabilities`` takes.

    Args:
        rows: numbers of any type.

    Returns:
        bool; False of no rows, and of one class.

    Source: ours.
    """
    if not rows.size or rows.shape[-1] < 2:
        return False
    if not (rows.min() >= 0 and rows.max() <= 1):  # NaN fails both
        return False
    sums = rows.sum(axis=-1, dtype=np.float64)
    return bool(np.abs(sums - 1).max() <= outputs.ROW_SUM_TOLERANCE)


def check_pair(rows: Array, ids: Array) -> None:
    """Refuses labels that are not one for each row of logits.

    Args:
        rows: logits.
        ids: labels.

    Raises:
        ValueError: they are not [..., K] and [...]; one line.

    Source: ours.
    """
    if rows.ndim and ids.shape == rows.shape[:-1]:
        return
    hint = ""
    if ids.shape == rows.shape:
        hint = "; of one-hot labels give .argmax(axis=-1)"
    elif rows.ndim and ids.shape == (*rows.shape[:-1], 1):
        hint = "; leave out the last axis of the labels"
    raise ValueError(
        "wanted logits [..., K] and labels [...], got shapes "
        f"{rows.shape} and {ids.shape}{hint}"
    )


def examples(
    logits: Any,
    labels: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> tuple[Array, Array, Array]:
    """Checks a network's answers and gives the rows that count.

    Args:
        logits: float [N, K], or [..., K] of sequences.
        labels: int [N], or [...].
        weight: float like the labels, 0 or more; None for all ones.
        mask: bool like the labels, False where a row is padding; None for
            all True. What is masked may be anything.
        from_probabilities: see ``scores``.

    Returns:
        (logits float [n, K], labels int64 [n], weight float64 [n]) of the
        rows that count.

    Raises:
        ValueError: shapes, values, labels or weights that are not as above.

    Warns:
        ProbabilityWarning: see ``scores``.

    Source: ours.
    """
    rows, ids = array(logits, "logits"), array(labels, "labels")
    check_pair(rows, ids)
    if rows.ndim < 2 or 0 in rows.shape:
        raise ValueError(
            "wanted logits [..., K] of an example and a class or more, got "
            f"shape {rows.shape}"
        )
    mass = np.ones(ids.shape)
    if weight is not None:
        mass = array(weight, "weights").astype(np.float64)
    for name, values in (("weights", mass), ("a mask", mask)):
        shape = None if values is None else array(values, name).shape
        if shape not in (None, ids.shape):
            raise ValueError(f"wanted {name} of shape {ids.shape}, got {shape}")
    if mask is not None:
        kept = array(mask, "a mask")
        if not np.isin(kept, (0, 1)).all():
            raise ValueError("wanted a mask of True and False")
        mass = np.where(kept.astype(bool), mass, 0.0)
    rows, ids = rows.reshape(-1, rows.shape[-1]), ids.reshape(-1)
    mass = outputs.check_weight(mass.reshape(-1), len(ids))
    kept = mass > 0
    if not kept.all():
        rows, ids, mass = rows[kept], ids[kept], mass[kept]
    rows = scores(rows, from_probabilities=from_probabilities)
    return outputs.check_scores(rows, ids, mass)
