"""The student's loss against NumPy; the teacher is frozen and shares views."""

import numpy as np
import pytest
from keras import ops

from ls_tf.experiments import fc_digits, fc_digits_student
from ls_tf.spec import SpecError, override
from ls_tf.tasks import distillation
from ls_tf.tasks.distillation import Teacher

SMALL = {"model.options.hidden": (8,), "train.steps": 10}
TEACHER = override(fc_digits.SPEC, {"model.options.hidden": (6, 5), "seed": 3})


def make(**changes):
    spec = override(fc_digits_student.SPEC, {**SMALL, **changes})
    teacher = Teacher(TEACHER, lambda model: None)
    return distillation.build(spec, data_dir=None, teacher=teacher)


def batch_of(task, step=0):
    draws = {k: v[0] for k, v in task.plan(step, 1).items()}
    resident = {k: ops.convert_to_tensor(v) for k, v in task.resident.items()}
    return draws, task.batch(resident, draws)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def parts(task, batch):
    student = task.model(batch["image"], training=True)["logits"]
    return (
        np.asarray(student, np.float64),
        np.asarray(batch["teacher_logits"], np.float64),
        np.asarray(batch["label"]),
    )


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_logit_matching_against_numpy(reduction):
    task = make(**{"teacher.logit_reduction": reduction})
    _, batch = batch_of(task)
    z, t, labels = parts(task, batch)
    hard = -log_softmax(z)[np.arange(50), labels]
    error = 0.5 * ((z - t) ** 2)
    match = error.sum(-1) if reduction == "sum" else error.mean(-1)
    want = (0.4 * hard + 0.6 * match).sum()
    assert float(
        task.loss(batch, task.hyperparameters)["loss"]
    ) == pytest.approx(want, rel=1e-5)


def test_soft_targets_against_numpy():
    task = make(
        **{
            "teacher.matching": "soft",
            "teacher.beta": 0.7,
            "teacher.teacher_temperature": 4.0,
            "teacher.student_temperature": 2.0,
        }
    )
    _, batch = batch_of(task)
    z, t, labels = parts(task, batch)
    hard = -log_softmax(z)[np.arange(50), labels]
    soft = -(np.exp(log_softmax(t / 4)) * log_softmax(z / 2)).sum(-1)
    want = (0.3 * hard + 0.7 * soft).sum()
    assert float(
        task.loss(batch, task.hyperparameters)["loss"]
    ) == pytest.approx(want, rel=1e-5)


def test_stored_logits_equal_the_teacher_beside_the_student():
    stored, beside = make(), make(**{"data.augmentation": "shift2"})
    assert "teacher_logits" in stored.resident
    assert "teacher_logits" not in beside.resident
    _, batch = batch_of(stored)
    np.testing.assert_allclose(
        np.asarray(batch["teacher_logits"]),
        np.asarray(stored._teacher(batch["image"], training=False)["logits"]),
        atol=1e-6,
    )
    _, batch = batch_of(beside)
    np.testing.assert_allclose(
        np.asarray(batch["teacher_logits"]),
        np.asarray(beside._teacher(batch["image"], training=False)["logits"]),
        atol=1e-6,
    )


def test_the_teacher_trains_not():
    task = make()
    ours = {id(v) for v in task.model.trainable_variables}
    assert not task._teacher.trainable_variables
    assert ours.isdisjoint(id(v) for v in task._teacher.variables)


def test_smoothed_labels_for_a_student_are_refused():
    with pytest.raises(SpecError, match="alpha: wanted 0"):
        make(alpha=0.1)


def test_other_classes_are_refused(monkeypatch):
    from ls_tf.models import fully_connected

    build = fully_connected.build
    wrong = iter([False, True])

    def other(**options):
        if next(wrong):
            options["num_classes"] = 7
        return build(**options)

    monkeypatch.setattr(fully_connected, "build", other)
    with pytest.raises(SpecError, match="wanted 10 classes"):
        make()


def test_no_teacher_is_refused():
    with pytest.raises(SpecError, match="needs a trained teacher"):
        distillation.build(fc_digits_student.SPEC, data_dir=None, teacher=None)
