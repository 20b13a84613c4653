"""A task on a long tail: what it trains on, measures, shares and records."""

import numpy as np
import pytest

from ls_tf.experiments import fc_digits
from ls_tf.pipeline import long_tail, usage
from ls_tf.spec import override
from ls_tf.tasks import classification

SMALL = {"model.options.hidden": (8,), "train.steps": 10}
TAIL = {"data.tail_power": 6.0, "data.tail_largest": 100}
WANTED = long_tail.counts(10, 6.0, 100).tolist()


def make(like=None, **changes):
    spec = override(fc_digits.SPEC, {**SMALL, **changes})
    return classification.build(spec, data_dir=None, like=like)


def test_the_tail_is_trained_on_and_everything_measured_on():
    whole, tail = make(), make(**TAIL)
    labels = tail.labels("train")
    assert sorted(np.bincount(labels), reverse=True) == WANTED
    assert tail.resident["label"] is labels
    assert len(tail.resident["image"]) == len(labels) == sum(WANTED)
    # Each image keeps its label.
    every = {
        image.tobytes(): label
        for image, label in zip(*whole.in_memory("train").values(), strict=True)
    }
    for image, label in zip(*tail.in_memory("train").values(), strict=True):
        assert every[image.tobytes()] == label
    for role in ("calibrate", "report"):
        np.testing.assert_array_equal(tail.labels(role), whole.labels(role))
    # An epoch is over the tail.
    of_epochs = make(**TAIL, **{"train.steps": None, "train.epochs": 3.0})
    size = of_epochs.batch_sizes[0]
    assert of_epochs.total_steps == -(-3 * sum(WANTED) // size)


def test_frequencies_of_smoothing_are_those_of_the_tail():
    tail = make(**TAIL, **{"alpha": 0.1, "train.smoothing": "prior"})
    counts = np.bincount(tail.labels("train"))
    np.testing.assert_allclose(tail._prior, counts / counts.sum(), rtol=1e-6)


def test_the_record_has_the_counts_of_the_classes():
    tail = make(**TAIL)
    entries = {k: v.as_dict() for k, v in tail.data_used.items()}
    arrays = tail.in_memory("train")
    assert entries["train"]["examples"] == sum(WANTED)
    assert (
        entries["train"]["class_counts"]
        == np.bincount(arrays["label"]).tolist()
    )
    assert entries["train"]["sha256"] == usage.digest(
        arrays["image"], arrays["label"]
    )
    for entry in (entries["test[250:]"], make().data_used["train"].as_dict()):
        assert "class_counts" not in entry


def test_wrong_labels_of_a_tail_are_those_of_the_whole():
    noise = {"data.label_kept": 0.5}
    tail, noisy, whole = make(**TAIL), make(**TAIL, **noise), make(**noise)
    np.testing.assert_array_equal(
        tail.resident["image"], noisy.resident["image"]
    )
    images = make().in_memory("train")["image"]
    rows = [
        np.flatnonzero((images == image).all((1, 2, 3)))[0]
        for image in tail.in_memory("train")["image"][:50]
    ]
    np.testing.assert_array_equal(
        noisy.labels("train")[:50], whole.labels("train")[rows]
    )
    entry = noisy.data_used["train"]
    wrong = noisy.labels("train") != tail.labels("train")
    assert entry.relabelled == wrong.sum() > 100
    assert (
        list(entry.class_counts) == np.bincount(tail.labels("train")).tolist()
    )


def test_networks_of_one_program_share_a_tail_or_have_their_own():
    first = make(**TAIL)
    same, other = make(first, **TAIL, alpha=0.1), make(first, **TAIL, seed=1)
    assert set(first.own_resident) == {"image", "label"}
    assert same.resident["image"] is first.resident["image"]
    assert same.resident["label"] is first.resident["label"]
    assert same.data_used == first.data_used
    alone = make(**TAIL, seed=1)
    for name, array in alone.resident.items():
        np.testing.assert_array_equal(other.resident[name], array)
    assert other.data_used == alone.data_used
    assert other.data_used != first.data_used
    assert make().own_resident == ("label",)


def test_a_class_without_examples_is_refused():
    with pytest.raises(ValueError, match="got none of class"):
        make(
            **TAIL, **{"data.train": "train[:12]", "train.global_batch_size": 4}
        )
