"""Rank correlation, by hand."""

import numpy as np
import pytest

from ls_tf.analysis import ranks


def test_by_hand():
    # 1 - 6 * (0 + 1 + 1) / (3 * 8)
    assert ranks.correlation([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert ranks.correlation([1, 2, 3], [9, 4, 1]) == pytest.approx(-1)
    # Equal numbers share their mean rank: 1, 2.5, 2.5 against 1, 2, 3.
    tied = np.corrcoef([1, 2.5, 2.5], [1, 2, 3])[0, 1]
    assert ranks.correlation([0, 7, 7], [1, 2, 3]) == pytest.approx(tied)


def test_only_where_both_are_finite():
    left, right = [1, np.inf, 2, 3, np.nan], [1, 0, 2, 3, -9]
    assert ranks.correlation(left, right) == pytest.approx(1)
    assert ranks.correlation([1, np.nan, 2], [1, 2, 3]) is None


def test_equal_numbers_have_no_order():
    assert ranks.correlation([1, 1, 1], [1, 2, 3]) is None


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="one length"):
        ranks.correlation([1, 2, 3], [1, 2])
