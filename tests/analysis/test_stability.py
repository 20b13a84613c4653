"""Stability of a network's answers, in three readings."""

import numpy as np
import pytest

from ls_tf.analysis import stability

# Three classes of four examples: the probability of the class itself, and by
# how much the next class has more than half of the rest.
_OWN = ((0.9, 0.8, 0.7, 0.5), (0.8, 0.7, 0.6, 0.4), (0.9, 0.8, 0.8, 0.4))
_MORE = ((0, 0, 0.05, 0.05), (0, 0, 0.05, 0.05), (0, 0, 0, 0))


def printed_case():
    rows, labels = [], []
    for k, (own, more) in enumerate(zip(_OWN, _MORE, strict=True)):
        for p, d in zip(own, more, strict=True):
            row = np.full(3, (1 - p) / 2)
            row[k] = p
            row[(k + 1) % 3] += d
            row[(k + 2) % 3] -= d
            rows.append(row)
            labels.append(k)
    return np.array(rows), np.array(labels)


def test_the_three_readings_are_the_measured_ones():
    probs, labels = printed_case()
    found = {
        reading: stability.intra_class_spread(probs, labels, reading=reading)
        for reading in ("std", "variance", "vector")
    }
    assert found["variance"] == pytest.approx(0.026875, abs=5e-7)
    assert found["vector"] == pytest.approx(0.041146, abs=5e-7)
    assert found["std"] == pytest.approx(0.187767, abs=5e-7)
    # With n in place of n - 1: of four examples, less by sqrt(3 / 4).
    assert found["std"] * np.sqrt(3 / 4) == pytest.approx(0.162611, abs=5e-7)
    assert stability.intra_class_spread(probs, labels) == found["std"]


def test_the_variance_by_hand():
    # .9, .8, .7, .5: mean .725; deviations .175, .075, .025, .225
    probs, labels = printed_case()
    found = stability.class_spreads(probs, labels, reading="variance")
    want = (0.175**2 + 0.075**2 + 0.025**2 + 0.225**2) / 4
    assert found[0] == pytest.approx(want)
    assert found.shape == (3,)


def test_inter_class_readings_by_hand():
    # Means of two classes: (.8, .2) and (.4, .6).
    probs = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.4, 0.6]])
    labels = np.array([0, 0, 1, 1])
    found = {
        reading: stability.inter_class_spread(probs, labels, reading=reading)
        for reading in ("std", "variance", "vector")
    }
    # Own means .8 and .6, their mean .7.
    assert found["variance"] == pytest.approx(0.1**2)
    assert found["std"] == pytest.approx(np.sqrt(2 * 0.1**2 / 1))
    # Both vectors are .2 from (.6, .4) in each of two directions.
    assert found["vector"] == pytest.approx(2 * 0.2**2)


def test_equal_answers_have_no_spread_within():
    labels = np.arange(30) % 3
    probs = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    for reading in ("std", "variance", "vector"):
        found = stability.intra_class_spread(
            probs[labels], labels, reading=reading
        )
        assert found == pytest.approx(0, abs=1e-12)
    # And those that are as sure of every class, none of its kind between.
    assert stability.inter_class_spread(probs[labels], labels) == 0
    vector = stability.inter_class_spread(
        probs[labels], labels, reading="vector"
    )
    assert vector == pytest.approx(0.7**2 * ((2 / 3) ** 2 + 2 / 9))


def test_the_largest_variance_is_a_quarter():
    # Half of the answers certain, half certainly wrong.
    probs = np.array([[1.0, 0.0], [0.0, 1.0]] * 2)
    labels = np.zeros(4, int)
    found = stability.intra_class_spread(probs, labels, reading="variance")
    assert found == pytest.approx(0.25)
    # The vector moves as far in the other class.
    vector = stability.intra_class_spread(probs, labels, reading="vector")
    assert vector == pytest.approx(0.5)


def test_order_of_examples_and_names_of_classes_do_not_matter():
    probs, labels = printed_case()
    rng = np.random.default_rng(0)
    order, names = rng.permutation(12), np.array([2, 0, 1])
    renamed = np.empty_like(probs)
    renamed[:, names] = probs
    for reading in ("std", "variance", "vector"):
        for measure in (
            stability.intra_class_spread,
            stability.inter_class_spread,
        ):
            assert measure(
                renamed[order], names[labels[order]], reading=reading
            ) == pytest.approx(measure(probs, labels, reading=reading))


def test_classes_count_alike_however_many_examples():
    probs, labels = printed_case()
    keep = np.array([0, 1, 2, 3, 4, 7, 8, 11])
    found = stability.class_spreads(probs[keep], labels[keep])
    assert stability.intra_class_spread(
        probs[keep], labels[keep]
    ) == pytest.approx(np.mean(found))
    # .8 and .4: half the difference times sqrt(2)
    assert found[1] == pytest.approx(0.2 * np.sqrt(2))


def test_moments_are_those_of_the_rows():
    probs, labels = printed_case()
    mean, variance = stability.class_moments(probs[:8], labels[:8])
    assert mean.shape == variance.shape == (3, 3)
    np.testing.assert_allclose(mean[1], probs[4:8].mean(axis=0))
    np.testing.assert_allclose(variance[0], probs[:4].var(axis=0))
    assert np.isnan(mean[2]).all() and np.isnan(variance[2]).all()
    np.testing.assert_allclose(mean[:2].sum(axis=1), 1)


def test_distances_of_a_pair_and_a_third():
    # Centres (0, 0), (6, 0), (0, 8): sides 6, 8 and 10.
    points = np.array([[-1.0, 0], [1, 0], [6, 1], [6, -1], [0, 8], [9, 9]])
    labels = np.array([4, 4, 2, 2, 7, 1])
    found = stability.pair_distances(points, labels, (4, 2, 7))
    assert found["dc"] == pytest.approx(6)
    assert found["d1"] == pytest.approx(8)
    assert found["d2"] == pytest.approx(10)
    assert found["d1_minus_d2"] == pytest.approx(-2)
    assert found["dc_relative"] == pytest.approx(6 / 9)
    turned = points @ np.array([[0.6, -0.8], [0.8, 0.6]])
    again = stability.pair_distances(3 * turned + 5, labels, (4, 2, 7))
    assert again["dc"] == pytest.approx(18)
    assert again["dc_relative"] == pytest.approx(found["dc_relative"])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda p, y: stability.intra_class_spread(
                p, y, reading="deviation"
            ),
            "wanted one of std, variance, vector",
        ),
        (
            lambda p, y: stability.intra_class_spread(p[:5], y[:5]),
            "2 or more examples of class 1",
        ),
        (
            lambda p, y: stability.inter_class_spread(p[:4], y[:4]),
            "2 or more classes",
        ),
        (
            lambda p, y: stability.intra_class_spread(10 * p, y),
            r"probabilities in \[0, 1\]",
        ),
        (
            lambda p, y: stability.inter_class_spread(p / 2, y),
            "sum to 1",
        ),
        (
            lambda p, y: stability.pair_distances(p[:, :2], y, (0, 1, 5)),
            "points of class 5",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(call, says):
    with pytest.raises(ValueError, match=says) as caught:
        call(*printed_case())
    assert "\n" not in str(caught.value)
