"""Numbers that no arithmetic survives are refused, and give no number."""

import math

import numpy as np
import pytest

from ls_tf.analysis import (
    calibration,
    mutual_information,
    probabilities,
    projection,
    scores,
    smoothness,
    soft_labels,
    temperature,
)

_LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]])
_LABELS = np.array([0, 2])
_POINTS = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])


@pytest.mark.parametrize(
    "of",
    [
        lambda t: probabilities.softmax(_LOGITS, t),
        lambda t: temperature.apply(_LOGITS, t),
        lambda t: probabilities.confidence_and_correct(
            _LOGITS, _LABELS, temperature=t
        ),
        lambda t: smoothness.gamma(_LOGITS, _LABELS, temperature=t),
        lambda t: temperature.fit(_LOGITS, _LABELS, bounds=(t, 10.0)),
    ],
)
@pytest.mark.parametrize("value", [1e-310, None, "2", 1j, np.ones(2)])
def test_temperature_that_divides_nothing(of, value):
    with pytest.raises(ValueError, match="wanted"):
        of(value)


def test_bounds_are_two():
    with pytest.raises(ValueError, match="two bounds"):
        temperature.fit(_LOGITS, _LABELS, bounds=(0.1, 1.0, 10.0))


@pytest.mark.parametrize("size", [5e-324, 1e-101, 1e101, 8e307])
@pytest.mark.parametrize(
    "of",
    [
        lambda w: scores.nll(_LOGITS, _LABELS, w),
        lambda w: calibration.bins([0.5, 0.7], [1, 0], weight=w),
        lambda w: calibration.equal_mass_ece([0.5, 0.7], [1, 0], 2, w),
        lambda w: calibration.classwise_ece(
            probabilities.softmax(_LOGITS), _LABELS, weight=w
        ),
    ],
)
def test_weights_whose_products_are_no_numbers(of, size):
    with pytest.raises(ValueError, match="wanted weights"):
        of(np.array([size, size]))


@pytest.mark.parametrize("size", [1e-90, 1e90])
def test_weights_far_from_one(size):
    # Equal weights are no weights.
    weighted = scores.nll(_LOGITS, _LABELS, np.full(2, size))
    assert weighted == pytest.approx(scores.nll(_LOGITS, _LABELS))


@pytest.mark.parametrize(
    "of",
    [
        lambda x: scores.nll(x, _LABELS),
        lambda x: probabilities.softmax(x),
        lambda x: smoothness.gamma(x, _LABELS, temperature=1.0),
        lambda x: mutual_information.estimate(x),
        lambda x: mutual_information.logit_difference(x, 0, 1),
        lambda x: projection.project(x, np.eye(3)[:, :2]),
        lambda x: projection.templates(x.T, None, (0, 1, 2), use_bias=False),
    ],
)
@pytest.mark.parametrize("kind", [complex, str, object])
def test_what_is_no_real_number(of, kind):
    with pytest.raises(ValueError, match="real numbers"):
        of(_LOGITS.astype(kind))


@pytest.mark.parametrize(
    "of",
    [
        lambda x: scores.nll(x, _LABELS),
        lambda x: mutual_information.estimate(x),
        lambda x: projection.project(x, np.eye(3)[:, :2]),
    ],
)
def test_numbers_whose_squares_are_infinite(of):
    with pytest.raises(ValueError, match="1e\\+100 or less"):
        of(_LOGITS * 1e200)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_plane_of_no_or_endless_templates(size):
    with pytest.raises(ValueError, match="wanted"):
        projection.plane_basis(_POINTS * size)


@pytest.mark.parametrize("size", [1e-80, 1e80])
def test_plane_has_no_unit(size):
    basis = projection.plane_basis(_POINTS * size)
    np.testing.assert_allclose(basis, projection.plane_basis(_POINTS))


def test_gap_of_the_smallest_alpha():
    # ln(1 / (5e-324 / 10)) = 1074 ln 2 + ln 10, for 5e-324 is 2 ** -1074.
    gap = soft_labels.optimal_logit_gap(alpha=5e-324, num_classes=10)
    assert gap == pytest.approx(1074 * math.log(2) + math.log(10))
