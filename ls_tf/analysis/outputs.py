"""Checked classifier outputs, worked on one block of rows at a time.

A row is an example (or a token). Blocks keep the temporaries small: the
logits of a large vocabulary need no second full-size copy in float64.
"""

import numbers
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ls_tf import stopping

Array = npt.NDArray[Any]

_BLOCK_ELEMENTS = 1 << 22  # 32 MiB of float64 per temporary
ROW_SUM_TOLERANCE = 1e-2  # wide enough for a softmax in half precision
# Squares, sums and quotients of numbers up to here are numbers too.
LARGEST = 1e100


def check_temperature(temperature: float) -> None:
    """Refuses a temperature that is not a positive finite number.

    Args:
        temperature: T.

    Raises:
        ValueError: if T is NaN, infinite, 0 or negative.

    Source: ours.
    """
    number = real(temperature, "a temperature")
    if number.ndim or not (np.isfinite(number) and number > 0):
        raise ValueError(
            f"wanted a positive finite temperature, got {temperature}"
        )


def real(values: npt.ArrayLike, name: str) -> Array:
    """Gives an array of real numbers, or refuses complex ones, text, None."""
    array = np.asarray(values)
    if array.dtype.kind in "cSUOMm":  # "V" is half precision of another kind
        raise ValueError(f"wanted {name} as real numbers, got {array.dtype}")
    return array


def divided(logits: npt.ArrayLike, temperature: float) -> Array:
    """Gives ``logits / temperature`` as float64.

    Raises:
        ValueError: the temperature is so small that it makes infinity of a
            number.

    Source: Guo et al. 2017, equation 9.
    """
    try:
        with np.errstate(over="raise"):
            result: Array = (
                real(logits, "logits").astype(np.float64, copy=False)
                / temperature
            )
    except FloatingPointError:
        raise ValueError(
            "wanted a temperature by which logits can be divided, got "
            f"{temperature}"
        ) from None
    return result


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
    check_whole(value, name)
    if value < least:
        raise ValueError(f"wanted {name} of {least} or more, got {value}")


def check_whole(value: Any, name: str) -> None:
    """Refuses what is not a whole number, such as 2.0 or True.

    Args:
        value: a Python or NumPy integer.
        name: for the message.

    Raises:
        ValueError: it is none.

    Source: ours.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ValueError(f"wanted {name} as whole numbers, got {value!r}")


def check_scores(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    weight: npt.ArrayLike | None,
    name: str = "logits",
) -> tuple[Array, Array, Array]:
    """Checks scores and labels and drops the rows of weight 0.

    Args:
        scores: float [N, K].
        labels: int [N].
        weight: float [N], or None for all ones.
        name: what to call the scores in a message.

    Returns:
        scores [n, K] in the type they came in, labels int64 [n], weight
        float64 [n], of the n rows whose weight is not 0.

    Raises:
        ValueError: on bad shapes, types, values, labels or weights.

    Source: ours.
    """
    rows, ids = real(scores, name), np.asarray(labels)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(
            f"wanted {name} [N, K] with N, K of 1 or more, "
            f"got shape {rows.shape}"
        )
    if ids.shape != rows.shape[:1] or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(
            f"wanted integer labels [{len(rows)}], "
            f"got {ids.dtype} of shape {ids.shape}"
        )
    mass = check_weight(weight, len(rows))
    keep = mass > 0
    if not keep.all():
        rows, ids, mass = rows[keep], ids[keep], mass[keep]
    if not np.isfinite(rows).all():
        raise ValueError(f"wanted finite {name}, got NaN or infinity")
    largest = max(abs(float(rows.min())), abs(float(rows.max())))
    if largest > LARGEST:
        raise ValueError(
            f"wanted {name} of {LARGEST:g} or less, got {largest:g}"
        )
    if ids.min() < 0 or ids.max() >= rows.shape[1]:
        raise ValueError(
            f"wanted labels from 0 to {rows.shape[1] - 1}, "
            f"got {ids.min()} to {ids.max()}"
        )
    return rows, ids.astype(np.int64), mass


def map_rows(
    function: Callable[[Array, Array], Array],
    logits: Array,
    labels: Array,
    temperature: float = 1.0,
) -> Array:
    """Applies a function to checked logits, one block of rows at a time.

    Args:
        function: takes float64 [n, K], ``logits / temperature`` less each
            row's maximum, and labels [n]; gives float [n].
        logits: float [N, K], from `check_scores`.
        labels: int [N], from `check_scores`.
        temperature: T > 0.

    Returns:
        float64 [N].

    Source: ours.
    """
    parts = []
    for part in blocks(logits):
        scaled = divided(logits[part], temperature)
        parts.append(function(shift(scaled), labels[part]))
    return np.concatenate(parts)


def confidence(shifted: Array, labels: Array) -> Array:
    """Gives the largest probability of each row; for `map_rows`.

    Args:
        shifted: float64 [n, K], logits less each row's maximum.
        labels: not used.

    Returns:
        float64 [n], bit for bit the maximum of `softmax`.

    Source: Guo et al. 2017, section 2.
    """
    result: Array = 1.0 / np.exp(shifted).sum(axis=-1)
    return result


def nll(shifted: Array, labels: Array) -> Array:
    """Gives the negative log-likelihood of each row; for `map_rows`.

    Args:
        shifted: float64 [n, K], logits less each row's maximum.
        labels: int [n].

    Returns:
        float64 [n], nats.

    Source: Mueller et al. 2019, section 1.1.
    """
    own = shifted[np.arange(len(labels)), labels]
    result: Array = np.log(np.exp(shifted).sum(axis=-1)) - own
    return result


def weighted_mean(values: Array, mass: Array) -> float:
    """Gives the weighted mean: one sum, one sum of weights, one division.

    Args:
        values: float or bool [N].
        mass: float [N], weights that do not sum to 0.

    Returns:
        float.

    Source: ours.
    """
    return float(np.sum(mass * values) / np.sum(mass))


def finite(values: npt.ArrayLike, name: str) -> Array:
    """Gives float64 [..., K], or refuses NaN, infinity and K = 0."""
    array = real(values, name).astype(np.float64, copy=False)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(
            f"wanted {name} [..., K] with K of 1 or more, "
            f"got shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"wanted finite {name}, got NaN or infinity")
    return array


def shift(logits: Array) -> Array:
    """Takes each row's maximum off, so that exp cannot overflow."""
    result: Array = logits - logits.max(axis=-1, keepdims=True)
    return result


def blocks(rows: Array) -> Iterator[slice]:
    """Gives slices of rows of bounded size that cover ``rows`` in order."""
    step = max(1, _BLOCK_ELEMENTS // rows.shape[1])
    for start in range(0, len(rows), step):
        stopping.look()
        yield slice(start, start + step)


def check_weight(weight: npt.ArrayLike | None, count: int) -> Array:
    """Gives float64 weights [count], of which at least one is not 0."""
    if weight is None:
        return np.ones(count)
    mass = real(weight, "weights").astype(np.float64, copy=False)
    if mass.shape != (count,):
        raise ValueError(f"wanted weights [{count}], got shape {mass.shape}")
    if not (np.isfinite(mass).all() and (mass >= 0).all()):
        raise ValueError("wanted finite weights of 0 or more")
    if not mass.any():
        raise ValueError("wanted an example of positive weight, got none")
    with np.errstate(over="ignore"):
        total = mass.sum()
    if not np.isfinite(total):
        raise ValueError("wanted weights of a finite sum, got infinity")
    least = mass[mass > 0].min()
    if least < 1 / LARGEST or total > LARGEST:
        raise ValueError(
            f"wanted weights of 0, or from {1 / LARGEST:g} to a sum of "
            f"{LARGEST:g}, got {least:g} and a sum of {total:g}"
        )
    return mass


def check_probs(rows: Array) -> None:
    """Refuses rows that are no distributions, such as logits."""
    if rows.min() < 0 or rows.max() > 1:
        raise ValueError(
            f"wanted probabilities in [0, 1], got {rows.min()} to {rows.max()}"
        )
    sums = rows.sum(axis=-1, dtype=np.float64)
    if np.abs(sums - 1).max() > ROW_SUM_TOLERANCE:
        raise ValueError(
            "wanted rows of probabilities that sum to 1, "
            f"got sums from {sums.min()} to {sums.max()}"
        )


def brier(probs: Array, labels: Array) -> Array:
    """Gives sum_k (p_k - y_k)^2 of each row of checked probabilities."""
    gap = np.array(probs, np.float64)
    gap[np.arange(len(labels)), labels] -= 1.0
    result: Array = np.sum(gap**2, axis=-1)
    return result


def rank(scores: Array, labels: Array) -> Array:
    """Counts the classes before the label's; of a tie the lower id is first."""
    own = scores[np.arange(len(labels)), labels][:, None]
    lower = np.arange(scores.shape[1]) < labels[:, None]
    result: Array = np.sum((scores > own) | ((scores == own) & lower), axis=-1)
    return result
