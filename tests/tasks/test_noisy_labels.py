"""A task with wrong labels: what it trains on, measures and records."""

import numpy as np
import pytest

from ls_tf.experiments import fc_digits
from ls_tf.pipeline import usage
from ls_tf.spec import SpecError, override
from ls_tf.tasks import classification

SMALL = {"model.options.hidden": (8,), "train.steps": 10}


def make(like=None, **changes):
    spec = override(fc_digits.SPEC, {**SMALL, **changes})
    return classification.build(spec, data_dir=None, like=like)


def test_noise_is_trained_on_and_not_measured_on():
    clean, noisy = make(), make(**{"data.label_kept": 0.5})
    wrong = noisy.labels("train") != clean.labels("train")
    assert wrong.mean() == pytest.approx(0.5, abs=0.06)
    assert noisy.resident["label"] is noisy.labels("train")
    for role in ("calibrate", "report"):
        np.testing.assert_array_equal(noisy.labels(role), clean.labels(role))
    np.testing.assert_array_equal(
        noisy.resident["image"], clean.resident["image"]
    )
    kept = noisy.examples("train", np.arange(3))["label"]
    np.testing.assert_array_equal(kept, noisy.labels("train")[:3])


def test_the_record_says_how_many_and_names_the_labels_by_their_digest():
    clean = make().data_used
    train = make(**{"data.label_kept": 0.5})
    entries = {k: v.as_dict() for k, v in train.data_used.items()}
    wrong = int((train.labels("train") != make().labels("train")).sum())
    assert entries["train"]["relabelled"] == wrong
    assert entries["train"]["sha256"] == usage.digest(
        train.in_memory("train")["image"], train.labels("train")
    )
    assert entries["train"]["sha256"] != clean["train"].sha256
    assert "relabelled" not in entries["test[250:]"]
    assert "relabelled" not in clean["train"].as_dict()
    everything = make(**{"data.label_kept": 0.5, "data.noisy_labels": "all"})
    entry = everything.data_used["test[250:]"].as_dict()
    report = everything.labels("report") != make().labels("report")
    assert entry["relabelled"] == report.sum() > 90
    assert len(entry["sha256"]) == 64


def test_networks_of_one_program_have_labels_of_their_own():
    first = make(**{"data.label_kept": 0.5})
    others = [make(first, **{"data.label_kept": k}) for k in (0.8, 1.0)]
    assert "label" in first.own_resident
    digest = make().data_used["train"].sha256
    assert others[1].data_used["train"].sha256 == digest
    for task, share in zip(others, (0.8, 1.0), strict=True):
        same = task.resident["label"] == make().resident["label"]
        assert same.mean() == pytest.approx(share, abs=0.05)
        assert task.resident["image"] is first.resident["image"]
    # Without noise one array serves all.
    clean = make()
    assert make(clean).resident["label"] is clean.resident["label"]
    assert make(clean).data_used == clean.data_used


def test_a_matrix_for_other_classes_is_refused():
    with pytest.raises(SpecError, match="wanted 10 x 10"):
        make(**{"data.label_transition": ((1.0, 0.0), (0.0, 1.0))})
