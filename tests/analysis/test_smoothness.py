"""The smoothness of a teacher: against alpha, by hand, over all views."""

import math
import warnings

import numpy as np
import pytest
from scipy import special

from ls_tf.analysis import smoothness, soft_labels


def teacher(probs):
    """Logits of given probabilities."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.log(probs) + 0.7  # a shift changes nothing


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.75, 1.0])
@pytest.mark.parametrize("classes", [2, 10])
def test_gamma_of_an_exactly_smoothed_teacher_is_alpha(alpha, classes):
    labels = np.arange(40) % classes
    probs = soft_labels.soften_uniform(labels, alpha=alpha, num_classes=classes)
    found = smoothness.gamma(teacher(probs), labels, temperature=1.0)
    assert found == pytest.approx(alpha, rel=1e-12)


def test_gamma_of_the_other_notation():
    # eps / (K - 1) for each other class: gamma = eps K / (K - 1)
    labels = np.arange(30) % 10
    probs = soft_labels.soften_others(labels, eps=0.1, num_classes=10)
    found = smoothness.gamma(teacher(probs), labels, temperature=1.0)
    assert found == pytest.approx(0.1 * 10 / 9)


def test_gamma_by_hand():
    # K = 2, T = 2: p of the label is 1 / (1 + e^-1) and 1 / (1 + e^2).
    logits = np.array([[2.0, 0.0], [4.0, 0.0]])
    off = (1 / (1 + math.e), 1 / (1 + math.exp(-2)))
    found = smoothness.gamma(logits, np.array([0, 1]), temperature=2.0)
    assert found == pytest.approx(2 * (off[0] + off[1]) / 2)


def test_the_limits_of_the_temperature():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 10)), rng.integers(0, 10, 50)
    # Very hot: uniform, whose alpha is 1. Very cold: the share of errors.
    hot = smoothness.gamma(logits, labels, temperature=1e9)
    assert hot == pytest.approx(1)
    cold = smoothness.gamma(logits, labels, temperature=1e-6)
    errors = np.mean(logits.argmax(-1) != labels)
    assert cold == pytest.approx(errors * 10 / 9)


def test_a_certain_teacher_keeps_its_digits():
    # 1 - p would be 0 in float64: p differs from 1 by e^-40.
    found = smoothness.gamma(
        np.array([[40.0, 0.0]]), np.array([0]), temperature=1.0
    )
    assert found == pytest.approx(2 * math.exp(-40), rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_every_view_counts_once(dtype, monkeypatch):
    monkeypatch.setattr(smoothness, "_ROWS", 17)  # parts of two examples
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(21, 8, 4)).astype(dtype)
    labels = rng.integers(0, 4, 21)
    p = special.softmax(logits.astype(np.float64) / 3, axis=-1)
    own = np.take_along_axis(p, labels[:, None, None], -1)[..., 0]
    want = 4 / 3 * np.mean(1 - own)
    found = smoothness.gamma(logits, labels, temperature=3.0)
    assert found == pytest.approx(want, rel=1e-12)
    flat = smoothness.gamma(
        logits.reshape(-1, 4), labels.repeat(8), temperature=3.0
    )
    assert flat == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize(
    ("logits", "labels", "temperature", "says"),
    [
        (np.zeros((3, 1)), np.zeros(3, int), 1.0, "2 or more classes"),
        (np.zeros(3), np.zeros(3, int), 1.0, r"got shape \(3,\)"),
        (np.zeros((3, 2)), np.zeros(2, int), 1.0, r"wanted labels \[3\]"),
        (np.zeros((3, 2)), np.full(3, 2), 1.0, "labels from 0 to 1"),
        (np.zeros((3, 2)), np.zeros(3, int), 0.0, "positive finite"),
        (np.full((3, 2), np.inf), np.zeros(3, int), 1.0, "finite logits"),
        (np.zeros((0, 5, 2)), np.zeros(0, int), 1.0, "got shape"),
    ],
)
def test_bad_input_is_refused_in_one_line(logits, labels, temperature, says):
    with pytest.raises(ValueError, match=says) as caught:
        smoothness.gamma(logits, labels, temperature=temperature)
    assert "\n" not in str(caught.value)
