"""The losses of other authors: values by hand, limits, relations, slopes."""

import math

import numpy as np
import pytest
from both import compiled, gradient
from keras import ops
from scipy import optimize
from scipy.special import log_softmax, softmax

from ls_tf.objective import label_smoothing, penalties

PRIOR = np.array([0.5, 0.2, 0.2, 0.1], np.float32)


def draw(seed=0, scale=3.0, shape=(8, 4)):
    """Labels [N] and logits [N, K]; some rows are classified wrongly."""
    rng = np.random.default_rng(seed)
    logits = (scale * rng.standard_normal(shape)).astype(np.float32)
    return rng.integers(0, shape[-1], shape[:-1]).astype(np.int32), logits


def rows(labels, logits):
    """For each example: logits, log p and label, in float64."""
    z = logits.astype(np.float64)
    return zip(z, log_softmax(z, axis=-1), labels, strict=True)


# Each loss with its numbers, and one example of it in NumPy.
def _numpy_margin(z, log_p, y):
    return -log_p[y] + 0.1 * sum(max(0, max(z) - v - 2) for v in z)


def _numpy_label_aware(z, log_p, y):
    # Shares (f - .1) / .4 are 1, 1/4, 1/4, 0; their sines 1, sin 22.5 deg, 0.
    share = [1, math.sin(math.pi / 8), math.sin(math.pi / 8), 0][y]
    eps = 0.1 + 0.3 * share
    return -(1 - eps) * log_p[y] - eps / 3 * (log_p.sum() - log_p[y])


LOSSES = {
    "confidence_penalty": (
        lambda y, z: penalties.confidence_penalty(y, z, weight=0.3),
        lambda z, log_p, y: -log_p[y] + 0.3 * np.exp(log_p) @ log_p,
    ),
    "margin_penalty": (
        lambda y, z: penalties.margin_penalty(y, z, weight=0.1, margin=2),
        _numpy_margin,
    ),
    "logit_penalty": (
        lambda y, z: penalties.logit_penalty(y, z, weight=0.01),
        lambda z, log_p, y: -log_p[y] + 0.01 * z @ z,
    ),
    "max_suppression": (
        lambda y, z: penalties.max_suppression(y, z, alpha=0.2),
        lambda z, log_p, y: -log_p[y] + 0.2 * (z.max() - z.mean()),
    ),
    "focal_loss": (
        lambda y, z: penalties.focal_loss(y, z, gamma=3),
        lambda z, log_p, y: -((1 - np.exp(log_p[y])) ** 3) * log_p[y],
    ),
    "label_aware_loss": (
        lambda y, z: penalties.label_aware_loss(
            y, z, PRIOR, head=0.4, tail=0.1
        ),
        _numpy_label_aware,
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_against_numpy(name):
    loss, slow = LOSSES[name]
    labels, logits = draw()
    want = [slow(*row) for row in rows(labels, logits)]
    np.testing.assert_allclose(loss(labels, logits), want, rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_that_of_finite_differences(name):
    loss, slow = LOSSES[name]
    labels, logits = draw(seed=4)
    found = gradient(lambda z: loss(labels, z), logits)
    h = 1e-5
    want = np.zeros(logits.shape)
    for k in range(logits.shape[1]):
        step = h * np.eye(logits.shape[1])[k]
        for sign in (1, -1):
            z = logits.astype(np.float64) + sign * step
            values = [slow(*row) for row in rows(labels, z)]
            want[:, k] += sign * np.array(values) / (2 * h)
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("of", [0.0, "a tensor"])
def test_a_weight_of_0_is_the_plain_loss(of):
    labels, logits = draw()
    logits[:, 3] = -math.inf  # a class that is masked, of no label
    labels %= 3
    want = np.asarray(label_smoothing.nll(labels, logits))
    for loss in (
        lambda w: penalties.confidence_penalty(labels, logits, weight=w),
        lambda w: penalties.margin_penalty(labels, logits, weight=w, margin=1),
        lambda w: penalties.logit_penalty(labels, logits, weight=w),
        lambda w: penalties.max_suppression(labels, logits, alpha=w),
        lambda w: penalties.focal_loss(labels, logits, gamma=w),
        lambda w: penalties.label_aware_loss(
            labels, logits, PRIOR, head=w, tail=w
        ),
    ):
        if of == 0:
            found = loss(0.0)
        else:
            found = compiled(loss)(ops.convert_to_tensor(0.0))
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


def test_the_entropy_of_two_classes_by_hand():
    # 3/4 and 1/4: log 4 - 3/4 log 3; even odds: log 2; certainty: 0.
    logits = np.log(np.array([[3, 1], [1, 1]], np.float32))
    certain = np.array([[300, 0], [0, -math.inf]], np.float32)
    want = [math.log(4) - 0.75 * math.log(3), math.log(2)]
    np.testing.assert_allclose(penalties.entropy(logits), want, rtol=1e-6)
    np.testing.assert_array_equal(penalties.entropy(certain), 0)


def test_the_confidence_penalty_is_a_divergence_from_uniform():
    labels, logits = draw()
    p = softmax(logits.astype(np.float64), axis=-1)
    divergence = (p * np.log(4 * p)).sum(-1)  # KL(p || u)
    plain = np.asarray(label_smoothing.nll(labels, logits))
    found = penalties.confidence_penalty(labels, logits, weight=0.5)
    want = plain + 0.5 * (divergence - math.log(4))
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)
    # Smoothed labels have the other direction, KL(u || p).
    other = (np.log(1 / (4 * p)) / 4).sum(-1)
    smoothed = label_smoothing.sparse_loss(labels, logits, alpha=0.5)
    want = 0.5 * plain + 0.5 * (other + math.log(4))
    np.testing.assert_allclose(smoothed, want, rtol=1e-5, atol=1e-6)


def test_max_suppression_is_smoothing_with_the_largest_logit_for_the_labels():
    labels, logits = draw(shape=(50, 4))
    right = logits.argmax(-1) == labels
    assert 5 < right.sum() < 45
    found = np.asarray(penalties.max_suppression(labels, logits, alpha=0.2))
    smoothed = np.asarray(
        label_smoothing.sparse_loss(labels, logits, alpha=0.2)
    )
    lower = logits.max(-1) - logits[np.arange(50), labels]
    np.testing.assert_allclose(found - smoothed, 0.2 * lower, atol=1e-5)
    np.testing.assert_allclose(found[right], smoothed[right], rtol=1e-5)


def test_no_margin_is_max_suppression():
    labels, logits = draw()
    margin = penalties.margin_penalty(
        labels, logits, weight=0.05, margin=0, reduction="sum"
    )
    mean = penalties.margin_penalty(
        labels, logits, weight=0.2, margin=0, reduction="mean"
    )
    want = penalties.max_suppression(labels, logits, alpha=0.2)  # K = 4
    np.testing.assert_allclose(margin, want, rtol=1e-5)
    np.testing.assert_allclose(mean, want, rtol=1e-5)


def test_what_lies_within_the_margin_is_free():
    labels, logits = draw(scale=1.0)
    assert np.ptp(logits, axis=-1).max() < 10
    np.testing.assert_array_equal(
        penalties.margin_penalty(labels, logits, weight=5.0, margin=10),
        label_smoothing.nll(labels, logits),
    )
    # By hand: 12 and 15 below the largest, 2 and 5 past a margin of 10.
    found = penalties.margin_penalty(
        np.array([0]),
        np.array([[12, 0, -3]], np.float32),
        weight=0.1,
        margin=10,
    )
    np.testing.assert_allclose(found, 0.7, rtol=1e-4)


def test_the_focal_loss_by_hand_and_against_the_entropy():
    # p = 1/4: (3/4)^2 log 4.
    logits = np.log(np.array([[3, 1]], np.float32))
    found = penalties.focal_loss(np.array([1]), logits, gamma=2)
    np.testing.assert_allclose(found, 9 / 16 * math.log(4), rtol=1e-6)
    # Mukhoti et al.: at least the plain loss less gamma entropies.
    labels, logits = draw(shape=(200, 4))
    focal = np.asarray(penalties.focal_loss(labels, logits, gamma=3))
    floor = penalties.confidence_penalty(labels, logits, weight=3.0)
    assert (focal >= np.asarray(floor) - 1e-6).all()
    assert (focal < np.asarray(label_smoothing.nll(labels, logits))).all()


def ratio_of_slopes(p, gamma):
    """Mukhoti et al.'s g: the focal loss's slope by the plain one's."""
    return (1 - p) ** gamma - gamma * p * (1 - p) ** (gamma - 1) * math.log(p)


def test_the_slope_of_the_focal_loss_against_the_plain_one():
    labels, logits = draw(scale=1.0)
    p = softmax(logits.astype(np.float64), axis=-1)[np.arange(8), labels]
    for gamma in (0.5, 1.0, 3.0):
        focal, plain = (
            gradient(lambda z, loss=loss: loss(labels, z), logits)
            for loss in (
                lambda y, z, gamma=gamma: penalties.focal_loss(
                    y, z, gamma=gamma
                ),
                label_smoothing.nll,
            )
        )
        want = [ratio_of_slopes(x, gamma) for x in p]
        np.testing.assert_allclose(
            focal, np.array(want)[:, None] * plain, rtol=1e-4, atol=1e-6
        )
    # Their gamma of 5 for probabilities below 0.2 is where both are as steep.
    steep = optimize.brentq(lambda g: ratio_of_slopes(0.2, g) - 1, 1, 20)
    assert round(steep) == 5


def test_the_focal_loss_has_a_slope_where_the_label_is_certain():
    certain = np.array([[400, 0], [-400, 0]], np.float32)

    def loss(logits):
        return penalties.focal_loss(np.array([0, 0]), logits, gamma=0.5)

    found = gradient(loss, certain)
    np.testing.assert_allclose(found, [[0, 0], [-1, 1]], atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "middle"),
    [
        ("concave", 0.1 + 0.3 * math.sin(math.pi / 8)),
        ("linear", 0.1 + 0.3 / 4),
        ("convex", 0.1 + 0.3 * (1 - math.cos(math.pi / 8))),
    ],
)
def test_frequent_classes_are_smoothed_more(shape, middle):
    found = penalties.smoothing_of_classes(
        PRIOR, head=0.4, tail=0.1, shape=shape
    )
    np.testing.assert_allclose(found, [0.4, middle, middle, 0.1], rtol=1e-5)


def test_classes_that_are_equally_frequent_are_smoothed_alike():
    labels, logits = draw()
    found = penalties.label_aware_loss(
        labels, logits, np.full(4, 0.25, np.float32), head=0.3, tail=0.0
    )
    want = label_smoothing.sparse_loss(
        labels, logits, alpha=0.3, spread="others"
    )
    np.testing.assert_allclose(found, want, rtol=1e-5)


def test_label_aware_smoothing_as_its_authors_code_spreads_it():
    """Over all classes: what lands on the label is not smoothed here."""
    labels, logits = draw()
    eps = np.asarray(penalties.smoothing_of_classes(PRIOR, head=0.4, tail=0.1))[
        labels
    ]
    log_p = log_softmax(logits.astype(np.float64), axis=-1)
    theirs = -(1 - eps) * log_p[np.arange(8), labels]
    theirs -= eps * log_p.mean(axis=-1)
    found = penalties.label_aware_loss(
        labels, logits, PRIOR, head=0.4 * 3 / 4, tail=0.1 * 3 / 4
    )
    np.testing.assert_allclose(found, theirs, rtol=1e-5)


def words(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2**31, (*shape, 2)).astype(np.int32)


def test_disturbed_labels_are_as_frequent_as_smoothed_ones_are_likely():
    labels = np.repeat(np.arange(4, dtype=np.int32), 50_000)
    found = np.asarray(
        penalties.disturbed(labels, words(labels.shape), 4, alpha=0.4)
    )
    for k in range(4):
        shares = np.bincount(found[labels == k], minlength=4) / 50_000
        want = np.asarray(label_smoothing.soften([k], 0.4, 4))[0]
        # Four standard deviations of a share of .1 are .0054.
        np.testing.assert_allclose(shares, want, atol=0.008)


def test_disturbed_labels_at_the_ends():
    labels = np.arange(4, dtype=np.int32)
    draws = np.array([[0, 3], [2**31 - 1, 2], [7, 1], [2**30, 8]], np.int32)
    found = [penalties.disturbed(labels, draws, 4, a) for a in (0.0, 1.0, 0.5)]
    np.testing.assert_array_equal(found[0], labels)
    np.testing.assert_array_equal(found[1], [3, 2, 1, 0])  # each draw mod 4
    # The first numbers are 0, nearly 1, nearly 0 and exactly a half.
    np.testing.assert_array_equal(found[2], [3, 1, 1, 3])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda y, z: penalties.confidence_penalty(y, z, weight=-1),
            "wanted weight of 0 or more, got -1",
        ),
        (
            lambda y, z: penalties.logit_penalty(y, z, weight=math.nan),
            "wanted weight of 0 or more, got nan",
        ),
        (
            lambda y, z: penalties.margin_penalty(y, z, weight=1, margin=-2),
            "wanted margin of 0 or more, got -2",
        ),
        (
            lambda y, z: penalties.margin_penalty(
                y, z, weight=1, margin=1, reduction="max"
            ),
            "wanted a reduction of sum, mean, got 'max'",
        ),
        (
            lambda y, z: penalties.max_suppression(y, z, alpha=1.5),
            r"wanted alpha in \[0, 1\], got 1.5",
        ),
        (
            lambda y, z: penalties.focal_loss(y, z, gamma=-0.5),
            "wanted gamma of 0 or more, got -0.5",
        ),
        (
            lambda y, z: penalties.label_aware_loss(
                y, z, PRIOR, head=1, tail=0
            ),
            r"wanted head in \[0, 1\), got 1",
        ),
        (
            lambda y, z: penalties.label_aware_loss(
                y, z, PRIOR, head=0.1, tail=0, shape="round"
            ),
            "wanted a shape of concave, linear, convex, got 'round'",
        ),
        (
            lambda y, z: penalties.label_aware_loss(
                y, z, PRIOR[:3], head=0.1, tail=0
            ),
            r"wanted frequencies of shape \(4,\), got \(3,\)",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make(*draw())
