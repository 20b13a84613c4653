"""Information, smoothness and stability on a model that is made by hand."""

import dataclasses
import math
import types

import numpy as np
import pytest

from ls_tf.analysis import mutual_information, smoothness, stability
from ls_tf.evaluators import (
    mutual_information as information,
)
from ls_tf.evaluators import (
    mutual_information_exact as exact,
)
from ls_tf.evaluators import (
    smoothness as smooth,
)
from ls_tf.evaluators import (
    stability as stable,
)
from ls_tf.experiments import fc_digits, fc_digits_student
from ls_tf.spec import SpecError, override

VIEWS, CLASSES, EXAMPLES = 6, 4, 200


class Made:
    """Logits that are the example's own plus what the view adds."""

    num_views: int | None = VIEWS
    class_names = ("ant", "bee", "cat", "dog")
    spec = fc_digits.SPEC

    def __init__(self, spread=3.0, noise=1.0):
        rng = np.random.default_rng(0)
        self.label = np.arange(EXAMPLES, dtype=np.int32) % CLASSES
        own = spread * rng.standard_normal((EXAMPLES, 1, CLASSES))
        view = noise * rng.standard_normal((EXAMPLES, VIEWS, CLASSES))
        self.every = (own + view).astype(np.float32)
        self.asked = []
        self.points = rng.standard_normal((EXAMPLES, 3)).astype(np.float32)
        self.points += 4 * np.eye(CLASSES, 3, dtype=np.float32)[self.label]
        kernel = rng.standard_normal((3, CLASSES)).astype(np.float32)
        layer = types.SimpleNamespace(
            kernel=types.SimpleNamespace(numpy=lambda: kernel), bias=None
        )
        self.model = types.SimpleNamespace(get_layer=lambda name: layer)
        self.table = None

    def labels(self, role):
        return self.label

    def outputs(self, role, index=None):
        return {"logits": self.every[:, 0], "penultimate": self.points}

    def views(self, role, index, view):
        if isinstance(view, np.random.Generator):
            view = view.integers(0, VIEWS, len(index))
        self.asked.append((index, view))
        return self.every[index, view]

    def teacher_logits(self, *, every_view):
        if self.table is None or not every_view:
            return None if self.table is None else self.table[:, 2:3]
        return self.table


@pytest.fixture
def made():
    return Made()


# --- Mutual information -----------------------------------------------------

PAIR = {"role": "train", "classes": (0, "dog"), "per_class": 30}


def test_the_examples_are_of_the_two_classes(made):
    found = information.Evaluator(**PAIR, mc_samples=5)(made)
    assert found.count == 60
    index, labels = found.arrays["index"], found.arrays["labels"]
    assert labels.tolist() == [0] * 30 + [3] * 30
    np.testing.assert_array_equal(made.label[index], labels)
    assert len(set(index.tolist())) == 60
    assert found.arrays["samples"].shape == (60, 5)
    assert found.scalars["limit"] == pytest.approx(math.log(60))
    assert found.scalars["bias"] == pytest.approx(0.5 * math.log(5 / 4))


def test_every_measurement_of_a_run_is_of_the_same_views(made):
    first = information.Evaluator(**PAIR)(made)
    again = information.Evaluator(**PAIR)(made)
    for a, b in zip(*made.asked, strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.scalars == again.scalars
    other = Made()
    other.spec = override(fc_digits.SPEC, {"seed": 1})
    information.Evaluator(**PAIR)(other)
    assert not np.array_equal(made.asked[0][0], other.asked[0][0])


def test_the_numbers_are_those_of_the_samples(made):
    found = information.Evaluator(**PAIR, mc_samples=4)(made)
    index, view = made.asked[0]
    np.testing.assert_array_equal(index.reshape(60, 4)[:, 0], index[::4])
    logits = made.every[index, view].astype(np.float64)
    samples = (logits[:, 0] - logits[:, 3]).reshape(60, 4)
    np.testing.assert_allclose(found.arrays["samples"], samples, rtol=1e-6)
    values = found.scalars
    how = mutual_information
    assert values["information"] == pytest.approx(how.estimate(samples))
    assert values["information_one_view"] == pytest.approx(
        how.estimate(samples, averaged="one")
    )
    assert values["information_sigma_by_class"] == pytest.approx(
        how.estimate(samples, groups=found.arrays["labels"])
    )
    assert values["information_less_bias"] == pytest.approx(
        values["information"] - 0.5 * math.log(4 / 3)
    )
    assert values["information_as_printed"] == pytest.approx(
        how.estimate_as_printed(samples)
    )
    residual = samples - samples.mean(axis=1, keepdims=True)
    assert values["sigma"] == pytest.approx(np.sqrt(np.mean(residual**2)))
    assert values["sigma_second"] == pytest.approx(
        np.sqrt(np.mean(residual[30:] ** 2))
    )


def test_the_exact_one_takes_every_view_once(made, monkeypatch):
    monkeypatch.setattr(exact, "_ROWS", 50)  # parts of eight examples
    found = exact.Evaluator(**PAIR)(made)
    assert found.count == 60
    index = found.arrays["index"]
    # The same examples as those of the estimate.
    estimate = information.Evaluator(**PAIR)(made)
    np.testing.assert_array_equal(index, estimate.arrays["index"])
    logits = made.every[index].astype(np.float64)
    samples = logits[..., 0] - logits[..., 3]
    assert found.scalars["information"] == pytest.approx(
        mutual_information.estimate(samples)
    )
    # Nothing was drawn, so that there is no bias to take off.
    assert "bias" not in found.scalars
    assert "information_less_bias" not in found.scalars
    np.testing.assert_allclose(
        found.arrays["means"], samples.mean(axis=1), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        found.arrays["deviations"], samples.std(axis=1), rtol=1e-5
    )


def test_a_network_that_answers_always_the_same_has_no_number():
    made = Made(spread=0.0, noise=0.0)
    for module in (information, exact):
        found = module.Evaluator(**PAIR)(made).scalars
        assert math.isnan(found["information"])
        assert math.isnan(found["sigma"])
        if module is information:
            assert math.isnan(found["information_less_bias"])
            assert found["bias"] > 0


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        ({}, {"mc_samples": 1}, "2 or more views of each example, got 1"),
        ({"num_views": 1}, {}, "sigma of 0"),
        ({}, {"per_class": 51}, "digits/train: wanted 51 examples of class 0"),
        ({}, {"classes": (0, 0)}, "2 different classes"),
        ({}, {"classes": (0, 1, 2)}, "2 different classes"),
        ({}, {"classes": (0, 4)}, "classes from 0 to 3, got 4"),
        ({}, {"classes": (0, -1)}, "got -1"),
        ({}, {"classes": (0, "dgo")}, "no class 'dgo' in digits.*dog"),
    ],
)
def test_what_cannot_be_measured_is_refused_before(change, options, says):
    made = Made()
    vars(made).update(change)
    given = {**PAIR, **options}
    with pytest.raises(SpecError, match=says) as caught:
        information.Evaluator(**given).check(made)
    assert "\n" not in str(caught.value)
    if "mc_samples" not in options:
        with pytest.raises(SpecError, match=says):
            exact.Evaluator(**given).check(made)


def test_continuous_views_can_be_drawn_but_not_counted(made):
    made.num_views = None
    information.Evaluator(**PAIR).check(made)
    with pytest.raises(SpecError, match="are continuous"):
        exact.Evaluator(**PAIR).check(made)
    made.num_views = VIEWS
    exact.Evaluator(**PAIR).check(made)


# --- Smoothness -------------------------------------------------------------


def taught(made, temperature):
    spec = fc_digits_student.SPEC
    teacher = dataclasses.replace(spec.teacher, teacher_temperature=temperature)
    made.spec = dataclasses.replace(spec, teacher=teacher)
    made.table = (2 * made.every).astype(np.float16)
    return made


def test_a_students_teacher_is_measured_over_every_view(made):
    taught(made, 3.0)
    found = smooth.Evaluator("train", temperatures=(1.0, 3.0))(made)
    assert found.count == EXAMPLES
    assert found.scalars["temperature"] == 3
    want = smoothness.gamma(made.table, made.label, temperature=3.0)
    assert found.scalars["gamma"] == want
    central = smoothness.gamma(made.table[:, 2], made.label, temperature=3.0)
    assert found.scalars["gamma_unaugmented"] == central != want
    assert found.arrays["gamma_unaugmented"][1] == central
    np.testing.assert_array_equal(found.arrays["temperatures"], [1, 3])


def test_without_a_teacher_the_network_itself_is_measured(made):
    found = smooth.Evaluator("report")(made)
    want = smoothness.gamma(made.every[:, 0], made.label, temperature=1.0)
    assert found.scalars == {"temperature": 1.0, "gamma_unaugmented": want}
    curve = found.arrays["gamma_unaugmented"]
    assert len(curve) == 7 and curve[0] == want
    # Hotter answers smooth more.
    assert curve[-1] == pytest.approx(1, abs=0.1)


def test_smoothness_refuses_other_splits_of_a_student(made):
    smooth.Evaluator("report").check(made)
    taught(made, 1.0)
    smooth.Evaluator("train").check(made)
    with pytest.raises(SpecError, match="wanted role train"):
        smooth.Evaluator("report").check(made)
    with pytest.raises(SpecError, match="each greater than the one before"):
        smooth.Evaluator("train", temperatures=(2.0, 1.0))


# --- Stability --------------------------------------------------------------


def test_stability_is_that_of_the_probabilities(made):
    found = stable.Evaluator("report", classes=("bee", 0, 3))(made)
    assert found.count == EXAMPLES
    logits = made.every[:, 0].astype(np.float64)
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for reading in ("std", "variance", "vector"):
        assert found.scalars[f"intra_{reading}"] == pytest.approx(
            stability.intra_class_spread(probs, made.label, reading=reading)
        )
        assert found.scalars[f"inter_{reading}"] == pytest.approx(
            stability.inter_class_spread(probs, made.label, reading=reading)
        )
    assert found.arrays["class_std"].mean() == pytest.approx(
        found.scalars["intra_std"]
    )
    mean = found.arrays["mean_probs"]
    np.testing.assert_allclose(mean.sum(axis=1), 1)
    assert mean[2, 1] == pytest.approx(probs[made.label == 2, 1].mean())
    assert found.arrays["classes"].tolist() == [1, 0, 3]


def test_distances_are_those_on_the_templates_plane(made):
    found = stable.Evaluator("report", classes=(0, 1, 2))(made).scalars
    kernel = made.model.get_layer("logits").kernel.numpy().astype(np.float64)
    corners = kernel.T[:3]
    # Any orthonormal basis of the plane gives the same distances.
    basis, _ = np.linalg.qr((corners[1:] - corners[0]).T)
    centres = [
        (made.points[made.label == k].astype(np.float64) @ basis).mean(axis=0)
        for k in range(3)
    ]
    assert found["dc"] == pytest.approx(np.linalg.norm(centres[0] - centres[1]))
    assert found["d1"] == pytest.approx(np.linalg.norm(centres[2] - centres[0]))
    assert found["d2"] == pytest.approx(np.linalg.norm(centres[2] - centres[1]))


def test_the_bias_is_one_dimension_more(made):
    layer = made.model.get_layer("logits")
    layer.bias = types.SimpleNamespace(
        numpy=lambda: np.array([0.0, 9.0, 0.0, 0.0], np.float32)
    )
    plain = stable.Evaluator("report", classes=(0, 1, 2))(made).scalars
    evaluator = stable.Evaluator("report", classes=(0, 1, 2), use_bias=True)
    with_bias = evaluator(made).scalars
    assert with_bias["dc"] != pytest.approx(plain["dc"])
    assert with_bias["intra_std"] == plain["intra_std"]


def test_stability_refuses_classes_without_examples(made):
    stable.Evaluator("report").check(made)
    with pytest.raises(SpecError, match="3 different classes"):
        stable.Evaluator("report", classes=(0, 1)).check(made)
    made.label = made.label[:5]  # class 0 twice, the others once
    with pytest.raises(SpecError, match="2 or more examples of class 1 in dig"):
        stable.Evaluator("report").check(made)
    made.label = np.repeat(np.array([0, 1, 3], np.int32), 4)
    stable.Evaluator("report", classes=(0, 1, 3)).check(made)
    with pytest.raises(SpecError, match="examples of class 2 .* got 0"):
        stable.Evaluator("report", classes=(0, 1, 2)).check(made)
