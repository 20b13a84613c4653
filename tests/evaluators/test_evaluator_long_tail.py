"""Many, medium and few-shot classes: by hand, and on a real tail."""

import math
import types

import numpy as np
import pytest

from ls_tf.evaluators import long_tail
from ls_tf.experiments import fc_digits
from ls_tf.measuring import measure
from ls_tf.spec import EvaluatorSpec, SpecError, override
from ls_tf.tasks import classification

# Of 101, 100, 20, 19 and 0 training examples; the last is never asked.
TRAIN = np.repeat([0, 1, 2, 3], [101, 100, 20, 19])
ASKED = np.array([0, 0, 0, 1, 1, 2, 3, 3])
ANSWERS = np.array([0, 0, 1, 1, 4, 2, 2, 3])
KERNEL = np.array([[3.0, 0, 1, 0, 2], [4.0, 2, 0, 0.5, 0]])


class Answers:
    """A trained model of which only outputs, labels and weights are asked."""

    class_names = tuple("abcde")
    model = types.SimpleNamespace(
        get_layer=lambda name: types.SimpleNamespace(kernel=KERNEL)
    )

    def labels(self, role):
        return TRAIN if role == "train" else ASKED

    def outputs(self, role, index=None):
        return {"logits": np.eye(5, dtype=np.float32)[ANSWERS]}


def test_by_hand():
    found = long_tail.Evaluator("report")(Answers())
    assert found.count == 8
    scalars = found.scalars
    # Norms are 5, 2, 1, .5 and 2.
    assert scalars["accuracy_many"] == pytest.approx(2 / 3)
    assert scalars["accuracy_medium"] == pytest.approx(2 / 3)
    assert scalars["accuracy_few"] == pytest.approx(1 / 2)
    assert [scalars[f"classes_{g}"] for g in ("many", "medium", "few")] == [
        1,
        2,
        2,
    ]
    assert scalars["weight_norm_many"] == 5
    assert scalars["weight_norm_medium"] == 1.5
    assert scalars["weight_norm_few"] == 1.25
    assert scalars["weight_norm"] == pytest.approx(2.1)
    assert scalars["accuracy_balanced"] == pytest.approx(
        (2 / 3 + 1 / 2 + 1 + 1 / 2) / 4
    )
    # Ranks of the norms: 5, 3.5, 2, 1, 3.5; of the counts: 5, 4, 3, 2, 1.
    ranks = np.array([[5, 3.5, 2, 1, 3.5], [5, 4, 3, 2, 1]])
    assert scalars["weight_norm_order"] == pytest.approx(
        np.corrcoef(ranks)[0, 1]
    )
    np.testing.assert_array_equal(
        found.arrays["class_counts"], [101, 100, 20, 19, 0]
    )
    np.testing.assert_allclose(
        found.arrays["class_accuracy"], [2 / 3, 0.5, 1, 0.5, math.nan]
    )
    np.testing.assert_allclose(found.arrays["weight_norms"], [5, 2, 1, 0.5, 2])


def test_logits_that_are_not_finite_have_no_accuracy():
    class Broken(Answers):
        def outputs(self, role, index=None):
            logits = np.eye(5, dtype=np.float32)[ANSWERS]
            logits[0] = math.nan
            return {"logits": logits}

    with pytest.raises(ValueError, match="wanted finite logits, got NaN"):
        long_tail.Evaluator("report")(Broken())


def test_other_groups_and_one_that_is_empty():
    found = long_tail.Evaluator("report", many=100, few=1)(Answers())
    assert found.scalars["classes_medium"] == 3
    assert found.scalars["classes_few"] == 1
    assert math.isnan(found.scalars["accuracy_few"])  # never asked
    found = long_tail.Evaluator("report", many=101, few=1)(Answers())
    assert math.isnan(found.scalars["weight_norm_many"])


@pytest.mark.parametrize(
    ("options", "says"),
    [({"few": 0}, "few: wanted 1 or more"), ({"many": 19}, "many: wanted 20")],
)
def test_groups_that_cannot_be(options, says):
    with pytest.raises(SpecError, match=says):
        long_tail.Evaluator("report", **options)


def test_on_a_network_of_a_tail():
    spec = override(
        fc_digits.SPEC,
        {
            "model.options.hidden": (8,),
            "train.steps": 1,
            "data.tail_power": 6.0,
            "data.tail_largest": 120,
        },
    )
    task = classification.build(spec, data_dir=None)

    class Network:
        def predict(self, examples):
            found = task.predict({"image": examples["image"]})
            return {k: np.asarray(v) for k, v in found.items()}

    view = task.view(Network())
    options = {"many": 50, "few": 10}
    evaluator = EvaluatorSpec("long_tail", "report", options=options)
    measure.check(evaluator, view)
    found = measure.measure(evaluator, view)
    counts = np.bincount(task.labels("train"))
    np.testing.assert_array_equal(found.arrays["class_counts"], counts)
    assert found.scalars["classes_many"] == (counts > 50).sum()
    labels = task.labels("report")
    few = np.isin(labels, np.flatnonzero(counts < 10))
    answers = view.outputs("report")["logits"].argmax(-1)
    assert few.sum() > 20
    assert found.scalars["accuracy_few"] == pytest.approx(
        (answers == labels)[few].mean()
    )
