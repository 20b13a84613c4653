"""The task on photographs that are streamed."""

import dataclasses
import sys

import keras
import numpy as np
import pytest
import small_photographs

from ls_tf.experiments import fc_digits
from ls_tf.pipeline import array_cache, stream
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.long_tail import LongTail
from ls_tf.pipeline.plan import EpochPlan
from ls_tf.protocols import Batches
from ls_tf.spec import SpecError, TeacherSpec, override
from ls_tf.tasks import classification, distillation

SMALL = {
    "model.options.hidden": (8,),
    "train.steps": 9,
    "train.global_batch_size": 8,
    "data.name": "small",
    "data.train": "train[:30]",
    "data.calibrate": "validation[:10]",
    "data.report": "validation[10:]",
    "data.augmentation": "replication_tiny",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A small set that the registry knows by its name."""
    made = tmp_path / "small"
    module = small_photographs.write(made)
    monkeypatch.setitem(sys.modules, "ls_tf.data.small", module)
    known = classification.registry.get

    def get(package, name, *kind):
        return module if name == "small" else known(package, name, *kind)

    monkeypatch.setattr(classification.registry, "get", get)
    monkeypatch.setattr(stream, "processes", lambda: 0)
    return made


def make(data_dir=None, **changes):
    spec = override(fc_digits.SPEC, {**SMALL, **changes})
    return classification.build(spec, data_dir=data_dir, teacher=None)


def test_it_is_fed_with_the_examples_of_its_plan(folder):
    task = make()
    assert task.resident == {}
    fed = task.feed(4, 2)
    plan = EpochPlan(30, 8, task.spec.seed).steps(4, 2)
    np.testing.assert_array_equal(fed["index"], plan["index"])
    records = small_photographs.find(folder, "train[:30]")
    labels = [records.read(int(i)).label for i in plan["index"].ravel()]
    assert fed["label"].ravel().tolist() == labels
    assert fed["image"].shape == (2, 8, 64, 64, 3)
    part = task.feed(6, 1, (1, 2))
    np.testing.assert_array_equal(
        part["index"], task.plan(6, 1)["index"][:, 4:]
    )
    draws = {k: v[1] for k, v in fed.items()}
    batch = task.batch({}, draws)
    np.testing.assert_allclose(
        np.asarray(batch["image"]), fed["image"][1] / 255.0, atol=1e-6
    )
    np.testing.assert_array_equal(batch["label"], fed["label"][1])
    assert float(keras.ops.sum(batch["weight"])) == 8


def test_resident_and_streamed_sets_have_augmentations_of_their_own(folder):
    with pytest.raises(SpecError, match="wanted one for photographs, as small"):
        make(**{"data.augmentation": "shift2"})
    with pytest.raises(
        SpecError, match="wanted one for images in memory, as d"
    ):
        make(**{"data.name": "digits", "data.train": "train"})


def test_it_cannot_be_stacked(folder):
    with pytest.raises(SpecError, match="--stack: wanted images in memory"):
        make().check_stack()


def test_labels_are_kept_in_the_data_directory(folder, tmp_path, monkeypatch):
    records = small_photographs.find(folder, "validation[10:]")
    wanted = [records.read(i).label for i in range(11)]
    assert make(str(tmp_path)).labels("report").tolist() == wanted
    kept = tmp_path / array_cache.FOLDER / "small"
    assert sorted(p.name for p in kept.iterdir()) == [
        "labels_validation_10_21.json",
        "labels_validation_10_21_label.npy",
    ]

    def never(self):
        raise AssertionError("read again")

    monkeypatch.setattr(stream.SplitBatches, "labels", never)
    assert make(str(tmp_path)).labels("report").tolist() == wanted


def test_the_prior_is_counted_where_the_loss_wants_it(folder):
    records = small_photographs.find(folder, "train[:30]")
    counts = np.bincount([records.read(i).label for i in range(30)])
    task = make(**{"train.smoothing": "prior"})
    np.testing.assert_allclose(task._prior, counts / 30, rtol=1e-6)
    # Elsewhere a pass over the records would be for nothing.
    assert np.isnan(make()._prior).all()


def test_a_long_tail_of_photographs(folder):
    tail = {
        "data.train": "train[5:]",
        "data.tail_power": 6.0,
        "data.tail_largest": 10,
    }
    task = make(**tail)
    records = small_photographs.find(folder, "train[5:]")
    every = np.array([records.read(i).label for i in range(65)])
    rows = LongTail(task.spec.data, small_photographs.INFO, 0).rows(
        "train[5:]", every
    )
    # By hand: 4 ** (1/6) - 1 is .260, 2 ** (1/6) - 1 .122, then .049.
    assert sorted(np.bincount(every[rows]), reverse=True) == [10, 5, 2]
    np.testing.assert_array_equal(task.labels("train"), every[rows])
    fed = task.feed(0, 2)
    labels = every[rows][fed["index"].ravel()]
    np.testing.assert_array_equal(fed["label"].ravel(), labels)
    (picked,) = task.examples("train", np.array([3])).batches()
    (whole,) = (
        make(**{"data.train": "train[5:]"})
        .examples("train", rows[3:4])
        .batches()
    )
    np.testing.assert_array_equal(picked["image"], whole["image"])
    used = task.data_used["train[5:]"].as_dict()
    assert used["examples"] == 17
    assert used["class_counts"] == np.bincount(every[rows]).tolist()
    assert used["sha256"] != records.sha256
    other = make(**tail, seed=1).data_used["train[5:]"]
    assert other.sha256 != used["sha256"] and other.examples == 17


def test_examples_are_evaluated_as_batches(folder):
    task = make()
    assert isinstance(task.examples("report"), Batches)
    (picked,) = task.examples("report", np.array([3, 1])).batches()
    (every,) = task.examples("report").batches()
    np.testing.assert_array_equal(picked["image"], every["image"][[3, 1]])
    outputs = task.predict(picked)
    direct = task.model(
        picked["image"].astype(np.float32) / 255, training=False
    )
    np.testing.assert_allclose(
        np.asarray(outputs["logits"]), np.asarray(direct["logits"]), atol=1e-5
    )
    with pytest.raises(SpecError, match="its photographs are streamed"):
        task.augmented("train", np.array([0]), np.array([0]))


def test_damaged_photographs_are_counted(tmp_path, folder):
    small_photographs.write(folder, damaged=(2, 3))
    with pytest.raises(DataError, match="is no whole JPEG"):
        make().feed(0, 9)
    task = make(**{"data.skip_damaged": True})
    records = small_photographs.find(folder, "train[:30]")
    digests = {
        "sha256": records.sha256,
        "sampled_sha256": records.sampled_sha256,
    }
    everything = {"examples": 30, "left_out": {}, **digests}
    assert task.data_used["train[:30]"].as_dict() == everything
    task.feed(0, 9)
    assert task.data_used["train[:30]"].as_dict() == {
        "examples": 28,
        "left_out": {
            "damaged JPEG, the next of its class taken in its place": 2
        },
        **digests,
    }
    assert task.data_used["validation[10:]"].as_dict()["examples"] == 11


def test_a_teacher_sees_the_same_distorted_photographs(folder):
    spec = override(
        fc_digits.SPEC,
        {
            **SMALL,
            "task": "distillation",
            "alpha": 0.0,
            "train.smoothing": "uniform",
        },
    )
    spec = dataclasses.replace(spec, teacher=TeacherSpec("fc_digits"))
    taught_by = distillation.Teacher(
        override(fc_digits.SPEC, {**SMALL, "seed": 7}), lambda model: None
    )
    task = distillation.build(spec, data_dir=None, teacher=taught_by)
    assert task.resident == {}
    draws = {k: v[0] for k, v in task.feed(0, 1).items()}
    batch = task.batch({}, draws)
    teacher = classification.build_model(taught_by.spec)
    images = draws["image"].astype(np.float32) / 255
    np.testing.assert_allclose(
        np.asarray(batch["teacher_logits"]),
        np.asarray(teacher(images, training=False)["logits"]),
        atol=1e-5,
    )
    with pytest.raises(SpecError, match="its photographs are streamed"):
        task.teacher_logits(every_view=False)
