"""Tasks with a loss that the experiment names, against NumPy."""

import dataclasses

import numpy as np
import pytest
import small_translation
from keras import ops

from ls_tf.experiments import fc_digits, fc_digits_student
from ls_tf.pipeline import loading
from ls_tf.running import teaching
from ls_tf.spec import Part, SpecError, override
from ls_tf.spec.resolve import resolve
from ls_tf.tasks import classification, distillation, translation
from ls_tf.tasks.distillation import Teacher

SMALL = {"model.options.hidden": (8,), "train.steps": 10}
TEACHER = override(fc_digits.SPEC, {"model.options.hidden": (6,), "seed": 3})
PENALTY = {
    "alpha": 0,
    "loss.name": "poly1",
    "loss.options.weight": 0.5,
}


def classifier(**changes):
    spec = override(fc_digits.SPEC, {**SMALL, **changes})
    return classification.build(spec, data_dir=None)


def student(**changes):
    spec = override(fc_digits_student.SPEC, {**SMALL, **changes})
    teacher = Teacher(TEACHER, lambda model: None)
    return distillation.build(spec, data_dir=None, teacher=teacher)


def batch_of(task):
    draws = {k: v[0] for k, v in task.plan(0, 1).items()}
    resident = {k: ops.convert_to_tensor(v) for k, v in task.resident.items()}
    return task.batch(resident, draws)


def logits_and_log_p(task, batch):
    logits = np.asarray(
        task.model(batch["image"], training=True)["logits"], np.float64
    )
    shifted = logits - logits.max(-1, keepdims=True)
    return logits, shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def sums_of(task, batch, **numbers):
    found = task.loss(batch, {**task.hyperparameters, **numbers})
    return {k: float(v) for k, v in found.items()}


def test_a_classifier_takes_the_loss_that_is_named(two_losses_more):
    task = classifier(**PENALTY)
    assert task.hyperparameters == {"weight": 0.5}
    batch = batch_of(task)
    _, log_p = logits_and_log_p(task, batch)
    mine = log_p[np.arange(50), np.asarray(batch["label"])]
    hard, lacking = -mine.sum(), (1 - np.exp(mine)).sum()
    sums = sums_of(task, batch)
    assert sums["loss"] == pytest.approx(hard + 0.5 * lacking, rel=1e-5)
    # The plain NLL is logged beside whatever is minimised.
    assert sums["nll"] == pytest.approx(hard, rel=1e-5)
    # A compiled step's number counts, not the specification's.
    other = sums_of(task, batch, weight=ops.convert_to_tensor(0.25))
    assert other["loss"] == pytest.approx(hard + 0.25 * lacking, rel=1e-5)


def test_labels_are_disturbed_by_the_draws_of_the_step():
    task = classifier(**{"loss.name": "disturb_label", "alpha": 0.5})
    assert task.hyperparameters == {"alpha": 0.5}
    batch = batch_of(task)
    _, log_p = logits_and_log_p(task, batch)
    labels, draws = np.asarray(batch["label"]), np.asarray(batch["loss_draws"])
    np.testing.assert_array_equal(draws, task.plan(0, 1)["loss_draws"][0])
    for alpha in (0.5, 0.9):
        chosen = draws[:, 0] < alpha * 2**31
        disturbed = np.where(chosen, draws[:, 1] % 10, labels)
        assert 10 < (disturbed != labels).sum() < 50
        found = sums_of(task, batch, alpha=ops.convert_to_tensor(alpha))
        want = -log_p[np.arange(50), disturbed].sum()
        assert found["loss"] == pytest.approx(want, rel=1e-5)
        # What is logged is of the labels as they are.
        want = -log_p[np.arange(50), labels].sum()
        assert found["nll"] == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("name", ["disturb_label", "online_label_smoothing"])
def test_a_translation_neither_draws_nor_learns_labels(name):
    changed = {**small_translation.CHANGES, "loss.name": name}
    spec = resolve("transformer_numbers", changed=changed).spec
    with pytest.raises(SpecError, match=f"no draws or targets, got '{name}'"):
        translation.build(spec, data_dir=None)


def test_targets_are_learnt_from_the_epoch_before():
    # 1,297 images in batches of 500: two steps, then one of both epochs.
    changes = {
        "loss.name": "online_label_smoothing",
        "alpha": 0.4,
        "train.global_batch_size": 500,
    }
    task = classifier(**changes)
    resident = {k: ops.convert_to_tensor(v) for k, v in task.resident.items()}
    plan = task.plan(0, 5)
    np.testing.assert_array_equal(plan["epoch"][:, 0], [0, 0, 0, 1, 1])
    targets, sums = np.full((10, 10), 0.1), np.zeros((10, 10))
    for step in range(5):
        batch = task.batch(resident, {k: v[step] for k, v in plan.items()})
        _, log_p = logits_and_log_p(task, batch)
        labels = np.asarray(batch["label"])
        if step == 3:
            some = sums.sum(1) > 0
            assert some.any() and not some.all()  # it has not been trained
            targets[some] = sums[some] / sums[some].sum(1, keepdims=True)
            sums[:] = 0
        right = log_p.argmax(1) == labels
        np.add.at(sums, labels[right], np.exp(log_p[right]))
        hard = -log_p[np.arange(500), labels].sum()
        soft = -(targets[labels] * log_p).sum()
        found = sums_of(task, batch)["loss"]
        assert found == pytest.approx(0.6 * hard + 0.4 * soft, rel=1e-5)
    memory = task.model.get_layer("label_memory")
    np.testing.assert_allclose(memory.sums.numpy(), sums, rtol=1e-4)
    assert int(memory.epoch.numpy()) == 1


@pytest.mark.parametrize("centred", [True, False])
def test_a_student_takes_the_loss_that_is_named(two_losses_more, centred):
    task = student(
        **{
            "loss.name": "angle",
            "loss.options.strength": 2,
            "loss.options.centred": centred,
        }
    )
    assert task.hyperparameters == {"beta": 0.6, "strength": 2.0}
    batch = batch_of(task)
    z, log_p = logits_and_log_p(task, batch)
    t = np.asarray(batch["teacher_logits"], np.float64)
    hard = -log_p[np.arange(50), np.asarray(batch["label"])].sum()
    if centred:
        z, t = (x - x.mean(-1, keepdims=True) for x in (z, t))
    norms = np.linalg.norm(z, axis=-1) * np.linalg.norm(t, axis=-1)
    match = (1 - (z * t).sum(-1) / norms).sum()
    want = 0.4 * hard + 0.6 * 2 * match
    assert sums_of(task, batch)["loss"] == pytest.approx(want, rel=1e-5)
    want = 0.7 * hard + 0.3 * 3 * match
    found = sums_of(task, batch, beta=0.3, strength=3.0)
    assert found["loss"] == pytest.approx(want, rel=1e-5)


def test_a_translation_takes_the_loss_that_is_named():
    small = {**small_translation.CHANGES, "alpha": 0.3}
    named = {"loss.name": "label_smoothing", "loss.options.spread": "prior"}
    like, losses = None, []
    for changed in ({"train.smoothing": "prior"}, named, {}):
        spec = resolve("transformer_numbers", changed={**small, **changed}).spec
        task = translation.build(spec, data_dir=None, like=like)
        assert task.hyperparameters == {"alpha": 0.3}
        like = like or task
        draws = {k: v[0] for k, v in task.plan(0, 1).items()}
        losses.append(sums_of(task, task.batch(task.resident, draws))["loss"])
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(
    ("build", "part", "says"),
    [
        (classifier, Part("soft_targets"), "is a student's loss"),
        (classifier, Part("label_smoothing", {"spread": "x"}), "got 'x'"),
        (classifier, Part("nosuch"), "no loss 'nosuch'"),
        (student, Part("smoothed_targets"), "has no use for a teacher"),
    ],
)
def test_a_loss_is_refused_before_data_is_read(monkeypatch, build, part, says):
    def load(*args, **options):
        raise AssertionError("data was read")

    monkeypatch.setattr(loading, "load", load)
    with pytest.raises(AssertionError):
        build()
    options = {f"loss.options.{k}": v for k, v in part.options.items()}
    with pytest.raises(SpecError, match=says) as caught:
        build(**{"loss.name": part.name, **options})
    assert "\n" not in str(caught.value)


def test_a_student_that_teaches_is_asked_as_a_plain_classifier():
    # For the table of its logits, of which no loss is computed.
    taught = override(fc_digits_student.SPEC, {"loss.name": "soft_targets"})
    inference = teaching._Inference(
        fc_digits_student.SPEC, Teacher(taught, lambda model: None), None
    )
    assert inference._spec.loss is None
    assert inference._spec == dataclasses.replace(
        inference._spec, task="classification", teacher=None
    )


@pytest.mark.parametrize("classes", [(), (4, 9)])
def test_a_transition_between_other_classes_is_refused(classes):
    wanted = len(classes) or 10
    rows = np.full((3, 3), 1 / 3).tolist()
    forward = {
        "alpha": 0.0,
        "loss.name": "forward_correction",
        "loss.options.transition": tuple(map(tuple, rows)),
        "data.classes": classes,
    }
    with pytest.raises(SpecError, match=f"{wanted} x {wanted}.*got 3 x 3"):
        classifier(**forward)
