"""Tests of ls_tf.calibration, and of arrays that are given to the library."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from arrays_of_frameworks import Exchanged, Tensor

import ls_tf
from ls_tf import calibration
from ls_tf.analysis import given

# Four answers of two classes: confidences .9, .9, .6, .6; right: 1, 0, 1, 1.
PROBS = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
LOGITS = np.log(PROBS)
LABELS = np.array([0, 1, 0, 1])
# Bins of .9: |.9 - .5| of half the examples; of .6: |.6 - 1| of the others.
ECE = 0.5 * 0.4 + 0.5 * 0.4


def logits_of(seed=0, count=300, classes=5):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    logits = generator.normal(size=(count, classes))
    logits[np.arange(count), labels] += 1.5
    return logits, labels


def test_scores_of_four_answers_by_hand():
    assert calibration.ece(LOGITS, LABELS) == pytest.approx(ECE)
    assert calibration.accuracy(LOGITS, LABELS) == 0.75
    wanted = -np.log([0.9, 0.1, 0.6, 0.6]).mean()
    assert calibration.nll(LOGITS, LABELS) == pytest.approx(wanted)
    squares = 2 * np.array([0.1, 0.9, 0.4, 0.4]) ** 2
    assert calibration.brier(LOGITS, LABELS) == pytest.approx(squares.mean())
    assert calibration.equal_mass_ece(LOGITS, LABELS, bins=2) == (
        pytest.approx(ECE)
    )
    # One class against the rest: the gaps are the same for both classes.
    # p of class 0: .9 (1, 0), .6 (1), .4 (0): |1.8 - 1| + .4 + .4, over 4.
    assert calibration.classwise_ece(LOGITS, LABELS) == pytest.approx(0.4)


def test_an_edge_moves_a_confidence_that_lies_on_it():
    # Equal logits have the confidence 1/2 exactly, the middle edge of two
    # bins; .9 is in the upper one. Left: one bin of (.5, wrong), (.9, right).
    logits, labels = [[0.0, 0.0], LOGITS[0]], [1, 0]
    options = {"bins": 2, "edge": "left"}
    assert calibration.ece(logits, labels, **options) == pytest.approx(0.2)
    options["edge"] = "right"
    assert calibration.ece(logits, labels, **options) == pytest.approx(0.3)


@pytest.mark.parametrize(
    "measure",
    [
        calibration.ece,
        calibration.nll,
        calibration.brier,
        calibration.accuracy,
        calibration.classwise_ece,
        calibration.equal_mass_ece,
    ],
)
def test_a_whole_weight_counts_like_copies(measure):
    logits, labels = logits_of()
    weight = np.random.default_rng(1).integers(0, 3, len(labels))
    copied = np.repeat(np.arange(len(labels)), weight)
    assert measure(logits, labels, weight=weight) == pytest.approx(
        measure(logits[copied], labels[copied])
    )


@pytest.mark.parametrize(
    "name", [n for n in calibration.__all__ if n.endswith(("ece", "nll"))]
)
def test_what_is_masked_may_be_anything(name):
    measure = getattr(calibration, name)
    logits, labels = logits_of()
    padded = np.concatenate([logits, np.full((7, 5), np.nan)])
    ids = np.concatenate([labels, np.full(7, -1)])
    mask = np.arange(len(ids)) < len(labels)
    assert measure(padded, ids, mask=mask) == measure(logits, labels)
    sequence = padded.reshape(1, -1, 5), ids[None]
    assert measure(*sequence, mask=mask[None]) == measure(logits, labels)


def test_estimates_are_those_of_the_confidences():
    from ls_tf.analysis import calibration_bias

    logits, labels = logits_of()
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answers = probs.max(axis=1), probs.argmax(axis=1) == labels
    assert calibration.smooth_ece(logits, labels) == pytest.approx(
        calibration_bias.smooth_ece(*answers)
    )
    assert calibration.debiased_ece(logits, labels, bins=10) == pytest.approx(
        calibration_bias.debiased_ece(*answers, 10)
    )
    squared = calibration.debiased_squared_error(logits, labels, bins=10)
    assert squared == pytest.approx(
        calibration_bias.debiased_squared_error(*answers, 10)
    )
    assert squared < calibration.ece(logits, labels)
    assert calibration.summary(logits, labels)["ece"] == pytest.approx(
        calibration.ece(logits, labels)
    )


def test_an_interval_is_the_basic_one_of_the_accuracy():
    logits, labels = logits_of(count=2000)
    low, high = calibration.interval(
        calibration.accuracy, logits, labels, resamples=400, level=0.9
    )
    share = calibration.accuracy(logits, labels)
    # The normal interval of a share.
    half = 1.645 * np.sqrt(share * (1 - share) / 2000)
    assert low == pytest.approx(share - half, abs=0.004)
    assert high == pytest.approx(share + half, abs=0.004)
    again = calibration.interval(
        calibration.accuracy, logits, labels, resamples=400, level=0.9
    )
    assert (low, high) == again


def test_probabilities_are_noticed_and_can_be_said():
    with pytest.warns(calibration.ProbabilityWarning, match="from_prob"):
        calibration.nll(PROBS, LABELS)
    said = calibration.nll(PROBS, LABELS, from_probabilities=True)
    assert said == pytest.approx(calibration.nll(LOGITS, LABELS))
    zero = calibration.nll([[1.0, 0.0]], [1], from_probabilities=True)
    assert 700 < zero < 800  # and not infinite: of float64
    with pytest.raises(ValueError, match="sum to 1"):
        calibration.nll([[0.5, 0.1]], [0], from_probabilities=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibration.nll([[0.5, 0.1]], [0])


@pytest.mark.parametrize("kind", ["list", "torch", "dlpack", "jax", "tf"])
def test_arrays_of_all_frameworks_give_the_same(kind):
    logits, labels = (
        a.astype(t)
        for a, t in zip(logits_of(), (np.float32, np.int32), strict=True)
    )
    wanted = calibration.ece(logits, labels)
    if kind == "list":
        make = np.ndarray.tolist
    elif kind == "torch":
        make = Tensor
    elif kind == "dlpack":
        make = Exchanged
    elif kind == "jax":
        make = pytest.importorskip("jax.numpy").asarray
    else:
        make = pytest.importorskip("tensorflow").constant
    found = calibration.ece(make(logits), make(labels))
    assert found == pytest.approx(wanted, abs=1e-7)


def test_half_precision_of_another_kind_is_taken():
    jnp = pytest.importorskip("jax.numpy")
    found = given.array(jnp.asarray([1.5, 2.0], "bfloat16"), "x")
    assert found.dtype == np.float32
    assert found.tolist() == [1.5, 2.0]


@pytest.mark.parametrize(
    ("logits", "labels", "options", "said"),
    [
        (LOGITS, LABELS[:3], {}, "shapes"),
        (LOGITS, LABELS + 1, {}, "labels from 0 to 1"),
        (LOGITS, LABELS * 1.0, {}, "integer labels"),
        (LOGITS * np.nan, LABELS, {}, "finite"),
        (LOGITS, LABELS, {"mask": [True]}, "mask of shape"),
        (LOGITS, LABELS, {"mask": [2, 1, 1, 1]}, "True and False"),
        (LOGITS, LABELS, {"weight": [-1, 1, 1, 1]}, "0 or more"),
        (LOGITS, LABELS, {"mask": [False] * 4}, "positive weight"),
        (LOGITS, LABELS, {"edge": "both"}, "edge"),
        ([[1.0], [2.0, 3.0]], [0, 1], {}, "as an array"),
        ([["a", "b"]], [0], {}, "real numbers"),
        (object(), [0], {}, "logits"),
    ],
)
def test_bad_input_is_one_line(logits, labels, options, said):
    with pytest.raises(ValueError, match=said) as error:
        calibration.ece(logits, labels, **options)
    assert "\n" not in str(error.value)


def test_asking_for_a_number_imports_no_framework():
    program = """
import sys
import numpy as np
import ls_tf
ls_tf.calibration.ece(np.eye(3) * 2, [0, 1, 1])
ls_tf.temperature.fit(np.eye(3) * 2, [0, 1, 1])
ls_tf.geometry.collapse(np.eye(3), [0, 1, 1])
ls_tf.distillation.soft_targets(np.eye(3) * 2, 2.0)
ls_tf.losses.numpy_loss("focal", np.eye(3) * 2, [0, 1, 1])
ls_tf.decoding.beam_search(
    lambda ids, position, state: (np.ones((len(ids), 3)), state),
    max_lengths=[2],
)
heavy = {"keras", "tensorflow", "jax", "matplotlib", "sklearn", "pandas",
    "etils", "absl", "torch"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_verdict_without_a_page_imports_no_framework():
    program = """
import sys
import numpy as np
import ls_tf
logits = 2 * np.random.default_rng(0).normal(size=(40, 3))
ls_tf.analyze({"logits": logits, "labels": np.arange(40) % 3}, resamples=10)
heavy = {"keras", "tensorflow", "jax", "matplotlib", "sklearn", "pandas"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_what_is_public_is_listed_and_nothing_else_is_there():
    assert {"calibration", "temperature", "geometry"} <= set(dir(ls_tf))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ls_tf.nonsense  # noqa: B018
