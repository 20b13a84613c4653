"""Risk and coverage, by hand."""

import math

import numpy as np
import pytest

from ls_tf.analysis import selective


def test_a_curve_by_hand():
    found = selective.curve([0.9, 0.2, 0.7, 0.4], [1, 0, 0, 1])
    # Surest first: right, wrong, right, wrong.
    np.testing.assert_allclose(found.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found.risk, [0, 1 / 2, 1 / 3, 1 / 2])
    assert selective.area(found) == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 4)
    # Both errors last: 0, 0, 1/3, 2/4.
    assert selective.least_area(found) == pytest.approx((1 / 3 + 1 / 2) / 4)
    assert selective.risk_at(found, 0.5) == 0.5
    assert selective.risk_at(found, 0.51) == pytest.approx(1 / 3)


def test_examples_of_equal_score_are_answered_together():
    for correct in ([1, 0, 1], [0, 1, 1], [1, 1, 0]):
        found = selective.curve([0.5] * 3, correct)
        np.testing.assert_allclose(found.risk, [1 / 3] * 3)


def test_a_score_that_knows_all_has_the_least_area():
    rng = np.random.default_rng(0)
    correct = rng.random(20_000) < 0.9
    found = selective.curve(correct + rng.random(20_000) / 2, correct)
    assert selective.area(found) == pytest.approx(
        selective.least_area(found), rel=1e-12
    )
    # The limit of Geifman et al. for this error.
    error = found.risk[-1]
    limit = error + (1 - error) * math.log(1 - error)
    assert selective.area(found) == pytest.approx(limit, rel=2e-3)
    by_chance = selective.curve(rng.random(20_000), correct)
    assert selective.area(by_chance) == pytest.approx(error, rel=0.1)


def test_confidence_is_the_logit_of_the_largest_probability():
    logits = np.log([[6, 3, 1], [1, 1, 2]])
    want = [math.log(0.6 / 0.4), 0.0]
    np.testing.assert_allclose(selective.confidence(logits), want, atol=1e-12)
    # Where the probability itself is 1.
    found = selective.confidence([[100, 0], [200, 0]])
    np.testing.assert_allclose(found, [100, 200])


def test_normalised_confidence_by_hand():
    # Less its mean of 1: 3, 0, -3 of norm 3 sqrt 2; 4-norm 3 * 2^(1/4).
    found = selective.normalised_confidence([[4, 1, -2], [5, 5, 5]])
    np.testing.assert_allclose(found, [1 / math.sqrt(2), 0])
    found = selective.normalised_confidence([[4, 1, -2]], order=4)
    np.testing.assert_allclose(found, 2**-0.25)
    # Neither the scale nor a shift counts.
    rng = np.random.default_rng(1)
    logits = rng.standard_normal((5, 4))
    np.testing.assert_allclose(
        selective.normalised_confidence(7 * logits + 3),
        selective.normalised_confidence(logits),
    )
    # Of two classes it is one number.
    found = selective.normalised_confidence(logits[:, :2], order=3)
    np.testing.assert_allclose(found, np.full(5, 2 ** (-1 / 3)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: selective.curve([], []), "N of 1 or more"),
        (lambda: selective.curve([0.1, math.nan], [0, 1]), "got NaN"),
        (lambda: selective.confidence([[1.0]]), "K of 2 or more"),
        (
            lambda: selective.normalised_confidence([[1, 2]], 0.5),
            "wanted an order of 1 or more, got 0.5",
        ),
        (
            lambda: selective.risk_at(selective.curve([1], [1]), 0),
            r"wanted a coverage in \(0, 1\], got 0",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
