"""Tests of ls_tf.analysis.other_classes."""

import math

import numpy as np
import pytest

from ls_tf.analysis import other_classes


def drawn(count=20_000, classes=5, seed=0):
    """Logits that are right, and labels drawn from their softmax."""
    generator = np.random.default_rng(seed)
    logits = 1.5 * generator.normal(size=(count, classes))
    noise = generator.gumbel(size=logits.shape)
    return logits, (logits + noise).argmax(axis=1)


def test_answers_are_taken_away_by_hand():
    logits = np.array([[3.0, 2, 1], [1, 5, 2], [0, 1, 2], [9, 0, 1]])
    left, ids, wrong = other_classes.without_answers(logits, [0, 0, 1, 2])
    assert wrong.tolist() == [False, True, True, True]
    assert left.tolist() == [[1, 2], [0, 1], [0, 1]]
    assert ids.tolist() == [0, 1, 1]


def test_a_forecast_that_is_right_holds_its_own_entropy():
    logits, labels = drawn()
    found = other_classes.forecasts(logits, labels)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    p[np.arange(len(p)), logits.argmax(axis=1)] = 0
    p /= p.sum(axis=1, keepdims=True)
    # Given that the answer is wrong; its chance weighs the examples.
    q = 1 - np.exp(logits.max(axis=1)) / np.exp(logits).sum(axis=1)
    entropy = -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=1)
    wanted = math.log(4) - np.sum(q * entropy) / q.sum()
    assert found.information() == pytest.approx(wanted, abs=0.015)
    assert found.temperature == pytest.approx(1, abs=0.05)


def test_a_scale_of_the_logits_changes_only_the_temperature():
    logits, labels = drawn(2000)
    once = other_classes.forecasts(logits, labels)
    thrice = other_classes.forecasts(3 * logits, labels)
    assert thrice.information() == pytest.approx(once.information(), abs=1e-6)
    assert thrice.temperature == pytest.approx(3 * once.temperature, rel=1e-6)


def test_noise_holds_nothing_and_equal_logits_exactly_nothing():
    logits, labels = drawn(5000)
    answers = logits.argmax(axis=1)
    generator = np.random.default_rng(1)
    noise = generator.uniform(-1, 0, size=logits.shape)
    noise[np.arange(len(noise)), answers] = 3
    assert other_classes.forecasts(noise, labels).information() < 0.01
    equal = 3.0 * np.eye(5)[answers]
    found = other_classes.forecasts(equal, labels)
    assert found.information() == pytest.approx(0, abs=1e-12)


def test_only_wrong_answers_of_the_chosen_examples_count():
    logits, labels = drawn(500)
    found = other_classes.forecasts(logits, labels)
    wrong = np.flatnonzero(found.wrong)
    index = np.array([0, 1, 2, 3, wrong[5], wrong[5], wrong[9]])
    gains = [found.gain[i] for i in index if found.wrong[i]]
    assert len(gains) >= 3
    assert found.information(index) == pytest.approx(np.mean(gains))
    right = np.flatnonzero(~found.wrong)
    assert math.isnan(found.information(right))
    assert np.isnan(found.gain[right]).all()


def test_too_few_wrong_answers_or_classes_say_nothing():
    logits, labels = drawn(60)
    assert math.isnan(other_classes.forecasts(logits, labels).information())
    two, of_two = drawn(1000, 2)
    found = other_classes.forecasts(two, of_two)
    assert found.wrong.sum() > 50
    assert math.isnan(found.temperature)


def test_halves_are_scaled_by_the_other_half():
    from ls_tf.analysis import temperature

    logits, labels = drawn(400, 3)
    scaled = other_classes.cross_fitted(logits, labels, seed=7)
    used = logits[:, 0] / scaled[:, 0]
    first, second = np.unique(used.round(9))
    for own, other in ((first, second), (second, first)):
        half = np.isclose(used, other)
        assert half.sum() == 200
        fit = temperature.fit(logits[half], labels[half])
        assert fit.temperature == pytest.approx(own)
