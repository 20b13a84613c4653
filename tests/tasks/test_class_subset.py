"""Some classes of a data set: what is trained on, measured and refused."""

import numpy as np
import pytest

from ls_tf.data import cub200
from ls_tf.experiments import fc_digits, resnet34_cub200
from ls_tf.pipeline import class_subset
from ls_tf.running import teaching
from ls_tf.spec import SpecError, digest, override
from ls_tf.spec.resolve import resolve
from ls_tf.tasks import classification

CLASSES = "data.classes"
SMALL = {"model.options.hidden": (8,), "train.steps": 10}


def make(**changes):
    spec = override(fc_digits.SPEC, {**SMALL, **changes})
    return classification.build(spec, data_dir=None)


def test_the_kept_classes_are_renumbered_in_every_split():
    whole, part = make(), make(**{CLASSES: (7, 0, 4)})
    assert part.class_names == tuple(whole.class_names[k] for k in (7, 0, 4))
    assert part.model.output["logits"].shape == (None, 3)
    for role in ("train", "calibrate", "report"):
        before, after = whole.in_memory(role), part.in_memory(role)
        rows = np.isin(before["label"], (7, 0, 4))
        np.testing.assert_array_equal(after["image"], before["image"][rows])
        np.testing.assert_array_equal(
            np.array([7, 0, 4])[after["label"]], before["label"][rows]
        )
        assert after["label"].dtype == np.int32
        used = part.data_used[getattr(part.spec.data, role)]
        assert used.as_dict()["examples"] == rows.sum()
    assert part.resident["label"].max() == 2
    assert len(part._prior) == 3 and part._prior.sum() == pytest.approx(1)


def test_without_the_field_nothing_changes():
    spec = override(fc_digits.SPEC, {CLASSES: ()})
    assert digest(spec) == digest(fc_digits.SPEC)
    some = {
        resolve("fc_digits", changed={CLASSES: c}).digest
        for c in ((), (0, 1), (1, 0), (0, 1, 2))
    }
    assert len(some) == 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({CLASSES: (3,)}, "wanted 2 classes or more"),
        ({CLASSES: (3, 3)}, "wanted different ids of 0 or more"),
        ({CLASSES: (-1, 3)}, "wanted different ids of 0 or more"),
        ({CLASSES: (0, 1), "data.label_kept": 0.5}, "wanted none beside"),
        ({CLASSES: (0, 1), "data.tail_power": 6.0}, "wanted none beside"),
    ],
)
def test_classes_that_cannot_be(changes, says):
    with pytest.raises(SpecError) as caught:
        override(fc_digits.SPEC, changes)
    assert f"{CLASSES}: {says}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_classes_that_the_data_lacks():
    with pytest.raises(SpecError, match="wanted classes 0 to 9 of digits, got"):
        make(**{CLASSES: (0, 10)})
    with pytest.raises(SpecError, match="wanted examples of class 9 in digits"):
        make(
            **{
                CLASSES: (0, 9),
                "data.train": "train[:1]",
                "train.global_batch_size": 1,
            }
        )


def test_a_teacher_has_the_students_classes():
    both = {CLASSES: (0, 1), f"teacher.changes.{CLASSES}": (0, 1)}
    student = resolve("fc_digits_student", changed=both)
    assert teaching.run_of(student).spec.data.classes == (0, 1)
    for taught in ((), (2, 3)):
        other = {**both, f"teacher.changes.{CLASSES}": taught}
        with pytest.raises(
            SpecError, match=r"wanted data.classes as .*\[0, 1\]"
        ):
            teaching.run_of(resolve("fc_digits_student", changed=other))


def test_photographs_that_are_streamed_keep_all_classes():
    spec = override(resnet34_cub200.SPEC, {CLASSES: (0, 1)})
    with pytest.raises(SpecError, match="of cub200 are streamed"):
        class_subset.info(spec.data, cub200.INFO)
