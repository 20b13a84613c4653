"""Soft labels: the three notations, and what a perfect fit reaches."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from ls_tf.analysis import soft_labels

# K, alpha, and the printed values of the gap and of the least loss.
PRINTED = [
    (10, 0.05, 5.2523, 0.28240),
    (10, 0.1, 4.5109, 0.50029),
    (10, 0.3, 3.1918, 1.17651),
    (100, 0.05, 7.5501, None),
    (100, 0.1, 6.8035, None),
]


@pytest.mark.parametrize(("classes", "alpha", "gap", "loss"), PRINTED)
def test_gap_and_least_loss(classes, alpha, gap, loss):
    own, other = 1 - alpha + alpha / classes, alpha / classes
    got = soft_labels.optimal_logit_gap(alpha=alpha, num_classes=classes)
    assert got == pytest.approx(math.log(own / other))
    assert got == pytest.approx(gap, abs=5e-5)
    least = soft_labels.minimum_loss(alpha=alpha, num_classes=classes)
    assert least == pytest.approx(
        -own * math.log(own) - (classes - 1) * other * math.log(other)
    )
    if loss is not None:
        assert least == pytest.approx(loss, abs=5e-6)


@pytest.mark.parametrize(("classes", "alpha"), [(2, 0.4), (10, 0.1)])
def test_gap_and_loss_are_what_a_search_finds(classes, alpha):
    target = soft_labels.soften_uniform(0, alpha=alpha, num_classes=classes)

    def loss(gap):
        logits = np.zeros(classes)
        logits[0] = gap
        return -np.sum(target * special.log_softmax(logits))

    best = optimize.minimize_scalar(loss, bounds=(0, 20), method="bounded")
    assert best.x == pytest.approx(
        soft_labels.optimal_logit_gap(alpha=alpha, num_classes=classes),
        abs=1e-4,
    )
    assert best.fun == pytest.approx(
        soft_labels.minimum_loss(alpha=alpha, num_classes=classes)
    )
    assert stats.entropy(target) == pytest.approx(best.fun)


def test_limits_of_gap_and_loss():
    assert soft_labels.optimal_logit_gap(alpha=0, num_classes=4) == math.inf
    assert soft_labels.optimal_logit_gap(
        alpha=1, num_classes=4
    ) == pytest.approx(0)
    assert soft_labels.minimum_loss(alpha=0, num_classes=4) == 0
    assert soft_labels.minimum_loss(alpha=1, num_classes=4) == pytest.approx(
        math.log(4)
    )


def test_distributions_by_hand():
    np.testing.assert_allclose(
        soft_labels.soften_uniform([2, 0], alpha=0.3, num_classes=3),
        [
            [0.3 / 3, 0.3 / 3, 1 - 0.3 + 0.3 / 3],
            [1 - 0.3 + 0.3 / 3, 0.3 / 3, 0.3 / 3],
        ],
    )
    np.testing.assert_allclose(
        soft_labels.soften_others(1, eps=0.3, num_classes=4),
        [0.3 / 3, 1 - 0.3, 0.3 / 3, 0.3 / 3],
    )
    np.testing.assert_allclose(
        soft_labels.soften_to(1, p=0.1, num_classes=4),
        [(1 - 0.1) / 3, 0.1, (1 - 0.1) / 3, (1 - 0.1) / 3],
    )


@pytest.mark.parametrize("classes", [2, 3, 100])
def test_sums_and_limits(classes):
    labels = np.arange(6).reshape(2, 3) % classes
    onehot = np.eye(classes)[labels]
    for alpha in (0.0, 0.1, 1.0):
        soft = soft_labels.soften_uniform(
            labels, alpha=alpha, num_classes=classes
        )
        assert soft.shape == (2, 3, classes)
        np.testing.assert_allclose(soft.sum(axis=-1), 1)
        np.testing.assert_allclose(
            soft, (1 - alpha) * onehot + alpha / classes, atol=1e-16
        )
    np.testing.assert_array_equal(
        soft_labels.soften_others(labels, eps=0, num_classes=classes), onehot
    )
    np.testing.assert_array_equal(
        soft_labels.soften_to(labels, p=1, num_classes=classes), onehot
    )
    np.testing.assert_allclose(
        soft_labels.soften_to(labels, p=1 / classes, num_classes=classes),
        np.full((2, 3, classes), 1 / classes),
    )


@pytest.mark.parametrize(("classes", "alpha"), [(2, 0.2), (10, 0.1), (7, 0.9)])
def test_notations_agree(classes, alpha):
    eps = soft_labels.eps_from_alpha(alpha, classes)
    assert eps == pytest.approx(alpha * (1 - 1 / classes))
    assert soft_labels.alpha_from_eps(eps, classes) == pytest.approx(alpha)
    uniform = soft_labels.soften_uniform(1, alpha=alpha, num_classes=classes)
    np.testing.assert_allclose(
        soft_labels.soften_others(1, eps=eps, num_classes=classes), uniform
    )
    np.testing.assert_allclose(
        soft_labels.soften_to(1, p=1 - eps, num_classes=classes), uniform
    )


def test_same_number_in_two_notations_differs():
    # K = 10: 0.1 spread over the others is alpha = 0.1 * 10 / 9.
    assert soft_labels.alpha_from_eps(0.1, 10) == pytest.approx(1 / 9)
    assert round(soft_labels.alpha_from_eps(0.1, 33_708), 6) == 0.100003
    assert round(soft_labels.alpha_from_eps(0.75, 10), 4) == 0.8333


def test_bars():
    got = soft_labels.bars((0.0, 0.2, 1.0), 5, 3)
    np.testing.assert_allclose(
        got,
        [
            [0, 0, 0, 1, 0],
            [0.04, 0.04, 0.04, 1 - 0.2 + 0.2 / 5, 0.04],
            [1 / 5] * 5,
        ],
        atol=1e-15,
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: soft_labels.bars((), 5, 3), "one alpha or more"),
        (lambda: soft_labels.bars((0.1,), 5, 5), "from 0 to 4"),
        (lambda: soft_labels.bars((1.1,), 5, 0), "alpha in"),
        (lambda: soft_labels.bars((math.nan,), 5, 0), "alpha in"),
        (lambda: soft_labels.bars((0.1,), 1, 0), "2 or more"),
        (
            lambda: soft_labels.soften_uniform(-1, alpha=0.1, num_classes=3),
            "from 0 to 2",
        ),
        (
            lambda: soft_labels.soften_uniform(0.5, alpha=0.1, num_classes=3),
            "integer labels",
        ),
        (
            lambda: soft_labels.soften_others(0, eps=1.0, num_classes=3),
            "eps in",
        ),
        (lambda: soft_labels.soften_to(0, p=0.0, num_classes=3), "p in"),
        (lambda: soft_labels.alpha_from_eps(0.1, 1), "2 or more"),
        (lambda: soft_labels.eps_from_alpha(0.1, 1), "2 or more"),
        (
            lambda: soft_labels.optimal_logit_gap(alpha=-0.1, num_classes=3),
            "alpha in",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("eps", "place"), [(0.1, 2.1972), (0.3, 0.8473)])
def test_the_logistic_loss_is_least_where_the_answer_is_the_target(eps, place):
    best = optimize.minimize_scalar(
        lambda z: soft_labels.binary_loss(z, eps=eps),
        bounds=(-20, 20),
        method="bounded",
    )
    assert best.x == pytest.approx(math.log((1 - eps) / eps), abs=1e-4)
    assert best.x == pytest.approx(place, abs=1e-4)
    assert special.expit(place) == pytest.approx(1 - eps, abs=1e-5)
    gap = soft_labels.optimal_logit_gap(alpha=2 * eps, num_classes=2)
    assert gap == pytest.approx(place, abs=5e-5)
    assert best.fun == pytest.approx(stats.entropy([eps, 1 - eps]))


def test_the_logistic_loss_is_cross_entropy_of_two_classes():
    z = np.array([-700.0, -3.0, 0.0, 0.5, 700.0])
    for eps in (0.0, 0.1, 0.6):
        logits = np.stack([z, 0 * z], axis=-1)
        target = soft_labels.soften_others(0, eps=eps, num_classes=2)
        expected = -special.log_softmax(logits, axis=-1) @ target
        found = soft_labels.binary_loss(z, eps=eps)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)
    # Without smoothing it only falls.
    assert (np.diff(soft_labels.binary_loss(z, eps=0.0)) < 0).all()
    with pytest.raises(ValueError, match=r"wanted eps in \[0, 1\), got 1"):
        soft_labels.binary_loss(z, eps=1.0)
