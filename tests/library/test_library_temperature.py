"""Tests of ls_tf.temperature."""

import numpy as np
import pytest
from arrays_of_frameworks import Tensor

from ls_tf import calibration, temperature


def drawn(count=4000, classes=4, seed=0):
    """True logits, and labels drawn from their softmax."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, classes)) * 2
    noise = generator.gumbel(size=logits.shape)
    return logits, (logits + noise).argmax(axis=1)


def test_the_temperature_of_scaled_logits_is_their_scale():
    logits, labels = drawn()
    found = temperature.fit(Tensor(3 * logits), Tensor(labels))
    assert found.temperature == pytest.approx(3, rel=0.05)
    scaled = temperature.apply(3 * logits, found)
    np.testing.assert_allclose(scaled, 3 * logits / found.temperature)
    assert found.after == pytest.approx(calibration.nll(scaled, labels))
    assert found.before == pytest.approx(calibration.nll(3 * logits, labels))


def test_probabilities_have_the_same_temperature():
    logits, labels = drawn(500)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    a = temperature.fit(logits, labels)
    b = temperature.fit(probs, labels, from_probabilities=True)
    assert b.temperature == pytest.approx(a.temperature, rel=1e-9)


def test_what_is_masked_has_no_part_in_the_fit():
    logits, labels = drawn(500)
    wrong = np.concatenate([labels[:300], (labels[300:] + 1) % 4])
    found = temperature.fit(logits, wrong, mask=np.arange(500) < 300)
    assert found == temperature.fit(logits[:300], labels[:300])


def test_vector_scaling_undoes_a_scale_and_an_offset():
    logits, labels = drawn(20_000)
    spoilt = logits * [1, 2, 3, 1] + [0, 1, 0, -1]
    found = temperature.fit_vector(spoilt, labels)
    scaled = found.apply(spoilt)
    true = calibration.nll(logits, labels)
    assert found.after == pytest.approx(calibration.nll(scaled, labels))
    # At the minimum it is a little below the truth: 7 numbers are fitted.
    assert true - 0.001 < found.after < true + 1e-6
    assert found.before == pytest.approx(calibration.nll(spoilt, labels))
    np.testing.assert_allclose(
        found.scale * [1, 2, 3, 1], np.ones(4), atol=0.05
    )


@pytest.mark.parametrize("seed", range(5))
def test_no_fit_is_worse_than_none_where_it_was_fitted(seed):
    logits, labels = drawn(12, 3, seed)
    vector = temperature.fit_vector(logits, labels)
    single = temperature.fit(logits, labels)
    assert single.after <= single.before
    assert vector.after <= single.after + 1e-12
    ece = temperature.fit(logits, labels, criterion="ece")
    assert ece.after <= ece.before


def test_isotonic_curves_are_the_means_of_pools():
    # p of class 1: .2, .4, .6, .8 with verdicts 0, 1, 0, 1: the middle two
    # violate the order and are pooled.
    p = np.array([0.2, 0.4, 0.6, 0.8])
    probs = np.stack([1 - p, p], axis=1)
    found = temperature.fit_isotonic(
        probs, [0, 1, 0, 1], from_probabilities=True
    )
    fitted = found.apply(probs, from_probabilities=True)
    np.testing.assert_allclose(fitted[:, 1], [0, 0.5, 0.5, 1], atol=1e-12)
    np.testing.assert_allclose(fitted.sum(axis=1), 1)


def test_other_classes_are_refused():
    logits, labels = drawn(50)
    for fitted in (
        temperature.fit_vector(logits, labels),
        temperature.fit_isotonic(logits, labels),
    ):
        with pytest.raises(ValueError, match="4"):
            fitted.apply(logits[:, :3])
