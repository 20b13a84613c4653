"""Differences over a few seeds, and whether they are more than noise."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True)
class Difference:
    """A mean difference of paired runs and its interval.

    Attributes:
        mean: over the seeds that both have.
        low: end of the interval; -infinity from one seed alone.
        high: the other end.
        count: of seeds.
    """

    mean: float
    low: float
    high: float
    count: int

    @property
    def is_noise(self) -> bool:
        """Whether the interval holds 0."""
        return self.low <= 0 <= self.high


def paired(
    left: Mapping[int, float],
    right: Mapping[int, float],
    level: float = 0.95,
) -> Difference | None:
    """Gives the mean of left less right over the seeds that both have.

    Args:
        left: seed -> number.
        right: seed -> number.
        level: of the interval.

    Returns:
        Difference with Student's interval of n - 1 degrees of freedom; None
        without a seed that both have, or where a number is not finite.

    Raises:
        ValueError: a level out of range.

    Source: Student 1908; ours: seeds as the samples.
    """
    if not 0 < level < 1:
        raise ValueError(f"wanted a level in (0, 1), got {level}")
    apart = [left[s] - right[s] for s in sorted(left.keys() & right.keys())]
    if not apart or not all(map(math.isfinite, apart)):
        return None
    mean, count = statistics.fmean(apart), len(apart)
    if count == 1:
        return Difference(mean, -math.inf, math.inf, 1)
    error = statistics.stdev(apart) / math.sqrt(count)
    half = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    return Difference(mean, mean - half, mean + half, count)
