"""Label noise: values of Chen et al. 2020, worked out anew, and by search."""

import numpy as np
import pytest
from scipy import optimize, special

from ls_tf.analysis import label_noise, soft_labels

# (type, M, a) -> best p, least loss
_BEST = (
    ("alpha", 10, 0.5, 0.5, 1.79176),
    ("alpha", 10, 0.8, 0.8, 0.93985),
    ("alpha", 10, 0.9, 0.9, 0.54481),
    ("alpha", 10, 0.95, 0.95, 0.30838),
    ("beta", 10, 0.5, 0.2778, 2.17773),
    ("beta", 10, 0.8, 0.6444, 1.43205),
    ("beta", 10, 0.9, 0.8111, 0.89964),
    ("beta", 10, 0.95, 0.9028, 0.53256),
    ("beta", 2, 0.9, 0.82, 0.47139),
    ("gamma", 10, 0.5, 0.5995, 2.27487),
    ("gamma", 10, 0.8, 0.9503, 1.27958),
    ("gamma", 10, 0.9, 0.9819, 0.73695),
    ("gamma", 10, 0.95, 0.9925, 0.41182),
    ("gamma", 2, 0.8, 0.835, None),
    ("gamma", 2, 0.9, 0.963, None),
    ("gamma", 2, 0.95, 0.987, None),
)

_JUMPS = (
    (3, 0.66015, 0.4993),
    (5, 0.57076, 0.4950),
    (10, 0.47682, 0.4827),
    (100, 0.28801, 0.4089),
    (1000, 0.19365, 0.3237),
)


@pytest.mark.parametrize(("kind", "classes", "a", "p", "least"), _BEST)
def test_best_p_and_least_loss(kind, classes, a, p, least):
    decimals = 5e-4 if least is None else 5.1e-5
    assert label_noise.optimal_p(kind, a, classes) == pytest.approx(
        p, abs=decimals
    )
    if least is not None:
        assert label_noise.lowest_loss(kind, a, classes) == pytest.approx(
            least, abs=5.1e-6
        )


@pytest.mark.parametrize("kind", label_noise.KINDS)
@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("a", [0.0, 0.3, 0.55, 0.8, 0.97, 1.0])
def test_best_p_is_the_best_of_a_fine_grid(kind, classes, a):
    best = label_noise.lowest_loss(kind, a, classes)
    grid = np.linspace(1 / classes if kind == "gamma" else 0, 1, 20001)
    of_grid = label_noise.loss(kind, grid, a, classes).min()
    assert best <= of_grid + 1e-12
    assert best == pytest.approx(of_grid, abs=2e-4)


@pytest.mark.parametrize("kind", label_noise.KINDS)
@pytest.mark.parametrize("classes", [2, 3])
def test_the_loss_is_the_mean_over_draws_of_labels(kind, classes):
    """By listing every outcome, with targets of ``soft_labels``."""
    p, a = 0.7, 0.6
    noise = label_noise.symmetric(a, classes)
    first = {
        "alpha": np.eye(classes)[0],  # the class that holds p, of true class 0
        "beta": noise[:, 0],
        "gamma": soft_labels.soften_to(0, p=p, num_classes=classes),
    }[kind]
    expected = 0.0
    for trained in range(classes):
        target = soft_labels.soften_to(trained, p=p, num_classes=classes)
        for tested in range(classes):
            chance = first[trained] * noise[tested, 0]
            expected -= chance * np.log(target[tested])
    assert label_noise.loss(kind, p, a, classes) == pytest.approx(expected)


def test_clean_binary_labels_cost_the_entropy_of_the_target():
    clean = label_noise.loss("gamma", 0.9, 1.0, 2)
    assert clean == pytest.approx(0.32508, abs=5e-6)  # H(.9)


def test_gamma_of_two_classes_is_symmetric_in_p():
    p = np.linspace(0, 1, 11)
    losses = label_noise.loss("gamma", p, 0.8, 2)
    np.testing.assert_allclose(losses, losses[::-1])


def test_gamma_of_two_classes_leaves_one_half_at_three_quarters():
    assert label_noise.gamma_jump(2) == (0.75, 0.5)
    assert label_noise.optimal_p("gamma", 0.75, 2) == pytest.approx(
        0.5, abs=2e-3
    )
    assert label_noise.optimal_p("gamma", 0.74, 2) == 0.5
    assert 0.5 < label_noise.optimal_p("gamma", 0.751, 2) < 0.6
    step = 1e-3
    for a in (0.6, 0.9):
        low, middle, high = label_noise.loss(
            "gamma", np.array([0.5 - step, 0.5, 0.5 + step]), a, 2
        )
        second = (low - 2 * middle + high) / step**2
        assert second == pytest.approx(12 - 16 * a, abs=1e-3)


@pytest.mark.parametrize(("classes", "a", "p"), _JUMPS)
def test_gamma_jumps_with_three_classes_or_more(classes, a, p):
    jump, above = label_noise.gamma_jump(classes)
    assert jump == pytest.approx(a, abs=5.1e-6)
    assert above == pytest.approx(p, abs=5.1e-5)
    before = label_noise.optimal_p("gamma", jump - 1e-5, classes)
    after = label_noise.optimal_p("gamma", jump + 1e-5, classes)
    assert before == 1 / classes
    assert after == pytest.approx(above, abs=1e-3)


def test_beta_goes_to_the_square_of_a():
    for classes in (2, 10, 1000):
        a = 0.7
        best = label_noise.optimal_p("beta", a, classes)
        printed = (1 - 2 * a + a**2 * classes) / (classes - 1)
        assert best == pytest.approx(printed)
        assert best - a**2 == pytest.approx((1 - a) ** 2 / (classes - 1))
    assert label_noise.optimal_p("beta", 0.7, 2) == pytest.approx(
        2 * 0.49 - 1.4 + 1
    )


def test_more_classes_add_a_constant_to_the_alpha_type():
    p, a = 0.7, 0.8
    two, ten = (label_noise.loss("alpha", p, a, m) for m in (2, 10))
    assert ten - two == pytest.approx((1 - a) * np.log(9))


def test_gamma_of_many_classes_misses_what_vanishes():
    p, a = 0.6, 0.8
    gaps = [
        label_noise.loss("gamma", p, a, m)
        - label_noise.gamma_of_many_classes(p, a, m)
        for m in (10**3, 10**4)
    ]
    assert abs(gaps[0]) < 2e-3
    assert abs(gaps[1]) < 2e-4
    printed = label_noise.loss("gamma", p, a, 2) - a * p * np.log(9999)
    missing = np.log(9999) + (1 - a) * (1 - p) * np.log(p / (1 - p))
    assert printed + missing == pytest.approx(
        label_noise.gamma_of_many_classes(p, a, 10**4)
    )


def test_rows_of_a_smoothing_matrix():
    matrix = label_noise.symmetric(0.7, 4)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    np.testing.assert_allclose(matrix[0], [0.7, 0.1, 0.1, 0.1])
    np.testing.assert_allclose(
        matrix, soft_labels.soften_to(np.arange(4), p=0.7, num_classes=4)
    )


def test_pair_flip_wants_the_transposed_matrix():
    flip = label_noise.pair_flip(0.3, 4)
    np.testing.assert_allclose(flip[:, 3], [0.3, 0, 0, 0.7])
    printed = label_noise.optimal_smoothing(flip, printed=True)
    np.testing.assert_array_equal(printed, flip)
    assert label_noise.matrix_loss(flip, printed) == np.inf
    best = label_noise.optimal_smoothing(flip)
    np.testing.assert_allclose(best, flip.T)
    assert label_noise.matrix_loss(flip, best) == pytest.approx(
        0.61086, abs=5e-6
    )


def _any_transition(classes, seed=0):
    drawn = np.random.default_rng(seed).dirichlet(np.ones(classes), classes)
    return drawn.T  # columns sum to 1


@pytest.mark.parametrize("kind", ["alpha", "beta"])
def test_no_other_smoothing_matrix_is_better(kind):
    transition = _any_transition(3)
    best = label_noise.optimal_smoothing(transition, kind)
    np.testing.assert_allclose(best.sum(axis=0), 1)

    def of_logits(flat):
        targets = special.softmax(flat.reshape(3, 3), axis=0)
        return label_noise.matrix_loss(transition, targets, kind)

    searched = optimize.minimize(of_logits, np.zeros(9), method="BFGS")
    assert label_noise.matrix_loss(transition, best, kind) == pytest.approx(
        searched.fun, abs=1e-8
    )
    np.testing.assert_allclose(
        special.softmax(searched.x.reshape(3, 3), axis=0), best, atol=1e-4
    )


def test_symmetric_noise_gives_the_uniform_formulas():
    transition = label_noise.symmetric(0.8, 10)
    for kind in ("alpha", "beta"):
        best = label_noise.optimal_smoothing(transition, kind)
        p = label_noise.optimal_p(kind, 0.8, 10)
        np.testing.assert_allclose(best, label_noise.symmetric(p, 10))
        assert label_noise.matrix_loss(transition, best, kind) == pytest.approx(
            label_noise.lowest_loss(kind, 0.8, 10)
        )
    assert best[0, 0] == pytest.approx(0.64444, abs=5e-6)
    printed = label_noise.optimal_smoothing(transition, "beta", printed=True)
    np.testing.assert_allclose(2 * printed, best)


@pytest.mark.parametrize("kind", ["alpha", "beta"])
def test_mean_field_p_is_the_best_shared_one(kind):
    transition = _any_transition(4, seed=1)
    p = label_noise.mean_field_p(transition, kind)
    searched = optimize.minimize_scalar(
        lambda x: label_noise.matrix_loss(
            transition, label_noise.symmetric(x, 4), kind
        ),
        bounds=(0.01, 0.99),
        method="bounded",
    )
    assert p == pytest.approx(searched.x, abs=1e-5)
    printed = label_noise.mean_field_p(transition, kind, printed=True)
    assert printed == pytest.approx(p if kind == "alpha" else p / 2)


def test_forward_correction_costs_what_the_best_smoothing_does():
    for a in (0.5, 0.8, 0.95):
        noise = label_noise.symmetric(a, 10)
        assert label_noise.forward_loss(noise) == pytest.approx(
            label_noise.lowest_loss("alpha", a, 10)
        )
    uneven = _any_transition(4, seed=2)
    observed = uneven.sum(axis=1) / 4
    smoothed = label_noise.matrix_loss(
        uneven, label_noise.optimal_smoothing(uneven)
    )
    assert smoothed == pytest.approx(
        label_noise.forward_loss(uneven)
        + np.log(4)
        - special.entr(observed).sum()
    )


def test_three_ways_by_hand():
    logits = np.log([0.5, 0.3, 0.2])
    smoothing = label_noise.symmetric(0.8, 3)
    by_label = label_noise.log_likelihoods(logits, smoothing)
    assert by_label[0][0] == pytest.approx(
        0.8 * np.log(0.5) + 0.1 * np.log(0.3) + 0.1 * np.log(0.2)
    )
    assert by_label[1][0] == pytest.approx(np.log(0.4 + 0.03 + 0.02))
    powers = np.array([0.5, 0.3, 0.2]) ** 0.7  # S z = 0.7 z and a constant
    assert by_label[2][0] == pytest.approx(np.log(powers[0] / powers.sum()))


def test_first_inequality_holds_and_the_second_does_not():
    draws = np.random.default_rng(0)
    first, printed_sum, second = 0, 0, 0
    for _ in range(500):
        smoothing = label_noise.symmetric(draws.uniform(0.3, 1), 4)
        logits = draws.normal(0, 3, 4)
        labels, forward, of_logits = label_noise.log_likelihoods(
            logits, smoothing
        )
        first += bool((labels <= forward + 1e-12).all())
        # The sum over j outside of the logarithm, as it is printed.
        outside = np.log(smoothing * special.softmax(logits)[:, None]).sum(0)
        printed_sum += bool((labels <= outside).any())
        second += bool(forward.sum() <= of_logits.sum())
    assert first == 500
    assert printed_sum == 0
    assert second < 50


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: label_noise.loss("delta", 0.5, 0.5, 2), "alpha, beta, gamma"),
        (lambda: label_noise.loss("alpha", 1.2, 0.5, 2), "wanted p in"),
        (lambda: label_noise.optimal_p("gamma", -0.1, 2), "wanted a in"),
        (lambda: label_noise.optimal_p("beta", 0.5, 1), "2 or more"),
        (lambda: label_noise.check_transition([[1, 0]]), "matrix [M, M]"),
        (lambda: label_noise.check_transition([[1, 0.5], [0, 0.6]]), "sum to"),
        (lambda: label_noise.check_transition([[2, 0], [-1, 1]]), "[0, 1]"),
        (lambda: label_noise.optimal_smoothing([[1, 1], [0, 0]]), "class 1"),
        (lambda: label_noise.optimal_smoothing(np.eye(2), "gamma"), "alpha"),
        (lambda: label_noise.matrix_loss(np.eye(2), np.eye(3)), "[2, 2]"),
        (lambda: label_noise.log_likelihoods([0.0], np.eye(2)), "2 classes"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    assert words in str(caught.value)
