"""Tests of ls_tf.objective.distillation."""

import math

import keras
import numpy as np
import pytest
from both import compiled, gradient
from keras import ops
from scipy.special import entr, log_softmax, softmax

from ls_tf.objective import distillation, label_smoothing


def draw(shape=(6, 5), seed=0):
    rng = np.random.default_rng(seed)
    student = (2 * rng.standard_normal(shape)).astype("float32")
    teacher = (4 * rng.standard_normal(shape)).astype("float32")
    labels = rng.integers(0, shape[-1], shape[:-1]).astype("int32")
    return labels, student, teacher


def distil(labels, student, teacher, **changes):
    options = {
        "beta": 0.7,
        "teacher_temperature": 3.0,
        "student_temperature": 1.0,
        **changes,
    }
    return distillation.distillation_loss(labels, student, teacher, **options)


def slow(labels, student, teacher, beta, teacher_t, student_t, square=False):
    """The formula by SciPy in float64, one example at a time."""
    result = []
    for label, z, t in zip(labels, student, teacher, strict=True):
        z, t = z.astype("float64"), t.astype("float64")
        hard = -log_softmax(z)[label]
        soft = -np.dot(softmax(t / teacher_t), log_softmax(z / student_t))
        if square:
            soft *= student_t**2
        result.append((1 - beta) * hard + beta * soft)
    return result


def test_by_hand():
    # Student (.25, .75); teacher (.9, .1), at temperature 2 the square roots:
    # sqrt(.9) : sqrt(.1) = 3 : 1, so (.75, .25).
    student = np.log(np.array([[0.25, 0.75]], "float32"))
    teacher = np.log(np.array([[0.9, 0.1]], "float32"))
    hard = -math.log(0.25)
    soft = -(0.75 * math.log(0.25) + 0.25 * math.log(0.75))
    np.testing.assert_allclose(
        distil([0], student, teacher, beta=0.4, teacher_temperature=2.0),
        [0.6 * hard + 0.4 * soft],
        rtol=1e-6,
    )


@pytest.mark.parametrize("beta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("teacher_t", [1.0, 4.0, 16.0])
@pytest.mark.parametrize("student_t", [1.0, 2.5])
def test_against_scipy(beta, teacher_t, student_t):
    data = draw()
    np.testing.assert_allclose(
        distil(
            *data,
            beta=beta,
            teacher_temperature=teacher_t,
            student_temperature=student_t,
        ),
        slow(*data, beta, teacher_t, student_t),
        rtol=5e-6,
    )


def test_temperature_squared():
    data = draw()
    np.testing.assert_allclose(
        distil(
            *data,
            teacher_temperature=4,
            student_temperature=4,
            scale_by_temperature_squared=True,
        ),
        slow(*data, 0.7, 4, 4, square=True),
        rtol=5e-6,
    )


def test_temperature_squared_keeps_the_size_of_the_gradient():
    # High temperature: the gradient tends to (z - t) / K for centred logits,
    # Hinton et al. 2015, equation 4.
    labels, student, teacher = draw()
    student -= student.mean(axis=-1, keepdims=True)
    teacher -= teacher.mean(axis=-1, keepdims=True)
    found = gradient(
        lambda z: distil(
            labels,
            z,
            teacher,
            beta=1.0,
            teacher_temperature=500.0,
            student_temperature=500.0,
            scale_by_temperature_squared=True,
        ),
        student,
    )
    np.testing.assert_allclose(found, (student - teacher) / 5, atol=2e-2)


def test_beta_0_is_the_plain_loss():
    labels, student, teacher = draw()
    np.testing.assert_allclose(
        distil(labels, student, teacher, beta=0.0),
        label_smoothing.nll(labels, student),
        rtol=1e-6,
    )


def test_beta_1_and_a_certain_teacher_is_the_plain_loss_on_its_labels():
    labels, student, _ = draw()
    teacher = 1000 * np.eye(5, dtype="float32")[labels]
    np.testing.assert_allclose(
        distil(
            (labels + 1) % 5,
            student,
            teacher,
            beta=1.0,
            teacher_temperature=1.0,
        ),
        label_smoothing.nll(labels, student),
        rtol=1e-6,
    )


def test_a_flat_teacher_is_label_smoothing():
    # H(y (1 - beta) + beta / K, p): smoothing is distilling from uniform.
    labels, student, teacher = draw()
    np.testing.assert_allclose(
        distil(labels, student, 0 * teacher, beta=0.2),
        label_smoothing.sparse_loss(labels, student, alpha=0.2),
        rtol=1e-5,
    )


def test_a_hot_teacher_tends_to_uniform():
    labels, student, teacher = draw()
    np.testing.assert_allclose(
        distil(labels, student, teacher, beta=1.0, teacher_temperature=1e6),
        label_smoothing.sparse_loss(labels, student, alpha=1.0),
        rtol=1e-4,
    )


def test_against_the_kl_divergence_of_keras():
    # Cross-entropy is KL plus the teacher's entropy.
    labels, student, teacher = draw()
    target = softmax(teacher.astype("float64") / 2, axis=-1)
    entropy = -np.sum(target * np.log(target), axis=-1)
    kl = keras.losses.KLDivergence(reduction=None)(
        target.astype("float32"), softmax(student / 2, axis=-1)
    )
    np.testing.assert_allclose(
        distil(
            labels,
            student,
            teacher,
            beta=1.0,
            teacher_temperature=2.0,
            student_temperature=2.0,
        ),
        np.asarray(kl) + entropy,
        rtol=1e-4,
    )


def test_shifts_of_either_logits_change_nothing():
    labels, student, teacher = draw()
    np.testing.assert_allclose(
        distil(labels, student + 7, teacher - 9),
        distil(labels, student, teacher),
        rtol=1e-5,
    )


def test_leading_dimensions():
    labels, student, teacher = draw((2, 3, 5))
    loss = distil(labels, student, teacher)
    assert tuple(loss.shape) == (2, 3)
    flat = distil(
        labels.reshape(-1), student.reshape(-1, 5), teacher.reshape(-1, 5)
    )
    np.testing.assert_allclose(np.reshape(loss, -1), flat, rtol=1e-6)
    error = distillation.half_squared_logit_error(student, teacher)
    assert tuple(error.shape) == (2, 3)


def test_gradient_of_the_soft_term_is_a_difference_of_softmaxes():
    labels, student, teacher = draw()
    found = gradient(
        lambda z: distil(labels, z, teacher, beta=1.0, student_temperature=2.0),
        student,
    )
    expected = (
        softmax(student / 2, axis=-1) - softmax(teacher / 3, axis=-1)
    ) / 2
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_no_gradient_reaches_the_teacher():
    labels, student, teacher = draw()
    for loss in (
        lambda t: distil(labels, student, t),
        lambda t: distillation.half_squared_logit_error(student, t),
    ):
        np.testing.assert_array_equal(gradient(loss, teacher), 0 * teacher)


def test_half_squared_logit_error_by_hand():
    student = np.array([[1.0, 2.0, -1.0]], "float32")
    teacher = np.array([[0.0, 4.0, 1.0]], "float32")
    total = 1**2 + 2**2 + 2**2
    error = distillation.half_squared_logit_error
    np.testing.assert_allclose(error(student, teacher), [total / 2])
    np.testing.assert_allclose(error(student, teacher, "sum"), [total / 2])
    np.testing.assert_allclose(error(student, teacher, "mean"), [total / 6])
    np.testing.assert_array_equal(error(student, student), [0.0])


def test_gradient_of_half_the_square_is_the_difference():
    _, student, teacher = draw()
    np.testing.assert_allclose(
        gradient(
            lambda z: distillation.half_squared_logit_error(z, teacher),
            student,
        ),
        student - teacher,
        rtol=1e-6,
    )


@pytest.mark.parametrize("reduction", distillation.REDUCTIONS)
def test_logit_matching_loss(reduction):
    labels, student, teacher = draw()

    def loss(beta):
        return distillation.logit_matching_loss(
            labels, student, teacher, beta=beta, reduction=reduction
        )

    z = student.astype("float64")
    hard = -log_softmax(z, axis=-1)[np.arange(6), labels]
    total = getattr(np, reduction)((z - teacher) ** 2, axis=-1) / 2
    np.testing.assert_allclose(loss(0.6), 0.4 * hard + 0.6 * total, rtol=1e-5)
    np.testing.assert_allclose(loss(0.0), hard, rtol=1e-5)
    np.testing.assert_allclose(loss(1.0), total, rtol=1e-5)


def test_tensors_for_beta_and_temperature_in_a_compiled_function():
    labels, student, teacher = draw()

    @compiled
    def loss(beta, temperature):
        return distil(
            labels,
            student,
            teacher,
            beta=beta,
            teacher_temperature=temperature,
            student_temperature=temperature,
            scale_by_temperature_squared=True,
        )

    np.testing.assert_allclose(
        loss(ops.convert_to_tensor(0.3), ops.convert_to_tensor(2.0)),
        slow(labels, student, teacher, 0.3, 2, 2, square=True),
        rtol=1e-5,
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_give_a_float32_loss(dtype):
    labels, student, teacher = draw()
    half = keras.ops.cast(student, dtype)
    for loss in (
        distil(labels, half, keras.ops.cast(teacher, dtype)),
        distillation.half_squared_logit_error(half, teacher),
    ):
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beta": -0.1}, r"beta in \[0, 1\]"),
        ({"beta": 1.1}, r"beta in \[0, 1\]"),
        ({"teacher_temperature": 0.0}, "teacher_temperature"),
        ({"student_temperature": -1.0}, "student_temperature"),
        ({"student_temperature": math.nan}, "student_temperature"),
        ({"scale_by_temperature_squared": True}, "one temperature"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        distil(*draw(), **changes)
    assert "\n" not in str(error.value)


def test_refusals_of_logit_matching():
    labels, student, teacher = draw()
    with pytest.raises(ValueError, match="sum, mean"):
        distillation.half_squared_logit_error(student, teacher, "max")
    with pytest.raises(ValueError, match="beta"):
        distillation.logit_matching_loss(
            labels, student, teacher, beta=2, reduction="sum"
        )


def diverge(labels, student, teacher, **changes):
    options = {
        "beta": 1.0,
        "teacher_temperature": 1.0,
        "student_temperature": 1.0,
        **changes,
    }
    return distillation.divergence_loss(labels, student, teacher, **options)


def entropy_of(teacher, temperature=1.0):
    target = softmax(teacher.astype("float64") / temperature, axis=-1)
    return entr(target).sum(-1)


def test_the_divergence_by_hand():
    # Student (1/4, 3/4); teacher (1/2, 1/2): ln 2 of entropy.
    student = np.log(np.array([[0.25, 0.75]], "float32"))
    teacher = np.zeros((1, 2), "float32")
    kl = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    hard = -math.log(0.75)
    for beta, expected in ((1.0, kl), (0.4, 0.6 * hard + 0.4 * kl)):
        found = diverge([1], student, teacher, beta=beta)
        np.testing.assert_allclose(found, [expected], rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"beta": 0.3}, {"beta": 0.0}])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_divergence_and_cross_entropy_have_one_gradient(options, temperature):
    labels, student, teacher = draw()
    options = {"beta": 1.0, "teacher_temperature": temperature, **options}
    slopes = [
        gradient(lambda z, f=f: f(labels, z, teacher, **options), student)
        for f in (diverge, distil)
    ]
    np.testing.assert_allclose(*slopes, atol=1e-7)
    assert np.abs(slopes[0]).max() > 0.01
    # Not one value: the teacher's entropy, whoever the student is.
    for z in (student, student[::-1].copy(), 0 * student):
        apart = distil(labels, z, teacher, **options) - diverge(
            labels, z, teacher, **options
        )
        np.testing.assert_allclose(
            apart,
            options["beta"] * entropy_of(teacher, temperature),
            atol=1e-6,
        )


def test_a_student_who_answers_as_its_teacher_has_no_divergence():
    labels, _, teacher = draw()
    np.testing.assert_allclose(diverge(labels, teacher, teacher), 0, atol=1e-6)
    np.testing.assert_allclose(
        gradient(lambda z: diverge(labels, z, teacher), teacher), 0, atol=1e-6
    )
    masked = teacher.copy()
    masked[:, 0] = -np.inf  # of no probability, and no entropy
    np.testing.assert_allclose(diverge(labels, masked, masked), 0, atol=1e-6)


def test_the_gradient_is_softmax_less_target_and_its_sum_says_nothing():
    # Shen et al. print the sum over the classes, which is 0 for any network.
    labels, student, _ = draw()
    slope = gradient(
        lambda z: label_smoothing.sparse_loss(labels, z, alpha=0.1), student
    )
    target = 0.9 * np.eye(5)[labels] + 0.1 / 5
    np.testing.assert_allclose(
        slope, softmax(student.astype("float64"), axis=-1) - target, atol=1e-6
    )
    np.testing.assert_allclose(slope.sum(axis=-1), 0, atol=1e-6)
    assert np.abs(slope).max() > 0.1
