"""A student of a translation's teacher: loss, weights, vocabulary."""

import dataclasses

import numpy as np
import pytest
from keras import ops
from small_translation import CHANGES

from ls_tf.pipeline.ragged import Ragged
from ls_tf.running import teaching
from ls_tf.spec import SpecError, TeacherSpec
from ls_tf.spec.resolve import resolve
from ls_tf.tasks import translation as task_module
from ls_tf.tasks.distillation import Teacher

SPEC = resolve(
    "transformer_numbers",
    changed={
        **CHANGES,
        "alpha": 0.0,
        "train.smoothing": "uniform",
        "model.options.layer_dropout": 0.0,
        "model.options.attention_dropout": 0.0,
        "model.options.relu_dropout": 0.0,
    },
).spec
BETA, TEMPERATURE = 0.3, 2.0


def moved(model):
    """Gives the weights of a teacher: none as a student begins with."""
    rng = np.random.default_rng(7)
    for variable in model.trainable_variables:
        noise = rng.standard_normal(variable.shape).astype("float32")
        variable.assign(ops.convert_to_numpy(variable) + 0.3 * noise)


def student(teacher=None, **how):
    spec = dataclasses.replace(
        SPEC,
        teacher=TeacherSpec(
            "transformer_numbers",
            **{"beta": BETA, "teacher_temperature": TEMPERATURE, **how},
        ),
    )
    taught_by = teacher or Teacher(SPEC, moved)
    return task_module.build(spec, data_dir=None, teacher=taught_by)


@pytest.fixture(scope="module")
def task():
    return student()


def batch_of(task):
    plan = {k: v[0] for k, v in task.plan(0, 1).items()}
    resident = {k: ops.convert_to_tensor(v) for k, v in task.resident.items()}
    return task.batch(resident, plan)


def log_softmax(logits):
    logits = logits.astype(np.float64)
    top = logits.max(-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


def test_the_loss_by_hand(task):
    batch = batch_of(task)
    target = ops.convert_to_numpy(batch["target"])
    sides = {k: batch[k] for k in ("source", "target")}
    ours = ops.convert_to_numpy(task.model(sides)["logits"])
    reference = task_module.build_model(SPEC, task._vocabulary_size)
    moved(reference)
    theirs = ops.convert_to_numpy(reference(sides)["logits"])
    assert np.abs(ours - theirs).max() > 0.1
    soft = np.exp(log_softmax(theirs / TEMPERATURE))
    logs = log_softmax(ours)
    hard = -np.take_along_axis(logs, target[..., None], -1)[..., 0]
    loss = (1 - BETA) * hard - BETA * (soft * logs).sum(-1)
    real = target != 0
    assert 0 < real.sum() < real.size
    sums = task.loss(batch, task.hyperparameters)
    found = {k: float(ops.convert_to_numpy(v)) for k, v in sums.items()}
    assert found["loss"] == pytest.approx(loss[real].sum(), rel=1e-4)
    assert found["nll"] == pytest.approx(hard[real].sum(), rel=1e-4)
    assert found["weight"] == real.sum()
    # The weight of the teacher is an argument of the compiled step.
    assert task.hyperparameters == {
        "beta": BETA,
        "teacher_temperature": TEMPERATURE,
        "student_temperature": 1.0,
    }
    plain = task.loss(batch, {**task.hyperparameters, "beta": 0.0})
    assert float(plain["loss"]) == pytest.approx(hard[real].sum(), rel=1e-4)


def test_the_teachers_weights_are_data_and_not_trained(task):
    teacher = task_module.build_model(SPEC, task._vocabulary_size)
    moved(teacher)
    names = [k for k in task.resident if k.startswith("teacher/")]
    assert tuple(names) == task.own_resident
    assert len(names) == len(teacher.weights)
    for name, variable in zip(names, teacher.weights, strict=True):
        np.testing.assert_array_equal(task.resident[name], variable.numpy())
    assert not task._teacher.trainable_variables
    # What the step is given counts, not what the model holds.
    plan = {k: v[0] for k, v in task.plan(0, 1).items()}
    resident = {
        k: ops.convert_to_tensor(0 * v if k in names else v)
        for k, v in task.resident.items()
    }
    found = task.batch(resident, plan)["teacher_logits"]
    assert not ops.convert_to_numpy(found).any()


def test_without_a_teacher_nothing_is_added():
    plain = task_module.build(SPEC, data_dir=None)
    assert not any(k.startswith("teacher") for k in plain.resident)
    assert set(batch_of(plain)) == {"source", "target"}


def test_a_teacher_of_another_vocabulary_is_refused(task):
    same = Teacher(SPEC, moved, subwords=task._corpus.digest)
    assert student(same)._teacher is not None
    other = Teacher(SPEC, moved, subwords="0123456789abcdef" * 4)
    with pytest.raises(SpecError) as caught:
        student(other)
    assert str(caught.value) == (
        f"teacher: wanted the student's subwords ({task._corpus.digest[:12]}),"
        " got others (0123456789ab)"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"teacher.changes.data.vocabulary_size": 500},
            "teacher: wanted the student's vocabulary, 1000 subwords of "
            "numbers_ende/train, got 500 subwords of numbers_ende/train",
        ),
        (
            {"data.train": "train[:500]"},
            "teacher: wanted the student's vocabulary, 1000 subwords of "
            "numbers_ende/train[:500], got 1000 subwords of "
            "numbers_ende/train",
        ),
        (
            {"teacher.experiment": "fc_digits"},
            "teacher: wanted a translation as the student, got task "
            "'classification'",
        ),
        (
            {"teacher.table": "always"},
            "teacher.table: wanted auto or never, a translation's teacher "
            "runs beside its student, got always",
        ),
    ],
)
def test_other_teachers_are_refused_before_they_are_trained(changed, message):
    identity = resolve("transformer_numbers_student", changed=changed)
    with pytest.raises(SpecError) as caught:
        teaching.run_of(identity)
    assert str(caught.value) == message


def test_a_translation_teaches_no_classifier():
    identity = resolve(
        "fc_digits_student",
        changed={"teacher.experiment": "transformer_numbers"},
    )
    with pytest.raises(SpecError, match="wanted a classification as the stud"):
        teaching.run_of(identity)


def test_labels_stay_hard_and_a_teacher_is_needed():
    how = TeacherSpec("transformer_numbers")
    train = dataclasses.replace(SPEC.train, alpha=0.1)
    spec = dataclasses.replace(SPEC, teacher=how, train=train)
    with pytest.raises(SpecError, match="labels are hard, got 0.1"):
        task_module.build(spec, data_dir=None, teacher=Teacher(SPEC, moved))
    with pytest.raises(SpecError, match="needs its trained teacher"):
        task_module.build(spec, data_dir=None)


def test_a_stack_is_refused(task):
    with pytest.raises(SpecError, match="different shapes"):
        task.check_stack()


# --- a teacher's translations as targets


def translations_of(task):
    """A made-up translation of each training source: it, and one word more."""
    source = task.tokens("train").source
    rows = [[*source.row(i)[:-1], 7 + i % 5, 1] for i in range(len(source))]
    rows[3] = rows[3][:-1]  # has no end
    return Ragged.of(np.concatenate(rows), np.array([len(r) for r in rows]))


@pytest.fixture(scope="module")
def translated(task):
    return translations_of(task)


def taught(translated, beta):
    teacher = Teacher(SPEC, moved, translations=translated)
    how = {"beta": beta, "targets": "translations"}
    if not beta:  # A temperature has no use without probabilities.
        how["teacher_temperature"] = 1.0
    return student(teacher, **how)


@pytest.mark.parametrize("beta", [0.0, BETA])
def test_the_targets_are_the_translations(task, translated, beta):
    found = taught(translated, beta)
    seen, step = set(), 0
    resident = {k: ops.convert_to_tensor(v) for k, v in found.resident.items()}
    while len(seen) < len(translated):
        plan = {k: v[0] for k, v in found.plan(step, 1).items()}
        batch = {
            k: ops.convert_to_numpy(v)
            for k, v in found.batch(resident, plan).items()
        }
        for row, index in enumerate(plan["index"].tolist()):
            source, target = batch["source"][row], batch["target"][row]
            wanted = translated.row(index).tolist()
            assert target[target != 0].tolist() == wanted
            assert source[source != 0].tolist() == (
                task.tokens("train").source.row(index).tolist()
            )
            seen.add(index)
        step += 1
        assert step < 200
        if beta and step == 3:
            break  # the teacher runs beside it: a few batches say the same
    # References are those of the data.
    for role in ("train", "calibrate", "report"):
        ours, theirs = (one.tokens(role).target for one in (found, task))
        np.testing.assert_array_equal(ours.tokens, theirs.tokens)


def test_translations_alone_need_no_teacher_beside(task, translated):
    found = taught(translated, 0.0)
    assert not [k for k in found.resident if k.startswith("teacher/")]
    batch = batch_of(found)
    assert set(batch) == {"source", "target"}
    sums = found.loss(batch, found.hyperparameters)
    loss, nll = (float(ops.convert_to_numpy(sums[k])) for k in ("loss", "nll"))
    assert loss == pytest.approx(nll, rel=1e-5)
    # The vocabulary's frequencies are those of what is learnt.
    counts = np.bincount(translated.tokens, minlength=len(found._prior))
    np.testing.assert_allclose(found._prior, counts / counts.sum(), rtol=1e-6)
    used = found.data_used["translations"].as_dict()
    assert (used["examples"], used["unfinished"]) == (300, 1)
    assert "translations" not in task.data_used


def test_beta_weighs_the_probabilities_along_the_translation(translated):
    found = taught(translated, BETA)
    batch = batch_of(found)
    target = ops.convert_to_numpy(batch["target"])
    sides = {k: batch[k] for k in ("source", "target")}
    reference = task_module.build_model(SPEC, found._vocabulary_size)
    moved(reference)
    theirs = ops.convert_to_numpy(reference(sides)["logits"])
    soft = np.exp(log_softmax(theirs / TEMPERATURE))
    logs = log_softmax(ops.convert_to_numpy(found.model(sides)["logits"]))
    hard = -np.take_along_axis(logs, target[..., None], -1)[..., 0]
    loss = (1 - BETA) * hard - BETA * (soft * logs).sum(-1)
    sums = found.loss(batch, found.hyperparameters)
    total = float(ops.convert_to_numpy(sums["loss"]))
    assert total == pytest.approx(loss[target != 0].sum(), rel=1e-4)


def test_labels_may_be_smoothed_where_only_translations_teach(translated):
    how = TeacherSpec("transformer_numbers", targets="translations", beta=0.0)
    train = dataclasses.replace(SPEC.train, alpha=0.1)
    spec = dataclasses.replace(SPEC, teacher=how, train=train)
    teacher = Teacher(SPEC, moved, translations=translated)
    found = task_module.build(spec, data_dir=None, teacher=teacher)
    batch = batch_of(found)
    target = ops.convert_to_numpy(batch["target"])
    sides = {k: batch[k] for k in ("source", "target")}
    logs = log_softmax(ops.convert_to_numpy(found.model(sides)["logits"]))
    hard = -np.take_along_axis(logs, target[..., None], -1)[..., 0]
    loss = 0.9 * hard - 0.1 * logs.mean(-1)
    sums = found.loss(batch, found.hyperparameters)
    total = float(ops.convert_to_numpy(sums["loss"]))
    assert total == pytest.approx(loss[target != 0].sum(), rel=1e-4)


def test_long_translations_are_left_out_and_counted(translated):
    rows = [translated.row(i).tolist() for i in range(len(translated))]
    rows[5] = [9] * (SPEC.data.max_length + 1)
    lengths = np.array([len(row) for row in rows])
    found = taught(Ragged.of(np.concatenate(rows), lengths), 0.0)
    (left_out,) = found.data_used[SPEC.data.train].left_out
    assert (left_out.count, left_out.first) == (1, "pair 6")


def test_too_few_translations_are_refused(translated):
    with pytest.raises(SpecError) as caught:
        taught(translated.part(0, 299), 0.0)
    assert str(caught.value) == (
        "teacher: wanted 300 translations of the training split, got 299"
    )
    with pytest.raises(SpecError, match="wanted 300 translations .* got 0"):
        taught(None, 0.0)
