"""Scores of each example that need no bins: likelihood, Brier, accuracy.

Checks, weights and precision: see ``analysis.calibration``.
"""

import numpy as np
import numpy.typing as npt

from ls_tf.analysis import outputs


def brier_score(
    probs: npt.ArrayLike,
    labels: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
) -> float:
    """Gives the mean over examples of sum_k (p_k - y_k)^2.

    Args:
        probs: float [N, K], rows that sum to 1 (not logits).
        labels: int [N].
        weight: float [N], or None for all ones.

    Returns:
        float in [0, 2]: the sum over classes, not their mean.

    Raises:
        ValueError: on bad shapes, probabilities, labels or weights.

    Source: Brier 1950.
    """
    rows, ids, mass = outputs.check_scores(probs, labels, weight, name="probs")
    outputs.check_probs(rows)
    parts = [
        outputs.brier(rows[part], ids[part]) for part in outputs.blocks(rows)
    ]
    return outputs.weighted_mean(np.concatenate(parts), mass)


def nll(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
) -> float:
    """Gives the mean negative log-likelihood of the labels, unsmoothed.

    Args:
        logits: float [N, K], finite.
        labels: int [N].
        weight: float [N], or None for all ones.

    Returns:
        float, nats per example.

    Raises:
        ValueError: on bad shapes, values, labels or weights.

    Source: Mueller et al. 2019, section 1.1 (cross-entropy, one-hot y).
    """
    rows, ids, mass = outputs.check_scores(logits, labels, weight)
    return outputs.weighted_mean(outputs.map_rows(outputs.nll, rows, ids), mass)


def accuracy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
) -> float:
    """Gives the share of examples whose largest logit is the label's.

    Args:
        logits: float [N, K]; probabilities give the same.
        labels: int [N].
        weight: float [N], or None for all ones.

    Returns:
        float in [0, 1]. Of tied classes the lowest id is the prediction.

    Raises:
        ValueError: on bad shapes, values, labels or weights.

    Source: ours.
    """
    return top_k_accuracy(logits, labels, 1, weight)


def top_k_accuracy(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    k: int,
    weight: npt.ArrayLike | None = None,
) -> float:
    """Gives the share of examples whose label is among the k best classes.

    Classes are ranked by logit; of equal logits the lower class id ranks
    first. So k = 1 agrees with argmax, and a model whose logits are all equal
    is right only for the classes 0 to k - 1.

    Args:
        logits: float [N, K]; probabilities give the same.
        labels: int [N].
        k: 1 or more; K or more gives 1.
        weight: float [N], or None for all ones.

    Returns:
        float in [0, 1].

    Raises:
        ValueError: on bad shapes, values, labels, weights or k.

    Source: ours.
    """
    outputs.check_count(k, "k", 1)
    rows, ids, mass = outputs.check_scores(logits, labels, weight)
    parts = [
        outputs.rank(rows[part], ids[part]) for part in outputs.blocks(rows)
    ]
    return outputs.weighted_mean(np.concatenate(parts) < k, mass)
