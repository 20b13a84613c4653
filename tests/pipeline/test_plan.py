"""The plan: which examples a step takes."""

import numpy as np
import pytest
from scipy import stats

from ls_tf.pipeline import augment
from ls_tf.pipeline.plan import EpochPlan

SHIFT = augment.augmentation("shift2")


def _equal(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key])


def test_shapes_and_types():
    plan = EpochPlan(50, 8, 0, SHIFT).steps(3, 5)
    assert plan["index"].shape == (5, 8)
    assert plan["shift"].shape == (5, 8, 2)
    assert {value.dtype for value in plan.values()} == {np.dtype(np.int32)}


def test_nothing_is_drawn_without_an_augmentation():
    none = augment.augmentation("none")
    expected = EpochPlan(50, 8, 0, SHIFT).steps(0, 20)["index"]
    for augmentation in (None, none):
        plan = EpochPlan(50, 8, 0, augmentation).steps(0, 20)
        assert plan.keys() == {"index"}
        # What is drawn besides does not change the order.
        np.testing.assert_array_equal(plan["index"], expected)


@pytest.mark.parametrize(
    ("examples", "batch"), [(10, 4), (12, 4), (7, 7), (5, 1), (101, 16)]
)
def test_every_epoch_takes_every_example_once(examples, batch):
    # After `batch` epochs the stream ends with a whole step.
    stream = EpochPlan(examples, batch, 3).steps(0, examples)["index"]
    for epoch in stream.reshape(batch, examples):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(examples))


def test_epochs_and_seeds_differ():
    stream = EpochPlan(1000, 1000, 3, SHIFT).steps(0, 3)
    other = EpochPlan(1000, 1000, 4, SHIFT).steps(0, 3)
    orders = [*stream["index"], *other["index"]]
    draws = [*stream["shift"], *other["shift"]]
    for i in range(6):
        for j in range(i):
            # One common place is expected of 1000 in two permutations, and
            # 1000 / 25 common shifts.
            assert np.sum(orders[i] == orders[j]) < 10
            assert np.sum(np.all(draws[i] == draws[j], axis=-1)) < 80


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 40])
def test_chunks_do_not_matter(chunk):
    whole = EpochPlan(30, 8, 5, SHIFT).steps(0, 40)
    plan = EpochPlan(30, 8, 5, SHIFT)
    pieces = [
        plan.steps(start, min(chunk, 40 - start))
        for start in range(0, 40, chunk)
    ]
    _equal(
        {key: np.concatenate([p[key] for p in pieces]) for key in whole}, whole
    )


def test_a_step_does_not_depend_on_what_was_asked_before():
    whole = EpochPlan(30, 8, 5, SHIFT).steps(0, 60)
    plan = EpochPlan(30, 8, 5, SHIFT)
    for step in np.random.default_rng(0).permutation(60).tolist():
        _equal(
            {key: value[0] for key, value in plan.steps(step, 1).items()},
            {key: value[step] for key, value in whole.items()},
        )
    # Far into a run nothing before it is drawn.
    _equal(plan.steps(10**7, 1), EpochPlan(30, 8, 5, SHIFT).steps(10**7, 1))


def test_what_is_returned_is_the_callers():
    plan = EpochPlan(30, 30, 5, SHIFT)
    first = plan.steps(0, 1)
    kept = {key: value.copy() for key, value in first.items()}
    for value in first.values():
        value[:] = 0
    _equal(plan.steps(0, 1), kept)


def test_a_batch_straddles_two_epochs():
    # Ten examples in batches of four: step 2 takes the last two of epoch 0
    # and the first two of epoch 1.
    plan = EpochPlan(10, 4, 7, SHIFT)
    epochs = EpochPlan(10, 10, 7, SHIFT).steps(0, 2)
    step = plan.steps(2, 1)
    for key, value in epochs.items():
        np.testing.assert_array_equal(
            step[key][0], np.concatenate([value[0, 8:], value[1, :2]])
        )


def test_golden_values():
    # A change of these changes every run: never do that silently.
    plan = EpochPlan(10, 4, 7, SHIFT).steps(0, 3)
    assert plan["index"].tolist() == [
        [6, 7, 9, 8],
        [2, 3, 1, 4],
        [0, 5, 8, 6],
    ]
    assert plan["shift"].tolist() == [
        [[2, 1], [1, 0], [1, 0], [0, 1]],
        [[1, 1], [2, -2], [1, -1], [0, -2]],
        [[2, -2], [0, 1], [0, -2], [-2, 2]],
    ]


def test_every_example_is_equally_likely_at_every_place():
    orders = EpochPlan(10, 10, 11).steps(0, 5000)["index"]
    for place in (0, 4, 9):
        counts = np.bincount(orders[:, place], minlength=10)
        assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("batch", [0, -1, 11])
def test_a_batch_that_does_not_fit_is_refused(batch):
    with pytest.raises(ValueError, match=f"1 to 10 .* got {batch}$"):
        EpochPlan(10, batch, 0)


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (0, 0), (3, -2)])
def test_steps_that_do_not_exist_are_refused(start, count):
    with pytest.raises(ValueError, match=f"start={start} and count={count}"):
        EpochPlan(10, 4, 0).steps(start, count)


def test_the_loss_draws_numbers_of_its_own():
    plain, drawing = EpochPlan(10, 4, 7), EpochPlan(10, 4, 7, num_draws=2)
    found = drawing.steps(0, 8)
    assert found["loss_draws"].shape == (8, 4, 2)
    assert found["loss_draws"].dtype == np.int32
    assert found["loss_draws"].min() >= 0
    # Nothing else is drawn otherwise, and a cut makes no difference.
    np.testing.assert_array_equal(found["index"], plain.steps(0, 8)["index"])
    assert plain.steps(0, 1).keys() == {"index"}
    again = EpochPlan(10, 4, 7, num_draws=2)
    parts = [again.steps(3, 5), again.steps(0, 3)]
    np.testing.assert_array_equal(
        np.concatenate([p["loss_draws"] for p in parts[::-1]]),
        found["loss_draws"],
    )
    # Each epoch and seed has others, and both halves of the range occur.
    assert len(np.unique(found["loss_draws"])) == 64
    assert 20 < (found["loss_draws"] >= 2**30).sum() < 44
    other = EpochPlan(10, 4, 8, num_draws=2).steps(0, 8)["loss_draws"]
    assert not np.intersect1d(other, found["loss_draws"]).size
