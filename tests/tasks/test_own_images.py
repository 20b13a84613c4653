"""Tasks on images of the user's own: classes, shapes, students."""

import numpy as np
import pytest

from ls_tf.running import teaching
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import resolve
from ls_tf.tasks import classification, distillation


@pytest.fixture
def own(tmp_path):
    """Changes that mean 5 classes of 8 x 8 images."""
    images = np.arange(20 * 64, dtype=np.uint8).reshape(20, 8, 8)
    labels = np.arange(20) % 5
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    return {
        "data.name": "npz",
        "data.source": str(tmp_path / "a.npz"),
        "data.held_out": 0.25,
        "data.calibrate": "test[:2]",
        "data.report": "test[2:]",
    }


def test_the_network_has_their_classes_and_their_shape(own):
    changed = {**own, "data.image_size": (4, 6), "data.channels": 3}
    changed["train.global_batch_size"] = 5
    spec = resolve("fc_digits", smoke=True, changed=changed).spec
    task = classification.Classification(spec, None)
    assert task.model.input_shape == (None, 4, 6, 3)
    assert task.model.output["logits"].shape == (None, 5)
    assert task.class_names == ("0", "1", "2", "3", "4")
    assert sorted(task.labels("train").tolist()) == sorted([*range(5)] * 3)
    used = task.data_used
    assert [used[s].examples for s in ("train", "test[:2]", "test[2:]")] == [
        *(15, 2, 3)
    ]
    assert all(len(usage.sha256) == 64 for usage in used.values())


def test_a_teacher_is_of_the_same_images(own):
    teachers = {f"teacher.changes.{name}": v for name, v in own.items()}
    student = resolve("fc_digits_student", changed={**own, **teachers})
    taught_by = teaching.run_of(student)
    assert taught_by.spec.data == student.spec.data
    distillation.check_teacher(student.spec, taught_by.spec)
    teachers["teacher.changes.data.image_size"] = (9, 9)
    student = resolve("fc_digits_student", changed={**own, **teachers})
    with pytest.raises(SpecError, match=r"shape \(8, 8, 1\), got \(9, 9, 1\)"):
        distillation.check_teacher(student.spec, teaching.run_of(student).spec)
