"""Calibration errors by hand, at limits and against slow references."""

import math

import numpy as np
import pytest
from sklearn import calibration as sk_calibration
from sklearn import metrics as sk_metrics

from ls_tf.analysis import calibration, outputs, probabilities, scores

NUM_BINS = 15
KEYS = {
    "accuracy",
    "error",
    "top5_accuracy",
    "nll",
    "brier",
    "ece",
    "mce",
    "rms_calibration_error",
    "signed_calibration_error",
    "classwise_ece",
    "equal_mass_ece",
    "confidence",
}


def _slow_bins(confidence, correct, num_bins, edge):
    """One example at a time, comparing with k / B and nothing else."""
    members = [[] for _ in range(num_bins)]
    for value, hit in zip(confidence, correct, strict=True):
        for b in range(num_bins):
            low, high = b / num_bins, (b + 1) / num_bins
            if edge == "left":
                inside = low <= value < high or (
                    b == num_bins - 1 and value == 1.0
                )
            else:
                inside = low < value <= high or (b == 0 and value == 0.0)
            if inside:
                members[b].append((value, hit))
    assert sum(map(len, members)) == len(confidence)
    return members


def _slow_gaps(members):
    total = sum(map(len, members))
    for rows in members:
        if rows:
            confidence = sum(value for value, _ in rows) / len(rows)
            accuracy = sum(hit for _, hit in rows) / len(rows)
            yield len(rows) / total, confidence - accuracy


def _random_logits(seed, rows=400, classes=7, scale=2.0):
    rng = np.random.default_rng(seed)
    logits = scale * rng.normal(size=(rows, classes))
    labels = np.array(
        [
            rng.choice(classes, p=row)
            for row in probabilities.softmax(logits / 2)
        ]
    )
    return logits, labels


@pytest.fixture(name="awkward")
def _awkward():
    """Confidences that sit on edges, beside edges, at 0 and at 1."""
    edges = [k / NUM_BINS for k in range(NUM_BINS + 1)]
    near = [math.nextafter(value, 0.0) for value in edges]
    near += [math.nextafter(value, 1.0) for value in edges]
    rng = np.random.default_rng(3)
    confidence = np.array(edges + near + list(rng.random(200)))
    return confidence, rng.random(confidence.size) < confidence


@pytest.mark.parametrize("edge", ["left", "right"])
def test_bins_match_slow_loop_on_edges(awkward, edge):
    confidence, correct = awkward
    diagram = calibration.bins(confidence, correct, edge=edge)
    members = _slow_bins(confidence, correct, NUM_BINS, edge)
    assert diagram.count.tolist() == [len(rows) for rows in members]
    gaps = list(_slow_gaps(members))
    assert calibration.expected_calibration_error(diagram) == pytest.approx(
        sum(share * abs(gap) for share, gap in gaps), abs=1e-14
    )
    assert calibration.maximum_calibration_error(diagram) == pytest.approx(
        max(abs(gap) for _, gap in gaps), abs=1e-14
    )
    assert calibration.rms_calibration_error(diagram) == pytest.approx(
        math.sqrt(sum(share * gap**2 for share, gap in gaps)), abs=1e-14
    )
    assert calibration.signed_calibration_error(diagram) == pytest.approx(
        np.mean(confidence) - np.mean(correct), abs=1e-14
    )


@pytest.mark.parametrize("num_bins", [1, 2, 10, 15, 49, 100])
def test_each_edge_falls_on_its_own_side(num_bins):
    confidence = np.array([k / num_bins for k in range(num_bins + 1)])
    correct = np.ones(num_bins + 1)
    left = calibration.bins(
        confidence, correct, num_bins=num_bins, edge="left"
    ).count
    right = calibration.bins(
        confidence, correct, num_bins=num_bins, edge="right"
    ).count
    # k / B opens bin k ("left") or closes bin k - 1 ("right"); the outermost
    # values have only one bin to go to.
    assert left.tolist() == [1] * (num_bins - 1) + [2]
    assert right.tolist() == [2] + [1] * (num_bins - 1)


@pytest.mark.parametrize("edge", ["left", "right"])
def test_confidence_one_shares_the_last_bin(edge):
    # One right answer at 1.0, one wrong at 0.95: one bin, so the gaps are
    # averaged before the absolute value; two bins would give 0.475.
    diagram = calibration.bins([1.0, 0.95], [True, False], edge=edge)
    assert diagram.count.tolist() == [0] * (NUM_BINS - 1) + [2]
    assert calibration.expected_calibration_error(diagram) == pytest.approx(
        (1.0 + 0.95) / 2 - 1 / 2
    )


def test_bins_by_hand():
    # Five bins: .1 and .15 in bin 0, .9 in bin 4.
    diagram = calibration.bins([0.1, 0.15, 0.9], [0, 1, 1], num_bins=5)
    nan = math.nan
    np.testing.assert_allclose(diagram.edges, [k / 5 for k in range(6)])
    np.testing.assert_allclose(diagram.count, [2, 0, 0, 0, 1])
    np.testing.assert_allclose(
        diagram.confidence, [(0.1 + 0.15) / 2, nan, nan, nan, 0.9]
    )
    np.testing.assert_allclose(diagram.accuracy, [1 / 2, nan, nan, nan, 1.0])
    gaps = (1 / 2 - (0.1 + 0.15) / 2, 1 - 0.9)
    assert calibration.expected_calibration_error(diagram) == pytest.approx(
        2 / 3 * gaps[0] + 1 / 3 * gaps[1]
    )
    assert calibration.signed_calibration_error(diagram) == pytest.approx(
        -(2 / 3 * gaps[0] + 1 / 3 * gaps[1])
    )
    assert calibration.maximum_calibration_error(diagram) == pytest.approx(
        gaps[0]
    )


def test_bins_match_scikit_learn():
    rng = np.random.default_rng(0)
    confidence = rng.random(1000)
    correct = rng.random(1000) < confidence**2
    diagram = calibration.bins(confidence, correct, edge="right")
    accuracy, mean = sk_calibration.calibration_curve(
        correct, confidence, n_bins=NUM_BINS, strategy="uniform"
    )
    np.testing.assert_allclose(diagram.accuracy, accuracy)
    np.testing.assert_allclose(diagram.confidence, mean)


def test_limits_of_the_errors():
    sure = np.ones(8)
    for correct, expected in ((1, 0.0), (0, 1.0)):
        diagram = calibration.bins(sure, np.full(8, correct))
        for error in (
            calibration.expected_calibration_error,
            calibration.maximum_calibration_error,
            calibration.rms_calibration_error,
            calibration.signed_calibration_error,
        ):
            assert error(diagram) == expected
        assert calibration.equal_mass_ece(sure, np.full(8, correct)) == expected
    one = calibration.bins([0.3, 0.9], [1, 0], num_bins=1)
    assert calibration.expected_calibration_error(one) == pytest.approx(
        abs((0.3 + 0.9) / 2 - 1 / 2)
    )


def test_sign_is_positive_when_over_confident():
    over = calibration.bins([0.9] * 4, [1, 0, 0, 0])
    under = calibration.bins([0.3] * 4, [1, 1, 1, 0])
    assert calibration.signed_calibration_error(over) == pytest.approx(
        0.9 - 1 / 4
    )
    assert calibration.signed_calibration_error(under) == pytest.approx(
        0.3 - 3 / 4
    )


def test_errors_are_ordered(awkward):
    diagram = calibration.bins(*awkward)
    ece = calibration.expected_calibration_error(diagram)
    rms = calibration.rms_calibration_error(diagram)
    assert ece <= rms <= calibration.maximum_calibration_error(diagram)
    assert abs(calibration.signed_calibration_error(diagram)) <= ece


def test_equal_mass_matches_sorted_chunks():
    rng = np.random.default_rng(1)
    confidence = rng.random(60)
    correct = rng.random(60) < 0.5
    order = np.argsort(confidence)
    expected = 0.0
    for chunk in np.array_split(order, 15):
        gap = np.mean(confidence[chunk]) - np.mean(correct[chunk])
        expected += len(chunk) / 60 * abs(gap)
    assert calibration.equal_mass_ece(confidence, correct) == pytest.approx(
        expected
    )


def test_equal_mass_shares_the_boundary():
    # Three examples, two bins of mass 1.5: the middle one counts half in
    # each. Bin 0: .2 and half of .4, bin 1: half of .4 and .9.
    halves = (0.2 + 0.4 / 2 - 1 / 2, 0.4 / 2 - 1 / 2 + 0.9 - 1)
    assert calibration.equal_mass_ece(
        [0.2, 0.4, 0.9], [0, 1, 1], num_bins=2
    ) == pytest.approx(sum(map(abs, halves)) / 3)


def test_equal_mass_does_not_see_the_order_of_ties():
    confidence = np.repeat([0.3, 0.6, 0.9], 7)
    correct = np.arange(21) % 2 == 0
    expected = calibration.equal_mass_ece(confidence, correct, 4)
    rng = np.random.default_rng(2)
    for _ in range(5):
        order = rng.permutation(21)
        assert calibration.equal_mass_ece(
            confidence[order], correct[order], 4
        ) == pytest.approx(expected, abs=1e-14)


def test_equal_mass_with_a_bin_per_example():
    confidence, correct = np.array([0.1, 0.5, 0.7]), np.array([0, 1, 1])
    assert calibration.equal_mass_ece(confidence, correct, 3) == pytest.approx(
        np.mean(np.abs(confidence - correct))
    )


@pytest.mark.parametrize("edge", ["left", "right"])
def test_classwise_matches_one_against_rest(edge):
    logits, labels = _random_logits(5)
    probs = probabilities.softmax(logits)
    errors = []
    for k in range(probs.shape[1]):
        members = _slow_bins(probs[:, k], labels == k, NUM_BINS, edge)
        errors.append(sum(s * abs(g) for s, g in _slow_gaps(members)))
    assert calibration.classwise_ece(probs, labels, edge=edge) == pytest.approx(
        np.mean(errors)
    )


def test_classwise_of_constant_base_rates_is_zero():
    labels = np.array([0, 0, 1, 2])
    probs = np.tile([2 / 4, 1 / 4, 1 / 4], (4, 1))
    assert calibration.classwise_ece(probs, labels) == pytest.approx(
        0.0, abs=1e-15
    )


def test_brier_by_hand_and_at_limits():
    probs, labels = [[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], [0, 1]
    assert scores.brier_score(probs, labels) == pytest.approx(
        (
            ((1 - 0.5) ** 2 + 0.3**2 + 0.2**2)
            + (0.1**2 + (1 - 0.1) ** 2 + 0.8**2)
        )
        / 2
    )
    assert scores.brier_score(np.eye(3), [0, 1, 2]) == 0
    assert scores.brier_score(np.eye(3), [1, 2, 0]) == 2
    assert scores.brier_score(np.full((1, 4), 1 / 4), [2]) == pytest.approx(
        (1 - 1 / 4) ** 2 + 3 / 4**2
    )


def test_scores_match_scikit_learn():
    logits, labels = _random_logits(6)
    probs = probabilities.softmax(logits)
    classes = np.arange(logits.shape[1])
    assert scores.brier_score(probs, labels) == pytest.approx(
        sk_metrics.brier_score_loss(
            labels, probs, labels=classes, scale_by_half=False
        )
    )
    assert scores.nll(logits, labels) == pytest.approx(
        sk_metrics.log_loss(labels, probs, labels=classes)
    )
    assert scores.accuracy(logits, labels) == pytest.approx(
        sk_metrics.accuracy_score(labels, logits.argmax(axis=1))
    )
    for k in range(1, 7):
        assert scores.top_k_accuracy(logits, labels, k) == pytest.approx(
            sk_metrics.top_k_accuracy_score(labels, logits, k=k, labels=classes)
        )


def test_weighted_scores_match_scikit_learn():
    logits, labels = _random_logits(7)
    weight = np.random.default_rng(7).random(len(labels))
    probs = probabilities.softmax(logits)
    classes = np.arange(logits.shape[1])
    assert scores.nll(logits, labels, weight) == pytest.approx(
        sk_metrics.log_loss(labels, probs, labels=classes, sample_weight=weight)
    )
    assert scores.brier_score(probs, labels, weight) == pytest.approx(
        sk_metrics.brier_score_loss(
            labels,
            probs,
            labels=classes,
            scale_by_half=False,
            sample_weight=weight,
        )
    )
    assert scores.top_k_accuracy(logits, labels, 2, weight) == pytest.approx(
        sk_metrics.top_k_accuracy_score(
            labels, logits, k=2, labels=classes, sample_weight=weight
        )
    )


def test_top_k_limits_and_ties():
    logits = np.zeros((4, 4))
    labels = np.arange(4)
    # All tied: classes rank by id, so k of the four labels are hits.
    for k in range(1, 4):
        assert scores.top_k_accuracy(logits, labels, k) == k / 4
    assert scores.top_k_accuracy(logits, labels, 4) == 1
    assert scores.top_k_accuracy(logits, labels, 9) == 1
    assert scores.accuracy(logits, labels) == np.mean(
        logits.argmax(axis=1) == labels
    )


def test_nll_by_hand():
    # softmax([0, ln 3]) = [1/4, 3/4].
    logits = [[0.0, math.log(3)], [0.0, math.log(3)]]
    assert scores.nll(logits, [0, 1]) == pytest.approx(
        (math.log(4) + math.log(4 / 3)) / 2
    )
    assert scores.nll(np.zeros((2, 5)), [0, 4]) == pytest.approx(math.log(5))


def test_log_softmax_and_softmax():
    logits = np.array([[1000.0, 0.0, -1000.0], [0.0, 0.0, math.log(2)]])
    np.testing.assert_allclose(
        probabilities.log_softmax(logits),
        [[0, -1000, -2000], [-math.log(4), -math.log(4), math.log(2 / 4)]],
    )
    np.testing.assert_allclose(
        probabilities.softmax(logits), [[1, 0, 0], [1 / 4, 1 / 4, 2 / 4]]
    )
    np.testing.assert_allclose(
        probabilities.softmax([0.0, math.log(9)], temperature=2.0),
        [1 / (1 + 3), 3 / (1 + 3)],
    )
    np.testing.assert_allclose(
        probabilities.softmax(logits + 7.0), probabilities.softmax(logits)
    )
    assert probabilities.softmax(np.zeros((2, 3, 4))).shape == (2, 3, 4)
    np.testing.assert_allclose(
        probabilities.softmax([3.0, 1.0, -2.0], temperature=1e9), [1 / 3] * 3
    )


def test_confidence_and_correct():
    logits, labels = _random_logits(8)
    confidence, correct = probabilities.confidence_and_correct(
        logits, labels, temperature=1.7
    )
    probs = probabilities.softmax(logits, temperature=1.7)
    np.testing.assert_array_equal(confidence, probs.max(axis=1))
    np.testing.assert_array_equal(correct, probs.argmax(axis=1) == labels)


def test_padding_changes_nothing():
    logits, labels = _random_logits(9, rows=50)
    padded = np.concatenate([logits, np.full((3, 7), np.nan)])
    padded_labels = np.concatenate([labels, [-1, 99, 0]])
    weight = np.concatenate([np.ones(50), np.zeros(3)])
    assert calibration.summary(
        padded, padded_labels, weight=weight
    ) == calibration.summary(logits, labels)
    confidence, correct = probabilities.confidence_and_correct(
        padded, padded_labels, weight=weight
    )
    assert np.isnan(confidence[50:]).all() and not correct[50:].any()
    with_padding = calibration.bins(confidence, correct, weight=weight)
    without = calibration.bins(confidence[:50], correct[:50])
    np.testing.assert_array_equal(with_padding.count, without.count)


def test_integer_weights_are_copies():
    logits, labels = _random_logits(10, rows=60)
    weight = np.random.default_rng(10).integers(0, 4, 60)
    copied = calibration.summary(
        np.repeat(logits, weight, axis=0), np.repeat(labels, weight)
    )
    weighted = calibration.summary(logits, labels, weight=weight)
    assert weighted == pytest.approx(copied, abs=1e-12)


def test_order_shift_and_blocks_change_nothing(monkeypatch):
    logits, labels = _random_logits(11)
    expected = calibration.summary(logits, labels)
    order = np.random.default_rng(0).permutation(len(labels))
    assert calibration.summary(logits[order], labels[order]) == pytest.approx(
        expected, abs=1e-12
    )
    shift = np.random.default_rng(1).normal(size=(len(labels), 1))
    assert calibration.summary(logits + shift, labels) == pytest.approx(
        expected, abs=1e-9
    )
    monkeypatch.setattr(outputs, "_BLOCK_ELEMENTS", 40)
    assert calibration.summary(logits, labels) == pytest.approx(
        expected, abs=1e-12
    )


def test_summary_agrees_with_its_parts():
    logits, labels = _random_logits(12)
    weight = np.random.default_rng(12).random(len(labels))
    got = calibration.summary(
        logits, labels, num_bins=10, edge="right", weight=weight
    )
    assert set(got) == KEYS
    assert all(type(value) is float for value in got.values())
    probs = probabilities.softmax(logits)
    confidence, correct = probabilities.confidence_and_correct(logits, labels)
    diagram = calibration.bins(
        confidence, correct, num_bins=10, edge="right", weight=weight
    )
    accuracy = scores.accuracy(logits, labels, weight)
    assert got == pytest.approx(
        {
            "accuracy": accuracy,
            "error": 1 - accuracy,
            "top5_accuracy": scores.top_k_accuracy(logits, labels, 5, weight),
            "nll": scores.nll(logits, labels, weight),
            "brier": scores.brier_score(probs, labels, weight),
            "ece": calibration.expected_calibration_error(diagram),
            "mce": calibration.maximum_calibration_error(diagram),
            "rms_calibration_error": calibration.rms_calibration_error(diagram),
            "signed_calibration_error": (
                np.average(confidence, weights=weight) - accuracy
            ),
            "classwise_ece": calibration.classwise_ece(
                probs, labels, 10, "right", weight
            ),
            "equal_mass_ece": calibration.equal_mass_ece(
                confidence, correct, 10, weight
            ),
            "confidence": np.average(confidence, weights=weight),
        }
    )


def test_few_classes_and_few_labels():
    # Three classes of which the labels name two: nothing is inferred.
    got = calibration.summary(np.zeros((4, 3)), [0, 1, 0, 1])
    assert got["top5_accuracy"] == 1
    assert got["confidence"] == pytest.approx(1 / 3)
    assert got["ece"] == pytest.approx(2 / 4 - 1 / 3)
    one = calibration.summary(np.zeros((2, 1)), [0, 0])
    assert one["accuracy"] == one["confidence"] == 1 and one["ece"] == 0


def test_half_precision_is_computed_in_float64():
    logits, labels = _random_logits(13)
    half = logits.astype(np.float16)
    assert calibration.summary(half, labels) == calibration.summary(
        half.astype(np.float64), labels
    )


@pytest.mark.parametrize(
    "value", [-1e-9, 1.0000001, math.nan, math.inf], ids=str
)
def test_confidence_outside_the_unit_interval_is_refused(value):
    with pytest.raises(ValueError, match="confidences in \\[0, 1\\]"):
        calibration.bins([0.5, value], [1, 1])
    with pytest.raises(ValueError, match="confidences in \\[0, 1\\]"):
        calibration.equal_mass_ece([0.5, value], [1, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: calibration.bins([], []), "N of 1 or more"),
        (lambda: calibration.bins([0.1], [1, 0]), "shapes"),
        (lambda: calibration.bins([0.1], [0.5]), "0 and 1"),
        (lambda: calibration.bins([0.1], [1], num_bins=0), "num_bins"),
        (lambda: calibration.bins([0.1], [1], edge="up"), "'left' or"),
        (lambda: calibration.bins([0.1], [1], weight=[0]), "positive weight"),
        (lambda: calibration.bins([0.1], [1], weight=[-1]), "0 or more"),
        (lambda: calibration.bins([0.1], [1], weight=[1, 1]), "weights \\[1"),
        (lambda: scores.nll(np.zeros((0, 3)), []), "N, K of 1"),
        (lambda: scores.nll(np.zeros(3), [0]), "\\[N, K\\]"),
        (lambda: scores.nll(np.zeros((2, 3)), [0]), "labels \\[2\\]"),
        (lambda: scores.nll(np.zeros((1, 3)), [3]), "from 0 to 2"),
        (lambda: scores.nll(np.zeros((1, 3)), [-1]), "from 0 to 2"),
        (lambda: scores.nll(np.zeros((1, 3)), [0.0]), "integer labels"),
        (lambda: scores.nll([[0, math.nan]], [0]), "finite logits"),
        (lambda: scores.nll([[0, -math.inf]], [0]), "finite logits"),
        (lambda: scores.brier_score([[2.0, -1]], [0]), "\\[0, 1\\]"),
        (lambda: scores.brier_score([[0.9, 0.9]], [0]), "sum to 1"),
        (lambda: calibration.classwise_ece([[3.0, 1]], [0]), "\\[0, 1\\]"),
        (lambda: scores.top_k_accuracy([[1.0, 2]], [0], 0), "k of 1"),
        (lambda: probabilities.softmax([1.0], temperature=0.0), "positive"),
        (lambda: probabilities.softmax([1.0], temperature=-1.0), "positive"),
        (lambda: probabilities.softmax([]), "K of 1 or more"),
        (lambda: probabilities.log_softmax([math.inf, 0]), "finite logits"),
        (lambda: calibration.summary([[0.0, 1]], [2]), "from 0 to 1"),
    ],
)
def test_bad_input_is_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_diagram_without_examples_is_refused():
    nothing = np.full(1, np.nan)
    diagram = calibration.Bins(np.arange(2.0), np.zeros(1), nothing, nothing)
    with pytest.raises(ValueError, match="not empty"):
        calibration.expected_calibration_error(diagram)
