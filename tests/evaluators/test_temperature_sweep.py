"""The sweep over temperatures, on logits made by hand."""

import math

import numpy as np
import pytest

from ls_tf.evaluators import classification, reliability, temperature_sweep
from ls_tf.experiments import fc_digits
from ls_tf.spec import SpecError


class Logits:
    """A trained model of which only logits and labels are asked."""

    spec = fc_digits.SPEC

    def __init__(self, logits, labels):
        self._logits = np.asarray(logits, np.float32)
        self._labels = np.asarray(labels, np.int32)

    def labels(self, role):
        return self._labels

    def outputs(self, role, index=None):
        return {"logits": self._logits}


def over_confident(temperature, n=4000):
    """Labels drawn from softmax(z); the logits are temperature * z."""
    rng = np.random.default_rng(0)
    honest = 2 * rng.standard_normal((n, 5))
    probs = np.exp(honest) / np.exp(honest).sum(-1, keepdims=True)
    labels = (probs.cumsum(-1) > rng.random((n, 1))).argmax(-1)
    return Logits(temperature * honest, labels)


def sweep(trained, **options):
    return temperature_sweep.Evaluator("report", **options)(trained)


def test_two_examples_by_hand():
    # Margins of 3 and 1; the second answer is wrong. One bin holds both.
    trained = Logits([[3, 0], [1, 0]], [0, 1])
    grid = (0.5, 1.0, 2.0)
    found = sweep(trained, temperatures=grid, num_bins=1)
    for i, t in enumerate(grid):
        nll = (math.log1p(math.exp(-3 / t)) + math.log1p(math.exp(1 / t))) / 2
        sure = (1 / (1 + math.exp(-3 / t)) + 1 / (1 + math.exp(-1 / t))) / 2
        assert found.arrays["nll"][i] == pytest.approx(nll, rel=1e-6)
        assert found.arrays["ece"][i] == pytest.approx(sure - 0.5, rel=1e-6)
    np.testing.assert_array_equal(found.arrays["accuracy"], [0.5] * 3)
    np.testing.assert_array_equal(found.arrays["temperatures"], grid)
    assert found.count == 2
    # The colder, the surer of a half that is right by chance.
    assert found.scalars["temperature_of_best_ece"] == 2.0
    assert found.scalars["best_ece"] == found.arrays["ece"][2]


def test_the_default_grid_is_geometric_and_holds_one():
    grid = sweep(over_confident(1.0)).arrays["temperatures"]
    assert len(grid) >= 9
    assert (grid[0], grid[-1]) == pytest.approx((0.5, 4.0))
    np.testing.assert_allclose(grid[1:] / grid[:-1], 2 ** (1 / 3))
    assert 1.0 in grid and 2.0 in grid


def test_the_known_temperature_has_the_best_nll_and_ece():
    found = sweep(over_confident(2.0)).scalars
    assert found["temperature_of_best_nll"] == 2.0
    assert found["temperature_of_best_ece"] == 2.0
    assert found["best_ece"] < 0.03


def test_at_temperature_one_it_is_the_classification():
    trained = over_confident(2.0)
    found = sweep(trained, temperatures=(1.0,))
    plain = classification.Evaluator("report")(trained).scalars
    for name in ("nll", "ece", "accuracy"):
        assert found.arrays[name][0] == plain[name]


def test_no_temperature_beats_the_fitted_one():
    trained = over_confident(3.0)
    fitted = reliability.Evaluator("report")(trained).scalars
    found = sweep(trained, temperatures=tuple(np.linspace(2, 4, 41).tolist()))
    assert found.scalars["best_nll"] >= fitted["nll_scaled"]
    assert found.scalars["temperature_of_best_nll"] == pytest.approx(
        fitted["temperature"], abs=0.05
    )


def test_a_scale_of_the_logits_is_a_temperature():
    plain = sweep(over_confident(1.0), temperatures=(0.5, 1.0, 2.0))
    scaled = sweep(over_confident(4.0), temperatures=(2.0, 4.0, 8.0))
    for name in ("nll", "ece", "accuracy"):
        np.testing.assert_allclose(
            plain.arrays[name], scaled.arrays[name], rtol=1e-5, atol=1e-7
        )


def test_when_hot_every_class_is_as_likely():
    found = sweep(over_confident(1.0), temperatures=(1e6,))
    assert found.arrays["nll"][0] == pytest.approx(math.log(5), rel=1e-4)
    # The answers stay, the confidence is 1/5.
    accuracy = found.arrays["accuracy"][0]
    assert found.arrays["ece"][0] == pytest.approx(accuracy - 0.2, abs=1e-4)


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ((), "wanted one or more, got none"),
        ((0.0, 1.0), "more than 0, got 0.0 among 0, 1"),
        ((1.0, -2.0), "more than 0, got -2.0 among 1, -2"),
        ((1.0, math.inf), "finite and more than 0, got inf"),
        ((1.0, math.nan), "finite and more than 0, got nan"),
        ((1.0, 2.0, 2.0), "greater than the one before, got 1, 2, 2"),
        ((2.0, 1.0), "greater than the one before, got 2, 1"),
    ],
)
def test_a_bad_grid_is_one_line(grid, says):
    with pytest.raises(SpecError, match=says) as error:
        temperature_sweep.Evaluator("report", temperatures=grid)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("module", "options", "says"),
    [
        (temperature_sweep, {"num_bins": 0}, "num_bins: wanted 1 or more"),
        (temperature_sweep, {"edge": "both"}, "got 'both'; existing: left"),
        (classification, {"num_bins": -1}, "num_bins: wanted 1 or more"),
        (reliability, {"num_bins": 0}, "num_bins: wanted 1 or more"),
        (reliability, {"edge": "lft"}, "did you mean 'left'"),
        (reliability, {"criterion": "brier"}, "got 'brier'; existing: ece"),
    ],
)
def test_bad_bins_and_criteria_are_one_line(module, options, says):
    with pytest.raises(SpecError, match=says) as error:
        module.Evaluator("report", **options)
    assert "\n" not in str(error.value)
