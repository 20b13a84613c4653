"""Losses at their edges: masked classes, labels of no class, odd numbers."""

import math

import keras
import numpy as np
import pytest
from both import BACKEND, compiled, gradient, tensorflow_only
from keras import ops

from ls_tf import kernels
from ls_tf.losses import smoothed_targets
from ls_tf.objective import distillation, guarded
from ls_tf.objective import label_smoothing as ls
from ls_tf.objective import loss as objective
from ls_tf.objective.loss import Answers

# The third class is masked in the first row.
MASKED = np.array([[2.0, 1.0, -np.inf], [0.5, 0.1, 0.2]], "float32")
LABELS = np.array([0, 1], "int32")
PRIOR = np.array([0.5, 0.5, 0.0], "float32")
PLAIN = [math.log(1 + math.exp(-1)), 1.2800989]


def targets(alpha):
    """The classifiers' loss as a compiled step has it, alpha a tensor."""
    loss = objective.with_numbers(
        smoothed_targets.Loss(0.5), {"alpha": ops.convert_to_tensor(alpha)}
    )
    return lambda z: loss(Answers(LABELS, z, PRIOR))


PLAIN_LOSSES = {
    "nll": lambda z: ls.nll(LABELS, z),
    "sparse": lambda z: ls.sparse_loss(LABELS, z, alpha=0.0),
    "others": lambda z: ls.sparse_loss(LABELS, z, alpha=0, spread="others"),
    "prior": lambda z: ls.sparse_loss(LABELS, z, alpha=0.0, prior=PRIOR),
    "dense": lambda z: ls.dense_loss(ls.soften(LABELS, 0.0, 3), z),
    "target": lambda z: ls.target_loss(LABELS, z, p=1.0),
    "targets": targets(0.0),
    "number": lambda z: smoothed_targets.Loss(0.0)(Answers(LABELS, z, PRIOR)),
    "soft": lambda z: distillation.distillation_loss(
        LABELS,
        z,
        np.zeros_like(MASKED),
        beta=0.0,
        teacher_temperature=2.0,
        student_temperature=1.0,
    ),
    "logits": lambda z: distillation.logit_matching_loss(
        LABELS, z, np.zeros_like(MASKED), beta=0.0, reduction="sum"
    ),
}


@pytest.mark.parametrize("name", PLAIN_LOSSES)
def test_without_smoothing_a_masked_class_costs_nothing(name):
    loss = PLAIN_LOSSES[name]
    np.testing.assert_allclose(loss(MASKED), PLAIN, rtol=1e-5)
    np.testing.assert_allclose(compiled(loss)(MASKED), PLAIN, rtol=1e-5)
    p = np.exp(MASKED) / np.exp(MASKED).sum(-1, keepdims=True)
    want = p - np.eye(3)[LABELS]
    np.testing.assert_allclose(gradient(loss, MASKED), want, atol=1e-6)


def test_any_share_of_a_masked_class_costs_infinity():
    for loss in (
        lambda z: ls.sparse_loss(LABELS, z, alpha=0.1),
        lambda z: ls.sparse_loss(LABELS, z, alpha=0.1, spread="others"),
        lambda z: ls.target_loss(LABELS, z, p=0.9),
        lambda z: ls.sparse_loss(np.array([2, 1]), z, alpha=0.0),
        lambda z: ls.nll(np.array([2, 1]), z),
        targets(0.1),
    ):
        found = np.asarray(loss(MASKED))
        assert found[0] == math.inf
        assert math.isfinite(found[1])


def test_a_prior_of_0_on_a_masked_class_costs_nothing():
    log_p = np.log(np.array([0.7310586, 0.2689414]))
    want = -0.9 * log_p[0] - 0.1 * log_p.mean()
    for found in (
        ls.sparse_loss(LABELS, MASKED, alpha=0.1, prior=PRIOR),
        ls.dense_loss(ls.soften(LABELS, 0.1, 3, prior=PRIOR), MASKED),
    ):
        assert float(found[0]) == pytest.approx(want, rel=1e-6)
    assert np.isfinite(
        gradient(
            lambda z: ls.sparse_loss(LABELS, z, alpha=0.1, prior=PRIOR), MASKED
        )
    ).all()


def test_a_row_that_is_masked_as_a_whole_is_no_number():
    logits = np.full((2, 3), -np.inf, "float32")
    for loss in PLAIN_LOSSES.values():
        assert not np.isfinite(loss(logits)).any()
    assert not np.isfinite(ls.sparse_loss(LABELS, logits, alpha=0.1)).any()
    assert not np.isfinite(ls.dense_loss(np.eye(3)[LABELS], logits)).any()


def test_a_teacher_that_masks_what_the_student_masks():
    teacher = np.array([[1.0, 3.0, -np.inf], [0, 0, 0]], "float32")

    def soft(z):
        return distillation.distillation_loss(
            LABELS,
            z,
            teacher,
            beta=1.0,
            teacher_temperature=2.0,
            student_temperature=1.0,
        )

    p = np.array([1 / (1 + math.e), math.e / (1 + math.e)])
    log_p = np.log(np.array([0.7310586, 0.2689414]))
    assert float(soft(MASKED)[0]) == pytest.approx(-p @ log_p, rel=1e-6)
    error = distillation.half_squared_logit_error
    np.testing.assert_allclose(error(MASKED, teacher)[0], (1 + 4) / 2)
    for loss in (soft, lambda z: error(z, teacher)):
        assert np.isfinite(gradient(loss, MASKED)).all()


def losses_of(labels, logits):
    """Every loss that looks at labels, by name."""
    k = logits.shape[-1]
    prior = np.full(k, 1 / k, "float32")
    return {
        "nll": ls.nll(labels, logits),
        "sparse": ls.sparse_loss(labels, logits, alpha=0.1),
        "others": ls.sparse_loss(labels, logits, alpha=0.1, spread="others"),
        "soften": ops.sum(ls.soften(labels, 0.1, k), axis=-1),
        "targets": smoothed_targets.Loss(0.1)(Answers(labels, logits, prior)),
    }


BAD = [[0, 1, 2, -1], [0, 1, 2, 3], [0, 1, 2, -100], [0, 1, 2, 2**31 - 1]]


@pytest.mark.parametrize("labels", BAD)
def test_a_label_of_no_class_is_refused_where_it_can_be_looked_at(labels):
    logits = np.zeros((4, 3), "float32")
    for given in (labels, np.array(labels), ops.convert_to_tensor(labels)):
        with pytest.raises(ValueError, match="wanted labels from 0 to 2, got"):
            ls.nll(given, logits)
        with pytest.raises(ValueError, match="wanted labels from 0 to 2, got"):
            ls.soften(given, 0.1, 3)


@pytest.mark.parametrize("labels", BAD)
def test_a_label_of_no_class_is_nan_in_a_compiled_function(labels):
    logits = np.array([[2.0, 1.0, 0.0]] * 4, "float32")
    labels = ops.convert_to_tensor(np.array(labels, "int32"))
    found = compiled(losses_of)(labels, ops.convert_to_tensor(logits))
    wanted = losses_of(labels[:3], logits[:3])
    for name, values in found.items():
        assert math.isnan(values[3]), name
        np.testing.assert_allclose(values[:3], wanted[name], rtol=1e-6)


def test_a_label_of_64_bits_does_not_wrap_around():
    with pytest.raises(ValueError, match="wanted labels from 0 to 2"):
        ls.nll(np.array([2**32]), np.zeros((1, 3), "float32"))


def test_labels_of_8_bits_of_more_classes_than_they_count():
    logits = np.zeros((2, 1000), "float32")
    labels = np.array([255, 0], "uint8")
    np.testing.assert_allclose(ls.nll(labels, logits), [math.log(1000)] * 2)


@pytest.mark.parametrize("labels", [[0.0, 1.0], [True, False], ["a", "b"]])
def test_labels_that_are_no_integers(labels):
    logits = np.zeros((2, 3), "float32")
    with pytest.raises(ValueError, match="wanted labels of integers, got"):
        ls.nll(np.array(labels), logits)


def test_no_examples_cost_nothing():
    for labels in ([], np.zeros(0, "int32")):
        assert ls.nll(labels, np.zeros((0, 3), "float32")).shape == (0,)


@pytest.mark.parametrize(
    "number",
    [
        math.nan,
        math.inf,
        -math.inf,
        1.5,
        np.float32(1.5),
        np.float64(-0.1),
        np.array(1.5),
        1 + 1e-9,
        True,
        np.True_,
        "0.1",
    ],
)
def test_numbers_out_of_range(number):
    logits = np.zeros((2, 3), "float32")
    with pytest.raises(ValueError, match=r"wanted alpha in \[0, 1\], got"):
        ls.sparse_loss(LABELS, logits, alpha=number)
    with pytest.raises(ValueError, match=r"wanted beta in \[0, 1\], got"):
        distillation.check_beta(number)
    with pytest.raises(ValueError, match=r"wanted p, .* in \(0, 1\], got"):
        ls.target_loss(LABELS, logits, p=number)
    with pytest.raises(ValueError, match="wanted alpha"):
        ls.check_alpha(ops.convert_to_tensor(1.5))


@pytest.mark.parametrize(
    "temperature", [0.0, -1.0, math.nan, math.inf, np.float32(-2), "1"]
)
def test_temperatures_out_of_range(temperature):
    with pytest.raises(ValueError, match="wanted a positive teacher_temp"):
        distillation.check_temperatures(temperature, 1.0, scale=False)


def test_two_temperatures_that_are_one():
    distillation.check_temperatures(np.float32(2), 2.0, scale=True)
    with pytest.raises(ValueError, match="one temperature"):
        distillation.check_temperatures(np.float32(3), 2.0, scale=True)


@pytest.mark.parametrize("prior", [[math.nan, 0.5, 0.5], [1.5, -0.5, 0]])
def test_a_prior_that_is_none(prior):
    for given in (prior, ops.convert_to_tensor(prior)):
        with pytest.raises(ValueError, match="wanted a prior of probabilities"):
            ls.soften(LABELS, 0.1, 3, prior=given)


@pytest.mark.parametrize("count", [1, 2.5, True, math.nan])
def test_classes_that_are_no_count(count):
    with pytest.raises(ValueError, match="wanted num_classes of 2 or more"):
        ls.soften([0], 0.1, count, spread="others")


def test_what_can_be_looked_at():
    assert guarded.seen(3).tolist() == 3
    assert guarded.seen(ops.convert_to_tensor([1, 2])).tolist() == [1, 2]
    assert guarded.seen(keras.KerasTensor((2,))) is None
    looked = []

    def look(x):
        looked.append(guarded.seen(x))
        return x

    compiled(look)(ops.convert_to_tensor([1, 2]))
    assert looked[0] is None, BACKEND


# Arrays of another shape, which broadcasting would repeat in silence. Labels
# [N, 1] are how Keras gives them.
OTHER_SHAPES = {
    "labels of one row": lambda y, z: ls.nll(y[:1], z),
    "one label": lambda y, z: ls.nll(y[0], z),
    "labels in a column": lambda y, z: ls.nll(y[:, None], z),
    "smoothed labels in a column": lambda y, z: ls.sparse_loss(
        y[:, None], z, alpha=0.1
    ),
    "smoothed labels of one row": lambda y, z: ls.sparse_loss(
        y[:1], z, alpha=0.1
    ),
    "targets of one class": lambda y, z: ls.dense_loss(z[:, :1], z),
    "targets of one row": lambda y, z: ls.dense_loss(z[:1], z),
    "teacher of one class": lambda y, z: distillation.distillation_loss(
        y,
        z,
        z[:, :1],
        beta=0.5,
        teacher_temperature=1.0,
        student_temperature=1.0,
    ),
    "matched teacher of one class": lambda y, z: (
        distillation.logit_matching_loss(
            y, z, z[:, :1], beta=0.5, reduction="sum"
        )
    ),
    "error of one class": lambda y, z: distillation.half_squared_logit_error(
        z, z[:, :1]
    ),
}


@pytest.mark.parametrize("name", OTHER_SHAPES)
def test_other_shapes_are_refused(name):
    loss = OTHER_SHAPES[name]
    logits = np.array([[2.0, 1.0, 0.0], [0.5, 0.1, 0.2]], "float32")
    with pytest.raises(ValueError, match="of shape"):
        loss(LABELS, logits)
    with pytest.raises(ValueError, match="of shape"):
        compiled(lambda z: loss(LABELS, z))(logits)


def test_an_alpha_for_each_label_is_refused():
    # With as many labels as classes it would be spread along the classes.
    with pytest.raises(ValueError, match="got 3 numbers"):
        ls.soften(np.arange(3), np.array([0.1, 0.2, 0.3]), 3)


def test_complex_logits_are_refused():
    with pytest.raises(ValueError, match="real numbers"):
        ls.nll(LABELS, MASKED + 1j)


@tensorflow_only
@pytest.mark.parametrize("logits", [MASKED, MASKED[1:].repeat(2, axis=0)])
@pytest.mark.parametrize("name", PLAIN_LOSSES)
def test_a_program_by_operation_has_the_same_edges(name, logits):
    import tensorflow as tf

    def both(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = PLAIN_LOSSES[name](logits)
        return loss, tape.gradient(loss, logits)

    plain = tf.function(both)(logits)
    with kernels.tracing(by_operation=True):
        quick = tf.function(both)(logits)
    for found, wanted in zip(quick, plain, strict=True):
        np.testing.assert_array_equal(found, wanted)


@tensorflow_only
def test_a_label_of_no_class_is_nan_by_operation_too():
    import tensorflow as tf

    labels = tf.constant([0, -1])
    with kernels.tracing(by_operation=True):
        program = tf.function(lambda y, z: ls.sparse_loss(y, z, alpha=0.1))
        found = program(labels, np.zeros((2, 3), np.float32))
    assert float(found[0]) == pytest.approx(math.log(3))
    assert math.isnan(found[1])
