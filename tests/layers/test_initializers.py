"""The distributions of the initial weights."""

import math

import numpy as np
import pytest

from ls_tf.layers.initializers import (
    PhiloxNormal,
    PhiloxTruncatedNormal,
    PhiloxVarianceScaling,
)

N = 200_000
TRUNCATED = [-0.4790334, 0.4977635, -0.2366988]
SCALED = [0.7159438, -1.1570560, 0.7831711]


def drawn(initializer, shape=(N,)):
    return np.asarray(initializer(shape), np.float64)


def scaling(scale=1.0, mode="fan_in", distribution="normal", seed=0):
    return PhiloxVarianceScaling(
        scale=scale, mode=mode, distribution=distribution, seed=seed
    )


def test_a_truncated_normal_is_a_normal_without_its_tails():
    values = drawn(PhiloxTruncatedNormal(stddev=0.05, seed=3))
    assert np.abs(values).max() <= 0.1 * (1 + 1e-6)
    # Not rescaled: the standard deviation is 0.8796 of that before the cut.
    expected = 0.05 * 0.87962566
    assert abs(values.std() / expected - 1) < 5 / math.sqrt(2 * N)
    assert abs(values.mean()) < 5 * expected / math.sqrt(N)
    # Within one deviation: erf(1 / sqrt 2) / erf(2 / sqrt 2).
    share = math.erf(math.sqrt(0.5)) / math.erf(math.sqrt(2))
    assert abs(np.mean(np.abs(values) < 0.05) - share) < 0.005


def test_values_inside_the_cut_are_left_as_drawn():
    cut = drawn(PhiloxTruncatedNormal(stddev=1.0, seed=3))
    wide = drawn(PhiloxTruncatedNormal(stddev=2.0, seed=3))
    np.testing.assert_allclose(wide, 2 * cut, rtol=1e-6)


@pytest.mark.parametrize(
    ("mode", "n"), [("fan_in", 9 * 20), ("fan_out", 9 * 60), ("fan_avg", 360)]
)
@pytest.mark.parametrize(
    ("distribution", "limit"),
    [
        ("truncated_normal", 2 / 0.87962566),
        ("normal", math.inf),
        ("uniform", math.sqrt(3)),
    ],
)
def test_the_variance_is_the_scale_over_the_fan(mode, n, distribution, limit):
    values = drawn(scaling(2.0, mode, distribution), (3, 3, 20, 60)).ravel()
    std = math.sqrt(2 / n)
    assert abs(values.std() / std - 1) < 5 / math.sqrt(2 * values.size)
    assert np.abs(values).max() <= limit * std * (1 + 1e-6)
    if math.isfinite(limit):
        assert np.abs(values).max() > 0.99 * limit * std
    else:
        assert np.abs(values).max() > 3 * std


def test_the_fans_of_a_matrix_are_its_sides():
    for mode, n in (("fan_in", 400), ("fan_out", 100), ("fan_avg", 250)):
        values = drawn(scaling(1.0, mode), (400, 100))
        assert abs(values.std() * math.sqrt(n) - 1) < 0.02


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: PhiloxNormal(stddev=1.0, seed=seed),
        lambda seed: PhiloxTruncatedNormal(stddev=1.0, seed=seed),
        *(
            lambda seed, d=d: scaling(distribution=d, seed=seed)
            for d in ("truncated_normal", "normal", "uniform")
        ),
    ],
)
def test_the_seed_fixes_the_values_and_the_configuration_keeps_it(make):
    first, same, other = (drawn(make(s), (7, 5)) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert not np.any(first == other)
    again = type(make(0)).from_config(make(0).get_config())
    np.testing.assert_array_equal(first, drawn(again, (7, 5)))


def test_values_are_these_on_every_backend():
    values = drawn(PhiloxTruncatedNormal(stddev=1.0, seed=0), (3,))
    np.testing.assert_allclose(values, TRUNCATED, rtol=1e-6)
    values = drawn(scaling(seed=0), (3, 1))
    np.testing.assert_allclose(values.ravel(), SCALED, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 0.0}, "scale"),
        ({"mode": "fan"}, "mode"),
        ({"distribution": "gaussian"}, "distribution"),
    ],
)
def test_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        scaling(**changes)
    assert "\n" not in str(error.value)
