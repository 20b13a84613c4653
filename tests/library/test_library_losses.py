"""Tests of ls_tf.losses and ls_tf.distillation, for programs of others."""

import dataclasses
import inspect
import math

import keras
import numpy as np
import pytest
from arrays_of_frameworks import Tensor
from keras import ops

import ls_tf
from ls_tf.analysis import numpy_losses
from ls_tf.objective import learnt_targets
from ls_tf.objective.loss import Answers
from ls_tf.spec import registry

K = 5
PRIOR = np.array([0.4, 0.3, 0.1, 0.1, 0.1], np.float32)
OPTIONS = {
    "confidence_penalty": {"weight": 0.3},
    "focal": {},
    "forward_correction": {"kept": 0.8},
    "kl_divergence": {
        "beta": 0.7,
        "teacher_temperature": 2.0,
        "student_temperature": 1.5,
    },
    "label_aware_smoothing": {},
    "label_smoothing": {"alpha": 0.1, "spread": "prior"},
    "logit_matching": {
        "beta": 0.6,
        "over_logits": "mean",
        "teacher": "probabilities",
    },
    "logit_penalty": {},
    "logit_smoothing": {"p": 0.7},
    "margin_smoothing": {"margin": 0.5, "over_logits": "mean"},
    "max_suppression": {"alpha": 0.2},
    "smoothed_targets": {"alpha": 0.1},
    "soft_targets": {
        "beta": 0.7,
        "teacher_temperature": 2.0,
        "student_temperature": 2.0,
        "scale_by_temperature_squared": True,
    },
    "target_probability": {"p": 0.6},
}
# What a run draws or learns for them they are given in NumPy.
IN_A_RUN = {
    "disturb_label": {"alpha": 0.6},
    "online_label_smoothing": {"alpha": 0.4},
}
IN_NUMPY = sorted(OPTIONS | IN_A_RUN)
GIVEN = ("taught", "prior", "draws", "learnt")  # not options
LEARNT = np.random.default_rng(3).dirichlet(np.ones(K), K).astype(np.float32)


def loss_class(name):
    return registry.get("ls_tf.losses", name).Loss


def arrays(shape=(8,), seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, K, shape).astype(np.int32)
    logits, teacher = 2 * rng.normal(size=(2, *shape, K)).astype(np.float32)
    return labels, logits, teacher


def words(shape):
    drawn = np.random.default_rng(2).integers(0, 2**31, (*shape, 2))
    return drawn.astype(np.int32)


def of_room(name, labels, logits, teacher):
    taught = teacher if loss_class(name).needs_teacher else None
    draws = words(labels.shape)
    answers = Answers(labels, logits, PRIOR, taught, draws, LEARNT)
    options = {
        "reduction" if k == "over_logits" else k: v
        for k, v in (OPTIONS | IN_A_RUN)[name].items()
    }
    return ops.convert_to_numpy(loss_class(name)(**options)(answers))


def keras_loss(name, **more):
    return ls_tf.losses.KerasLoss(name, prior=PRIOR, **OPTIONS[name], **more)


def targets(name, labels, teacher):
    if loss_class(name).needs_teacher:
        return ls_tf.distillation.packed(labels, teacher)
    return labels


@pytest.mark.parametrize("name", IN_NUMPY)
@pytest.mark.parametrize("shape", [(8,), (2, 3)])
def test_numpy_forms_are_the_losses_of_their_names(name, shape):
    labels, logits, teacher = arrays(shape)
    found = ls_tf.losses.numpy_loss(
        name,
        Tensor(logits),
        labels,
        teacher_logits=teacher,
        prior=PRIOR,
        draws=words(shape),
        learnt=LEARNT,
        **(OPTIONS | IN_A_RUN)[name],
    )
    wanted = of_room(name, labels, logits, teacher)
    assert found.shape == shape
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", IN_NUMPY)
def test_numpy_forms_have_the_options_and_defaults_of_the_losses(name):
    form = inspect.signature(numpy_losses._LOSSES[name]).parameters
    mine = {
        k: p.default
        for k, p in form.items()
        if p.kind is p.KEYWORD_ONLY and k not in GIVEN
    }
    wanted = {}
    for field in dataclasses.fields(loss_class(name)):
        is_free = field.default is not dataclasses.MISSING
        default = field.default if is_free else inspect.Parameter.empty
        wanted[field.name.replace("reduction", "over_logits")] = default
    assert mine == wanted


LOG_P = np.log([0.5, 0.3, 0.2])  # of every example of the next tests


@pytest.mark.parametrize(
    ("shape", "middle"),
    [
        ("concave", math.sqrt(0.5)),  # sin 45 degrees
        ("linear", 0.5),
        ("convex", 1 - math.sqrt(0.5)),
    ],
)
def test_label_aware_smoothing_by_hand(shape, middle):
    # The second class lies half-way between the rarest and the first.
    for label, grown in enumerate((1, middle, 0)):
        eps = 0.1 + 0.3 * grown
        others = LOG_P.sum() - LOG_P[label]
        found = ls_tf.losses.numpy_loss(
            "label_aware_smoothing",
            LOG_P,
            label,
            prior=[1 / 2, 1 / 3, 1 / 6],
            shape=shape,
        )
        wanted = -(1 - eps) * LOG_P[label] - eps / 2 * others
        assert found == pytest.approx(wanted, rel=1e-12)


def test_disturbed_labels_by_hand():
    # Drawn anew below half of the words' range, at alpha 0.5.
    draws = [[2**30 - 1, 2], [2**30, 2], [0, 4], [2**31 - 1, 1]]
    found = ls_tf.losses.numpy_loss(
        "disturb_label", np.tile(LOG_P, (4, 1)), [0] * 4, alpha=0.5, draws=draws
    )
    np.testing.assert_allclose(found, -LOG_P[[2, 0, 1, 0]], rtol=1e-12)


def test_disturbed_labels_are_smoothed_ones_in_the_mean():
    labels, logits, _ = arrays((1,))
    many = 40_000
    found = ls_tf.losses.numpy_loss(
        "disturb_label",
        np.repeat(logits, many, axis=0),
        np.repeat(labels, many),
        alpha=0.6,
        draws=words((many,)),
    )
    wanted = ls_tf.losses.numpy_loss(
        "label_smoothing", logits, labels, alpha=0.6
    )
    error = found.std() / math.sqrt(many)
    assert found.mean() == pytest.approx(wanted[0], abs=4 * error)


def test_learnt_targets_by_hand():
    near, far = np.log([0.6, 0.3, 0.1]), np.log([0.8, 0.1, 0.1])
    wrong = np.log([0.7, 0.2, 0.1])  # of class 1: not counted
    logits, labels = np.stack([near, far, wrong]), [0, 0, 1]
    first = ls_tf.losses.learnt_targets(logits, labels)
    np.testing.assert_allclose(first[0], [0.7, 0.2, 0.1])
    np.testing.assert_allclose(first[1:], 1 / 3)
    kept = ls_tf.losses.learnt_targets(wrong, 1, before=first)
    np.testing.assert_array_equal(kept, first)
    # -(0.6 + 0.4 * 0.7) log 0.5 - 0.08 log 0.3 - 0.04 log 0.2
    found = ls_tf.losses.numpy_loss(
        "online_label_smoothing", LOG_P, 0, alpha=0.4, learnt=first
    )
    assert found == pytest.approx(-LOG_P @ [0.88, 0.08, 0.04])


def test_learnt_targets_are_those_of_a_run():
    labels, logits, _ = arrays((200,))
    sums = ops.convert_to_numpy(learnt_targets.seen(labels, logits))
    np.testing.assert_allclose(
        ls_tf.losses.learnt_targets(Tensor(logits), labels),
        sums / sums.sum(axis=1, keepdims=True),
        rtol=1e-5,
    )


def test_every_loss_has_a_keras_form_or_says_why_not():
    for name in registry.names("ls_tf.losses"):
        if name in OPTIONS:
            keras_loss(name)
        else:
            assert name in IN_A_RUN
    with pytest.raises(ValueError, match="learns its targets from epoch"):
        ls_tf.losses.KerasLoss("online_label_smoothing", alpha=0.5)


def disturbed(epochs, run_eagerly, **options):
    """The losses of a network that stays as it is, epoch by epoch."""
    labels, logits, _ = arrays((4000,))
    same = keras.layers.Dense(
        K, kernel_initializer=keras.initializers.Identity()
    )
    net = keras.Sequential([keras.Input((K,)), same])
    loss = ls_tf.losses.KerasLoss("disturb_label", alpha=0.4, **options)
    still = keras.optimizers.SGD(0.0)
    net.compile(still, loss, run_eagerly=run_eagerly)
    seen = net.fit(
        logits,
        labels,
        batch_size=2000,
        epochs=epochs,
        shuffle=False,
        verbose=0,
    )
    return seen.history["loss"]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="refused there")
def test_labels_are_disturbed_anew_at_every_step_eager_or_compiled():
    eager, compiled = (disturbed(3, how, seed=7) for how in (True, False))
    assert eager == pytest.approx(compiled, rel=1e-5)
    assert len(set(compiled)) == 3
    assert disturbed(3, False, seed=8) != compiled
    # Its mean over the draws is the loss of smoothed labels.
    labels, logits, _ = arrays((4000,))
    smooth = ls_tf.losses.numpy_loss(
        "label_smoothing", logits, labels, alpha=0.4
    )
    assert np.mean(compiled) == pytest.approx(smooth.mean(), abs=0.06)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="refused there")
def test_a_loss_that_draws_is_saved_with_its_seed():
    loss = ls_tf.losses.KerasLoss("disturb_label", alpha=0.4, seed=7)
    again = ls_tf.losses.KerasLoss.from_config(loss.get_config())
    labels, logits, _ = arrays()
    assert float(loss(labels, logits)) == float(again(labels, logits))
    with pytest.raises(ValueError, match="draws nothing"):
        ls_tf.losses.KerasLoss("focal", seed=7)
    with pytest.raises(ValueError, match="seed of 0"):
        ls_tf.losses.KerasLoss("disturb_label", alpha=0.4, seed=-1)


def test_a_loss_that_draws_is_refused_with_jax(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="TensorFlow or PyTorch"):
        ls_tf.losses.KerasLoss("disturb_label", alpha=0.4)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean"])
@pytest.mark.parametrize("is_same", [True, False])
def test_a_mask_of_keras_and_an_ignored_class_go_together(reduction, is_same):
    labels, logits, _ = arrays((3, 8))
    labels[:, 5:] = -1
    mask = labels >= 0
    if not is_same:
        mask[0] = ~mask[0]
        mask[1, :2] = False
    predictions = ops.convert_to_tensor(logits)
    predictions._keras_mask = ops.convert_to_tensor(mask)
    loss = ls_tf.losses.KerasLoss(
        "label_smoothing", alpha=0.1, ignore_class=-1, reduction=reduction
    )
    counted = mask & (labels >= 0)
    wanted = ls_tf.losses.numpy_loss(
        "label_smoothing", logits[counted], labels[counted], alpha=0.1
    )
    found = float(loss(labels, predictions))
    assert found == pytest.approx(wanted.mean(), rel=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_bfloat16"])
def test_class_ids_stay_exact_where_half_precision_is_asked_for(dtype):
    logits = np.random.default_rng(0).normal(size=(9, 3000)).astype(np.float32)
    labels = np.arange(2991, 3000)
    loss = ls_tf.losses.KerasLoss("label_smoothing", alpha=0.1, dtype=dtype)
    wanted = ls_tf.losses.numpy_loss(
        "label_smoothing", logits, labels, alpha=0.1
    )
    assert float(loss(labels, logits)) == pytest.approx(wanted.mean(), rel=1e-5)


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_a_softmax_at_the_end_is_noticed(run_eagerly):
    labels, logits, _ = arrays()
    net = keras.Sequential(
        [keras.Input((K,)), keras.layers.Dense(K, activation="softmax")]
    )
    net.compile("sgd", keras_loss("focal"), run_eagerly=run_eagerly)
    with pytest.warns(ls_tf.calibration.ProbabilityWarning, match="softmax"):
        net.fit(logits, labels, verbose=0)


def test_numbers_and_lists_of_a_user_are_taken():
    labels, logits, _ = arrays()
    loss = ls_tf.losses.KerasLoss(
        "label_smoothing",
        alpha=np.float32(0.25),
        spread="prior",
        prior=Tensor(PRIOR),
        ignore_class=np.int64(-1),
    )
    config = loss.get_config()
    assert type(config["alpha"]) is float
    assert type(config["ignore_class"]) is int
    assert config["prior"] == PRIOR.tolist()
    found = float(loss(labels.tolist(), logits.tolist()))
    assert found == pytest.approx(float(loss(labels, logits)))


@pytest.mark.parametrize(
    ("options", "labels", "shape", "said"),
    [
        ({"ignore_class": 1.5}, [0, 1], (2, K), "ignore_class as whole"),
        ({"ignore_class": "a"}, [0, 1], (2, K), "ignore_class as whole"),
        ({"dtype": "int32"}, [0, 1], (2, K), "float32 or float64"),
        ({}, [0, 0], (2, 1), "2 classes or more"),
        ({}, [0.0, 1.7], (2, K), "class ids as whole numbers, got 1.7"),
        ({"ignore_class": -1}, [0.0, np.nan], (2, K), "whole numbers, got nan"),
    ],
)
def test_keras_forms_refuse_what_cannot_be_meant(options, labels, shape, said):
    with pytest.raises(ValueError, match=said):
        keras_loss("focal", **options)(np.array(labels), np.ones(shape))


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_keras_forms_are_the_losses_of_their_names(name):
    labels, logits, teacher = arrays((2, 4))
    y = targets(name, labels, teacher)
    wanted = of_room(name, labels, logits, teacher)
    each = keras_loss(name, reduction=None)(y, logits)
    np.testing.assert_array_equal(ops.convert_to_numpy(each), wanted)
    whole = float(keras_loss(name)(y, logits))
    assert whole == pytest.approx(wanted.mean(), rel=1e-6)


@pytest.mark.parametrize("shape", [(12,), (3, 4)])
@pytest.mark.parametrize(
    "reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"]
)
def test_an_ignored_class_has_no_part_as_in_keras(shape, reduction):
    labels, logits, _ = arrays(shape)
    weight = np.random.default_rng(1).uniform(0.5, 2, shape[:1])
    ours = ls_tf.losses.KerasLoss(
        "label_smoothing", alpha=0.0, ignore_class=2, reduction=reduction
    )
    theirs = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=2, reduction=reduction
    )
    weights = (None, weight[:, None] if len(shape) > 1 else weight)
    for sample_weight in weights:
        wanted = float(theirs(labels, logits, sample_weight))
        found = float(ours(labels, logits, sample_weight))
        assert found == pytest.approx(wanted, rel=1e-5)


def test_a_label_of_no_class_may_be_the_ignored_one():
    labels, logits, _ = arrays()
    labels[3] = -1
    loss = ls_tf.losses.KerasLoss("label_smoothing", alpha=0.2, ignore_class=-1)
    rest = np.delete(np.arange(8), 3)
    wanted = ls_tf.losses.numpy_loss(
        "label_smoothing", logits[rest], labels[rest], alpha=0.2
    )
    assert float(loss(labels, logits)) == pytest.approx(wanted.mean(), rel=1e-5)
    none = float(loss(np.full(8, -1), logits))
    assert none == 0


@pytest.mark.parametrize("name", ["label_smoothing", "kl_divergence"])
def test_a_model_is_compiled_fitted_and_measured_with_it(name):
    labels, x, teacher = arrays((32,))
    model = keras.Sequential([keras.Input((K,)), keras.layers.Dense(K)])
    loss = keras_loss(name)
    model.compile(keras.optimizers.SGD(0.1), loss)
    y = targets(name, labels, teacher)
    before = model.evaluate(x, y, verbose=0)
    predicted = model.predict(x, verbose=0)
    wanted = of_room(name, labels, predicted, teacher).mean()
    assert before == pytest.approx(wanted, rel=1e-5)
    model.fit(x, y, epochs=3, verbose=0)
    assert model.evaluate(x, y, verbose=0) < before


def test_a_loss_is_saved_and_loaded():
    labels, logits, _ = arrays()
    loss = ls_tf.losses.KerasLoss(
        "forward_correction",
        transition=tuple(map(tuple, np.full((K, K), 1 / K).tolist())),
        ignore_class=1,
    )
    config = keras.losses.serialize(loss)
    again = keras.losses.deserialize(config)
    assert type(again) is type(loss)
    assert float(again(labels, logits)) == float(loss(labels, logits))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ls_tf.losses.KerasLoss("smoothing"), "smoothing"),
        (lambda: ls_tf.losses.KerasLoss("label_smoothing"), "alpha"),
        (lambda: ls_tf.losses.KerasLoss("focal", gamma=-1), "gamma"),
        (lambda: ls_tf.losses.KerasLoss("logit_matching", beta=1), "over_log"),
        (lambda: ls_tf.losses.KerasLoss("focal", delta=1), "delta"),
        (lambda: ls_tf.losses.KerasLoss("label_aware_smoothing"), "prior="),
        (
            lambda: keras_loss("focal")(np.eye(K)[[0, 1]], 2 * np.eye(K)[:2]),
            "wanted class ids",
        ),
        (
            lambda: keras_loss("kl_divergence")(np.array([0]), np.ones((1, K))),
            "packed",
        ),
        (lambda: ls_tf.losses.numpy_loss("x", [[1, 2]], [0]), "no loss 'x'"),
        (
            lambda: ls_tf.losses.numpy_loss("label_smoothing", [[1, 2]], [0]),
            "alpha",
        ),
        (
            lambda: ls_tf.losses.numpy_loss("focal", [[1, 2]], [2]),
            "labels from 0 to 1",
        ),
        (
            lambda: ls_tf.losses.numpy_loss(
                "logit_matching", [[1, 2]], [0], beta=1, over_logits="sum"
            ),
            "teacher_logits=",
        ),
        (
            lambda: ls_tf.losses.numpy_loss(
                "label_smoothing", [[1, 2]], [0], alpha=1.5
            ),
            "alpha from 0 to 1",
        ),
        (
            lambda: ls_tf.losses.numpy_loss(
                "label_aware_smoothing", [[1, 2]], [0]
            ),
            "prior=",
        ),
        (
            lambda: ls_tf.losses.numpy_loss(
                "label_aware_smoothing", [[1, 2]], [0], prior=[0.5, 0.6]
            ),
            "sum to 1",
        ),
        (
            lambda: ls_tf.losses.numpy_loss(
                "label_aware_smoothing", [[1, 2]], [0], prior=[0.5, 0.2, 0.3]
            ),
            r"a prior of shape \(2,\), got shape \(3,\)",
        ),
        (
            lambda: ls_tf.losses.numpy_loss(
                "forward_correction",
                [[1, 2]],
                [0],
                transition=[[0.5, 0.6], [0.1, 0.9]],
            ),
            "a transition of probabilities that sum to 1, got sums from 1 to",
        ),
        (
            lambda: ls_tf.losses.numpy_loss(
                "forward_correction", [[1, 2]], [0], transition=[[1, 0], [1]]
            ),
            "wanted a transition as an array",
        ),
        (
            lambda: ls_tf.losses.numpy_loss("logit_smoothing", [[1]], [0], p=1),
            "2 classes or more",
        ),
        (
            lambda: ls_tf.losses.numpy_loss(
                "disturb_label", [[1, 2]], [0], alpha=0.1
            ),
            "draws=",
        ),
        (
            lambda: ls_tf.losses.numpy_loss(
                "disturb_label", [[1, 2]], [0], alpha=0.1, draws=[[0.5, 1]]
            ),
            "integers of shape",
        ),
        (
            lambda: ls_tf.losses.numpy_loss(
                "online_label_smoothing", [[1, 2]], [0], alpha=0.1
            ),
            "learnt=",
        ),
        (
            lambda: ls_tf.losses.learnt_targets(
                [[1, 2]], [0], before=[[0.5, 0.5], [0.5, 0.6]]
            ),
            "sum to 1",
        ),
        (lambda: ls_tf.distillation.packed([0.5], [[1, 2]]), "integers"),
    ],
)
def test_bad_input_is_one_line(make, said):
    with pytest.raises(ValueError, match=said) as error:
        make()
    assert "\n" not in str(error.value)


def test_soft_targets_and_gamma_of_a_smoothed_teacher():
    # A teacher that answers (1 - alpha) y + alpha / K has gamma = alpha.
    labels = np.array([0, 3, 1])
    probs = 0.8 * np.eye(4)[labels] + 0.05
    given = {"from_probabilities": True}
    assert ls_tf.distillation.gamma(probs, labels, **given) == (
        pytest.approx(0.2)
    )
    np.testing.assert_allclose(
        ls_tf.distillation.soft_targets(probs, 1.0, **given), probs
    )
    softened = ls_tf.distillation.soft_targets(2 * np.log(probs), 2.0)
    np.testing.assert_allclose(softened, probs)


def test_the_room_is_still_found_by_name():
    assert "label_smoothing" in registry.names("ls_tf.losses")
    assert {"KerasLoss", "numpy_loss"} <= set(dir(ls_tf.losses))
    with pytest.raises(AttributeError):
        ls_tf.losses.nothing  # noqa: B018
