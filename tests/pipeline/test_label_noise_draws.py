"""Labels that are wrong on purpose: counts, chance and what stays the same."""

import dataclasses

import numpy as np
import pytest

from ls_tf.data import digits
from ls_tf.pipeline.label_noise import LabelNoise, change
from ls_tf.spec import DataSpec, SpecError

BIG = dataclasses.replace(digits.INFO, sizes={"train": 60_000, "test": 30_000})
TRUE = {
    base: np.random.default_rng(0).integers(0, 10, n).astype(np.int32)
    for base, n in BIG.sizes.items()
}


def noise(seed=0, train="train", report="test", **fields):
    data = DataSpec("digits", train, "test[:10]", report, **fields)
    return LabelNoise(data, BIG, seed)


def test_symmetric_noise_keeps_its_share_and_favours_no_class():
    true = TRUE["train"]
    observed = noise(label_kept=0.7).observed("train", true)
    wrong = observed != true
    # Within four standard deviations of the binomial.
    assert wrong.mean() == pytest.approx(0.3, abs=4 * (0.21 / 60_000) ** 0.5)
    shifts = np.bincount((observed - true) % 10, minlength=10)[1:]
    expected = 0.3 * 60_000 / 9
    assert np.abs(shifts - expected).max() < 4 * expected**0.5
    assert observed.dtype == np.int32 and (true == TRUE["train"]).all()


@pytest.mark.parametrize(("kept", "share"), [(0.0, 1.0), (1.0, 0.0)])
def test_every_label_and_none(kept, share):
    true = TRUE["train"]
    observed = noise(label_kept=kept).observed("train", true)
    assert (observed != true).mean() == share
    assert (observed is true) == (kept == 1)


def test_a_matrix_gives_each_class_its_own_distribution():
    rows = np.eye(10)
    rows[2] = [0.5, 0, 0.2, 0.3, 0, 0, 0, 0, 0, 0]
    rows[9] = [0.0] * 9 + [0.0]
    rows[9, 1] = 1
    true = TRUE["train"]
    made = noise(label_transition=tuple(map(tuple, rows.tolist())))
    observed = made.observed("train", true)
    twos = np.bincount(observed[true == 2], minlength=10) / (true == 2).sum()
    np.testing.assert_allclose(twos, rows[2], atol=0.03)
    assert not twos[[1, 4, 5, 6, 7, 8, 9]].any()
    assert (observed[true == 9] == 1).all()
    rest = ~np.isin(true, [2, 9])
    np.testing.assert_array_equal(observed[rest], true[rest])


def test_a_draw_by_hand():
    transition = np.array([[0.5, 0.3, 0.2], [0, 1, 0], [1, 0, 0]])
    labels = np.array([0, 0, 0, 1, 2], np.int32)
    # Of those that leave class 0, .3 of .5 go to 1.
    chance = np.array([[0.49, 0.5, 0.9, 0.99, 0.0], [0.9, 0.59, 0.61, 0.5, 0]])
    np.testing.assert_array_equal(
        change(labels, transition, chance), [0, 1, 2, 1, 0]
    )


def test_the_seed_alone_decides():
    true = TRUE["train"]
    first, again = (
        noise(label_kept=0.5).observed("train", true) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    other = noise(1, label_kept=0.5).observed("train", true)
    assert 0.2 < (first == other).mean() < 0.35  # .25 + .25 / 9


def test_a_part_of_the_data_has_the_labels_of_the_whole():
    true = TRUE["train"]
    whole = noise(label_kept=0.5).observed("train", true)
    part = noise(train="train[100:500]", label_kept=0.5)
    np.testing.assert_array_equal(
        part.observed("train[100:500]", true[100:500]), whole[100:500]
    )


def test_more_noise_changes_more_labels_and_none_back():
    true = TRUE["train"]
    little, much = (
        noise(label_kept=kept).observed("train", true) for kept in (0.9, 0.4)
    )
    wrong = little != true
    np.testing.assert_array_equal(much[wrong], little[wrong])


def test_what_is_measured_on_is_clean_unless_asked():
    true = TRUE["test"]
    clean = noise(label_kept=0.5)
    assert not clean.changes("test") and clean.changes("train")
    assert clean.observed("test", true) is true
    both = noise(label_kept=0.5, noisy_labels="all")
    observed = both.observed("test", true)
    assert (observed != true).mean() == pytest.approx(0.5, abs=0.015)
    # Independent of the training labels: wrong at other places.
    train = both.observed("train", TRUE["train"]) != TRUE["train"]
    together = ((observed != true) & train[: len(true)]).mean()
    assert together == pytest.approx(0.25, abs=0.015)


def test_a_matrix_of_another_size_is_refused():
    with pytest.raises(SpecError, match="wanted 10 x 10 .* got 2 x 2"):
        noise(label_transition=((0.5, 0.5), (0.5, 0.5)))
