"""Calibration after training: a temperature, a vector, or isotonic curves.

Arrays may be of NumPy, PyTorch, JAX or TensorFlow. ``fit`` and ``fit_vector``
are never worse than no scaling on the split they were fitted on; what they do
to another split is for that split to say.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy import optimize

from ls_tf import extras
from ls_tf.analysis import given, outputs, probabilities
from ls_tf.analysis import temperature as _temperature
from ls_tf.analysis.calibration import Edge
from ls_tf.analysis.outputs import Array
from ls_tf.analysis.temperature import Criterion, Fit

__all__ = [
    "Fit",
    "Isotonic",
    "VectorScaling",
    "apply",
    "fit",
    "fit_isotonic",
    "fit_vector",
]

_MOST_STEPS = 500


def fit(
    logits: Any,
    labels: Any,
    *,
    criterion: Criterion = "nll",
    bounds: tuple[float, float] = (0.01, 100.0),
    bins: int = 15,
    edge: Edge = "left",
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> Fit:
    """Finds the temperature that minimises NLL, or ECE, on a split.

    Args:
        logits: float [N, K] or [..., K].
        labels: int [N] or [...].
        criterion: "nll" or "ece".
        bounds: lowest and highest T; they must enclose 1.
        bins: of "ece".
        edge: closed side of the bins of "ece".
        weight: float like the labels.
        mask: bool like the labels.
        from_probabilities: whether probabilities are given.

    Returns:
        Fit: ``temperature``, the criterion ``before`` and ``after``,
        ``at_bound``.

    Raises:
        ValueError: bad shapes, values, labels, bounds or criterion.

    Source: Guo et al. 2017, section 4.2; by a search on log T.
    """
    rows, ids, mass = given.examples(
        logits,
        labels,
        weight=weight,
        mask=mask,
        from_probabilities=from_probabilities,
    )
    return _temperature.fit(
        rows,
        ids,
        criterion=criterion,
        bounds=bounds,
        num_bins=bins,
        edge=edge,
        weight=mass,
    )


def apply(
    logits: Any, temperature: Any, *, from_probabilities: bool = False
) -> Array:
    """Divides logits by a temperature.

    Args:
        logits: float [..., K].
        temperature: T > 0, a number of any framework, or what ``fit`` gave.
        from_probabilities: whether probabilities are given; what is returned
            are logits.

    Returns:
        float64 [..., K].

    Raises:
        ValueError: T is not a positive number.

    Source: Guo et al. 2017, equation 9.
    """
    if isinstance(temperature, Fit):
        temperature = temperature.temperature
    elif not isinstance(temperature, float | int):
        number = given.array(temperature, "a temperature")
        if number.shape:
            raise ValueError(
                f"wanted one temperature, got an array of shape {number.shape}"
            )
        temperature = float(number)
    rows = given.scores(logits, from_probabilities=from_probabilities)
    return _temperature.apply(rows, temperature)


@dataclasses.dataclass(frozen=True, eq=False)
class VectorScaling:
    """A scale and an offset for each class.

    Attributes:
        scale: float64 [K], multiplies the logits.
        offset: float64 [K], is added then.
        before: NLL of the split it was fitted on, unscaled; nats.
        after: the same, scaled; at most ``before``.
    """

    scale: Array
    offset: Array
    before: float
    after: float

    def apply(self, logits: Any, *, from_probabilities: bool = False) -> Array:
        """Scales logits: float [..., K] -> float64 [..., K]."""
        rows = given.scores(logits, from_probabilities=from_probabilities)
        if rows.shape[-1] != len(self.scale):
            raise ValueError(
                f"wanted logits of {len(self.scale)} classes, got shape "
                f"{rows.shape}"
            )
        scaled: Array = rows.astype(np.float64) * self.scale + self.offset
        return scaled


def fit_vector(
    logits: Any,
    labels: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> VectorScaling:
    """Finds the scale and offset of each class that minimise the NLL.

    Args:
        logits: float [N, K] or [..., K].
        labels: int [N] or [...].
        weight: float like the labels.
        mask: bool like the labels.
        from_probabilities: whether probabilities are given.

    Returns:
        VectorScaling, no worse on this split than the best temperature.

    Raises:
        ValueError: bad shapes, values or labels.

    Source: Guo et al. 2017, section 4.2 (vector scaling); L-BFGS from the
    best temperature, for the problem is convex.
    """
    rows, ids, mass = given.examples(
        logits,
        labels,
        weight=weight,
        mask=mask,
        from_probabilities=from_probabilities,
    )
    rows = rows.astype(np.float64)
    count = rows.shape[1]
    share = mass / mass.sum()

    def loss(numbers: Array) -> tuple[float, Array]:
        log_p = probabilities.log_softmax(
            rows * numbers[:count] + numbers[count:]
        )
        value = -float(share @ log_p[np.arange(len(ids)), ids])
        gap = np.exp(log_p)  # [N, K]
        gap[np.arange(len(ids)), ids] -= 1.0
        gap *= share[:, None]
        slope = [np.sum(gap * rows, axis=0), gap.sum(axis=0)]
        return value, np.concatenate(slope)

    found = _temperature.fit(rows, ids, weight=mass)
    none = np.repeat([1.0, 0.0], count)
    start = none / found.temperature  # the offsets stay 0
    best = optimize.minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MOST_STEPS},
    ).x
    # Never worse: what has no minimum, or rounding, may end anywhere.
    chosen = min((none, start, best), key=lambda x: loss(x)[0])
    return VectorScaling(
        chosen[:count], chosen[count:], loss(none)[0], loss(chosen)[0]
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Isotonic:
    """A rising curve for each class, from its probability to another.

    Attributes:
        curves: K of scikit-learn's ``IsotonicRegression``.
    """

    curves: tuple[Any, ...]

    def apply(self, logits: Any, *, from_probabilities: bool = False) -> Array:
        """Gives calibrated probabilities.

        Args:
            logits: float [..., K].
            from_probabilities: whether probabilities are given.

        Returns:
            float64 [N, K], rows that sum to 1. A row of which all curves say
            0 stays as it was.

        Raises:
            ValueError: another number of classes, or bad values.
        """
        rows = given.scores(logits, from_probabilities=from_probabilities)
        if rows.shape[-1] != len(self.curves):
            raise ValueError(
                f"wanted logits of {len(self.curves)} classes, got shape "
                f"{rows.shape}"
            )
        probs = probabilities.softmax(rows.reshape(-1, rows.shape[-1]))
        columns = [c.predict(probs[:, k]) for k, c in enumerate(self.curves)]
        found = np.stack(columns, axis=1).astype(np.float64)
        total = found.sum(axis=1, keepdims=True)
        fitted: Array = np.divide(found, total, out=probs, where=total > 0)
        return fitted.reshape(rows.shape)


def fit_isotonic(
    logits: Any,
    labels: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> Isotonic:
    """Fits, one class against the rest, a rising curve of its probability.

    Args:
        logits: float [N, K] or [..., K].
        labels: int [N] or [...].
        weight: float like the labels.
        mask: bool like the labels.
        from_probabilities: whether probabilities are given.

    Returns:
        Isotonic. On this split each curve's own squared error is no larger
        than before; of the rows, once they sum to 1 again, nothing is
        promised. It may change the answer.

    Raises:
        ValueError: bad shapes, values or labels.
        ImportError: scikit-learn is not installed; one line.

    Source: Zadrozny and Elkan 2002; curves by scikit-learn.
    """
    with extras.needed("ls_tf.temperature.fit_isotonic"):
        from sklearn.isotonic import IsotonicRegression
    rows, ids, mass = given.examples(
        logits,
        labels,
        weight=weight,
        mask=mask,
        from_probabilities=from_probabilities,
    )
    outputs.check_count(rows.shape[1], "classes", 2)
    probs = probabilities.softmax(rows)
    curves = tuple(
        IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(
            probs[:, k], ids == k, sample_weight=mass
        )
        for k in range(rows.shape[1])
    )
    return Isotonic(curves)
