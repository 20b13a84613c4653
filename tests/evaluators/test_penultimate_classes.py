"""Classes of a projection by name, and too few examples of one."""

import shlex

import keras
import numpy as np
import pytest

from ls_tf import spec
from ls_tf.data import cifar10, cifar100
from ls_tf.evaluators import penultimate
from ls_tf.experiments import alexnet_cifar10
from ls_tf.measuring import measure
from ls_tf.spec import resolve

NAMES = ("airplane", "automobile", "bird")


class Photographs:
    """Activations at a class's own corner, and labels, of ten classes."""

    spec = alexnet_cifar10.SPEC
    class_names = cifar10.INFO.class_names

    def __init__(self, birds=100):
        counts = [100] * 10
        counts[2] = birds
        self._labels = np.repeat(np.arange(10, dtype=np.int32), counts)
        inputs = keras.Input((10,))
        logits = keras.layers.Dense(10, name="logits")(inputs)
        self.model = keras.Model(inputs, logits)
        self.model.get_layer("logits").kernel.assign(np.eye(10))

    def labels(self, role):
        return self._labels

    def outputs(self, role, index=None):
        labels = self._labels if index is None else self._labels[index]
        return {"penultimate": np.eye(10, dtype=np.float32)[labels]}


def refused(trained, **options):
    with pytest.raises(spec.SpecError) as error:
        penultimate.Evaluator("report", **options).check(trained)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("classes", [NAMES, ("airplane", 1, "bird")])
def test_names_project_as_their_ids(classes):
    trained = Photographs()
    evaluator = penultimate.Evaluator("report", classes=classes)
    evaluator.check(trained)
    by_name = evaluator(trained)
    by_id = penultimate.Evaluator("report", classes=(0, 1, 2))(trained)
    assert by_name.arrays["classes"].tolist() == [0, 1, 2]
    assert by_name.scalars == by_id.scalars
    for name, array in by_id.arrays.items():
        np.testing.assert_array_equal(by_name.arrays[name], array)


def test_the_order_of_the_names_is_kept():
    evaluator = penultimate.Evaluator("report", ("truck", "cat", "dog"))
    found = evaluator(Photographs())
    assert found.arrays["classes"].tolist() == [9, 3, 5]


def test_an_unknown_name_lists_those_there_are():
    message = refused(Photographs(), classes=("airplane", "automobil", "bird"))
    assert "no class 'automobil' in cifar10" in message
    assert "did you mean 'automobile'?" in message
    for name in cifar10.INFO.class_names:
        assert name in message


def test_the_papers_names_are_in_cifar100():
    class Fine(Photographs):
        class_names = cifar100.INFO.class_names

        def labels(self, role):
            return np.repeat(np.arange(100, dtype=np.int32), 100)

    penultimate.Evaluator("report", ("beaver", "dolphin", "otter")).check(
        Fine()
    )


def test_one_class_by_name_and_id_is_no_two():
    message = refused(Photographs(), classes=("airplane", 0, "bird"))
    assert "wanted 3 different classes" in message


def test_too_few_examples_say_where_and_how_many():
    message = refused(Photographs(birds=99), classes=NAMES)
    assert "cifar10/train[:40000]: wanted 100 examples of class 2" in message
    assert message.endswith(
        "got 99; there are enough for --set=evaluators.2.options.per_class=99"
    )
    evaluator = penultimate.Evaluator("report", NAMES, per_class=99)
    evaluator.check(Photographs(birds=99))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("airplane,automobile,bird", NAMES),
        ("airplane, 1 ,bird", ("airplane", 1, "bird")),
        ("0,1,2", (0, 1, 2)),
        ("(0, 1, 2)", (0, 1, 2)),
    ],
)
def test_the_command_line_takes_names_and_ids(text, value):
    path = "evaluators.2.options.classes"
    one = resolve.resolve("alexnet_cifar10", changed={path: text})
    assert one.spec.evaluators[2].options["classes"] == value
    # The command that a record names is read as the same run.
    words = shlex.split(one.command())
    sets = [w.removeprefix("--set=") for w in words if w.startswith("--set=")]
    changed = dict(word.split("=", 1) for word in sets)
    again = resolve.resolve("alexnet_cifar10", changed=changed)
    assert again.digest == one.digest


def test_ids_are_the_declared_run():
    path = "evaluators.2.options.classes"
    plain = resolve.resolve("alexnet_cifar10")
    same = resolve.resolve("alexnet_cifar10", changed={path: "0,1,2"})
    other = resolve.resolve("alexnet_cifar10", changed={path: ",".join(NAMES)})
    assert same.digest == plain.digest
    assert other.folder != plain.folder


def test_what_is_neither_number_nor_name_is_refused():
    path = "evaluators.2.options.classes"
    with pytest.raises(spec.SpecError, match="whole numbers or names"):
        resolve.resolve("alexnet_cifar10", changed={path: (0.5, 1, 2)})


def test_a_layer_without_a_plane_is_refused_before_the_training():
    trained = Photographs()
    inputs = keras.Input((1,))
    logits = keras.layers.Dense(10, name="logits")(inputs)
    trained.model = keras.Model(inputs, logits)
    assert "wanted a penultimate layer of 2 units" in refused(trained)


def test_templates_on_one_line_are_one_line_after_it(monkeypatch):
    # Nothing can be said of them before the network is trained.
    monkeypatch.setattr(measure, "_built", lambda evaluator, _: evaluator_of())

    def evaluator_of():
        return penultimate.Evaluator("report", classes=(0, 1, 2))

    trained = Photographs()
    trained.model.get_layer("logits").kernel.assign(np.ones((10, 10)))
    with pytest.raises(spec.SpecError) as error:
        measure.measure(spec.EvaluatorSpec("penultimate", "report"), trained)
    message = str(error.value)
    assert "penultimate on report cannot measure the network" in message
    assert "three on one line" in message and "\n" not in message
