"""Whether two lists of numbers rise and fall together."""

import numpy as np
import numpy.typing as npt
from scipy import stats


def correlation(left: npt.ArrayLike, right: npt.ArrayLike) -> float | None:
    """Gives Spearman's rank correlation of the places where both are finite.

    Args:
        left: float [N]; NaN where there is no number.
        right: the same.

    Returns:
        float in [-1, 1]; None of fewer than three places, or where all
        numbers of one side are equal.

    Raises:
        ValueError: the two are not of one shape [N].

    Source: Spearman 1904, with mean ranks of equal numbers.
    """
    one, other = np.asarray(left, float), np.asarray(right, float)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(
            f"wanted two lists of one length, got {list(one.shape)} and "
            f"{list(other.shape)}"
        )
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 3 or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return None
    return float(stats.spearmanr(one[both], other[both]).statistic)
