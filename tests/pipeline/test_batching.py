"""Batches of pairs of similar length."""

import numpy as np
import pytest
from scipy import stats

from ls_tf.pipeline import batching
from ls_tf.pipeline.batching import BucketPlan, Shape


def _lengths(count, seed=0, mean=14.0, spread=5.0):
    """Lengths as those of translations: one side is much like the other."""
    rng = np.random.default_rng(seed)
    both = rng.gamma((mean / spread) ** 2, spread**2 / mean, count)
    sides = both[:, None] + rng.normal(0, 1.5, (count, 2))
    return np.clip(np.rint(sides), 2, None).astype(np.int64).T


def _plan(count=3000, seed=0, **options):
    source, target = _lengths(count)
    options = {"batch_tokens": 400, "max_length": 64} | options
    return BucketPlan(source, target, seed=seed, **options)


def _all_steps(plan, start, stop):
    """The batches of some steps, one by one, as (shape, index)."""
    found = []
    while start < stop:
        steps = plan.steps(start, stop - start)
        shape = Shape(
            steps["index"].shape[1],
            steps["source_position"].shape[1],
            steps["target_position"].shape[1],
        )
        found += [(shape, index) for index in steps["index"]]
        start += len(steps["index"])
    return found


def _steps_of_epochs(plan, epochs):
    step = 0
    while plan.epoch_of(step) < epochs:
        step += 1
    return step


# --- Boundaries and rows ----------------------------------------------------


def test_boundaries_are_those_of_tensor2tensor():
    # 8 * 1.1 = 8.8 -> 8, but at least 9; ...; 20 * 1.1 = 22; 236 * 1.1 is
    # more than 256.
    assert batching.boundaries(256).tolist() == [
        *range(8, 21),
        *(22, 24, 26, 28, 30, 33, 36, 39, 42, 46, 50, 55, 60, 66, 72, 79, 86),
        *(94, 103, 113, 124, 136, 149, 163, 179, 196, 215, 236, 256),
    ]
    assert batching.boundaries(5).tolist() == [5]
    assert batching.boundaries(8).tolist() == [8]
    assert batching.boundaries(21).tolist() == [*range(8, 21), 21]


@pytest.mark.parametrize(
    ("tokens", "length", "rows"),
    [
        (4096, 9, 448),  # 455.1
        (4096, 256, 16),
        (4096, 300, 8),  # 13.7
        (1024, 256, 4),
        (79, 10, 7),
        (80, 10, 8),
        (10, 11, 0),
    ],
)
def test_rows_are_a_multiple_of_eight(tokens, length, rows):
    assert batching.rows_of(tokens, length) == rows


def test_batches_beside_those_of_tensor2tensor():
    # The numbers of docs/deviations.md, of 4,096 tokens.
    bounds = batching.boundaries(256)
    divisors = np.array([d for d in range(1, 1261) if 1260 % d == 0])
    lengths = np.arange(8, 61)

    def theirs(size):
        return divisors[divisors <= 4096 // size].max()

    # The last boundary that a length fits; the first that it no longer does.
    fits = bounds[np.searchsorted(bounds, lengths, side="left")]
    beyond = bounds[np.searchsorted(bounds, lengths, side="right")]
    assert [theirs(s) for s in (8, 10, 22, 60)] == [420, 315, 180, 63]
    ours = np.array([batching.rows_of(4096, s) for s in fits])
    rounding = ours / [theirs(s) for s in fits]
    assert rounding.mean() == pytest.approx(1.075, abs=0.0005)
    assert (rounding.min(), rounding.max()) == pytest.approx(
        (0.99, 1.295), abs=0.001
    )
    both = ours / [theirs(s) for s in beyond]
    assert both.mean() == pytest.approx(1.117, abs=0.0005)


# --- Shapes -----------------------------------------------------------------


def _square(*pairs):
    """Lengths (l, l), each as often as asked."""
    lengths = np.concatenate([np.full(n, length) for length, n in pairs])
    return lengths, lengths


@pytest.mark.parametrize(
    ("shortest", "expected"),
    [
        # Merging 8 with 9 adds 10 * 2 = 20 positions, 9 with 20 adds 22.
        (10, [(9, 9), (20, 20)]),
        # Now it adds 12 * 2 = 24.
        (12, [(8, 8), (20, 20)]),
    ],
)
def test_the_cheapest_merger_comes_first(shortest, expected):
    plan = BucketPlan(
        *_square((8, shortest), (9, 1), (20, 10)),
        batch_tokens=20,
        max_length=20,
        seed=0,
        most_shapes=2,
    )
    assert [(s.source, s.target) for s in plan.shapes] == expected
    assert [s.rows for s in plan.shapes] == [20 // max(e) for e in expected]


def test_a_shape_is_no_larger_than_what_it_holds():
    # 23 and 47 would be rounded up to 24 and 50.
    source, target = [12, 12, 12, 23, 23], [13, 13, 13, 47, 47]
    plan = BucketPlan(source, target, batch_tokens=50, max_length=60, seed=0)
    assert plan.shapes == (Shape(3, 12, 13), Shape(1, 23, 47))
    assert plan.padding == 0
    assert plan.steps_per_epoch == 1 + 2


def test_a_pair_goes_where_it_fits_best():
    # Two shapes, (10, 30) and (30, 10); a pair (9, 12) rounds to neither.
    source = np.array([10] * 50 + [30] * 50 + [9])
    target = np.array([30] * 50 + [10] * 50 + [12])
    plan = BucketPlan(
        source,
        target,
        batch_tokens=240,
        max_length=30,
        seed=0,
        most_shapes=2,
    )
    assert plan.shapes == (Shape(8, 10, 30), Shape(8, 30, 10))
    for shape, index in _all_steps(plan, 0, 60):
        assert (source[index] <= shape.source).all()
        assert (target[index] <= shape.target).all()


@pytest.mark.parametrize("most", [1, 2, 5, 16, 100])
def test_shapes_are_few_and_hold_what_they_must(most):
    source, target = _lengths(3000)
    plan = _plan(most_shapes=most)
    assert len(plan.shapes) == len(set(plan.shapes)) <= most
    stop = _steps_of_epochs(plan, 2)
    assert abs(stop - 2 * plan.steps_per_epoch) <= len(plan.shapes)
    for shape, index in _all_steps(plan, 0, stop):
        assert shape in plan.shapes
        assert (source[index] <= shape.source).all()
        assert (target[index] <= shape.target).all()
        length = max(shape.source, shape.target)
        assert shape.rows == batching.rows_of(400, length) > 0


def test_every_shape_has_pairs_for_a_batch():
    # One pair is far longer than the rest: alone, it would fill a batch with
    # itself.
    source, target = _lengths(3000)
    source[7] = target[7] = 60
    plan = BucketPlan(source, target, batch_tokens=1000, max_length=64, seed=0)
    assert max(s.source for s in plan.shapes) == 60
    for _, index in _all_steps(plan, 0, _steps_of_epochs(plan, 3)):
        # The end of an epoch and the start of the next may share a pair.
        assert np.bincount(index).max() <= 2
        assert len(np.unique(index)) > 0.6 * len(index)


def test_fewer_pairs_than_a_batch_holds_are_repeated():
    plan = BucketPlan([5, 6], [7, 4], batch_tokens=70, max_length=9, seed=0)
    assert plan.shapes == (Shape(8, 6, 7),)
    steps = plan.steps(0, 5)
    for index in steps["index"]:
        np.testing.assert_array_equal(np.bincount(index), [4, 4])
    assert plan.steps_per_epoch == 0.25
    assert [plan.epoch_of(step) for step in range(3)] == [3, 7, 11]


def test_padding_is_what_a_slow_count_finds():
    source, target = _lengths(3000)
    plan = _plan()
    stop = _steps_of_epochs(plan, 8)
    real = total = 0
    for shape, index in _all_steps(plan, 0, stop):
        real += (source[index] + target[index]).sum()
        total += shape.rows * (shape.source + shape.target)
    assert plan.padding == pytest.approx(1 - real / total, abs=1e-3)
    assert plan.padding < 0.1


def test_more_shapes_less_padding():
    padding = [_plan(most_shapes=n).padding for n in (1, 4, 8, 16, 100)]
    assert padding == sorted(padding, reverse=True)
    assert padding[0] > 0.4 and padding[-1] < 0.05


def test_pairs_that_are_too_long_are_left_out_and_counted():
    source, target = _lengths(3000)
    plan = _plan(max_length=15)
    long = np.maximum(source, target) > 15
    assert 0 < plan.left_out == long.sum()
    assert plan.num_examples == 3000 - plan.left_out
    stop = _steps_of_epochs(plan, 3)
    seen = np.unique([i for _, x in _all_steps(plan, 0, stop) for i in x])
    np.testing.assert_array_equal(seen, np.flatnonzero(~long))


def test_many_long_sentences_are_sorted_in_no_time():
    source, target = _lengths(100_000, mean=28, spread=20)
    plan = BucketPlan(
        source, target, batch_tokens=25_000, max_length=256, seed=0
    )
    assert len(plan.shapes) <= batching.MOST_SHAPES
    assert plan.padding < 0.2


# --- The stream -------------------------------------------------------------


def test_every_epoch_takes_every_pair_once():
    # Rows of 8 with tokens for the longest: after eight epochs every bucket
    # has given a whole number of batches.
    source, target = _lengths(999)
    plan = BucketPlan(
        source,
        target,
        batch_tokens=9 * int(max(source.max(), target.max())),
        max_length=64,
        seed=0,
    )
    epochs = int(np.lcm.reduce([s.rows for s in plan.shapes]))
    stop = round(epochs * plan.steps_per_epoch)
    assert plan.epoch_of(stop) == epochs == plan.epoch_of(stop - 1) + 1
    counts = sum(
        np.bincount(index, minlength=999)
        for _, index in _all_steps(plan, 0, stop)
    )
    np.testing.assert_array_equal(counts, epochs)


def test_an_epoch_completes_the_batches_that_it_should():
    # 11 pairs in rows of 4: batches end in epochs 0, 0, 1, 1, 1, 2, 2, 2, 3.
    plan = BucketPlan([5] * 11, [5] * 11, batch_tokens=20, max_length=9, seed=0)
    assert plan.shapes == (Shape(4, 5, 5),)
    assert [plan.epoch_of(s) for s in range(9)] == [0, 0, 1, 1, 1, 2, 2, 2, 3]
    # Batches come mixed within their epoch: those of 1 hold the last three of
    # epoch 0 and nine of epoch 1.
    index = plan.steps(0, 5)["index"]
    first = set(index[:2].ravel().tolist())
    assert len(first) == 8
    counts = np.bincount(index[2:].ravel(), minlength=11)
    late = set(range(11)) - first
    assert counts.sum() == 12 and counts.max() == 2
    assert all(counts[i] >= 1 for i in late)


def test_epochs_of_one_bucket_are_permutations():
    plan = BucketPlan([5] * 12, [5] * 12, batch_tokens=20, max_length=9, seed=0)
    epochs = plan.steps(0, 30)["index"].reshape(10, 12)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(12))
    assert len(np.unique(epochs, axis=0)) == 10


def test_steps_stop_where_the_shape_changes():
    plan = _plan()
    one_by_one = [plan.steps(step, 1) for step in range(200)]
    start = 0
    lengths = []
    while start < 200:
        steps = plan.steps(start, 50)
        count = len(steps["index"])
        assert 1 <= count <= 50
        for i in range(min(count, 200 - start)):
            for key, value in one_by_one[start + i].items():
                np.testing.assert_array_equal(steps[key][i], value[0])
        if count < 50 and start + count < 200:
            after = one_by_one[start + count]
            assert any(
                after[key].shape[1:] != steps[key].shape[1:] for key in after
            )
        lengths.append(count)
        start += count
    assert max(lengths) > 1
    # One bucket only: nothing stops it, not even the end of an epoch.
    plan = BucketPlan([5] * 12, [5] * 12, batch_tokens=20, max_length=9, seed=0)
    assert len(plan.steps(1, 77)["index"]) == 77


def test_types_and_positions():
    plan = _plan()
    steps = plan.steps(3, 1)
    assert {value.dtype for value in steps.values()} == {np.dtype(np.int32)}
    for side in ("source", "target"):
        (row,) = steps[f"{side}_position"]
        np.testing.assert_array_equal(row, np.arange(len(row)))


def test_a_step_does_not_depend_on_what_was_asked_before():
    whole = _all_steps(_plan(), 0, 400)
    plan = _plan()
    for step in np.random.default_rng(0).permutation(400).tolist():
        (shape, index) = _all_steps(plan, step, step + 1)[0]
        assert shape == whole[step][0]
        np.testing.assert_array_equal(index, whole[step][1])
    # Far into a run nothing before it is drawn.
    far, fresh = plan.steps(10**7, 1), _plan().steps(10**7, 1)
    for key, value in far.items():
        np.testing.assert_array_equal(value, fresh[key])


def test_what_is_returned_is_the_callers():
    plan = _plan()
    first = plan.steps(0, 1)
    kept = {key: value.copy() for key, value in first.items()}
    for value in first.values():
        value[:] = 0
    for key, value in plan.steps(0, 1).items():
        np.testing.assert_array_equal(value, kept[key])


def test_seeds_and_epochs_differ():
    plans = [_plan(seed=seed) for seed in (3, 4)]
    assert plans[0].shapes == plans[1].shapes
    steps = _steps_of_epochs(plans[0], 1)
    orders = []
    for plan in plans:
        for start in (0, steps):
            found = _all_steps(plan, start, start + 60)
            orders.append([shape for shape, _ in found])
    for i in range(4):
        for j in range(i):
            assert orders[i] != orders[j]


def test_batches_of_an_epoch_are_mixed():
    # Long and short ones: their places are as likely as any.
    lengths = np.repeat([5, 20], [400, 100])
    plan = BucketPlan(lengths, lengths, batch_tokens=160, max_length=20, seed=0)
    assert plan.shapes == (Shape(32, 5, 5), Shape(8, 20, 20))
    steps = 25  # 12.5 and 12.5
    is_long = [
        shape.source == 20 for shape, _ in _all_steps(plan, 0, 400 * steps)
    ]
    counts = np.reshape(is_long, (400, steps)).sum(axis=0)
    expected = np.full(steps, np.sum(is_long) / steps)
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_golden_values():
    # A change of these changes every run: never do that silently.
    source, target = [3, 4, 5, 9, 9, 4, 3, 5], [4, 4, 4, 8, 9, 3, 3, 5]
    plan = BucketPlan(source, target, batch_tokens=18, max_length=9, seed=7)
    assert plan.shapes == (Shape(3, 5, 5), Shape(2, 9, 9))
    found = [
        (shape.source, index.tolist())
        for shape, index in _all_steps(plan, 0, 6)
    ]
    assert found == [
        (5, [6, 7, 1]),
        (5, [5, 0, 2]),
        (9, [4, 3]),
        (5, [1, 2, 7]),
        (9, [3, 4]),
        (5, [0, 6, 5]),
    ]


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (0, 0), (3, -2)])
def test_steps_that_do_not_exist_are_refused(start, count):
    with pytest.raises(ValueError, match=f"start={start} and count={count}"):
        _plan().steps(start, count)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_length": 1}, "at most 1 tokens, got 3000 pairs, none as short"),
        ({"batch_tokens": 20}, "longest pair, .* tokens, got batch_tokens=20"),
        ({"most_shapes": 0}, "1 shape or more, got 0"),
    ],
)
def test_what_cannot_be_planned_is_refused(options, says):
    with pytest.raises(ValueError, match=says):
        _plan(**options)


# --- Evaluation -------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "tokens"), [(1, 100), (7, 100), (1014, 4096), (1000, 64)]
)
def test_evaluation_takes_every_pair_once(count, tokens):
    source, target = _lengths(count)
    batches = batching.evaluation_batches(source, target, batch_tokens=tokens)
    seen = []
    shapes = set()
    for batch in batches:
        assert {v.dtype for v in batch.values()} == {np.dtype(np.int32)}
        index = batch["index"]
        real = index[index >= 0]
        assert len(real) > 0 and set(index[len(real) :].tolist()) <= {-1}
        rows, s, t = (len(batch[k]) for k in sorted(batch))
        np.testing.assert_array_equal(batch["source_position"], np.arange(s))
        np.testing.assert_array_equal(batch["target_position"], np.arange(t))
        assert (source[real] <= s).all() and (target[real] <= t).all()
        assert rows * max(s, t) <= tokens or rows == 1
        seen += real.tolist()
        shapes.add((rows, s, t))
    assert sorted(seen) == list(range(count))
    assert len(shapes) <= 8


def test_evaluation_leaves_no_long_pair_out():
    batches = batching.evaluation_batches(
        np.array([5, 300]), np.array([6, 20]), batch_tokens=64
    )
    assert sorted(len(b["source_position"]) for b in batches) == [5, 300]
    assert [b["index"].tolist() for b in batches] == [
        [0, -1, -1, -1, -1, -1, -1, -1],
        [1],
    ]


def test_evaluation_computes_little_for_nothing():
    source, target = _lengths(1014)
    batches = batching.evaluation_batches(source, target, batch_tokens=4096)
    total = sum(
        len(b["index"])
        * (len(b["source_position"]) + len(b["target_position"]))
        for b in batches
    )
    assert 1 - (source.sum() + target.sum()) / total < 0.2


def test_nothing_cannot_be_evaluated():
    with pytest.raises(ValueError, match="got none"):
        batching.evaluation_batches(
            np.zeros(0, int), np.zeros(0, int), batch_tokens=9
        )
