"""What a traced program is kept for names all that the program is made of."""

import types

import numpy as np
import pytest

from ls_tf.pipeline.usage import Usage
from ls_tf.running import provenance, traceable
from ls_tf.running.machine import Machine
from ls_tf.spec.resolve import resolve

MACHINE = Machine(engine="jax")
FC = resolve("fc_digits")


def task(**others):
    made = {
        "resident": {
            "image": np.arange(8, dtype=np.uint8).reshape(2, 4),
            "label": np.int32([0, 1]),
        },
        "data_used": {"train": Usage(2, class_counts=(1, 1))},
        "total_steps": 10,
        "hyperparameters": {"alpha": 0.1},
        "batch_sizes": (2,),
        "steps_at_once": None,
    }
    return types.SimpleNamespace(**{**made, **others})


def about(identity=FC, machine=MACHINE, **others):
    return traceable.about(identity, machine, task(**others))


@pytest.fixture(autouse=True)
def _package(monkeypatch):
    monkeypatch.setattr(provenance, "files", lambda: {"ls_tf.b": "1"})
    monkeypatch.setattr(provenance, "sources", lambda: {"ls_tf.a": "0"})


def test_it_is_the_same_for_the_same():
    assert about() == about(resolve("fc_digits"))


@pytest.mark.parametrize(
    "changed",
    [
        {"train.alpha": 0.3},
        {"seed": 1},
        {"train.precision": "bfloat16"},
        {"train.clip_global_norm": 1.0},
        {"train.remat": True},
        {"train.steps": 11},
        {"learning_rate": 0.5},
        {"loss.name": "label_smoothing"},
        {"data.train": "train[:100]"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_another_specification_is_another(changed):
    changed = dict(changed)
    seed = changed.pop("seed", 0)
    assert about(resolve("fc_digits", changed=changed, seed=seed)) != about()


@pytest.mark.parametrize(
    "others",
    [
        {"strategy": "mirrored"},
        {"micro_batches": 2},
        {"deterministic": True},
        {"logical_devices": 2},
    ],
    ids=lambda others: next(iter(others)),
)
def test_another_machine_is_another(others):
    assert about(machine=Machine(engine="jax", **others)) != about()


@pytest.mark.parametrize(
    "others",
    [
        # The same shapes, and one value of one array.
        {"resident": {**task().resident, "label": np.int32([1, 1])}},
        {"data_used": {"train": Usage(2, class_counts=(2, 0))}},
        {"data_used": {"test": Usage(2, class_counts=(1, 1))}},
        {"total_steps": 11},
        {"hyperparameters": {"alpha": 0.2}},
        {"batch_sizes": (2, 4)},
        {"steps_at_once": 3},
    ],
    ids=str,
)
def test_other_data_is_another(others):
    assert about(**others) != about()


def test_what_has_a_digest_is_not_looked_at_again():
    used = {"train": Usage(2, sha256="a"), "test": Usage(1)}
    others = {"image": np.uint8([[3]]), "label": np.int32([5])}
    assert FC.spec.data.train == "train"
    assert about(data_used=used) == about(data_used=used, resident=others)
    changed = {**used, "train": Usage(2, sha256="b")}
    assert about(data_used=used) != about(data_used=changed)
    # That of another split says nothing of what is trained on.
    of_test = {"train": Usage(2), "test": Usage(1, sha256="a")}
    assert about(data_used=of_test) != about(data_used=of_test, resident=others)


@pytest.mark.parametrize("what", ["files", "sources"])
def test_one_other_line_of_the_package_is_another(what, monkeypatch):
    before = about()
    known = getattr(provenance, what)()
    other = dict.fromkeys(known, "2")
    monkeypatch.setattr(provenance, what, lambda: other)
    assert about() != before
    # What is loaded counts, not what a file became since.
    monkeypatch.setattr(provenance, "files", lambda: {"ls_tf.a": "other"})
    monkeypatch.setattr(provenance, "sources", lambda: {"ls_tf.a": "0"})
    assert about() == about() | {"sources": provenance.digest({"ls_tf.a": "0"})}


@pytest.mark.parametrize("name", ["python", "jax", "jaxlib", "keras", "numpy"])
def test_another_version_is_another(name, monkeypatch):
    before, known = about(), provenance.versions("jax", FC.spec.task)
    other = {**known, name: known[name] + ".1"}
    monkeypatch.setattr(provenance, "versions", lambda engine, task: other)
    assert about() != before


def test_nothing_is_said_where_not_all_can_be(monkeypatch):
    assert about(resolve("fc_digits_student")) is None
    assert about(resident={}) is None  # streamed
    monkeypatch.setattr(provenance, "files", dict)  # an archive
    assert about() is None
