"""Evaluators on a model whose outputs are made by hand."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from ls_tf.analysis import temperature
from ls_tf.evaluators import (
    classification,
    penultimate,
    reliability,
    token_calibration,
)
from ls_tf.experiments import fc_digits


class Made:
    """Logits that are over-confident by a known temperature."""

    spec = fc_digits.SPEC
    class_names = tuple("01234")

    def __init__(self, temperature=2.0, n=4000):
        rng = np.random.default_rng(0)
        self.by_role = {}
        for role in ("train", "calibrate", "report"):
            honest = 2 * rng.standard_normal((n, 5))
            probs = np.exp(honest) / np.exp(honest).sum(-1, keepdims=True)
            labels = (probs.cumsum(-1) > rng.random((n, 1))).argmax(-1)
            self.by_role[role] = (
                labels.astype(np.int32),
                (temperature * honest).astype(np.float32),
                rng.standard_normal((n, 4)).astype(np.float32)
                + 5 * np.eye(5, 4)[labels],
            )
        inputs = keras.Input((4,))
        logits = keras.layers.Dense(5, name="logits")(inputs)
        self.model = keras.Model(inputs, logits)
        self.model.get_layer("logits").kernel.assign(np.eye(4, 5))

    def labels(self, role):
        return self.by_role[role][0]

    def outputs(self, role, index=None):
        _, logits, last = self.by_role[role]
        index = slice(None) if index is None else index
        return {
            "logits": logits[index],
            "penultimate": last[index],
        }


@pytest.fixture(scope="module")
def made():
    return Made()


def test_every_example_counts_once(made):
    for module in (classification, reliability):
        assert module.Evaluator("report")(made).count == 4000


def test_the_known_temperature_is_found(made):
    found = reliability.Evaluator("report")(made).scalars
    # The true one is 2; 4,000 examples leave some 3 % of doubt.
    assert found["temperature"] == pytest.approx(2.0, rel=0.06)
    assert found["temperature"] == found["temperature_by_nll"]
    assert found["temperature_at_bound"] == 0
    assert found["temperature_held_out"] == pytest.approx(2.0, rel=0.1)
    assert found["signed_calibration_error"] > 0.05  # over-confident
    assert found["ece_scaled"] < 0.03 < found["ece"]
    assert found["nll_scaled"] < found["nll"]
    assert found["ece_held_out_scaled"] < 0.04 < found["ece_held_out"]
    assert found["accuracy"] == found["accuracy_scaled"]


def test_the_criterion_chooses_the_diagram(made):
    by_nll = reliability.Evaluator("report")(made)
    by_ece = reliability.Evaluator("report", criterion="ece")(made)
    assert by_ece.scalars["temperature"] == by_nll.scalars["temperature_by_ece"]
    assert by_ece.scalars["ece_scaled"] == by_nll.scalars["ece_scaled_by_ece"]


def test_the_closed_side_of_the_bins_reaches_every_fit(made, monkeypatch):
    edges = []
    fit = temperature.fit
    monkeypatch.setattr(
        temperature,
        "fit",
        lambda *a, **kw: edges.append(kw["edge"]) or fit(*a, **kw),
    )
    reliability.Evaluator("report", edge="right")(made)
    assert edges == ["right"] * 3  # by NLL, by ECE, held out
    labels, logits, _ = made.by_role["report"]
    tokens = SimpleNamespace(logits=lambda role, first: (logits, labels))
    token_calibration.Evaluator("report", edge="right")._temperatures(tokens)
    assert edges == ["right"] * 5


def test_the_fit_uses_the_calibrate_split_alone(made):
    other = Made(temperature=2.0)
    other.by_role["report"] = made.by_role["report"]
    other.by_role["calibrate"] = Made(temperature=5.0).by_role["calibrate"]
    found = reliability.Evaluator("report")(other).scalars
    assert found["temperature"] == pytest.approx(5.0, rel=0.06)


def test_the_diagram_adds_up(made):
    found = reliability.Evaluator("report")(made)
    for suffix, name in (("", "ece"), ("_scaled", "ece_scaled")):
        count = found.arrays[f"bin_count{suffix}"]
        gap = np.abs(
            found.arrays[f"bin_confidence{suffix}"]
            - found.arrays[f"bin_accuracy{suffix}"]
        )
        assert count.sum() == 4000
        ece = np.nansum(count * gap) / count.sum()
        assert ece == pytest.approx(found.scalars[name], abs=1e-12)


def test_classification_numbers_by_hand(made):
    labels, logits, _ = made.by_role["report"]
    found = classification.Evaluator("report")(made).scalars
    assert found["accuracy"] == np.mean(logits.argmax(-1) == labels)
    assert found["error"] == pytest.approx(1 - found["accuracy"])
    assert found["top5_accuracy"] == 1


def test_penultimate_projects_the_chosen_classes(made):
    found = penultimate.Evaluator("report", (0, 1, 2), per_class=50)(made)
    assert found.count == 300
    for role in ("train", "report"):
        points = found.arrays[f"{role}_points"]
        labels = found.arrays[f"{role}_labels"]
        assert points.shape == (150, 2)
        assert np.bincount(labels).tolist() == [50, 50, 50]
    # Templates are unit vectors here: their sides are sqrt(2).
    corners = found.arrays["templates"]
    for a, b in ((0, 1), (1, 2), (2, 0)):
        side = np.linalg.norm(corners[a] - corners[b])
        assert side == pytest.approx(np.sqrt(2), rel=1e-6)
    # The clusters stand 5 times as far apart as the templates.
    assert found.scalars["report_scale"] == pytest.approx(5 * 2**0.5, rel=0.1)
    assert found.scalars["report_side_spread"] < 0.1


def test_penultimate_repeats(made):
    first = penultimate.Evaluator("report", per_class=50)(made)
    again = penultimate.Evaluator("report", per_class=50)(made)
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])


def test_penultimate_with_bias_uses_the_constant(made):
    bias = made.model.get_layer("logits").bias
    bias.assign(np.array([3.0, 0, 0, 0, 0], np.float32))
    try:
        evaluator = penultimate.Evaluator("report", per_class=50, use_bias=True)
        found = evaluator(made)
    finally:
        bias.assign(np.zeros(5, np.float32))
    corners = found.arrays["templates"]
    side = np.linalg.norm(corners[0] - corners[1])
    assert side == pytest.approx(np.sqrt(2 + 9), rel=1e-6)
