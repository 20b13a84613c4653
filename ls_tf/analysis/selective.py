"""Selective classification: the risk of answering only when one is sure.

Examples are ranked by a score; those of equal score are answered together, so
that no result depends on the order of the examples. Errors are spread evenly
over such a tie.
"""

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from scipy import special

from ls_tf.analysis import outputs
from ls_tf.analysis.outputs import Array


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """A risk-coverage curve.

    Attributes:
        coverage: float [N], n / N for n = 1 to N.
        risk: float [N], the share of errors among the n surest answers.
    """

    coverage: Array
    risk: Array


def confidence(logits: npt.ArrayLike) -> Array:
    """Ranks answers as their largest probability does, without rounding it.

    Probabilities near to 1 are all equal in floating point; this is
    ``log(p / (1 - p))`` of the largest one, which is not.

    Args:
        logits: float [N, K], K of 2 or more, finite.

    Returns:
        float64 [N].

    Raises:
        ValueError: bad shapes or values.

    Source: Geifman and El-Yaniv 2017 (softmax response); the logit: ours.
    """
    rows = _rows(logits)
    order = np.sort(outputs.shift(rows), axis=-1)
    result: Array = -special.logsumexp(order[:, :-1], axis=-1)
    return result


def normalised_confidence(logits: npt.ArrayLike, order: float = 2.0) -> Array:
    """The largest logit over the norm of all, each row less its mean.

    Args:
        logits: float [N, K], K of 2 or more, finite.
        order: p of the norm, 1 or more.

    Returns:
        float64 [N], at most 1; 0 for a row of equal logits. Of two classes it
        is one number for all rows, and ranks nothing.

    Raises:
        ValueError: bad shapes, values or order.

    Source: Xia et al. 2025 (arXiv 2403.14715), section 5, after Cattelan and
    Silva 2023 (MaxLogit-pNorm, centred); p is tuned there, 2 here.
    """
    if not (math.isfinite(order) and order >= 1):
        raise ValueError(f"wanted an order of 1 or more, got {order}")
    rows = _rows(logits)
    rows = rows - rows.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(rows, ord=order, axis=-1)
    result: Array = np.divide(
        rows.max(axis=-1), norm, out=np.zeros_like(norm), where=norm > 0
    )
    return result


def curve(score: npt.ArrayLike, correct: npt.ArrayLike) -> Curve:
    """Gives the risk at each coverage.

    Args:
        score: float [N]; the higher, the surer.
        correct: bool or 0/1 [N].

    Returns:
        Curve.

    Raises:
        ValueError: bad shapes, or a score that is NaN.

    Source: El-Yaniv and Wiener 2010; Geifman et al. 2019 (arXiv 1805.08206).
    """
    values, hits = outputs.real(score, "scores"), np.asarray(correct)
    if values.ndim != 1 or not len(values) or hits.shape != values.shape:
        raise ValueError(
            "wanted scores and verdicts [N] with N of 1 or more, got shapes "
            f"{values.shape} and {hits.shape}"
        )
    if np.isnan(values).any():
        raise ValueError("wanted scores that are numbers, got NaN")
    _, group = np.unique(-values, return_inverse=True)
    answered = np.concatenate([[0], np.cumsum(np.bincount(group))])
    wrong = np.bincount(group, ~hits.astype(bool))
    errors = np.concatenate([[0.0], np.cumsum(wrong)])
    count = np.arange(1, len(values) + 1)
    risk = np.interp(count, answered, errors) / count
    return Curve(count / len(values), risk)


def area(found: Curve) -> float:
    """The area under a risk-coverage curve: the mean risk over coverages.

    Args:
        found: of ``curve``.

    Returns:
        float in [0, 1]; lower is better.

    Source: Geifman et al. 2019 (arXiv 1805.08206), AURC.
    """
    return float(found.risk.mean())


def least_area(found: Curve) -> float:
    """The area if all wrong answers were the least sure.

    Args:
        found: of ``curve``; only its error at full coverage counts.

    Returns:
        float in [0, 1].

    Source: Geifman et al. 2019, E-AURC; here of the finite sample, where they
    take its limit, e + (1 - e) log(1 - e).
    """
    count = np.arange(1, len(found.risk) + 1)
    right = len(count) - round(float(found.risk[-1]) * len(count))
    return float((np.maximum(count - right, 0) / count).mean())


def risk_at(found: Curve, coverage: float) -> float:
    """The risk of the smallest set of surest answers of at least a coverage.

    Args:
        found: of ``curve``.
        coverage: in (0, 1].

    Returns:
        float in [0, 1].

    Raises:
        ValueError: coverage out of range.

    Source: Geifman and El-Yaniv 2017.
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"wanted a coverage in (0, 1], got {coverage}")
    place = np.searchsorted(found.coverage, coverage * (1 - 1e-12))
    return float(found.risk[place])


def _rows(logits: npt.ArrayLike) -> Array:
    rows = outputs.finite(logits, "logits")
    if rows.ndim != 2 or not len(rows) or rows.shape[1] < 2:
        raise ValueError(
            f"wanted logits [N, K] with K of 2 or more, got shape {rows.shape}"
        )
    return rows
