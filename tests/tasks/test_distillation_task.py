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


def make(like=None, teacher=None, **changes):
    spec = override(fc_digits_student.SPEC, {**SMALL, **changes})
    teacher = teacher or Teacher(TEACHER, lambda model: None)
    return distillation.build(spec, data_dir=None, teacher=teacher, like=like)


def table_of(task):
    """The teacher's logits on every view, each by itself."""
    count, views = len(task.examples("train")["label"]), task.num_views
    found = []
    for view in range(views):
        batch = task.augmented("train", np.arange(count), np.full(count, view))
        images = task._augmentation.apply(
            ops.convert_to_tensor(batch["image"]),
            np.arange(count, dtype=np.int32),
            {"shift": ops.convert_to_tensor(batch["shift"])},
        )
        found.append(
            np.asarray(task._teacher(images, training=False)["logits"])
        )
    return np.stack(found, axis=1).astype(np.float16)


@pytest.fixture(scope="module")
def beside():
    return make(**{"data.augmentation": "shift2", "teacher.table": "never"})


@pytest.fixture(scope="module")
def teacher_with_table(beside):
    return Teacher(TEACHER, lambda model: None, table_of(beside))


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


def test_logits_of_one_view_equal_the_teacher_beside_the_student():
    stored, beside = make(), make(**{"teacher.table": "never"})
    assert stored.resident["teacher_logits"].dtype == np.float32
    assert "teacher_logits" not in beside.resident
    for step in (0, 7):
        _, batch = batch_of(stored, step)
        _, other = batch_of(beside, step)
        np.testing.assert_array_equal(batch["image"], other["image"])
        np.testing.assert_allclose(
            np.asarray(batch["teacher_logits"]),
            np.asarray(other["teacher_logits"]),
            atol=1e-6,
        )


def test_the_table_equals_the_teacher_beside_the_student(
    beside, teacher_with_table
):
    tabled = make(teacher=teacher_with_table, **{"data.augmentation": "shift2"})
    table = tabled.resident["teacher_logits"]
    assert table.shape == (1297, 25, 10) and table.dtype == np.float16
    assert tabled.own_resident == ("label", "teacher_logits")
    for step in (0, 3, 9):
        draws, batch = batch_of(tabled, step)
        _, other = batch_of(beside, step)
        np.testing.assert_array_equal(batch["image"], other["image"])
        given = np.asarray(batch["teacher_logits"])
        # Bit for bit what float16 makes of it, and no other view's.
        wanted = np.asarray(other["teacher_logits"])
        assert given.dtype == np.float32
        np.testing.assert_allclose(
            given, wanted.astype(np.float16), rtol=2**-10, atol=1e-6
        )
        np.testing.assert_allclose(given, wanted, rtol=2**-10, atol=1e-6)
        shifted = (draws["shift"] != 0).any(axis=1)
        plain = table[draws["index"], 12]
        assert np.abs(given - plain)[shifted].max() > 0.01
        np.testing.assert_array_equal(given[~shifted], plain[~shifted])
        losses = [
            float(t.loss(b, t.hyperparameters)["loss"])
            for t, b in ((tabled, batch), (beside, other))
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_teacher_logits_for_evaluators(beside, teacher_with_table):
    tabled = make(teacher=teacher_with_table, **{"data.augmentation": "shift2"})
    every = tabled.teacher_logits(every_view=True)
    assert every.shape == (1297, 25, 10)
    central = tabled.teacher_logits(every_view=False)
    np.testing.assert_array_equal(central, every[:, 12:13])
    # Beside, only the images as they are evaluated.
    assert beside.teacher_logits(every_view=True) is None
    plain = beside.teacher_logits(every_view=False)
    np.testing.assert_allclose(plain, central, rtol=2**-10, atol=1e-6)
    one = make()
    np.testing.assert_array_equal(
        one.teacher_logits(every_view=True),
        one.teacher_logits(every_view=False),
    )
    assert one.teacher_logits(every_view=True).shape == (1297, 1, 10)


def test_students_of_one_teacher_share_its_logits(teacher_with_table):
    for teacher, changes in (
        (teacher_with_table, {"data.augmentation": "shift2"}),
        (Teacher(TEACHER, lambda model: None), {}),
    ):
        first = make(teacher=teacher, **changes)
        second = make(teacher=teacher, like=first, seed=5, **changes)
        third = make(like=first, seed=5)
        logits = [t.resident["teacher_logits"] for t in (first, second, third)]
        assert logits[0] is logits[1]
        assert logits[0] is not logits[2]


@pytest.mark.parametrize("table", [None, np.zeros((1297, 24, 10), np.float16)])
def test_a_table_of_another_shape_is_refused(table):
    teacher = Teacher(TEACHER, lambda model: None, table)
    with pytest.raises(SpecError, match=r"wanted a table \[1297, 25, 10\]"):
        make(teacher=teacher, **{"data.augmentation": "shift2"})


def student(**changes):
    return override(fc_digits_student.SPEC, changes)


def test_who_uses_a_table():
    uses = distillation.uses_table
    assert not uses(student())  # one view: in memory
    assert not uses(student(**{"teacher.table": "always"}))
    assert uses(student(**{"data.augmentation": "shift2"}))
    never = {"teacher.table": "never", "data.augmentation": "shift2"}
    assert not uses(student(**never))
    continuous = student(**{"data.augmentation": "tutorial_24"})
    assert not uses(continuous)
    with pytest.raises(SpecError, match="are continuous") as caught:
        uses(override(continuous, {"teacher.table": "always"}))
    assert "\n" not in str(caught.value)
    with pytest.raises(SpecError, match="teacher.table: got 'yes'"):
        student(**{"teacher.table": "yes"})


def test_a_teacher_of_other_images_is_refused_before_it_is_built():
    distillation.check_teacher(student(), TEACHER)
    other = override(TEACHER, {"data.name": "mnist"})
    says = r"shape \(8, 8, 1\), got \(28, 28, 1\)"
    with pytest.raises(SpecError, match=says):
        distillation.check_teacher(student(), other)


def test_a_stack_wants_stored_logits(beside):
    make().check_stack()
    with pytest.raises(SpecError, match="teacher.table=never"):
        beside.check_stack()


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
