"""How well confidences match accuracies: bins, calibration errors, a summary.

Every function says whether it takes logits or probabilities and checks what
it gets; nothing is guessed from the values or from the labels present.
Computation is in float64, in blocks of rows, so that the logits of a large
vocabulary need no second full-size copy.

Weights are ``[N]``, 0 or more. A row of weight 0 is dropped before anything
is looked at, so its label and its values may be anything (padding); an
integer weight w counts like w copies of the row.
"""

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt

from ls_tf.analysis import outputs, probabilities
from ls_tf.analysis.outputs import Array

Edge = Literal["left", "right"]

_MOST_BINS = 1_000_000


@dataclasses.dataclass(frozen=True, eq=False)
class Bins:
    """A reliability diagram: equal bins of confidence.

    Attributes:
        edges: float [B + 1], k / B.
        count: float [B], sum of the weights in each bin.
        confidence: float [B], mean confidence; NaN where the bin is empty.
        accuracy: float [B], mean correctness; NaN where the bin is empty.
    """

    edges: Array
    count: Array
    confidence: Array
    accuracy: Array


def bins(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    num_bins: int = 15,
    edge: Edge = "left",
    weight: npt.ArrayLike | None = None,
) -> Bins:
    """Sorts predictions into equal bins of confidence.

    The edges are the floats k / B and values are compared with them exactly
    as given, so the float 3 / 15 lies on the edge between bins 2 and 3.

    Args:
        confidence: float [N] in [0, 1], probabilities (not logits).
        correct: bool or 0/1 [N].
        num_bins: B.
        edge: the closed side of a bin. "left": [lo, hi), the last bin also
            holds 1.0. "right": (lo, hi], the first bin also holds 0.0.
        weight: float [N], or None for all ones.

    Returns:
        Bins.

    Raises:
        ValueError: on bad shapes, no weighted example, a confidence that is
            NaN or outside [0, 1], or an unknown edge.

    Source: Guo et al. 2017, section 2 (edge "right"); layout of "left": ours.
    """
    conf, hit, mass = _check_predictions(confidence, correct, weight)
    edges = _edges(num_bins)
    index = _bin_index(conf, edges, edge)
    count = np.bincount(index, mass, num_bins)
    conf_sum = np.bincount(index, mass * conf, num_bins)
    hit_sum = np.bincount(index, mass * hit, num_bins)
    empty = np.full(num_bins, np.nan)
    some = count > 0
    return Bins(
        edges=edges,
        count=count,
        confidence=np.divide(conf_sum, count, out=empty.copy(), where=some),
        accuracy=np.divide(hit_sum, count, out=empty.copy(), where=some),
    )


def expected_calibration_error(diagram: Bins) -> float:
    """Gives ``sum_b n_b / N * |confidence_b - accuracy_b|``.

    Args:
        diagram: from `bins`.

    Returns:
        float in [0, 1]; empty bins count nothing.

    Source: Guo et al. 2017, equation 3.
    """
    gap, share = _gaps(diagram)
    return float(np.sum(share * np.abs(gap)))


def maximum_calibration_error(diagram: Bins) -> float:
    """Gives the largest ``|confidence_b - accuracy_b|`` of non-empty bins.

    Args:
        diagram: from `bins`.

    Returns:
        float in [0, 1].

    Source: Guo et al. 2017, equation 5.
    """
    gap, _ = _gaps(diagram)
    return float(np.max(np.abs(gap)))


def rms_calibration_error(diagram: Bins) -> float:
    """Gives sqrt(sum_b n_b / N * (confidence_b - accuracy_b)^2).

    Args:
        diagram: from `bins`.

    Returns:
        float in [0, 1], between the expected and the maximum error.

    Source: Hendrycks et al. 2019 (Deep Anomaly Detection with Outlier
        Exposure), RMS calibration error; equal-width bins here.
    """
    gap, share = _gaps(diagram)
    return float(np.sqrt(np.sum(share * gap**2)))


def signed_calibration_error(diagram: Bins) -> float:
    """Gives sum_b n_b / N * (confidence_b - accuracy_b).

    The sum is mean confidence minus accuracy, whatever the bins.

    Args:
        diagram: from `bins`.

    Returns:
        float in [-1, 1]; positive means over-confident.

    Source: ours.
    """
    gap, share = _gaps(diagram)
    return float(np.sum(share * gap))


def equal_mass_ece(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    num_bins: int = 15,
    weight: npt.ArrayLike | None = None,
) -> float:
    """Gives the calibration error over bins that hold equal mass.

    Sorted by confidence, every bin gets exactly 1 / B of the total weight: an
    example on a boundary is shared between the two bins, and examples of
    equal confidence are spread evenly. So the result depends neither on the
    order of the examples nor on N being a multiple of B.

    Args:
        confidence: float [N] in [0, 1], probabilities.
        correct: bool or 0/1 [N].
        num_bins: B.
        weight: float [N], or None for all ones.

    Returns:
        float in [0, 1].

    Raises:
        ValueError: as `bins`.

    Source: Nguyen and O'Connor 2015 (adaptive binning); sharing
        at the boundaries is ours.
    """
    conf, hit, mass = _check_predictions(confidence, correct, weight)
    fraction = _edges(num_bins)
    _, group = np.unique(conf, return_inverse=True)
    group_mass = np.bincount(group, mass)
    group_gap = np.bincount(group, mass * (conf - hit))
    total_mass = np.concatenate([[0.0], np.cumsum(group_mass)])
    total_gap = np.concatenate([[0.0], np.cumsum(group_gap)])
    # Inside a group the gap grows linearly with mass, so interpolation shares.
    at_edges = np.interp(fraction * total_mass[-1], total_mass, total_gap)
    return float(np.sum(np.abs(np.diff(at_edges))) / total_mass[-1])


def classwise_ece(
    probs: npt.ArrayLike,
    labels: npt.ArrayLike,
    num_bins: int = 15,
    edge: Edge = "left",
    weight: npt.ArrayLike | None = None,
) -> float:
    """Gives the mean over the K classes of the one-against-rest ECE.

    Args:
        probs: float [N, K], rows that sum to 1 (not logits).
        labels: int [N].
        num_bins: B.
        edge: as in `bins`.
        weight: float [N], or None for all ones.

    Returns:
        float in [0, 1]. Classes that no label names count too.

    Raises:
        ValueError: on bad shapes, probabilities, labels or weights.

    Source: Kull et al. 2019 (Dirichlet calibration), definition of
        classwise-ECE.
    """
    rows, ids, mass = outputs.check_scores(probs, labels, weight, name="probs")
    outputs.check_probs(rows)
    edges = _edges(num_bins)
    sums = np.zeros(rows.shape[1] * num_bins)
    for part in outputs.blocks(rows):
        block = rows[part].astype(np.float64)
        sums += _classwise_sums(block, ids[part], mass[part], edges, edge)
    return float(np.sum(np.abs(sums)) / (mass.sum() * rows.shape[1]))


def summary(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    num_bins: int = 15,
    edge: Edge = "left",
    weight: npt.ArrayLike | None = None,
) -> dict[str, float]:
    """Gives every score of a classifier on one split.

    Args:
        logits: float [N, K], finite, already divided by any temperature.
        labels: int [N].
        num_bins: B of every binned error.
        edge: as in `bins`.
        weight: float [N], or None for all ones.

    Returns:
        dict of floats: accuracy, error, top5_accuracy (top K if K < 5), nll
        (nats), brier, ece, mce, rms_calibration_error,
        signed_calibration_error, classwise_ece, equal_mass_ece, confidence
        (mean of the top-1 probability).

    Raises:
        ValueError: on bad shapes, values, labels or weights.

    Source: the functions of this module and of ``analysis.scores``.
    """
    rows, ids, mass = outputs.check_scores(logits, labels, weight)
    edges = _edges(num_bins)
    sums = np.zeros(rows.shape[1] * num_bins)
    brier, rank = [], []
    for part in outputs.blocks(rows):
        block = probabilities.softmax(rows[part])
        sums += _classwise_sums(block, ids[part], mass[part], edges, edge)
        brier.append(outputs.brier(block, ids[part]))
        rank.append(outputs.rank(rows[part], ids[part]))
    ranks = np.concatenate(rank)
    confidence = outputs.map_rows(outputs.confidence, rows, ids)
    diagram = bins(
        confidence, ranks < 1, num_bins=num_bins, edge=edge, weight=mass
    )
    top1 = outputs.weighted_mean(ranks < 1, mass)
    return {
        "accuracy": top1,
        "error": 1.0 - top1,
        "top5_accuracy": outputs.weighted_mean(ranks < 5, mass),
        "nll": outputs.weighted_mean(
            outputs.map_rows(outputs.nll, rows, ids), mass
        ),
        "brier": outputs.weighted_mean(np.concatenate(brier), mass),
        "ece": expected_calibration_error(diagram),
        "mce": maximum_calibration_error(diagram),
        "rms_calibration_error": rms_calibration_error(diagram),
        "signed_calibration_error": signed_calibration_error(diagram),
        "classwise_ece": float(
            np.sum(np.abs(sums)) / (mass.sum() * rows.shape[1])
        ),
        "equal_mass_ece": equal_mass_ece(confidence, ranks < 1, num_bins, mass),
        "confidence": outputs.weighted_mean(confidence, mass),
    }


def _check_predictions(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    weight: npt.ArrayLike | None,
) -> tuple[Array, Array, Array]:
    conf = outputs.real(confidence, "confidences").astype(
        np.float64, copy=False
    )
    hit = outputs.real(correct, "correct").astype(np.float64, copy=False)
    if conf.ndim != 1 or conf.size == 0 or hit.shape != conf.shape:
        raise ValueError(
            "wanted confidence [N] and correct [N] with N of 1 or more, "
            f"got shapes {conf.shape} and {hit.shape}"
        )
    mass = outputs.check_weight(weight, conf.size)
    keep = mass > 0
    conf, hit, mass = conf[keep], hit[keep], mass[keep]
    if not ((conf >= 0) & (conf <= 1)).all():  # NaN fails both
        raise ValueError(
            "wanted confidences in [0, 1] (probabilities, not logits), "
            f"got {conf.min()} to {conf.max()}"
        )
    if not np.isin(hit, (0.0, 1.0)).all():
        raise ValueError("wanted correct as bool or 0 and 1")
    return conf, hit, mass


def _edges(num_bins: int) -> Array:
    outputs.check_count(num_bins, "num_bins", 1)
    if num_bins > _MOST_BINS:
        raise ValueError(
            f"wanted num_bins of {_MOST_BINS} or less, got {num_bins}"
        )
    # One division each, so that edge k is the float k / B; linspace
    # multiplies by a rounded step and can miss it by one unit.
    return np.arange(num_bins + 1) / num_bins


def _bin_index(values: Array, edges: Array, edge: Edge) -> Array:
    if edge == "left":
        index = np.searchsorted(edges, values, side="right") - 1
    elif edge == "right":
        index = np.searchsorted(edges, values, side="left") - 1
    else:
        raise ValueError(f"wanted edge 'left' or 'right', got {edge!r}")
    return np.clip(index, 0, len(edges) - 2)


def _gaps(diagram: Bins) -> tuple[Array, Array]:
    some = diagram.count > 0
    if not some.any():
        raise ValueError("wanted a bin that is not empty, got none")
    gap = diagram.confidence[some] - diagram.accuracy[some]
    return gap, diagram.count[some] / diagram.count.sum()


def _classwise_sums(
    probs: Array,
    labels: Array,
    mass: Array,
    edges: Array,
    edge: Edge,
) -> Array:
    """Sums weight * (p - y) into [K * B] cells, one per class and bin."""
    rows, num_classes = probs.shape
    num_bins = len(edges) - 1
    gap = probs.copy()
    gap[np.arange(rows), labels] -= 1.0
    cell = _bin_index(probs, edges, edge)
    cell += np.arange(num_classes) * num_bins
    return np.bincount(
        cell.ravel(), (mass[:, None] * gap).ravel(), num_classes * num_bins
    )
