"""Calibration errors without bins or bias, by hand and by drawing."""

import math

import numpy as np
import pytest

from ls_tf.analysis import calibration, calibration_bias

HALF = np.array([1, 0], np.float64)


def calibrated(count, seed=0):
    """Confidences from 0.5 to 1 that are right as often as they say."""
    rng = np.random.default_rng(seed)
    sure = rng.uniform(0.5, 1, count)
    return sure, rng.random(count) < sure


def test_equal_mass_bins_keep_ties_together():
    count, mean, accuracy = calibration_bias.equal_mass_bins(
        [0.9, 0.1, 0.5, 0.5, 0.5, 0.7], [1, 0, 1, 0, 0, 1], 3
    )
    # Ranks 0, 1 to 3, 4, 5: the ties begin in the first third.
    np.testing.assert_array_equal(count, [4, 2])
    np.testing.assert_allclose(mean, [0.4, 0.8])
    np.testing.assert_allclose(accuracy, [0.25, 1])


def test_the_bias_of_one_bin_by_hand():
    # 4 of confidence .5, half of them right: the gap is 0, its spread .25.
    conf, hits = [0.5] * 4, [1, 0, 1, 0]
    want = -0.25 * math.sqrt(2 / math.pi)
    found = calibration_bias.debiased_ece(conf, hits)
    assert found == pytest.approx(want)
    found = calibration_bias.debiased_squared_error(conf, hits)
    assert found == pytest.approx(-0.25 / 3)
    # Without spread there is no bias: always right, of confidence .7.
    assert calibration_bias.debiased_ece([0.7] * 4, [1] * 4) == pytest.approx(
        0.3
    )
    found = calibration_bias.debiased_squared_error([0.7] * 4, [1] * 4)
    assert found == pytest.approx(0.09)


def test_the_bias_is_what_drawing_the_accuracies_gives():
    conf, hits = calibrated(600)
    count, mean, accuracy = calibration_bias.equal_mass_bins(conf, hits, 10)
    rng = np.random.default_rng(5)
    spread = np.sqrt(accuracy * (1 - accuracy) / count)
    drawn = rng.normal(accuracy, spread, (200_000, len(count)))
    plain = (count * np.abs(mean - accuracy)).sum() / 600
    again = (count * np.abs(mean - drawn)).sum(axis=1).mean() / 600
    found = calibration_bias.debiased_ece(conf, hits, 10)
    assert found == pytest.approx(plain - (again - plain), abs=1e-4)


def test_a_calibrated_network_has_less_error_without_the_bias():
    plain, debiased, squared = [], [], []
    for seed in range(30):
        conf, hits = calibrated(500, seed)
        plain.append(calibration.equal_mass_ece(conf, hits))
        debiased.append(calibration_bias.debiased_ece(conf, hits))
        squared.append(calibration_bias.debiased_squared_error(conf, hits))
    assert np.mean(plain) > 0.04
    # One step takes a part of it: the gaps that it starts from are too wide.
    assert 0 < np.mean(debiased) < 0.75 * np.mean(plain)
    # Unbiased: within 4 standard errors of 0.
    error = np.std(squared) / math.sqrt(30)
    assert abs(np.mean(squared)) < 4 * error


def test_the_sweep_takes_as_many_bins_as_rise():
    conf = np.array([0.1, 0.2, 0.3, 0.4])
    # One bin: .25 - .5. Two bins fall from 1 to 0: one it is.
    found = calibration_bias.monotone_sweep_ece(conf, [1, 1, 0, 0])
    assert found == pytest.approx(0.25)
    # Each its own bin: gaps .1, .2, .7, .6.
    found = calibration_bias.monotone_sweep_ece(conf, [0, 0, 1, 1])
    assert found == pytest.approx(0.4)


def test_the_smooth_error_of_one_confidence_is_its_gap():
    # All the mass lies in one place, and its integral is the gap.
    found = calibration_bias.smooth_ece([0.8] * 10, [1] * 5 + [0] * 5)
    assert found == pytest.approx(0.3, rel=1e-6)
    assert calibration_bias.smooth_ece([0.5, 0.5], HALF) == 0


def test_the_smooth_error_against_the_kernel_itself():
    rng = np.random.default_rng(2)
    conf = rng.beta(4, 1, 80)
    hits = rng.random(80) < conf**3
    found = calibration_bias.smooth_ece(conf, hits)
    # Definition 4.1: a Gaussian reflected at 0 and 1, on a fine grid.
    grid = (np.arange(20_000) + 0.5) / 20_000
    density = np.zeros_like(grid)
    for c, h in zip(conf, hits, strict=True):
        for k in range(-2, 3):
            for image in (2 * k + c, 2 * k - c):
                density += (h - c) * np.exp(
                    -(((grid - image) / found) ** 2) / 2
                )
    density /= 80 * found * math.sqrt(2 * math.pi)
    assert np.abs(density).mean() == pytest.approx(found, rel=1e-3)


@pytest.mark.parametrize("gap", [3e-6, 5e-5, 9e-5, 1.2e-4, 2e-4])
def test_the_smooth_error_narrower_than_a_cell_is_still_the_gap(gap):
    # All answers right: all residuals have one sign, so that their integral
    # is the mean gap, however narrow the Gaussian.
    conf = 1 - gap * np.array([0.5, 1.5])
    found = calibration_bias.smooth_ece(conf, [1, 1])
    assert found == pytest.approx(gap, abs=2e-9)


def test_the_smooth_error_does_not_jump_where_a_bin_ends():
    # 0.6 is the end of a bin of 15; half the answers are right.
    conf = 0.6 + 1e-9 * np.tile([-1, 1], 50)
    hits = np.tile([1, 0], 50)
    binned = calibration.bins(conf, hits)
    error = calibration.expected_calibration_error(binned)
    assert error == pytest.approx(0.5)
    assert calibration_bias.smooth_ece(conf, hits) == pytest.approx(0.1)


def test_an_interval_of_a_mean_is_the_normal_one():
    rng = np.random.default_rng(3)
    values = rng.standard_normal(400)
    found = calibration_bias.bootstrap(
        lambda index: {"mean": values[index].mean()},
        400,
        np.random.default_rng(0),
        resamples=4000,
    )
    half = 1.96 * values.std() / 20
    want = values.mean() - half, values.mean() + half
    np.testing.assert_allclose(found["mean"], want, atol=0.01)


def test_an_interval_takes_the_bias_of_resampling_off():
    # A plain binned error of a calibrated network is too high; the interval
    # reaches below its estimate further than above.
    conf, hits = calibrated(1000)

    def error(index):
        return {"e": calibration.equal_mass_ece(conf[index], hits[index])}

    found = calibration_bias.bootstrap(error, 1000, np.random.default_rng(1))
    low, high = found["e"]
    middle = error(np.arange(1000))["e"]
    assert low < middle and middle - low > high - middle


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: calibration_bias.smooth_ece([0.5, 1.5], HALF),
            r"wanted confidences in \[0, 1\]",
        ),
        (
            lambda: calibration_bias.debiased_ece([0.5, 0.5], [2, 0]),
            "wanted verdicts of 0 or 1",
        ),
        (
            lambda: calibration_bias.debiased_squared_error([0.5], [1]),
            "wanted a bin with 2 examples",
        ),
        (
            lambda: calibration_bias.bootstrap(
                lambda i: {}, 3, np.random.default_rng(0), resamples=3
            ),
            "wanted resamples of 10 or more, got 3",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
