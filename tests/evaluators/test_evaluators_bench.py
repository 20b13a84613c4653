"""The evaluators of the bench: by hand, and on a real network's view."""

import math
import types

import numpy as np
import pytest

from ls_tf.analysis import calibration, neural_collapse, probabilities
from ls_tf.evaluators import (
    calibration_intervals,
    linear_transfer,
    out_of_distribution,
    selective,
)
from ls_tf.evaluators import neural_collapse as collapse
from ls_tf.experiments import fc_digits
from ls_tf.measuring import measure
from ls_tf.spec import EvaluatorSpec, SpecError, override
from ls_tf.tasks import classification

LABELS = np.array([0, 1, 1, 0], np.int32)
# Right by 4, right by 3, wrong by 2, right by 1.
LOGITS = np.array([[4, 0], [0, 3], [2, 0], [1, 0]], np.float32)


class Answers:
    """A trained model of which only outputs and labels are asked."""

    spec = fc_digits.SPEC
    class_names = ("zero", "one")

    def image_shape(self):
        return (8, 8, 1)

    def labels(self, role):
        return LABELS

    def outputs(self, role, index=None):
        return {"logits": LOGITS, "penultimate": LOGITS + 1}

    def outputs_of(self, images):
        assert images.dtype == np.uint8 and images.shape[1:] == (8, 8, 1)
        # Logits of 0 or 1, and the mean pixel of each image.
        mean = images.mean(axis=(1, 2, 3))[:, None]
        return {
            "logits": np.concatenate([mean > 127, 0 * mean], 1),
            "penultimate": mean,
        }

    def other_data(self, name, split):
        assert name in ("digits", "npz:a/b.npz")
        images = np.zeros((40, 8, 8, 1), np.uint8)
        images[::2] = 200
        return {"image": images, "label": np.arange(40) % 2}

    model = types.SimpleNamespace(
        get_layer=lambda name: types.SimpleNamespace(
            kernel=np.array([[1.0, -1.0], [-1.0, 1.0]])
        )
    )


def test_selective_by_hand():
    class Three(Answers):
        def outputs(self, role, index=None):
            rows = [[4, 0, 3], [0, 3, 1], [2.6, 1, 0], [1, 0, 0]]
            return {"logits": np.array(rows, np.float32)}

    found = selective.Evaluator("report")(Three())
    # Sure by .95, 1.7, 1.3 (wrong) and .3; so the risks are 0, 1/2, 1/3, 1/4.
    assert found.scalars["aurc"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert found.scalars["excess_aurc"] == pytest.approx((1 / 2 + 1 / 3) / 4)
    assert found.scalars["risk_at_80"] == pytest.approx(1 / 4)
    # 5/sqrt 78, 5/sqrt 42, .75 (wrong), 2/sqrt 6: the error comes third.
    normalised = found.scalars["aurc_normalised"]
    assert normalised == pytest.approx((1 / 3 + 1 / 4) / 4)
    assert found.arrays["risk"].shape == (100,)
    assert found.arrays["risk"][49] == pytest.approx(1 / 2)
    assert found.arrays["risk_normalised"][49] == 0
    assert found.arrays["coverage"][49] == 0.5
    assert found.count == 4


def test_intervals_are_about_the_estimates():
    how = calibration_intervals.Evaluator("report", resamples=50)
    found = how(Answers()).scalars
    probs = probabilities.softmax(LOGITS)
    want = calibration.summary(LOGITS, LABELS)
    for name in ("ece", "equal_mass_ece", "classwise_ece"):
        assert found[name] == pytest.approx(want[name])
    sure = probs.max(1)
    # By rising confidence right, wrong, right, right: three bins rise with
    # 1/2, 1, 1; four would fall.
    low = np.sort(sure)
    gaps = abs(low[:2].sum() - 1), 1 - low[2], 1 - low[3]
    assert found["monotone_sweep_ece"] == pytest.approx(sum(gaps) / 4)
    names = [k for k in found if not k.endswith(("_low", "_high"))]
    assert len(names) == 6
    for name in names:
        assert found[f"{name}_low"] <= found[f"{name}_high"]
    assert how(Answers()).scalars == found  # drawn from the run's seed


def test_collapse_by_hand():
    found = collapse.Evaluator("train")(Answers()).scalars
    rows = LOGITS + 1.0
    assert found["nc1"] == pytest.approx(neural_collapse.nc1(rows, LABELS))
    # Two classes are always a regular simplex.
    assert found["nc2_means"] == pytest.approx(0, abs=1e-12)
    assert found["nc2_templates"] == pytest.approx(0, abs=1e-12)
    gaps = [4, 3, -2, 1]
    assert found["logit_gap"] == pytest.approx(np.mean(gaps))
    assert found["logit_gap_std"] == pytest.approx(np.std(gaps))
    # alpha of .1 and two classes: .95 against .05.
    assert found["logit_gap_at_minimum"] == pytest.approx(math.log(19))
    hard = Answers()
    hard.spec = override(fc_digits.SPEC, {"alpha": 0})
    found = collapse.Evaluator("train")(hard).scalars
    assert "logit_gap_at_minimum" not in found


def test_foreign_images_by_hand():
    how = out_of_distribution.Evaluator("report", ("digits",), 20)
    found = how(Answers())
    # Own confidences 4, 3, 2, 1; foreign ones 1 and 0, ten each: of 80 pairs
    # ten are ties.
    assert found.scalars["auroc_confidence_digits"] == (70 + 5) / 80
    assert found.count == 4
    # The user's own set is called by its file's name, wherever that lies.
    how = out_of_distribution.Evaluator("report", ("npz:a/b.npz",), 20)
    same = how(Answers()).scalars["auroc_confidence_npz:b.npz"]
    assert same == found.scalars["auroc_confidence_digits"]
    noise = out_of_distribution.Evaluator("report", ("noise",), 50)
    again = noise(Answers()).scalars
    assert again == noise(Answers()).scalars
    assert 0 < again["auroc_energy_noise"] <= 1


def test_a_probe_elsewhere_by_hand():
    found = linear_transfer.Evaluator("report", "digits", 30)(Answers())
    assert found.scalars == {"accuracy": 1.0, "accuracy_of_pixels": 1.0}
    assert found.count == 30


@pytest.fixture(scope="module")
def view():
    """A real network's view, not trained."""
    small = {"model.options.hidden": (8,), "train.steps": 1}
    task = classification.build(override(fc_digits.SPEC, small), data_dir=None)

    class Network:
        def predict(self, examples):
            found = task.predict({"image": examples["image"]})
            return {k: np.asarray(v) for k, v in found.items()}

    return task.view(Network())


@pytest.mark.parametrize(
    ("name", "options", "some"),
    [
        ("selective", {}, "aurc"),
        ("calibration_intervals", {"resamples": 10}, "smooth_ece"),
        ("neural_collapse", {}, "class_separation"),
        (
            "out_of_distribution",
            {"others": ("noise", "digits"), "count": 20},
            "auroc_energy_digits",
        ),
        ("linear_transfer", {"count": 100}, "accuracy"),
    ],
)
def test_a_network_is_measured(view, name, options, some):
    evaluator = EvaluatorSpec(name, "report", options=options)
    measure.check(evaluator, view)
    found = measure.measure(evaluator, view)
    assert math.isfinite(found.scalars[some])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: selective.Evaluator("report", 0.5), "order: wanted 1"),
        (
            lambda: calibration_intervals.Evaluator("report", resamples=5),
            "resamples: wanted 10 or more, got 5",
        ),
        (
            lambda: calibration_intervals.Evaluator("report", level=1.0),
            "level: wanted more than 0 and less than 1, got 1.0",
        ),
        (
            lambda: out_of_distribution.Evaluator(
                "report", ("npz:a/b.npz", "npz:c/b.npz")
            ),
            "wanted different data sets, got npz:a/b.npz, npz:c/b.npz",
        ),
        (
            lambda: out_of_distribution.Evaluator("report", ()),
            "others: wanted different data sets, got none",
        ),
        (
            lambda: linear_transfer.Evaluator("report", strength=0.0),
            "strength: wanted more than 0",
        ),
    ],
)
def test_options_that_cannot_be(make, message):
    with pytest.raises(SpecError, match=message):
        make()


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        (
            EvaluatorSpec("out_of_distribution", options={"others": ("mnis",)}),
            "no data set 'mnis'; .*did you mean 'mnist'",
        ),
        (
            EvaluatorSpec("linear_transfer", options={"data": "numbers_ende"}),
            "wanted a data set of images",
        ),
    ],
)
def test_data_that_is_not_there_is_refused_before_the_training(
    view, evaluator, message
):
    with pytest.raises(SpecError, match=message):
        measure.check(evaluator, view)
