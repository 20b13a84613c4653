"""Tests of ls_tf.objective.label_smoothing."""

import math

import keras
import numpy as np
import pytest
from both import compiled, gradient, tensorflow_only
from keras import ops
from scipy.special import log_softmax, softmax

from ls_tf.analysis import soft_labels
from ls_tf.objective import label_smoothing as ls

ALPHAS = (0.0, 0.05, 0.1, 0.5, 1.0)


def draw(shape, seed=0, scale=3.0):
    """Draws labels [...] and logits [..., K]."""
    rng = np.random.default_rng(seed)
    logits = (scale * rng.standard_normal(shape)).astype("float32")
    labels = rng.integers(0, shape[-1], shape[:-1]).astype("int32")
    return labels, logits


def slow_loss(labels, logits, target):
    """Cross-entropy by SciPy in float64, one example at a time.

    target: function from a label and K to the K probabilities.
    """
    num_classes = logits.shape[-1]
    rows = logits.reshape(-1, num_classes).astype("float64")
    losses = [
        -np.dot(target(label, num_classes), log_softmax(row))
        for label, row in zip(labels.ravel(), rows, strict=True)
    ]
    return np.reshape(losses, labels.shape)


def uniform(alpha):
    def target(label, num_classes):
        result = np.full(num_classes, alpha / num_classes)
        result[label] += 1 - alpha
        return result

    return target


def others(eps):
    def target(label, num_classes):
        result = np.full(num_classes, eps / (num_classes - 1))
        result[label] = 1 - eps
        return result

    return target


# Targets


def test_soften_by_hand():
    # K = 4, alpha = .2: .2 / 4 = .05 each, and .8 more on the label.
    np.testing.assert_allclose(
        ls.soften([2, 0], 0.2, 4),
        [[0.05, 0.05, 0.8 + 0.05, 0.05], [0.8 + 0.05, 0.05, 0.05, 0.05]],
        rtol=1e-6,
    )


def test_soften_others_by_hand():
    # K = 4, eps = .3: .7 on the label, .3 / 3 on each other class.
    np.testing.assert_allclose(
        ls.soften([1], 0.3, 4, spread="others"),
        [[0.3 / 3, 0.7, 0.3 / 3, 0.3 / 3]],
        rtol=1e-6,
    )


def test_soften_prior_by_hand():
    prior = [0.7, 0.2, 0.1]
    np.testing.assert_allclose(
        ls.soften([1], 0.5, 3, prior=prior),
        [[0.5 * 0.7, 0.5 + 0.5 * 0.2, 0.5 * 0.1]],
        rtol=1e-6,
    )


def test_soften_limits():
    labels = [0, 2]
    onehot = np.eye(3)[labels]
    for spread in ls.SPREADS:
        np.testing.assert_array_equal(ls.soften(labels, 0.0, 3, spread), onehot)
    np.testing.assert_allclose(
        ls.soften(labels, 1.0, 3), np.full((2, 3), 1 / 3)
    )
    np.testing.assert_allclose(
        ls.soften(labels, 1.0, 3, "others"), (1 - onehot) / 2
    )


@pytest.mark.parametrize("spread", ls.SPREADS)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_soften_rows_are_distributions(spread, alpha):
    labels, _ = draw((2, 3, 7))
    soft = np.asarray(ls.soften(labels, alpha, 7, spread))
    assert soft.shape == (2, 3, 7)
    assert soft.min() >= 0
    np.testing.assert_allclose(soft.sum(axis=-1), 1, rtol=1e-6)


def test_a_uniform_prior_is_uniform_smoothing():
    labels, logits = draw((5, 4))
    prior = np.full(4, 1 / 4)
    np.testing.assert_allclose(
        ls.sparse_loss(labels, logits, alpha=0.3, prior=prior),
        ls.sparse_loss(labels, logits, alpha=0.3),
        rtol=1e-5,
    )


# Losses


def test_nll_by_hand():
    # softmax of log(.2), log(.3), log(.5) is .2, .3, .5.
    logits = np.log(np.array([[0.2, 0.3, 0.5]], "float32"))
    np.testing.assert_allclose(ls.nll([1], logits), [-math.log(0.3)], rtol=1e-6)


def test_sparse_loss_by_hand():
    logits = np.log(np.array([[0.2, 0.3, 0.5]], "float32"))
    logs = [math.log(0.2), math.log(0.3), math.log(0.5)]
    # Uniform, alpha = .3: .8 on the label, .1 elsewhere.
    expected = -(0.1 * logs[0] + 0.1 * logs[1] + 0.8 * logs[2])
    np.testing.assert_allclose(
        ls.sparse_loss([2], logits, alpha=0.3), [expected], rtol=1e-6
    )
    # Others, eps = .3: .7 on the label, .15 elsewhere.
    expected = -(0.15 * logs[0] + 0.15 * logs[1] + 0.7 * logs[2])
    np.testing.assert_allclose(
        ls.sparse_loss([2], logits, alpha=0.3, spread="others"),
        [expected],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        ls.target_loss([2], logits, p=0.7), [expected], rtol=1e-6
    )
    # Prior (.6, .4, 0), alpha = .5: .3, .2, .5.
    expected = -(0.3 * logs[0] + 0.2 * logs[1] + 0.5 * logs[2])
    np.testing.assert_allclose(
        ls.sparse_loss([2], logits, alpha=0.5, prior=[0.6, 0.4, 0.0]),
        [expected],
        rtol=1e-6,
    )


@pytest.mark.parametrize("shape", [(6, 10), (3, 4, 10), (10,), (2, 100)])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_against_scipy(shape, alpha):
    labels, logits = draw(shape)
    close = {"rtol": 2e-6, "atol": 2e-6}
    np.testing.assert_allclose(
        ls.sparse_loss(labels, logits, alpha=alpha),
        slow_loss(labels, logits, uniform(alpha)),
        **close,
    )
    np.testing.assert_allclose(
        ls.sparse_loss(labels, logits, alpha=alpha, spread="others"),
        slow_loss(labels, logits, others(alpha)),
        **close,
    )
    np.testing.assert_allclose(
        ls.dense_loss(ls.soften(labels, alpha, shape[-1]), logits),
        slow_loss(labels, logits, uniform(alpha)),
        **close,
    )


@pytest.mark.parametrize("alpha", ALPHAS)
def test_against_keras(alpha):
    labels, logits = draw((8, 5))
    reference = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=alpha, reduction=None
    )(np.eye(5, dtype="float32")[labels], logits)
    for loss in (
        ls.sparse_loss(labels, logits, alpha=alpha),
        ls.dense_loss(ls.soften(labels, alpha, 5), logits),
    ):
        np.testing.assert_allclose(loss, reference, rtol=2e-6, atol=1e-6)


def test_prior_against_scipy():
    labels, logits = draw((4, 3, 6))
    prior = np.random.default_rng(1).dirichlet(np.ones(6))

    def target(label, num_classes):
        return 0.8 * np.eye(num_classes)[label] + 0.2 * prior

    expected = slow_loss(labels, logits, target)
    np.testing.assert_allclose(
        ls.sparse_loss(labels, logits, alpha=0.2, prior=prior),
        expected,
        rtol=2e-6,
    )
    np.testing.assert_allclose(
        ls.dense_loss(ls.soften(labels, 0.2, 6, prior=prior), logits),
        expected,
        rtol=2e-6,
    )


@pytest.mark.parametrize(
    ("num_classes", "alpha", "minimum", "gap"),
    [
        (10, 0.1, 0.50029, 4.5109),
        (10, 0.05, 0.28240, 5.2523),
        (10, 0.3, 1.17651, 3.1918),
        (100, 0.05, None, 7.5501),
        (100, 0.1, None, 6.8035),
    ],
)
def test_minimum_and_the_gap_that_reaches_it(num_classes, alpha, minimum, gap):
    # At the minimum p equals the target, so the label's logit leads by the
    # log of the ratio of the two target values, and the loss is the entropy.
    low = alpha / num_classes
    high = 1 - alpha + low
    best = math.log(high / low)
    assert best == pytest.approx(gap, abs=5e-5)
    entropy = -high * math.log(high) - (num_classes - 1) * low * math.log(low)
    if minimum is not None:
        assert entropy == pytest.approx(minimum, abs=5e-6)

    def loss(lead):
        logits = np.zeros(num_classes, "float32")
        logits[3] = lead
        return float(ls.sparse_loss(3, logits, alpha=alpha))

    assert loss(best) == pytest.approx(entropy, rel=3e-6)
    assert min(loss(best - 0.1), loss(best + 0.1)) > loss(best) + 1e-5


@pytest.mark.parametrize(
    ("p", "minimum"), [(0.5, 1.79176), (0.8, 0.93985), (0.9, 0.54481)]
)
def test_target_loss_is_least_where_the_label_has_probability_p(p, minimum):
    # -p ln p - (1 - p) ln((1 - p) / (K - 1)) at K = 10, as published for a
    # network that outputs p.
    entropy = -p * math.log(p) - (1 - p) * math.log((1 - p) / 9)
    assert entropy == pytest.approx(minimum, abs=5e-6)
    logits = np.log(np.full(10, (1 - p) / 9, "float32"))
    logits[0] = math.log(p)
    assert float(ls.target_loss(0, logits, p=p)) == pytest.approx(
        entropy, rel=1e-6
    )


def test_limits():
    labels, logits = draw((6, 4))
    hard = ls.nll(labels, logits)
    for loss in (
        ls.sparse_loss(labels, logits, alpha=0),
        ls.sparse_loss(labels, logits, alpha=0.0, spread="others"),
        ls.target_loss(labels, logits, p=1),
    ):
        np.testing.assert_allclose(loss, hard, rtol=1e-6)
    # alpha = 1: the label does not matter.
    np.testing.assert_allclose(
        ls.sparse_loss(labels, logits, alpha=1.0),
        ls.sparse_loss((labels + 1) % 4, logits, alpha=1.0),
        rtol=1e-6,
    )
    # p = 1 / K: the uniform target too.
    np.testing.assert_allclose(
        ls.target_loss(labels, logits, p=1 / 4),
        ls.sparse_loss(labels, logits, alpha=1.0),
        rtol=1e-5,
    )


def test_equal_logits_cost_log_k_whatever_alpha():
    for alpha in ALPHAS:
        assert float(
            ls.sparse_loss(0, np.zeros(7, "float32"), alpha=alpha)
        ) == pytest.approx(math.log(7), rel=1e-6)


@pytest.mark.parametrize("spread", ls.SPREADS)
def test_a_shift_of_the_logits_changes_nothing(spread):
    labels, logits = draw((6, 10))
    # A multiple of 1 / 64 that float32 adds to these logits exactly.
    logits = np.round(logits * 64) / 64
    kwargs = {"alpha": 0.1, "spread": spread}
    np.testing.assert_allclose(
        ls.sparse_loss(labels, logits + 1024, **kwargs),
        ls.sparse_loss(labels, logits, **kwargs),
        rtol=1e-6,
    )


def test_leading_dimensions_are_a_reshape():
    labels, logits = draw((2, 3, 4, 5))
    flat = ls.sparse_loss(labels.reshape(-1), logits.reshape(-1, 5), alpha=0.1)
    nested = ls.sparse_loss(labels, logits, alpha=0.1)
    assert tuple(nested.shape) == (2, 3, 4)
    np.testing.assert_allclose(
        np.reshape(nested, -1), np.asarray(flat), rtol=1e-6
    )


def test_renaming_the_classes_changes_nothing():
    labels, logits = draw((6, 5))
    order = np.array([3, 1, 4, 0, 2])
    place = np.argsort(order).astype("int32")
    np.testing.assert_allclose(
        ls.sparse_loss(place[labels], logits[:, order], alpha=0.2),
        ls.sparse_loss(labels, logits, alpha=0.2),
        rtol=1e-5,
    )


def test_huge_logits_stay_finite():
    logits = np.array([[1e4, -1e4, 0.0]], "float32")
    # log p = 0, -2e4, -1e4; alpha = .3 puts .1 on each of the others.
    np.testing.assert_allclose(
        ls.sparse_loss([0], logits, alpha=0.3), [0.1 * 3e4], rtol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_give_a_float32_loss(dtype):
    labels, logits = draw((6, 10))
    half = keras.ops.cast(logits, dtype)
    loss = ls.sparse_loss(labels, half, alpha=0.1)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    np.testing.assert_allclose(
        loss,
        ls.sparse_loss(labels, keras.ops.cast(half, "float32"), alpha=0.1),
        rtol=1e-6,
    )


def test_float64_logits_keep_their_precision():
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless asked for")
    labels, logits = draw((6, 10))
    np.testing.assert_allclose(
        ls.sparse_loss(labels, logits.astype("float64"), alpha=0.1),
        slow_loss(labels, logits, uniform(0.1)),
        rtol=1e-13,
    )


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_any_integer_labels(dtype):
    labels, logits = draw((6, 10))
    np.testing.assert_array_equal(
        ls.sparse_loss(labels.astype(dtype), logits, alpha=0.1),
        ls.sparse_loss(labels, logits, alpha=0.1),
    )


@pytest.mark.parametrize("alpha", ALPHAS)
def test_gradient_is_p_minus_the_soft_target(alpha):
    labels, logits = draw((5, 4))
    p = softmax(logits.astype("float64"), axis=-1)
    np.testing.assert_allclose(
        gradient(lambda x: ls.sparse_loss(labels, x, alpha=alpha), logits),
        p - np.stack([uniform(alpha)(label, 4) for label in labels]),
        atol=1e-6,
    )
    np.testing.assert_allclose(
        gradient(
            lambda x: ls.sparse_loss(labels, x, alpha=alpha, spread="others"),
            logits,
        ),
        p - np.stack([others(alpha)(label, 4) for label in labels]),
        atol=1e-6,
    )


def test_alpha_may_be_a_tensor_inside_a_compiled_function():
    labels, logits = draw((5, 4))

    @compiled
    def losses(alphas):
        return ops.vectorized_map(
            lambda alpha: ls.sparse_loss(labels, logits, alpha=alpha), alphas
        )

    result = losses(ops.convert_to_tensor([0.0, 0.1, 0.5]))
    for row, alpha in zip(result, (0.0, 0.1, 0.5), strict=True):
        np.testing.assert_allclose(
            row, slow_loss(labels, logits, uniform(alpha)), rtol=1e-5
        )


@tensorflow_only
def test_unknown_batch_size():
    tf = pytest.importorskip("tensorflow")
    labels, logits = draw((5, 4))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None, 4], tf.float32),
        ]
    )
    def loss(labels, logits):
        return ls.sparse_loss(labels, logits, alpha=0.1)

    np.testing.assert_allclose(
        loss(labels[None], logits[None])[0],
        slow_loss(labels, logits, uniform(0.1)),
        rtol=1e-5,
    )


# Notations


def test_the_other_form_at_a_large_vocabulary():
    # T2T subtracts the least value that its loss can have, the entropy of the
    # target, 1.36763 nats for .1 on 33,708 subwords. It is met where the model
    # says what the target does.
    eps, vocabulary = 0.1, 33_708
    low = eps / (vocabulary - 1)
    target = np.full((2, vocabulary), low)
    target[[0, 1], [7, 5]] = 1 - eps
    logits = np.log(target).astype("float32") + 3
    losses = ls.sparse_loss([7, 5], logits, alpha=eps, spread="others")
    least = -(1 - eps) * math.log(1 - eps) - eps * math.log(low)
    np.testing.assert_allclose(losses, least, rtol=1e-5)
    assert least == pytest.approx(1.36763, abs=5e-6)


def test_the_notations_describe_one_target():
    labels, logits = draw((6, 10))
    alpha = 0.3
    eps = soft_labels.eps_from_alpha(alpha, 10)
    p = 1 - 0.3 + 0.3 / 10
    expected = slow_loss(labels, logits, uniform(alpha))
    for loss in (
        ls.sparse_loss(labels, logits, alpha=eps, spread="others"),
        ls.target_loss(labels, logits, p=p),
    ):
        np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_anti_smoothing():
    # p below 1 / K: the label gets less than every other class.
    alpha = soft_labels.alpha_from_eps(0.95, 10)
    assert alpha > 1
    labels, logits = draw((6, 10))
    np.testing.assert_allclose(
        ls.target_loss(labels, logits, p=0.05),
        slow_loss(labels, logits, others(0.95)),
        rtol=1e-5,
    )
    with pytest.raises(ValueError, match="alpha"):
        ls.sparse_loss(labels, logits, alpha=alpha)


# Refusals


@pytest.mark.parametrize("alpha", [-0.1, 1.1, 2, math.nan])
def test_alpha_out_of_range(alpha):
    labels, logits = draw((2, 3))
    for call in (
        lambda: ls.check_alpha(alpha),
        lambda: ls.soften(labels, alpha, 3),
        lambda: ls.sparse_loss(labels, logits, alpha=alpha),
    ):
        with pytest.raises(ValueError, match=r"alpha in \[0, 1\]") as error:
            call()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("p", [0.0, -0.1, 1.01, math.nan])
def test_p_out_of_range(p):
    labels, logits = draw((2, 3))
    with pytest.raises(ValueError, match=r"in \(0, 1\]"):
        ls.target_loss(labels, logits, p=p)


def test_other_refusals():
    labels, logits = draw((2, 3))
    with pytest.raises(ValueError, match="uniform, others"):
        ls.sparse_loss(labels, logits, alpha=0.1, spread="uniforn")
    with pytest.raises(ValueError, match="takes no prior"):
        ls.soften(labels, 0.1, 3, spread="others", prior=[0.2, 0.3, 0.5])
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        ls.soften(labels, 0.1, 3, prior=[0.5, 0.5])
    with pytest.raises(ValueError, match="sum to 1"):
        ls.sparse_loss(labels, logits, alpha=0.1, prior=[0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match="sum to 1"):
        ls.sparse_loss(labels, logits, alpha=0.1, prior=[1.5, -0.5, 0.0])
    with pytest.raises(ValueError, match="num_classes of 2"):
        ls.soften([0], 0.1, 1, spread="others")
