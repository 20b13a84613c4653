"""Differences over seeds, by hand."""

import math

import pytest
from scipy import stats

from ls_tf.analysis import seed_differences


def test_three_seeds_by_hand():
    # Differences 1, 2, 3: standard error 1 / sqrt 3; t of 2 degrees 4.3027.
    found = seed_differences.paired(
        {0: 11, 1: 12, 2: 13, 5: 90}, {2: 10, 1: 10, 0: 10, 7: 3}
    )
    assert (found.mean, found.count) == (2, 3)
    half = 4.3027 / math.sqrt(3)
    assert found.low == pytest.approx(2 - half, abs=1e-4)
    assert found.high == pytest.approx(2 + half, abs=1e-4)
    assert found.is_noise
    same = stats.ttest_1samp([1, 2, 3], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(same))


def test_what_is_no_noise_and_what_cannot_be_said():
    found = seed_differences.paired({0: 5, 1: 5.1}, {0: 1, 1: 1.1})
    assert not found.is_noise
    assert seed_differences.paired({0: 5.0}, {0: 1.0}).is_noise
    assert seed_differences.paired({0: 5.0}, {1: 1.0}) is None
    assert seed_differences.paired({0: math.nan}, {0: 1.0}) is None
