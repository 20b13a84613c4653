"""Fitted temperatures against closed forms and independent searches."""

import math

import numpy as np
import pytest
from scipy import optimize, special

from ls_tf.analysis import calibration, temperature


def _drawn(seed, stretch, rows=3000, classes=6):
    """Labels drawn from softmax(z), with logits stretch * z."""
    rng = np.random.default_rng(seed)
    logits = 2.0 * rng.normal(size=(rows, classes))
    draws = rng.gumbel(size=logits.shape)
    return stretch * logits, np.argmax(logits + draws, axis=1)


def _reference_nll(logits, labels, value):
    logs = special.log_softmax(logits / value, axis=1)
    return -np.mean(logs[np.arange(len(labels)), labels])


def _reference_ece(logits, labels, value, num_bins=15):
    probs = special.softmax(logits / value, axis=1)
    confidence, correct = probs.max(axis=1), probs.argmax(axis=1) == labels
    total = 0.0
    for b in range(num_bins):
        inside = (confidence >= b / num_bins) & (
            confidence < (b + 1) / num_bins
        )
        if b == num_bins - 1:
            inside |= confidence == 1
        if inside.any():
            gap = confidence[inside].mean() - correct[inside].mean()
            total += inside.mean() * abs(gap)
    return total


def test_two_classes_by_hand():
    # Logit difference d, right in 3 of 4 cases: best when the probability
    # of the favoured class is 3/4, that is d / T = ln 3.
    gap = 5.0
    fit = temperature.fit([[0.0, gap]] * 4, [1, 1, 1, 0])
    assert fit.temperature == pytest.approx(gap / math.log(3), rel=1e-9)
    assert fit.after == pytest.approx(
        -(3 * math.log(3 / 4) + math.log(1 / 4)) / 4
    )
    assert fit.before == pytest.approx(math.log1p(math.exp(gap)) - gap * 3 / 4)
    assert fit.criterion == "nll" and not fit.at_bound


@pytest.mark.parametrize("stretch", [0.05, 0.4, 1.0, 2.5, 30.0])
def test_nll_matches_independent_search(stretch):
    logits, labels = _drawn(1, stretch)
    fit = temperature.fit(logits, labels)
    best = optimize.minimize_scalar(
        lambda log_t: _reference_nll(logits, labels, math.exp(log_t)),
        bracket=(math.log(stretch) - 1, math.log(stretch) + 1),
        method="golden",
        tol=1e-9,
    )
    # Values alone locate a minimum only to the root of the precision.
    assert fit.temperature == pytest.approx(math.exp(best.x), rel=1e-6)
    assert fit.after <= best.fun + 1e-14
    assert fit.after == pytest.approx(
        _reference_nll(logits, labels, fit.temperature)
    )
    assert fit.temperature == pytest.approx(stretch, rel=0.1)


def test_nll_is_stationary_to_the_last_digits():
    logits, labels = _drawn(2, 3.0)
    fit = temperature.fit(logits, labels)

    def slope(value):
        probs = special.softmax(logits / value, axis=1)
        own = logits[np.arange(len(labels)), labels]
        return np.mean(np.sum(probs * logits, axis=1) - own)

    # The slope in 1 / T changes sign within one part in 10^8.
    assert slope(fit.temperature * (1 - 1e-8)) > 0
    assert slope(fit.temperature * (1 + 1e-8)) < 0


def test_nll_beats_a_brute_grid():
    logits, labels = _drawn(3, 4.0, rows=200)
    fit = temperature.fit(logits, labels)
    grid = np.geomspace(0.01, 100, 2001)
    values = [_reference_nll(logits, labels, value) for value in grid]
    assert fit.after <= min(values)
    assert abs(np.log(fit.temperature / grid[np.argmin(values)])) < np.log(
        grid[1] / grid[0]
    )


def test_separable_data_stop_at_the_lower_bound():
    logits = np.array([[0.2, 0.0], [0.0, 0.3], [0.1, 0.0]])
    fit = temperature.fit(logits, [0, 1, 0])
    assert fit.temperature == 0.01 and fit.at_bound
    assert fit.after < fit.before
    narrow = temperature.fit(logits, [0, 1, 0], bounds=(0.5, 2.0))
    assert narrow.temperature == 0.5 and narrow.at_bound
    assert narrow.after == pytest.approx(
        _reference_nll(logits, np.array([0, 1, 0]), 0.5)
    )


def test_answers_worse_than_chance_stop_at_the_upper_bound():
    logits = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 0.0]])
    fit = temperature.fit(logits, [1, 0, 1])
    assert fit.temperature == 100.0 and fit.at_bound
    assert math.log(2) < fit.after < fit.before


@pytest.mark.parametrize("criterion", ["nll", "ece"])
def test_logits_that_do_not_differ_keep_one(criterion):
    fit = temperature.fit(
        np.full((4, 3), 0.1), [0, 1, 2, 0], criterion=criterion
    )
    assert fit.temperature == 1.0 and not fit.at_bound
    assert fit.before == fit.after


@pytest.mark.parametrize("criterion", ["nll", "ece"])
def test_never_worse_than_one(criterion):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(1, 40))
        logits = rng.normal(size=(size, 3)) * 10 ** rng.uniform(-2, 3)
        labels = rng.integers(0, 3, size)
        fit = temperature.fit(logits, labels, criterion=criterion)
        assert 0.01 <= fit.temperature <= 100
        assert fit.after <= fit.before
        # By the public functions on the scaled logits, not only inside.
        before = calibration.summary(logits, labels)[criterion]
        after = calibration.summary(
            temperature.apply(logits, fit.temperature), labels
        )[criterion]
        assert after <= before
        assert (before, after) == pytest.approx((fit.before, fit.after))


@pytest.mark.parametrize("criterion", ["nll", "ece"])
def test_shift_scale_and_order_of_logits(criterion):
    logits, labels = _drawn(4, 2.0, rows=500)
    fit = temperature.fit(logits, labels, criterion=criterion)
    order = np.random.default_rng(0).permutation(len(labels))
    shift = np.random.default_rng(1).normal(size=(len(labels), 1))
    moved = temperature.fit(
        (logits + 10 * shift)[order], labels[order], criterion=criterion
    )
    assert moved.temperature == pytest.approx(fit.temperature, rel=1e-6)
    if criterion == "nll":
        scaled = temperature.fit(4 * logits, labels)
        assert scaled.temperature == pytest.approx(4 * fit.temperature)
        assert scaled.after == pytest.approx(fit.after)


@pytest.mark.parametrize("criterion", ["nll", "ece"])
def test_weights(criterion):
    logits, labels = _drawn(5, 2.0, rows=300)
    weight = np.random.default_rng(5).integers(0, 3, 300)
    expected = temperature.fit(
        np.repeat(logits, weight, axis=0),
        np.repeat(labels, weight),
        criterion=criterion,
    )
    logits[weight == 0], labels[weight == 0] = np.nan, -1
    fit = temperature.fit(logits, labels, criterion=criterion, weight=weight)
    assert fit.temperature == pytest.approx(expected.temperature, rel=1e-6)
    assert fit.after == pytest.approx(expected.after)


@pytest.mark.parametrize("stretch", [0.5, 2.5])
def test_ece_against_a_brute_grid(stretch):
    logits, labels = _drawn(6, stretch, rows=1000)
    fit = temperature.fit(logits, labels, criterion="ece")
    grid = np.geomspace(stretch / 2, stretch * 2, 1000)
    values = [_reference_ece(logits, labels, value) for value in grid]
    assert fit.after == pytest.approx(
        _reference_ece(logits, labels, fit.temperature)
    )
    # The function jumps; the search may miss the deepest notch by a little.
    assert fit.after <= min(values) + 0.002
    assert fit.temperature == pytest.approx(stretch, rel=0.15)
    assert fit.after < fit.before and not fit.at_bound
    assert fit.evaluations < 400


def test_ece_of_two_classes_by_hand():
    # The only gap is |sigmoid(d / T) - 3/4|: zero at T = d / ln 3.
    fit = temperature.fit([[0.0, 5.0]] * 4, [1, 1, 1, 0], criterion="ece")
    assert fit.temperature == pytest.approx(5 / math.log(3), rel=1e-4)
    assert fit.before == pytest.approx(special.expit(5.0) - 3 / 4)
    assert fit.after < 1e-4


def test_apply_divides():
    logits = np.array([[1.0, 2.0, -4.0]])
    np.testing.assert_array_equal(temperature.apply(logits, 2.0), logits / 2.0)
    np.testing.assert_array_equal(temperature.apply(logits, 1.0), logits)
    assert temperature.apply(np.float32([1]), 3.0).dtype == np.float64
    # Dividing by more than 1 softens.
    assert (
        special.softmax(temperature.apply(logits, 2.0)).max()
        < special.softmax(logits).max()
    )


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_apply_refuses(value):
    with pytest.raises(ValueError, match="positive finite temperature"):
        temperature.apply([1.0], value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"criterion": "brier"}, "'nll' or 'ece'"),
        ({"bounds": (2.0, 3.0)}, "enclose 1"),
        ({"bounds": (0.1, 0.5)}, "enclose 1"),
        ({"bounds": (1.0, 1.0)}, "enclose 1"),
        ({"bounds": (0.0, 2.0)}, "positive finite"),
        ({"bounds": (0.5, math.inf)}, "positive finite"),
        ({"weight": [0.0, 0.0]}, "positive weight"),
    ],
)
def test_fit_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        temperature.fit([[0.0, 1.0], [1.0, 0.0]], [0, 1], **options)


def test_fit_refuses_bad_data():
    with pytest.raises(ValueError, match="from 0 to 1"):
        temperature.fit([[0.0, 1.0]], [2])
    with pytest.raises(ValueError, match="finite logits"):
        temperature.fit([[0.0, math.nan]], [0])
