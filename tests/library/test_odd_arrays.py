"""Tests of ls_tf: arrays that a user has, but not as they were meant."""

import warnings

import ml_dtypes
import numpy as np
import pytest
from arrays_of_frameworks import Tensor

from ls_tf import calibration, distillation, geometry, losses, temperature
from ls_tf.analysis import given

GENERATOR = np.random.default_rng(4)
LABELS = GENERATOR.integers(0, 5, 60)
LOGITS = np.round(8 * GENERATOR.normal(size=(60, 5))) / 4
PROBS = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
KERNEL = GENERATOR.normal(size=(7, 5))
FEATURES = KERNEL.T[LABELS] + 0.1 * GENERATOR.normal(size=(60, 7))
HIDDEN = np.arange(60) % 2 == 0


@pytest.mark.parametrize(
    "arrays",
    [
        {"logits": np.ma.masked_array(LOGITS, mask=LOGITS > 2)},
        {"labels": np.ma.masked_array(LABELS, mask=HIDDEN)},
        {"weight": np.ma.masked_array(np.ones(60), mask=HIDDEN)},
        {"mask": np.ma.masked_array(np.ones(60, bool), mask=HIDDEN)},
    ],
)
def test_masked_values_are_refused_for_they_would_count(arrays):
    given_ = {"logits": LOGITS, "labels": LABELS} | arrays
    with pytest.raises(ValueError, match="without masked values"):
        calibration.ece(**given_)


def test_a_masked_array_that_masks_nothing_is_taken():
    whole = np.ma.masked_array(LOGITS, mask=np.zeros(LOGITS.shape, bool))
    assert calibration.ece(whole, LABELS) == calibration.ece(LOGITS, LABELS)


def test_what_a_file_kept_of_bfloat16_is_refused_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", a=LOGITS.astype(ml_dtypes.bfloat16))
    with pytest.raises(ValueError, match=r"logits as real numbers.*V2"):
        calibration.ece(np.load(tmp_path / "a.npz")["a"], LABELS)


def test_lists_of_tensors_are_taken():
    found = given.array([Tensor(row) for row in LOGITS], "logits")
    np.testing.assert_array_equal(found, LOGITS)


class _Turned(Tensor):
    """A part of a conjugate: PyTorch wants it resolved first."""

    def cpu(self):
        return self

    def detach(self):
        return self

    def numpy(self):
        raise RuntimeError("Can't call numpy() on Tensor with negative bit")

    def resolve_neg(self):
        return Tensor(self._values, ("detach", "cpu"))


def test_parts_of_conjugates_are_taken():
    assert given.array(_Turned([1.0, 2.0]), "x").tolist() == [1.0, 2.0]


@pytest.mark.parametrize("kind", ["float64", "float16", "bfloat16"])
def test_probabilities_of_any_precision_are_noticed(kind):
    rows = PROBS.astype(getattr(ml_dtypes, kind, kind))
    with pytest.warns(calibration.ProbabilityWarning):
        calibration.ece(rows, LABELS)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, bool])
def test_answers_in_place_of_logits_are_noticed(kind):
    with pytest.warns(calibration.ProbabilityWarning):
        calibration.ece(np.eye(5, dtype=kind)[LABELS], LABELS)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: calibration.ece(PROBS, LABELS),
        lambda: calibration.interval(calibration.ece, PROBS, LABELS),
        lambda: temperature.fit(PROBS, LABELS),
        lambda: temperature.apply(PROBS, 2),
        lambda: temperature.fit_vector(LOGITS, LABELS).apply(PROBS),
        lambda: distillation.soft_targets(PROBS, 2.0),
        lambda: distillation.packed(LABELS, PROBS),
        lambda: losses.numpy_loss("focal", PROBS, LABELS),
    ],
)
def test_the_line_that_gave_probabilities_is_named(ask):
    with pytest.warns(calibration.ProbabilityWarning) as found:
        ask()
    assert {warning.filename for warning in found} == {__file__}


def test_probabilities_that_are_said_are_scaled_as_their_logits():
    for scale in (
        temperature.fit_vector(LOGITS, LABELS).apply,
        lambda rows, **how: temperature.apply(rows, 2.5, **how),
        lambda rows, **how: distillation.packed(LABELS, rows, **how)[:, 1:],
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = scale(PROBS, from_probabilities=True)
        np.testing.assert_allclose(
            distillation.soft_targets(found, 1.0),
            distillation.soft_targets(scale(np.log(PROBS)), 1.0),
            rtol=1e-5,
        )


def test_a_temperature_may_be_of_any_framework():
    wanted = LOGITS / 2
    for number in (2, np.float32(2), np.array(2.0), Tensor(2.0)):
        found = temperature.apply(Tensor(LOGITS), number)
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, wanted)
    with pytest.raises(ValueError, match="one temperature"):
        temperature.apply(LOGITS, np.array([2.0]))


def test_isotonic_curves_take_the_sequences_that_they_were_fitted_on():
    rows, ids = LOGITS.reshape(6, 10, 5), LABELS.reshape(6, 10)
    found = temperature.fit_isotonic(rows, ids).apply(rows)
    flat = temperature.fit_isotonic(LOGITS, LABELS).apply(LOGITS)
    np.testing.assert_array_equal(found, flat.reshape(6, 10, 5))


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: calibration.ece(LOGITS, np.eye(5)[LABELS]), "argmax"),
        (lambda: calibration.ece(LOGITS, LABELS[:, None]), "last axis"),
        (lambda: calibration.ece(LOGITS[:0], LABELS[:0]), "an example"),
        (lambda: calibration.ece(LOGITS[:, :0], LABELS), "a class or more"),
        (lambda: temperature.fit(LOGITS, LABELS, bounds=3), "two bounds"),
        (lambda: _interval("ece"), "a function"),
        (lambda: _interval(calibration.summary), "gives a number, got dict"),
        (lambda: _interval(calibration.reliability), "got Bins"),
        (lambda: _interval(calibration.ece, bin=3), "argument 'bin'"),
        (lambda: _interval(calibration.ece, seed=-1), "seed of 0"),
        (
            lambda: _interval(calibration.debiased_ece, weight=np.ones(60)),
            "debiased_ece: got an unexpected keyword argument 'weight'",
        ),
        (lambda: _project(classes=3), "three different classes"),
        (lambda: _project(bias=np.full(5, np.nan)), "finite bias"),
        (lambda: geometry.distances(FEATURES, KERNEL * np.nan), "weights"),
        (lambda: geometry.collapse(FEATURES * 1e200, LABELS), "1e\\+100"),
        (lambda: distillation.packed(LABELS, LOGITS * np.inf), "finite"),
        (lambda: distillation.packed(LABELS, LOGITS * 1e39 + 1e39), "finite"),
        (lambda: losses.numpy_loss(["focal"], LOGITS, LABELS), "no loss"),
        (lambda: _smoothed("x"), "alpha as real numbers"),
        (lambda: _smoothed(None), "alpha as real numbers"),
        (lambda: _smoothed(np.full(60, 0.1)), "alpha as one number"),
        (lambda: _matched(LOGITS * np.nan), "teacher's logits"),
        (lambda: _disturbed(2**31), "draws from 0 to 2147483647"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(ask, said):
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match=said) as error,
    ):
        ask()
    assert "\n" not in str(error.value)


def _interval(measure, **options):
    return calibration.interval(measure, LOGITS, LABELS, **options)


def _project(**options):
    return geometry.project(
        FEATURES, LABELS, KERNEL, **{"classes": (0, 1, 2), **options}
    )


def _smoothed(alpha):
    return losses.numpy_loss("label_smoothing", LOGITS, LABELS, alpha=alpha)


def _matched(teacher):
    return losses.numpy_loss(
        "logit_matching",
        LOGITS,
        LABELS,
        teacher_logits=teacher,
        beta=0.5,
        over_logits="sum",
    )


def _disturbed(word):
    draws = np.full((60, 2), word)
    return losses.numpy_loss(
        "disturb_label", LOGITS, LABELS, alpha=0.1, draws=draws
    )


@pytest.mark.parametrize(
    "classes", [{0, 1, 2}, np.arange(3, dtype=np.uint8), Tensor([0, 1, 2])]
)
def test_classes_may_be_a_set_or_an_array(classes):
    np.testing.assert_array_equal(
        _project(classes=classes).points, _project().points
    )


@pytest.mark.parametrize("bias", [None, np.arange(5.0)])
def test_distances_keep_their_digits_far_from_the_origin(bias):
    far = geometry.distances(FEATURES + 1e8, KERNEL + 1e8, bias=bias)
    gap = FEATURES[:, :, None] - KERNEL[None]
    more = 0 if bias is None else (1 - bias) ** 2
    wanted = np.sqrt((gap**2).sum(axis=1) + more)
    np.testing.assert_allclose(far, wanted, atol=1e-6)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.float16])
def test_small_types_do_not_overflow(kind):
    rows, kernel = (100 + 20 * FEATURES).astype(kind), (9 * KERNEL).astype(kind)
    wide = rows.astype(float), kernel.astype(float)
    np.testing.assert_array_equal(
        geometry.distances(rows, kernel), geometry.distances(*wide)
    )
    found = geometry.collapse(rows, LABELS.astype(np.uint8), kernel)
    assert found == geometry.collapse(wide[0], LABELS, wide[1])
