"""Tests of ls_tf.decoding.length_penalty."""

import math

import numpy as np
import pytest
from keras import ops

from ls_tf.decoding.length_penalty import length_penalty


def test_by_hand():
    found = ops.convert_to_numpy(length_penalty(np.array([1, 7, 13]), 0.5))
    # (5 + 1) / 6 = 1, (5 + 7) / 6 = 2, (5 + 13) / 6 = 3.
    np.testing.assert_allclose(found, [1, math.sqrt(2), math.sqrt(3)], 1e-6)
    assert found.dtype == np.float32


def test_no_exponent_is_no_penalty():
    found = ops.convert_to_numpy(length_penalty(np.arange(50), 0))
    np.testing.assert_array_equal(found, 1)


def test_the_exponent_may_be_a_tensor():
    alpha = ops.convert_to_tensor(2.0)
    assert float(length_penalty(25, alpha)) == pytest.approx(5**2)
