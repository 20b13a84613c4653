"""A long tail: its counts, its chance and what stays the same."""

import dataclasses

import numpy as np
import pytest

from ls_tf.data import digits
from ls_tf.pipeline.long_tail import LongTail, counts
from ls_tf.spec import DataSpec, SpecError

BIG = dataclasses.replace(digits.INFO, sizes={"train": 60_000, "test": 30_000})
LABELS = np.random.default_rng(0).integers(0, 10, 60_000).astype(np.int32)


def tail(seed=0, train="train", **fields):
    data = DataSpec("digits", train, "test[:10]", "test", **fields)
    return LongTail(data, BIG, seed)


def test_counts_by_hand():
    # 1 - 1/6 of what is left: (r / 4) ** (-1) - 1 is 3, 1, 1/3.
    np.testing.assert_array_equal(counts(3, 1.0, 90), [90, 30, 10])
    # power 1/2: (r / 4) ** (-2) - 1 is 15, 3, 7/9.
    np.testing.assert_array_equal(counts(3, 0.5, 90), [90, 18, 5])
    np.testing.assert_array_equal(counts(3, 0.5, 90, 7), [90, 18, 7])
    assert counts(1, 6.0, 12).tolist() == [12]


def test_counts_are_near_those_of_imagenet_lt():
    made = counts(1000, 6.0, 1280, 5)
    assert made.max() == 1280 and made.min() == 5
    # 115,846 images, 389 classes of more than 100 (Shen et al., table 5).
    assert made.sum() == pytest.approx(115_846, rel=0.03)
    assert abs((made > 100).sum() - 389) <= 1


def test_counts_of_extreme_powers():
    # A tiny power leaves nothing behind the head; a huge one is -log(r / 4).
    assert counts(10, 1e-3, 500).tolist() == [500] + [1] * 9
    logs = -np.log(np.arange(1, 4) / 4)
    np.testing.assert_array_equal(
        counts(3, 1e9, 1000), np.round(1000 * logs / logs[0])
    )


def test_each_class_keeps_its_count_and_the_seed_draws_which():
    first, other = (
        tail(seed, tail_power=6.0, tail_largest=500) for seed in (0, 1)
    )
    wanted = counts(10, 6.0, 500)
    rows, others = first.rows("train", LABELS), other.rows("train", LABELS)
    there = np.bincount(LABELS[rows])
    assert sorted(there.tolist(), reverse=True) == wanted.tolist()
    assert (np.diff(rows) > 0).all()
    again = tail(0, tail_power=6.0, tail_largest=500).rows("train", LABELS)
    np.testing.assert_array_equal(again, rows)
    assert len(others) == len(rows) and (others != rows).any()
    # Another seed has another most frequent class, of enough seeds.
    heads = {
        np.bincount(
            LABELS[tail(s, tail_power=6.0).rows("train", LABELS)]
        ).argmax()
        for s in range(8)
    }
    assert len(heads) > 2


def test_the_longer_tail_holds_the_shorter_and_a_part_has_its_own():
    short, long = (
        tail(tail_power=6.0, tail_largest=n).rows("train", LABELS)
        for n in (300, 500)
    )
    assert set(short) < set(long)
    part = tail(train="train[30000:]", tail_power=6.0, tail_largest=300)
    rows = part.rows("train[30000:]", LABELS[30_000:])
    assert rows.max() < 30_000
    # The first of each class's queue that are in the part.
    kept = [row for row in short if row >= 30_000]
    assert set(kept) <= set(rows + 30_000)


def test_as_many_as_the_rarest_class_has_unless_said():
    rows = tail(tail_power=6.0).rows("train", LABELS)
    rarest = np.bincount(LABELS).min()
    assert np.bincount(LABELS[rows]).max() == rarest


def test_the_training_split_alone_is_cut():
    made = tail(tail_power=6.0)
    assert made.cuts("train")
    assert not made.cuts("test") and not tail().cuts("train")


@pytest.mark.parametrize(
    ("fields", "labels", "says"),
    [
        ({}, LABELS % 9, "every class in digits/train, got none of class 9"),
        ({"tail_largest": 9000}, LABELS, "wanted 9000 examples of class"),
        ({"tail_smallest": 7000}, LABELS, "wanted 7000 examples of class"),
    ],
)
def test_too_few_examples_are_one_line(fields, labels, says):
    with pytest.raises(SpecError) as caught:
        tail(tail_power=6.0, **fields).rows("train", labels)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
