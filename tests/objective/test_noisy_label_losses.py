"""Losses against noisy labels: against NumPy, limits, equivalence, refusals."""

import numpy as np
import pytest
from both import gradient
from keras import ops
from scipy import optimize, special

from ls_tf.analysis import label_noise, soft_labels
from ls_tf.losses import forward_correction, logit_smoothing, target_probability
from ls_tf.objective import label_smoothing, noisy_labels
from ls_tf.objective.loss import Answers, hyperparameters

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 8).astype(np.int32)
LOGITS = RNG.normal(0, 2, (8, 4)).astype(np.float32)
ROWS = ((0.7, 0.3, 0, 0), (0, 0.7, 0.3, 0), (0, 0, 0.7, 0.3), (0.3, 0, 0, 0.7))


def of(loss):
    answers = Answers(LABELS, LOGITS, np.ones(4, np.float32) / 4)
    return ops.convert_to_numpy(loss(answers))


def own(values):
    return np.take_along_axis(values, LABELS[:, None], axis=-1)[:, 0]


def close(found, want):
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


def test_three_ways_against_numpy():
    """The formulas of ``analysis.label_noise``, in float64."""
    smoothing = label_noise.symmetric(0.8, 4)
    labels, forward, logits = (
        -own(v) for v in label_noise.log_likelihoods(LOGITS, smoothing)
    )
    close(of(target_probability.Loss(0.8)), labels)
    close(of(forward_correction.Loss(0.8)), forward)
    close(of(logit_smoothing.Loss(0.8)), logits)
    assert (forward <= labels).all()


def test_a_matrix_by_hand():
    f = special.softmax(LOGITS.astype(np.float64), axis=-1)
    want = -np.log(own(f @ np.array(ROWS)))
    close(of(forward_correction.Loss(transition=ROWS)), want)
    symmetric = tuple(map(tuple, label_noise.symmetric(0.8, 4).tolist()))
    close(
        of(forward_correction.Loss(transition=symmetric)),
        of(forward_correction.Loss(0.8)),
    )


@pytest.mark.parametrize(
    "loss",
    [
        target_probability.Loss(1.0),
        forward_correction.Loss(),
        forward_correction.Loss(1.0),
        logit_smoothing.Loss(1.0),
    ],
)
def test_without_noise_each_is_the_plain_loss(loss):
    close(of(loss), label_smoothing.nll(LABELS, LOGITS))


def test_at_one_in_k_nothing_is_learnt():
    for loss in (forward_correction.Loss(0.25), logit_smoothing.Loss(0.25)):
        close(of(loss), np.full(8, np.log(4)))


def test_negative_smoothing_is_alpha_above_one():
    p, classes = 0.1, 4
    alpha = soft_labels.alpha_from_eps(1 - p, classes)
    assert alpha == pytest.approx(1.2)
    log_f = special.log_softmax(LOGITS.astype(np.float64), axis=-1)
    want = -(1 - alpha) * own(log_f) - alpha * log_f.mean(axis=-1)
    close(of(target_probability.Loss(p)), want)


def test_forward_correction_learns_what_smoothing_with_p_of_a_does():
    """One image, labels noisy with a: what minimises the expected loss.

    Forward correction is certain of the true class; its answer after the
    noise is the network of alpha-type smoothing, p = a, on the true label,
    and both reach the same loss.
    """
    a, classes, true = 0.7, 4, 1
    noise = label_noise.symmetric(a, classes)[:, true]
    ids = np.arange(classes, dtype=np.int32)

    def forward(logits):
        each = np.repeat(logits[None].astype(np.float32), classes, axis=0)
        losses = ops.convert_to_numpy(
            noisy_labels.forward_loss(ids, each, kept=a)
        )
        return float(noise @ losses)

    certain = 40 * np.eye(classes)[true]
    best = label_noise.lowest_loss("alpha", a, classes)
    assert forward(certain) == pytest.approx(best, abs=1e-5)
    found = optimize.minimize(forward, np.zeros(classes), method="Nelder-Mead")
    assert found.fun == pytest.approx(best, abs=1e-3)
    # Smoothing's own minimum is at logits ln S_p, and costs as much.
    smoothed = np.log(noise)[None].astype(np.float32)
    reached = label_smoothing.target_loss(
        np.array([true], np.int32), smoothed, p=a
    )
    assert float(reached[0]) == pytest.approx(best, abs=1e-5)
    # The gradient at the network's output g = T f is the same there: none.
    slope = gradient(
        lambda z: label_smoothing.target_loss(
            np.array([true], np.int32), z, p=a
        ),
        smoothed,
    )
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_gradients_are_finite_where_a_label_cannot_be():
    for loss in (
        forward_correction.Loss(0.0),
        forward_correction.Loss(transition=ROWS),
    ):

        def value(z, loss=loss):
            return loss(Answers(LABELS, z, np.ones(4, np.float32) / 4))

        for scale in (1, 100):
            assert np.isfinite(gradient(value, scale * LOGITS)).all()


def test_what_a_stack_may_differ_in():
    assert hyperparameters(target_probability.Loss(0.8)) == {"p": 0.8}
    assert hyperparameters(forward_correction.Loss(0.8)) == {"kept": 0.8}
    assert hyperparameters(logit_smoothing.Loss(0.8)) == {"p": 0.8}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: target_probability.Loss(0.0), "in (0, 1], got 0.0"),
        (lambda: logit_smoothing.Loss(1.5), "in (0, 1], got 1.5"),
        (lambda: forward_correction.Loss(-0.5), "in [0, 1], got -0.5"),
        (lambda: forward_correction.Loss(0.5, ROWS), "got kept=0.5 and both"),
        (
            lambda: forward_correction.Loss(transition=((1,), (0, 1))),
            "wanted 2 probabilities in row 0",
        ),
        (
            lambda: forward_correction.Loss(transition=((0.9, 0), (0, 1))),
            "sum to 1 in row 0",
        ),
        (
            lambda: of(forward_correction.Loss(transition=((1, 0), (0, 1)))),
            "a transition of shape (4, 4), got (2, 2)",
        ),
    ],
)
def test_bad_options_are_refused(make, says):
    with pytest.raises(ValueError) as caught:
        make()
    assert says in str(caught.value)
