"""Temperature scaling: the one number that divides the logits.

The temperature is found by a one-dimensional search on log T and never by
gradient steps, so that it is positive, converged and never worse than no
scaling on the split it was fitted on.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from ls_tf.analysis import calibration, outputs
from ls_tf.analysis.outputs import Array

Criterion = Literal["nll", "ece"]

_GRID_PER_DECADE = 40
_REFINED_MINIMA = 2
_REFINE_ROUNDS = 3
_REFINE_POINTS = 16


@dataclasses.dataclass(frozen=True)
class Fit:
    """A fitted temperature.

    Attributes:
        temperature: T; divide logits by it.
        criterion: "nll" or "ece", what T minimises.
        before: criterion at T = 1 (nats for "nll").
        after: criterion at T; at most ``before``.
        at_bound: whether T is a bound of the search, so that the criterion
            may have no minimum inside.
        evaluations: number of passes over the logits.
    """

    temperature: float
    criterion: Criterion
    before: float
    after: float
    at_bound: bool
    evaluations: int


def apply(logits: npt.ArrayLike, temperature: float) -> Array:
    """Divides logits by a temperature.

    Args:
        logits: float [..., K].
        temperature: T > 0; above 1 it softens.

    Returns:
        float64 [..., K].

    Raises:
        ValueError: if T is not a positive finite number, or too small to
            divide the logits by.

    Source: Guo et al. 2017, equation 9.
    """
    outputs.check_temperature(temperature)
    return outputs.divided(logits, temperature)


def fit(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    criterion: Criterion = "nll",
    bounds: tuple[float, float] = (0.01, 100.0),
    num_bins: int = 15,
    edge: calibration.Edge = "left",
    weight: npt.ArrayLike | None = None,
) -> Fit:
    """Finds the temperature that minimises a criterion on a split.

    "nll" is convex in 1 / T; its optimum is the root of the derivative,
    found on log T to rounding error. If the derivative does not change sign
    within the bounds, the better bound is the optimum there (data that a
    model separates: the lower one; answers worse than chance: the upper one).
    "ece" is a piecewise function with jumps: a dense grid on log T, refined
    around its lowest points; of equal values the T nearest to 1 is taken.
    T = 1 is always a candidate.

    Args:
        logits: float [N, K], finite.
        labels: int [N].
        criterion: "nll" or "ece" (of the top-1 confidence).
        bounds: lowest and highest T; they must enclose 1.
        num_bins: bins of "ece"; unused for "nll".
        edge: closed side of the bins of "ece", as in `calibration.bins`.
        weight: float [N], or None for all ones; 0 drops the row.

    Returns:
        Fit.

    Raises:
        ValueError: on bad shapes, values, labels, weights, bounds or
            criterion.

    Source: Guo et al. 2017, section 4.2 (NLL); Mueller et al. 2019 state no
        criterion; Wagner et al. 2023 choose T by ECE.
    """
    low, high = _check_bounds(bounds)
    rows, ids, mass = outputs.check_scores(logits, labels, weight)

    if criterion == "nll":
        value, slope = _nll_functions(rows, ids, mass)
        counted = _Counted(value)
        best, slopes = _search_root(slope, low, high)
    elif criterion == "ece":
        counted = _Counted(_ece_function(rows, ids, mass, num_bins, edge))
        best, slopes = _search_grid(counted, low, high), 0
    else:
        raise ValueError(f"wanted criterion 'nll' or 'ece', got {criterion!r}")
    before, after = counted(1.0), counted(best)
    if before < after:  # by rounding only
        best, after = 1.0, before
    return Fit(
        temperature=best,
        criterion=criterion,
        before=before,
        after=after,
        at_bound=best in (low, high),
        evaluations=len(counted.values) + slopes,
    )


def _check_bounds(bounds: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise ValueError(f"wanted two bounds, got {bounds}") from None
    outputs.check_temperature(low)
    outputs.check_temperature(high)
    if not low <= 1.0 <= high or low == high:
        raise ValueError(f"wanted bounds that enclose 1, got {bounds}")
    if low < 1 / outputs.LARGEST or high > outputs.LARGEST:
        raise ValueError(
            f"wanted bounds from {1 / outputs.LARGEST:g} to "
            f"{outputs.LARGEST:g}, got {bounds}"
        )
    return low, high


class _Counted:
    """A function of T that remembers its values."""

    def __init__(self, function: Callable[[float], float]):
        self._function = function
        self.values: dict[float, float] = {}

    def __call__(self, temperature: float) -> float:
        if temperature not in self.values:
            self.values[temperature] = self._function(temperature)
        return self.values[temperature]


def _nll_functions(
    rows: Array, ids: Array, mass: Array
) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Gives T -> NLL and T -> derivative of the NLL by log(1 / T)."""

    def row_slope(shifted: Array, labels: Array) -> Array:
        # With u = z / T: d(-log p_y) / d log(1 / T) = sum_k p_k u_k - u_y.
        exps = np.exp(shifted)
        mean = np.sum(exps * shifted, axis=-1) / exps.sum(axis=-1)
        return np.asarray(mean - shifted[np.arange(len(labels)), labels])

    def value(temperature: float) -> float:
        losses = outputs.map_rows(outputs.nll, rows, ids, temperature)
        return outputs.weighted_mean(losses, mass)

    def slope(temperature: float) -> float:
        slopes = outputs.map_rows(row_slope, rows, ids, temperature)
        return outputs.weighted_mean(slopes, mass)

    return value, slope


def _ece_function(
    rows: Array,
    ids: Array,
    mass: Array,
    num_bins: int,
    edge: calibration.Edge,
) -> Callable[[float], float]:
    correct = np.argmax(rows, axis=-1) == ids  # T does not change the order

    def value(temperature: float) -> float:
        confidence = outputs.map_rows(
            outputs.confidence, rows, ids, temperature
        )
        return calibration.expected_calibration_error(
            calibration.bins(
                confidence, correct, num_bins=num_bins, edge=edge, weight=mass
            )
        )

    return value


def _search_root(
    slope: Callable[[float], float], low: float, high: float
) -> tuple[float, int]:
    """Finds the T at which the NLL's slope is 0; counts passes."""
    at_low, at_high = slope(low), slope(high)
    if at_low <= 0 <= at_high:
        # Convex, so flat all the way (logits that do not differ).
        return 1.0, 2
    if at_low <= 0:
        return low, 2
    if at_high >= 0:
        return high, 2
    # Loaded where a temperature is fitted, long after a run's first step.
    from scipy import optimize

    root, result = optimize.brentq(
        lambda log_t: slope(math.exp(log_t)),
        math.log(low),
        math.log(high),
        xtol=1e-12,
        full_output=True,
    )
    return math.exp(root), 2 + result.function_calls


def _search_grid(value: _Counted, low: float, high: float) -> float:
    """Finds the T of the lowest value among a grid and its refinements."""
    count = math.ceil(math.log10(high / low) * _GRID_PER_DECADE) + 2
    grid = [low, *np.geomspace(low, high, count)[1:-1].tolist(), high, 1.0]

    def order(temperature: float) -> tuple[float, float]:
        return value(temperature), abs(math.log(temperature))

    for start in sorted(set(grid), key=order)[:_REFINED_MINIMA]:
        best = start
        for _ in range(_REFINE_ROUNDS):
            known = sorted(value.values)
            place = known.index(best)
            left = known[max(place - 1, 0)]
            right = known[min(place + 1, len(known) - 1)]
            inner = np.geomspace(left, right, _REFINE_POINTS + 2)[1:-1]
            best = min([best, *inner.tolist()], key=order)
    return min(value.values, key=order)
