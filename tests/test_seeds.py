"""Tests of ls_tf.seeds."""

import hashlib

import numpy as np
import pytest

from ls_tf import seeds


def test_derive_is_the_documented_hash():
    # SHA-256 of "7/init/hidden_1", its first 31 bits.
    found = hashlib.sha256(b"7/init/hidden_1").hexdigest()
    assert seeds.derive(7, "init", "hidden_1") == int(found[:8], 16) // 2


def test_philox_is_the_documented_generator():
    key = int(hashlib.sha256(b"7/plan/3").hexdigest()[:32], 16)
    expected = np.random.Generator(np.random.Philox(key=key)).random(5)
    np.testing.assert_array_equal(
        seeds.philox(7, "plan", 3).random(5), expected
    )


def test_a_purpose_repeats_and_keeps_no_state():
    first = seeds.philox(0, "plan", 1).integers(0, 1000, 8)
    seeds.philox(0, "plan", 2).random(100)
    np.random.default_rng(5)
    np.testing.assert_array_equal(
        seeds.philox(0, "plan", 1).integers(0, 1000, 8), first
    )
    assert seeds.derive(3) == seeds.derive(3)


def test_purposes_do_not_collide():
    purposes = [
        (word, number)
        for word in ("init", "plan", "drop")
        for number in range(200)
    ]
    found = {
        seeds.derive(seed, *purpose)
        for seed in (0, 1, 2)
        for purpose in [(), *purposes]
    }
    # 1803 draws of 2**31: a chance collision has a probability below 1e-3,
    # and these draws are always the same.
    assert len(found) == 3 * (len(purposes) + 1)


def test_range_and_spread():
    found = np.array([seeds.derive(0, "x", i) for i in range(4000)])
    assert found.min() >= 0
    assert found.max() < 2**31
    # Mean and standard deviation of a uniform: 1/2 and 1/sqrt(12).
    assert abs(found.mean() / 2**31 - 1 / 2) < 5 / np.sqrt(12 * 4000)
    assert len(np.unique(found)) == 4000


def test_numpy_integers_are_integers():
    assert seeds.derive(np.int64(4), "plan", np.int32(2)) == seeds.derive(
        4, "plan", 2
    )


@pytest.mark.parametrize("function", [seeds.derive, seeds.philox])
def test_a_negative_seed_is_refused(function):
    with pytest.raises(ValueError, match="seed of 0 or more, got -1"):
        function(-1, "init")
