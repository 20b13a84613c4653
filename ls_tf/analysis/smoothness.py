"""The smoothness gamma of a teacher's answers.

A student that is trained on the answers of a teacher is smoothed by them: by
as much as labels smoothed with alpha = gamma would smooth it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ls_tf.analysis import outputs

Array = npt.NDArray[Any]

_ROWS = 1 << 18  # checked at once


def gamma(
    logits: npt.ArrayLike, labels: npt.ArrayLike, *, temperature: float
) -> float:
    """Gives gamma: the probability off the label, in units of alpha.

    ``K / (K - 1)`` times the mean of the probability that the answers at the
    temperature leave to the classes other than the label. Over every view of
    every example, each as often as it occurs, the mean is the expectation.

    Args:
        logits: float [N, K], or [N, V, K] for V views of each example; any
            float type.
        labels: int [N].
        temperature: T > 0, divides the logits.

    Returns:
        float from 0 to K / (K - 1); alpha for a teacher that answers
        ``(1 - alpha) * y + alpha / K``.

    Raises:
        ValueError: on bad shapes, labels or temperature, one class, or
            logits that are not finite.

    Source: Mueller et al. 2019, section 4.
    """
    outputs.check_temperature(temperature)
    rows = outputs.real(logits, "logits")
    if rows.ndim not in (2, 3) or 0 in rows.shape or rows.shape[-1] < 2:
        raise ValueError(
            "wanted logits [N, K] or [N, V, K] of 2 or more classes, got "
            f"shape {rows.shape}"
        )
    views = rows.shape[1] if rows.ndim == 3 else 1
    ids = np.asarray(labels)
    if ids.shape != rows.shape[:1]:
        raise ValueError(f"wanted labels [{len(rows)}], got shape {ids.shape}")
    total = 0.0
    # Some examples at a time: of all views there is a gigabyte of float64.
    step = max(1, _ROWS // views)
    for start in range(0, len(rows), step):
        part = rows[start : start + step].reshape(-1, rows.shape[-1])
        own, ids_of, _ = outputs.check_scores(
            part, np.repeat(ids[start : start + step], views), None
        )
        nll = outputs.map_rows(outputs.nll, own, ids_of, temperature)
        # 1 - p with all its digits, however near to 1 p is.
        total -= float(np.expm1(-nll).sum())
    classes = int(rows.shape[-1])
    return total / (len(rows) * views) * classes / (classes - 1)
