"""The task's batches and sums, against slow NumPy."""

import dataclasses
import math

import keras
import numpy as np
import pytest
from keras import ops

from ls_tf import seeds
from ls_tf.experiments import fc_digits
from ls_tf.measuring import measure
from ls_tf.pipeline import usage
from ls_tf.protocols import Classifier, Translator
from ls_tf.spec import EvaluatorSpec, SpecError, override
from ls_tf.tasks import classification

SMALL = {"model.options.hidden": (8,), "train.steps": 10}


def make(**changes):
    spec = override(fc_digits.SPEC, {**SMALL, **changes})
    return classification.build(spec, data_dir=None, teacher=None)


def batch_of(task, step=0):
    draws = {k: v[0] for k, v in task.plan(step, 1).items()}
    resident = {
        k: keras.ops.convert_to_tensor(v) for k, v in task.resident.items()
    }
    return draws, task.batch(resident, draws)


def log_probs(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def test_a_batch_holds_the_examples_of_its_plan():
    task = make()
    draws, batch = batch_of(task, step=3)
    examples = task.examples("train")
    index = draws["index"]
    np.testing.assert_array_equal(
        np.asarray(batch["label"]), examples["label"][index]
    )
    np.testing.assert_allclose(
        np.asarray(batch["image"]),
        examples["image"][index].astype(np.float64) / 255,
        atol=1e-7,
    )
    np.testing.assert_array_equal(np.asarray(batch["weight"]), np.ones(50))


def test_all_images_are_used():
    images = make().examples("train")
    assert {n: u.as_dict() for n, u in make().data_used.items()} == {
        "train": {
            "examples": 1297,
            "left_out": {},
            "sha256": usage.digest(images["image"], images["label"]),
        },
        "test[:250]": {"examples": 250, "left_out": {}},
        "test[250:]": {"examples": 250, "left_out": {}},
    }


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("smoothing", ["uniform", "others", "prior"])
def test_the_loss_is_a_sum_against_numpy(alpha, smoothing):
    task = make(
        **{
            "alpha": alpha,
            "train.smoothing": smoothing,
            "train.loss_scale": 3.0,
        }
    )
    _, batch = batch_of(task)
    sums = {
        k: float(v) for k, v in task.loss(batch, task.hyperparameters).items()
    }
    logits = np.asarray(
        task.model(batch["image"], training=True)["logits"], np.float64
    )
    labels = np.asarray(batch["label"])
    logp = log_probs(logits)
    rows = np.arange(len(labels))
    if smoothing == "uniform":
        target = np.full(logp.shape, alpha / 10)
        target[rows, labels] += 1 - alpha
    elif smoothing == "others":
        target = np.full(logp.shape, alpha / 9)
        target[rows, labels] = 1 - alpha
    else:
        counts = np.bincount(task.examples("train")["label"], minlength=10)
        target = np.tile(alpha * counts / counts.sum(), (len(labels), 1))
        target[rows, labels] += 1 - alpha
    want = -3.0 * (target * logp).sum()
    assert sums["loss"] == pytest.approx(want, rel=1e-5)
    assert sums["nll"] == pytest.approx(-logp[rows, labels].sum(), rel=1e-5)
    assert sums["accuracy"] == (logits.argmax(-1) == labels).sum()
    assert sums["weight"] == 50
    assert set(task.logged) | {"weight"} == set(sums)


@pytest.fixture
def with_a_head(monkeypatch):
    """Gives the network of a task an auxiliary head, which notes its calls."""
    calls = []

    class Noting(keras.layers.Dense):
        def call(self, inputs, training=None):
            calls.append(training)
            return super().call(inputs)

    def build(spec, data_dir):
        plain = fresh(spec, data_dir)
        x = plain.get_layer("hidden_1").output
        auxiliary = Noting(10, name="auxiliary_logits")(x)
        calls.clear()  # of the building
        outputs = {**plain.output, "auxiliary": auxiliary}
        return keras.Model(plain.input, outputs)

    fresh = classification.build_model
    monkeypatch.setattr(classification, "build_model", build)
    return calls


@pytest.mark.parametrize(("weight", "given"), [(0.4, {}), (0.25, None)])
def test_the_loss_of_an_auxiliary_head_is_weighed(weight, given, with_a_head):
    given = {"train.auxiliary_weight": weight} if given is None else given
    task = make(**{"alpha": 0.1, "train.loss_scale": 3.0, **given})
    _, batch = batch_of(task)
    sums = {
        k: float(v) for k, v in task.loss(batch, task.hyperparameters).items()
    }
    outputs = task.model(batch["image"], training=True)
    labels = np.asarray(batch["label"])
    rows = np.arange(len(labels))
    losses, nlls = [], []
    for name in ("logits", "auxiliary"):
        logp = log_probs(np.asarray(outputs[name], np.float64))
        target = np.full(logp.shape, 0.01)  # both heads are smoothed
        target[rows, labels] += 0.9
        losses.append(-(target * logp).sum())
        nlls.append(-logp[rows, labels].sum())
    want = 3.0 * (losses[0] + weight * losses[1])
    assert sums["loss"] == pytest.approx(want, rel=1e-5)
    # What is logged beside is of the logits alone.
    assert sums["nll"] == pytest.approx(nlls[0], rel=1e-5)
    logits = np.asarray(outputs["logits"])
    assert sums["accuracy"] == (logits.argmax(-1) == labels).sum()


def test_inference_computes_no_auxiliary_head(with_a_head):
    task = make()
    _, batch = batch_of(task)
    task.loss(batch, task.hyperparameters)
    assert with_a_head
    with_a_head.clear()
    stored = {"image": task.examples("report")["image"][:3]}
    found = task.predict(stored)
    assert with_a_head == []
    whole = task.model(stored["image"] / 255.0, training=False)
    assert set(found) == {"logits", "penultimate"}
    for name, value in found.items():
        np.testing.assert_allclose(
            np.asarray(value), np.asarray(whole[name]), atol=1e-6
        )


def test_the_weight_of_a_head_that_is_not_there_is_refused():
    with pytest.raises(SpecError) as caught:
        make(**{"train.auxiliary_weight": 0.3})
    assert str(caught.value) == (
        "train.auxiliary_weight: wanted 0.4, model 'fully_connected' has no "
        "auxiliary head, got 0.3"
    )


def test_weight_zero_changes_no_sum():
    task = make()
    _, batch = batch_of(task)
    weight = np.ones(50, np.float32)
    weight[10:] = 0
    masked = task.loss({**batch, "weight": weight}, task.hyperparameters)
    cut = task.loss({k: v[:10] for k, v in batch.items()}, task.hyperparameters)
    for name, value in masked.items():
        assert float(value) == pytest.approx(float(cut[name]), rel=1e-5)


def test_a_part_of_a_batch_counts_as_a_step():
    # 1297 / 50 = 25.94 batches an epoch
    assert make(**{"train.epochs": 1.0}).total_steps == 26
    assert make(**{"train.epochs": 2.5}).total_steps == math.ceil(64.85)
    assert make(**{"train.steps": 7}).total_steps == 7


def test_predict_is_inference_on_stored_examples():
    task = make(**{"model.options.dropout_rate": 0.5})
    images = task.examples("report")["image"][:4]
    first = task.predict({"image": images})
    again = task.predict({"image": images})
    np.testing.assert_array_equal(first["logits"], again["logits"])
    assert first["logits"].shape == (4, 10)
    assert first["penultimate"].shape == (4, 8)


def test_views_are_predicted_as_training_sees_them():
    task = make(**{"data.augmentation": "shift2"})
    draws, batch = batch_of(task, step=2)
    index, shift = draws["index"], draws["shift"]
    trained_on = task.model(batch["image"], training=False)["logits"]
    view = (shift[:, 0] + 2) * 5 + shift[:, 1] + 2
    found = task.predict(task.augmented("train", index, view))["logits"]
    np.testing.assert_allclose(found, trained_on, rtol=1e-5, atol=1e-6)
    # Drawn ones are those of the same generator.
    drawn = task.augmented("train", index, seeds.philox(4))
    np.testing.assert_array_equal(
        drawn["shift"], task._augmentation.draw(seeds.philox(4), 50)["shift"]
    )


def test_one_view_is_the_stored_example():
    task = make()
    assert task.num_views == 1
    batch = task.augmented("report", np.array([3, 3, 0]), np.zeros(3, int))
    images = task.examples("report")["image"][[3, 3, 0]]
    np.testing.assert_allclose(
        task.predict(batch)["logits"],
        task.predict({"image": images})["logits"],
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("index", "view", "says"),
    [
        ([0, 1297], [0, 0], "examples from 0 to 1296 of digits/train, got 0"),
        ([-1], [0], "got -1 to -1"),
        ([5], [25], "views from 0 to 24"),
    ],
)
def test_an_example_or_view_out_of_range_is_refused(index, view, says):
    task = make(**{"data.augmentation": "shift2"})
    with pytest.raises(ValueError, match=says) as caught:
        task.augmented("train", np.array(index), np.array(view))
    assert "\n" not in str(caught.value)


class Network:
    """What computes with a task's model; counts the examples it was given."""

    def __init__(self, task):
        self.task, self.predicted = task, []

    def predict(self, examples):
        self.predicted.append(len(examples["image"]))
        return {
            k: ops.convert_to_numpy(v)
            for k, v in self.task.predict(examples).items()
        }


def test_a_view_computes_a_split_once_and_chosen_examples_each_time():
    task = make()
    network = Network(task)
    view = task.view(network)
    assert isinstance(view, Classifier) and not isinstance(view, Translator)
    whole = view.outputs("report")["logits"]
    assert view.outputs("report")["logits"] is whole
    index = np.array([3, 0])
    few = view.outputs("report", index)["logits"]
    np.testing.assert_allclose(few, whole[index], rtol=1e-6)
    np.testing.assert_allclose(
        view.views("report", index, np.zeros(2, int)), few, rtol=1e-6
    )
    assert network.predicted == [250, 2, 2]
    np.testing.assert_array_equal(
        view.labels("report"), task.examples("report")["label"]
    )
    assert view.class_names == tuple(str(i) for i in range(10))
    assert view.num_views == 1
    assert view.teacher_logits(every_view=False) is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"per_class": 500}, "wanted 500 examples"),
        ({"classes": (0, 1, 12)}, "wanted classes from 0 to 9, got 12"),
        ({"classes": (0, 1, 1)}, "3 different classes"),
        ({"clases": (0, 1, 2)}, "clases"),
    ],
)
def test_an_evaluator_that_would_fail_is_refused_before(options, says):
    task = make()
    evaluator = EvaluatorSpec("penultimate", options=options)
    with pytest.raises(ValueError, match=says):
        measure.check(evaluator, task.view(Network(task)))


def test_an_evaluator_of_translations_is_refused():
    task = make()
    with pytest.raises(
        SpecError,
        match="translation measures translators, this .* trains classifiers$",
    ):
        measure.check(EvaluatorSpec("translation"), task.view(Network(task)))


def test_a_teacher_is_refused():
    from ls_tf.spec import TeacherSpec

    spec = dataclasses.replace(fc_digits.SPEC, teacher=TeacherSpec("fc_digits"))
    with pytest.raises(SpecError, match="takes no teacher"):
        classification.build(spec, data_dir=None, teacher=None)
