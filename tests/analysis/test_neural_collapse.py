"""Neural collapse, by hand and against a minimum that is searched for."""

import math

import numpy as np
import pytest
from scipy import optimize
from scipy.special import log_softmax, softmax

from ls_tf.analysis import neural_collapse as nc


def test_nc1_by_hand():
    # Class means -3 and 3 on the first axis, each with a spread of 1 on both.
    rows = np.array(
        [[-4, 1], [-2, -1], [-4, -1], [-2, 1], [2, 5], [4, 3], [2, 3], [4, 5]],
        np.float64,
    )
    rows[4:, 1] -= 4
    labels = np.repeat([0, 1], 4)
    # S_B = diag(9, 0), S_W = diag(1, 1): tr(S_W pinv(S_B)) / 2 = 1 / 18.
    assert nc.nc1(rows, labels) == pytest.approx(1 / 18)
    # Neither a shift nor a scale counts.
    assert nc.nc1(5 * rows + 7, labels) == pytest.approx(1 / 18)


def test_nc1_against_the_scatter_matrices():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 4
    rows = rng.standard_normal((4, 6))[labels] + rng.standard_normal((60, 6))
    means = np.array([rows[labels == k].mean(0) for k in range(4)])
    apart = means - means.mean(0)
    within = rows - means[labels]
    want = np.trace(
        (within.T @ within / 60) @ np.linalg.pinv(apart.T @ apart / 4)
    )
    assert nc.nc1(rows, labels) == pytest.approx(want / 4)


def test_a_simplex_is_collapsed_and_others_are_not():
    corners = np.eye(3)  # about their mean, a regular triangle
    assert nc.nc2(corners) == pytest.approx(0, abs=1e-12)
    assert nc.nc2(7 * corners + 2) == pytest.approx(0, abs=1e-12)
    assert nc.nc3(corners, 4 * (corners - 1 / 3)) == pytest.approx(0, abs=1e-12)
    # Opposite templates: twice a matrix of norm 1.
    assert nc.nc3(corners, -corners + 1 / 3) == pytest.approx(2)
    # Three points on a line: Gram diag(1, 0, 1) - corners, norm 2, against
    # the simplex: by hand, sqrt(2 - 2 * <G, S>), <G, S> = tr(G) / (2 sqrt 2).
    line = np.array([[-1.0, 0], [0, 0], [1, 0]])
    assert nc.nc2(line) == pytest.approx(math.sqrt(2 - 2 / math.sqrt(2)))


def test_too_few_dimensions_have_no_simplex():
    """K classes want K - 1; in D <= K - 1 the nearest is a tight frame.

    A Gram matrix of norm 1 and rank D has a trace of sqrt(D) at most, so that
    the distance is sqrt(2 - 2 sqrt(D / (K - 1))) or more.
    """
    least = math.sqrt(2 - 2 * math.sqrt(2 / 4))
    turns = 2 * np.pi * np.arange(5) / 5
    pentagon = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    assert nc.nc2(pentagon) == pytest.approx(least)
    draws = np.random.default_rng(0)
    others = [nc.nc2(draws.normal(size=(5, 2))) for _ in range(200)]
    assert least < min(others)
    assert nc.nc2(np.eye(5)) == pytest.approx(0, abs=1e-12)  # D = 4 is enough


def search(num_classes, alpha, decays, per_class, width, seed=0):
    """Minimises the loss over templates and activations themselves."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(num_classes), per_class)
    target = (1 - alpha) * np.eye(num_classes)[labels] + alpha / num_classes
    split = num_classes * width

    def loss(values):
        w = values[:split].reshape(num_classes, width)
        x = values[split:].reshape(-1, width)
        z = x @ w.T
        slope = (softmax(z, axis=1) - target) / len(labels)
        value = -(target * log_softmax(z, axis=1)).sum() / len(labels)
        value += decays[0] / 2 * (w**2).sum() + decays[1] / 2 * (x**2).sum()
        slopes = slope.T @ x + decays[0] * w, slope @ w + decays[1] * x
        return value, np.concatenate([s.ravel() for s in slopes])

    start = rng.standard_normal(split + len(labels) * width)
    found = optimize.minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 20_000, "maxfun": 40_000, "ftol": 0, "gtol": 1e-10},
    )
    w = found.x[:split].reshape(num_classes, width)
    return w, found.x[split:].reshape(-1, width), labels, found.fun, loss


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_a_minimum_that_is_searched_for_is_the_closed_form(alpha):
    decays = 2e-2, 1e-3
    w, x, labels, least, loss = search(4, alpha, decays, 3, 6)
    assert nc.nc1(x, labels) < 1e-6
    means = nc.class_means(x, labels)
    assert nc.nc2(means) < 1e-3
    assert nc.nc2(w) < 1e-3
    assert nc.nc3(means, w) < 1e-3
    options = {
        "templates_decay": decays[0],
        "activations_decay": decays[1],
        "per_class": 3,
    }
    gap = nc.logit_gap(4, alpha, **options)
    z = x @ w.T
    others = np.where(np.eye(4, dtype=bool)[labels], -np.inf, z).max(1)
    found = z[np.arange(12), labels] - others
    np.testing.assert_allclose(found, gap, rtol=1e-4)
    templates, closed = nc.minimiser(4, alpha, **options)
    padded = [np.pad(m, ((0, 0), (0, 2))) for m in (templates, closed)]
    there = np.concatenate([padded[0].ravel(), padded[1][labels].ravel()])
    value, slope = loss(there)
    assert value == pytest.approx(least, rel=1e-8)
    np.testing.assert_allclose(slope, 0, atol=1e-10)
    assert np.linalg.norm(templates) == pytest.approx(
        np.linalg.norm(w), rel=1e-4
    )


def test_the_gap_without_decay_is_that_of_the_best_softmax():
    # 1 - alpha + alpha / K over alpha / K, of Mueller et al., section 1.1.
    assert nc.logit_gap(10, 0.1) == pytest.approx(math.log(0.91 / 0.01))
    assert nc.logit_gap(100, 0.05) == pytest.approx(7.5501, abs=1e-4)
    assert nc.logit_gap(10, 0.0) == math.inf
    assert nc.logit_gap(10, 1.0) == 0
    assert nc.logit_gap(4, 0.0, templates_decay=1, activations_decay=1) == 0


def test_class_separation_by_hand_and_over_all_pairs():
    # Each class one direction: within 0.
    rows = np.array([[1.0, 0], [3, 0], [0, 2], [0, 1]])
    labels = np.array([0, 0, 1, 1])
    assert nc.class_separation(rows, labels) == pytest.approx(1)
    # The printed sums, pair by pair.
    rng = np.random.default_rng(0)
    rows, labels = rng.standard_normal((9, 3)) + 1, np.arange(9) % 3
    rows[labels == 2] += 2
    labels = np.append(labels, 2)
    rows = np.append(rows, rows[:1], axis=0)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    apart = 1 - units @ units.T
    blocks = np.array(
        [
            [apart[np.ix_(labels == j, labels == k)].mean() for k in range(3)]
            for j in range(3)
        ]
    )
    want = 1 - np.diag(blocks).mean() / blocks.mean()
    assert nc.class_separation(rows, labels) == pytest.approx(want)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nc.nc1(np.ones((2, 2)), [0, 2]), "got counts \\[1, 0, 1\\]"),
        (lambda: nc.nc1(np.ones((4, 2)), [0, 0, 1, 1]), "got one for all"),
        (lambda: nc.nc2(np.ones((3, 2))), "got one for all classes"),
        (
            lambda: nc.nc3(np.eye(3), np.eye(4)),
            r"wanted templates of shape \(3, 3\), got \(4, 4\)",
        ),
        (lambda: nc.logit_gap(10, 1.5), "wanted alpha"),
        (
            lambda: nc.class_separation([[0.0, 0], [1, 0]], [0, 1]),
            "other than 0",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
