"""From logits to probabilities, and to the answer with its confidence.

Computation is in float64.
"""

import numpy as np
import numpy.typing as npt

from ls_tf.analysis import outputs
from ls_tf.analysis.outputs import Array


def log_softmax(logits: npt.ArrayLike) -> Array:
    """Gives the log-probabilities of logits, over the last axis.

    Args:
        logits: float [..., K], finite.

    Returns:
        float64 [..., K], all at most 0.

    Raises:
        ValueError: if there is no class or a logit is not finite.

    Source: Mueller et al. 2019, section 1.1 (logarithm of p_k).
    """
    shifted = outputs.shift(outputs.finite(logits, "logits"))
    total = np.exp(shifted).sum(axis=-1, keepdims=True)
    result: Array = shifted - np.log(total)
    return result


def softmax(logits: npt.ArrayLike, temperature: float = 1.0) -> Array:
    """Gives the probabilities of ``logits / temperature``, over the last axis.

    Args:
        logits: float [..., K], finite.
        temperature: T > 0; above 1 it softens.

    Returns:
        float64 [..., K]; each row sums to 1 and no entry exceeds 1.

    Raises:
        ValueError: if there is no class, a logit is not finite or the
            temperature is not a positive finite number.

    Source: Mueller et al. 2019, section 1.1; Guo et al. 2017, equation 9.
    """
    outputs.check_temperature(temperature)
    scaled = outputs.divided(outputs.finite(logits, "logits"), temperature)
    exps = np.exp(outputs.shift(scaled))
    result: Array = exps / exps.sum(axis=-1, keepdims=True)
    return result


def confidence_and_correct(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    temperature: float = 1.0,
    weight: npt.ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Gives what ``calibration.bins`` needs: top-1 probability and its verdict.

    Args:
        logits: float [N, K].
        labels: int [N].
        temperature: T > 0, divides the logits.
        weight: float [N], or None for all ones.

    Returns:
        confidence float [N], the largest probability (NaN where the weight is
        0), and correct bool [N] (False where the weight is 0). Of tied
        classes the lowest id is the prediction.

    Raises:
        ValueError: on bad shapes, values, labels, weights or temperature.

    Source: Guo et al. 2017, section 2.
    """
    outputs.check_temperature(temperature)
    rows, kept_labels, _ = outputs.check_scores(logits, labels, weight)
    confidence = np.full(np.shape(labels), np.nan)
    correct = np.zeros(np.shape(labels), bool)
    keep = np.ones(confidence.shape, bool)
    if weight is not None:
        keep = np.asarray(weight) > 0
    confidence[keep] = outputs.map_rows(
        outputs.confidence, rows, kept_labels, temperature
    )
    correct[keep] = np.argmax(rows, axis=-1) == kept_labels
    return confidence, correct
