"""How a run's loss is put together, and what the built-in ones compute."""

import dataclasses

import numpy as np
import pytest
from both import compiled
from keras import ops

from ls_tf.objective import distillation, label_smoothing
from ls_tf.objective import loss as objective
from ls_tf.objective.loss import Answers
from ls_tf.spec import Part, SpecError, override
from ls_tf.spec.resolve import resolve
from ls_tf.tasks.classification import Classification
from ls_tf.tasks.distillation import Distillation

DIGITS = resolve("fc_digits").spec
STUDENT = resolve("fc_digits_student").spec
PRIOR = np.array([0.5, 0.25, 0.125, 0.125], np.float32)


def answers(seed=0):
    rng = np.random.default_rng(seed)
    student, teacher = rng.standard_normal((2, 6, 4)).astype("float32")
    labels = rng.integers(0, 4, 6).astype("int32")
    return Answers(labels, student, PRIOR, 3 * teacher)


def own(spec):
    """What a task makes of an experiment that names no loss."""
    task = Classification if spec.teacher is None else Distillation
    return objective.build(spec, task.own_loss(spec))


def equal(found, want):
    np.testing.assert_array_equal(np.asarray(found), np.asarray(want))


@pytest.mark.parametrize("spread", ["uniform", "others", "prior"])
def test_the_older_field_of_a_classifier_says_which(spread):
    loss = own(override(DIGITS, {"train.smoothing": spread, "alpha": 0.3}))
    assert objective.hyperparameters(loss) == {"alpha": 0.3}
    a = answers()
    found = loss(a)
    want = label_smoothing.sparse_loss(
        a.labels,
        a.logits,
        alpha=0.3,
        spread="others" if spread == "others" else "uniform",
        prior=PRIOR if spread == "prior" else None,
    )
    if spread == "uniform":  # Keras's form
        np.testing.assert_allclose(found, want, rtol=1e-6)
    else:
        equal(found, want)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_logit_matching_of_a_student(reduction):
    spec = override(STUDENT, {"teacher.logit_reduction": reduction})
    loss, a = own(spec), answers()
    assert objective.hyperparameters(loss) == {"beta": 0.6}
    want = distillation.logit_matching_loss(
        a.labels, a.logits, a.teacher_logits, beta=0.6, reduction=reduction
    )
    equal(loss(a), want)


def test_probabilities_in_the_place_of_a_teachers_logits():
    part = Part(
        "logit_matching", {"reduction": "mean", "teacher": "probabilities"}
    )
    soft = override(
        STUDENT, {"teacher.matching": "soft", "teacher.logit_reduction": "sum"}
    )
    loss, a = own(dataclasses.replace(soft, loss=part)), answers()
    theirs = np.exp(np.asarray(a.teacher_logits, np.float64))
    theirs /= theirs.sum(-1, keepdims=True)
    ours = np.asarray(a.logits, np.float64)
    hard = np.log(np.exp(ours).sum(-1))
    hard -= np.take_along_axis(ours, np.asarray(a.labels)[:, None], -1)[:, 0]
    error = ((ours - theirs) ** 2).mean(-1) / 2
    np.testing.assert_allclose(loss(a), 0.4 * hard + 0.6 * error, rtol=1e-5)
    other = Part("logit_matching", {"reduction": "mean", "teacher": "labels"})
    with pytest.raises(SpecError, match="wanted a teacher of logits, prob"):
        own(dataclasses.replace(soft, loss=other))


@pytest.mark.parametrize("squared", [False, True])
def test_soft_targets_of_a_student(squared):
    spec = override(STUDENT, {"teacher.matching": "soft"})
    numbers = {
        "beta": 0.7,
        "teacher_temperature": 2.0 if squared else 4.0,
        "student_temperature": 2.0,
    }
    how = dataclasses.replace(
        spec.teacher, **numbers, scale_by_temperature_squared=squared
    )
    loss = own(dataclasses.replace(spec, teacher=how))
    assert objective.hyperparameters(loss) == numbers
    a = answers()
    want = distillation.distillation_loss(
        a.labels,
        a.logits,
        a.teacher_logits,
        scale_by_temperature_squared=squared,
        **numbers,
    )
    equal(loss(a), want)


def test_a_named_loss_is_the_one_that_the_older_fields_mean():
    for spec, older, named in (
        (
            DIGITS,
            {"train.smoothing": "others"},
            {"loss.name": "label_smoothing", "loss.options.spread": "others"},
        ),
        (DIGITS, {}, {"loss.name": "smoothed_targets"}),
        (
            STUDENT,
            {},
            {
                "loss.name": "logit_matching",
                "loss.options.reduction": "mean",
            },
        ),
        (STUDENT, {"teacher.matching": "soft"}, {"loss.name": "soft_targets"}),
    ):
        assert own(override(spec, older)) == own(override(spec, named))


def test_tensors_take_the_place_of_numbers_in_a_compiled_function():
    a = answers()
    for loss, numbers in (
        (own(DIGITS), {"alpha": 0.3}),
        (
            own(override(DIGITS, {"train.smoothing": "prior"})),
            {"alpha": 0.3},
        ),
        (own(STUDENT), {"beta": 0.25}),
        (
            own(override(STUDENT, {"loss.name": "soft_targets"})),
            {"beta": 0.25, "student_temperature": 3.0},
        ),
    ):
        before = objective.hyperparameters(loss)
        want = objective.with_numbers(loss, numbers)(a)

        def value(tensors, loss=loss):
            return objective.with_numbers(loss, tensors)(a)

        tensors = {k: ops.convert_to_tensor(v) for k, v in numbers.items()}
        np.testing.assert_allclose(
            compiled(value)(tensors), want, rtol=1e-5, atol=1e-6
        )
        assert not np.allclose(want, loss(a))
        assert objective.hyperparameters(loss) == before


def test_a_loss_of_a_users_own(two_losses_more):
    penalty = override(
        DIGITS,
        {
            "loss.name": "poly1",
            "loss.options.weight": 0.5,
            "alpha": 0,
        },
    )
    loss, a = own(penalty), answers()
    assert objective.hyperparameters(loss) == {"weight": 0.5}
    logits = a.logits.astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    mine = p[np.arange(6), a.labels]
    want = -np.log(mine) + 0.5 * (1 - mine)
    np.testing.assert_allclose(loss(a), want, rtol=1e-5)
    angle = own(override(STUDENT, {"loss.name": "angle"}))
    assert objective.hyperparameters(angle) == {"beta": 0.6, "strength": 1.0}
    # A teacher of the student's own direction leaves the labels' part.
    same = dataclasses.replace(a, teacher_logits=2 * a.logits)
    hard = label_smoothing.nll(a.labels, a.logits)
    np.testing.assert_allclose(angle(same), 0.4 * hard, rtol=1e-5)


@pytest.mark.parametrize(
    ("part", "spec", "message"),
    [
        (Part("soft_target"), DIGITS, "no loss 'soft_target'; existing: "),
        (Part("soft_targets"), DIGITS, "'soft_targets' is a student's loss"),
        (Part("smoothed_targets"), STUDENT, "has no use for a teacher"),
        (Part("logit_matching"), STUDENT, "'reduction'"),
        (Part("label_smoothing", {"spred": "x"}), DIGITS, "'spred'"),
        (
            Part("label_smoothing", {"spread": "all"}),
            DIGITS,
            "^loss 'label_smoothing': wanted a spread of uniform, others, "
            "prior, got 'all'",
        ),
        (
            Part("logit_matching", {"reduction": "max"}),
            STUDENT,
            "wanted a reduction of sum, mean, got 'max'",
        ),
    ],
)
def test_a_loss_that_cannot_be_is_refused(part, spec, message):
    spec = dataclasses.replace(spec, loss=part)
    with pytest.raises(ValueError, match=message) as caught:
        own(spec)
    assert "\n" not in str(caught.value)


def test_smoothed_labels_of_a_student_whose_loss_takes_no_alpha():
    spec = override(STUDENT, {"loss.name": "soft_targets", "alpha": 0.1})
    with pytest.raises(SpecError, match="alpha: wanted 0.0, loss 'soft_targ"):
        own(spec)


def test_classes_are_counted_by_the_prior():
    assert answers().num_classes == 4
