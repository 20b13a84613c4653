"""Batches of sentence pairs of similar length, in few shapes.

A compiled program has one shape, so that the shapes of batches must be few.
Lengths are first rounded up to tensor2tensor's boundaries, source and target
each for itself; a pair of boundaries is a cell. Then cells are merged, the
merger that adds the least padding first, until there are no more than a given
number and each holds enough pairs for a batch. What is left is a bucket: a
shape, and the pairs that it fits best.

The pairs of a bucket are one stream over the epochs, as in ``_plan``. No batch
is cut short; one may hold the end of an epoch and the start of the next.
"""

from typing import NamedTuple

import numpy as np

from ls_tf import seeds

_KEPT_EPOCHS = 2  # A chunk of steps ends in one epoch and starts the next.
_MULTIPLE = 8  # Rows of a batch: eight devices can share it.
MOST_SHAPES = 16
_MOST_EVALUATION_SHAPES = 8


class Shape(NamedTuple):
    """The shape of a batch: pairs, and positions of either side."""

    rows: int
    source: int
    target: int


def boundaries(longest: int) -> np.ndarray:
    """Gives the lengths that sentences are padded to.

    Args:
        longest: the last of them, 1 or more.

    Returns:
        int64: 8, then always a tenth more, rounded down but at least 1 more,
        below ``longest``; then ``longest``.

    Source: tensor2tensor, ``data_reader``: minimum 8, step 1.1. There a
    boundary is the first length that no longer fits; here it is the last
    that does.
    """
    lengths, length = [], 8
    while length < longest:
        lengths.append(length)
        length = max(length + 1, int(length * 1.1))
    return np.array([*lengths, longest], np.int64)


def rows_of(batch_tokens: int, length: int) -> int:
    """Gives the number of pairs of a batch.

    Args:
        batch_tokens: positions of the longer side, over all devices.
        length: positions of the longer side of one pair.

    Returns:
        The most that fit; a multiple of 8 where it is 8 or more, and 0 where
        not even one fits.

    Source: ours; tensor2tensor rounds down to divisors of 1,260.
    """
    rows = batch_tokens // length
    return rows - rows % _MULTIPLE if rows >= _MULTIPLE else rows


class BucketPlan:
    """Which pairs a step takes, and in which shape.

    A pure function of the seed and the step; what it keeps of past calls only
    saves time.

    Attributes:
        shapes: of every bucket; each is another compiled program.
        num_examples: pairs that are used.
        left_out: pairs with a side longer than ``max_length``.
        padding: padded positions among all positions, of both sides.
        steps_per_epoch: the mean number of steps.
    """

    def __init__(
        self,
        source_lengths: np.ndarray,
        target_lengths: np.ndarray,
        *,
        batch_tokens: int,
        max_length: int,
        seed: int,
        most_shapes: int = MOST_SHAPES,
    ) -> None:
        """Sorts the pairs into buckets; draws nothing yet.

        Args:
            source_lengths: int [N], with EOS.
            target_lengths: int [N], with EOS.
            batch_tokens: positions of a batch's longer side, padding
                included, over all devices.
            max_length: pairs with a longer side are left out.
            seed: the run's seed.
            most_shapes: most buckets.

        Raises:
            ValueError: if there are no pairs, all are too long, or the
                longest does not fit in a batch.
        """
        source, target = np.asarray(source_lengths), np.asarray(target_lengths)
        longer = np.maximum(source, target)
        kept = np.flatnonzero(longer <= max_length)
        if not len(kept):
            raise ValueError(
                f"wanted pairs of at most {max_length} tokens, got "
                f"{len(longer)} pairs, none as short"
            )
        if not rows_of(batch_tokens, int(longer[kept].max())):
            raise ValueError(
                "wanted batches of at least the longest pair, "
                f"{longer[kept].max()} tokens, got batch_tokens={batch_tokens}"
            )
        if most_shapes < 1:
            raise ValueError(f"wanted 1 shape or more, got {most_shapes}")
        source, target = source[kept], target[kept]
        shapes, bucket = _shapes(source, target, most_shapes, batch_tokens)
        self._seed = seed
        self.num_examples = len(kept)
        self.left_out = len(longer) - len(kept)
        self.shapes = tuple(
            Shape(rows_of(batch_tokens, int(max(shape))), *map(int, shape))
            for shape in shapes
        )
        self._members = [
            kept[bucket == b].astype(np.int32) for b in range(len(shapes))
        ]
        self._counts = np.array([len(m) for m in self._members], np.int64)
        self._batch_rows = np.array([s.rows for s in self.shapes], np.int64)
        positions = int(self._counts @ shapes.sum(axis=1))
        self.padding = 1 - int(source.sum() + target.sum()) / positions
        self.steps_per_epoch = float((self._counts / self._batch_rows).sum())
        self._epochs: dict[int, np.ndarray] = {}
        self._orders: list[dict[int, np.ndarray]] = [{} for _ in shapes]

    def steps(self, start: int, count: int) -> dict[str, np.ndarray]:
        """Gives the plan of the steps from start on that have one shape.

        Args:
            start: first step, 0 or more.
            count: most steps, 1 or more.

        Returns:
            For the n steps start .. start + n - 1, n of 1 to ``count``:
            ``index`` int32 [n, B], positions in the split;
            ``source_position`` int32 [n, S] and ``target_position`` int32
            [n, T], which count from 0.

        Raises:
            ValueError: if ``start`` or ``count`` is too small.

        Source: ours.
        """
        if start < 0 or count < 1:
            raise ValueError(
                "wanted start of 0 or more and count of 1 or more, got "
                f"start={start} and count={count}"
            )
        batches: list[np.ndarray] = []
        first = None
        epoch = self.epoch_of(start)
        offset = start - self._steps_before(epoch)
        while len(batches) < count:
            rest = self._epoch(epoch)[:, offset : offset + count]
            for b, number in rest.T.tolist():
                first = b if first is None else first
                if b != first or len(batches) == count:
                    return _plan(self.shapes[first], batches)
                batches.append(self._batch(b, number))
            epoch, offset = epoch + 1, 0
        return _plan(self.shapes[first or 0], batches)

    def epoch_of(self, step: int) -> int:
        """Gives the epoch, from 0, in which a step is taken."""
        epoch = int(step / self.steps_per_epoch)
        while self._steps_before(epoch) > step:
            epoch -= 1
        while self._steps_before(epoch + 1) <= step:
            epoch += 1
        return epoch

    def _batches_before(self, epoch: int) -> np.ndarray:
        """Batches of each bucket that are whole when an epoch begins."""
        return epoch * self._counts // self._batch_rows

    def _steps_before(self, epoch: int) -> int:
        return int(self._batches_before(epoch).sum())

    def _epoch(self, epoch: int) -> np.ndarray:
        """Gives bucket and number in it of an epoch's batches, int [2, n]."""
        if epoch not in self._epochs:
            first = self._batches_before(epoch)
            counts = self._batches_before(epoch + 1) - first
            bucket = np.repeat(np.arange(len(counts)), counts)
            before = np.repeat(np.cumsum(counts) - counts, counts)
            number = np.arange(len(bucket)) - before + first[bucket]
            order = _permutation(len(bucket), self._seed, "batches", epoch)
            while len(self._epochs) >= _KEPT_EPOCHS:
                del self._epochs[next(iter(self._epochs))]
            self._epochs[epoch] = np.stack([bucket, number])[:, order]
        return self._epochs[epoch]

    def _batch(self, bucket: int, number: int) -> np.ndarray:
        """Gives the pairs of one batch, int32 [rows]."""
        rows, count = self.shapes[bucket].rows, int(self._counts[bucket])
        position = number * rows
        end = position + rows
        orders = self._orders[bucket]
        pieces = []
        while position < end:
            epoch, first = divmod(position, count)
            last = min(first + end - position, count)
            if epoch not in orders:
                while len(orders) > rows // count + _KEPT_EPOCHS:
                    del orders[next(iter(orders))]
                members = self._members[bucket]
                orders[epoch] = members[
                    _permutation(count, self._seed, "order", bucket, epoch)
                ]
            pieces.append(orders[epoch][first:last])
            position += last - first
        return np.concatenate(pieces)


def _plan(shape: Shape, batches: list[np.ndarray]) -> dict[str, np.ndarray]:
    count = len(batches)
    return {
        "index": np.stack(batches),
        "source_position": np.tile(
            np.arange(shape.source, dtype=np.int32), (count, 1)
        ),
        "target_position": np.tile(
            np.arange(shape.target, dtype=np.int32), (count, 1)
        ),
    }


def _permutation(count: int, seed: int, *purpose: str | int) -> np.ndarray:
    # The raw words of Philox are fixed for good, unlike what
    # Generator.permutation makes of them in some later NumPy.
    words = seeds.philox(seed, *purpose).bit_generator.random_raw(count)
    return np.argsort(words, kind="stable")


def evaluation_batches(
    source_lengths: np.ndarray,
    target_lengths: np.ndarray,
    *,
    batch_tokens: int,
    most_shapes: int = _MOST_EVALUATION_SHAPES,
) -> list[dict[str, np.ndarray]]:
    """Puts every pair of a split into one batch, whatever its length.

    Args:
        source_lengths: int [N], with EOS.
        target_lengths: int [N], with EOS.
        batch_tokens: positions of a batch's longer side; a pair that is
            longer is a batch of its own.
        most_shapes: most shapes of batches.

    Returns:
        Batches with ``index`` int32 [B], positions in the split, -1 where
        there is no pair; ``source_position`` int32 [S] and
        ``target_position`` int32 [T], which count from 0.

    Raises:
        ValueError: if there are no pairs.

    Source: ours.
    """
    source, target = np.asarray(source_lengths), np.asarray(target_lengths)
    if not len(source):
        raise ValueError("wanted one pair or more, got none")
    shapes, bucket = _shapes(source, target, most_shapes, None)
    batches = []
    for b, shape in enumerate(shapes):
        members = np.flatnonzero(bucket == b).astype(np.int32)
        most = max(rows_of(batch_tokens, int(shape.max())), 1)
        count = -(-len(members) // most)
        # As few rows as do in as many batches.
        rows = -(-len(members) // count)
        rows = min(most, -(-rows // _MULTIPLE) * _MULTIPLE)
        index = np.full(count * rows, -1, np.int32)
        index[: len(members)] = members
        for row in index.reshape(count, rows):
            plan = _plan(Shape(rows, int(shape[0]), int(shape[1])), [row])
            batches.append({key: value[0] for key, value in plan.items()})
    return batches


# --- Buckets ----------------------------------------------------------------


def _shapes(
    source: np.ndarray,
    target: np.ndarray,
    most: int,
    batch_tokens: int | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Chooses shapes and sorts pairs into them.

    Args:
        source: int [N], lengths.
        target: int [N], lengths.
        most: most shapes.
        batch_tokens: if given, a shape has pairs for a whole batch, unless
            there is one shape only.

    Returns:
        int64 [K, 2], the positions of both sides, and int64 [N], the shape
        of each pair: of those that it fits, the one with the least positions.
    """
    lengths, counts, pair = _unique(source, target)
    grid = boundaries(int(lengths.max()))
    rounded = grid[np.searchsorted(grid, lengths)]
    cells, in_cells, _ = _unique(rounded[:, 0], rounded[:, 1], counts)
    cells = _merged(cells, in_cells, most)
    while True:
        shapes, chosen = _assigned(cells, lengths)
        held = np.bincount(chosen, counts, len(shapes)).astype(np.int64)
        if batch_tokens is None or len(shapes) == 1:
            break
        rows = np.array([rows_of(batch_tokens, s) for s in shapes.max(axis=1)])
        lacking = np.flatnonzero(held < rows)
        if not len(lacking):
            break
        poorest = lacking[np.argmin(held[lacking] / rows[lacking])]
        costs = _costs(shapes, held, poorest)
        into = np.argmin(costs)
        shapes[into] = np.maximum(shapes[into], shapes[poorest])
        cells = np.delete(shapes, poorest, axis=0)
    return shapes, chosen[pair]


def _unique(
    source: np.ndarray, target: np.ndarray, counts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gives the pairs of lengths that there are, how often, and which is whose.

    Sorted by source, then target.
    """
    base = int(target.max()) + 1
    keys, which = np.unique(
        source.astype(np.int64) * base + target, return_inverse=True
    )
    weights = np.ones(len(which)) if counts is None else counts
    totals = np.bincount(which, weights, len(keys)).astype(np.int64)
    return np.stack(np.divmod(keys, base), axis=1), totals, which


def _costs(
    shapes: np.ndarray, counts: np.ndarray, chosen: np.integer | int
) -> np.ndarray:
    """Positions that merging a shape with each other one adds, float [K]."""
    merged = np.maximum(shapes, shapes[chosen]).sum(axis=1)
    own = counts * shapes.sum(axis=1)
    added = (counts + counts[chosen]) * merged - own - own[chosen]
    costs: np.ndarray = added.astype(np.float64)
    costs[chosen] = np.inf
    return costs


def _merged(cells: np.ndarray, counts: np.ndarray, most: int) -> np.ndarray:
    """Merges cells, the cheapest merger first, until ``most`` are left."""
    cells, counts = cells.copy(), counts.copy()
    alive = np.ones(len(cells), bool)
    costs = np.stack([_costs(cells, counts, i) for i in range(len(cells))])
    while alive.sum() > most:
        # The first of equals, so that the result is the same everywhere.
        i, j = np.unravel_index(np.argmin(costs), costs.shape)
        cells[i] = np.maximum(cells[i], cells[j])
        counts[i] += counts[j]
        alive[j] = False
        costs[j] = costs[:, j] = np.inf
        row = np.where(alive, _costs(cells, counts, i), np.inf)
        costs[i] = costs[:, i] = row
    merged: np.ndarray = cells[alive]
    return merged


def _assigned(
    shapes: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gives each pair of lengths the smallest shape that it fits.

    Returns:
        The shapes that are used, no larger than what they hold, sorted, and
        the shape of each of ``lengths``.
    """
    shapes = np.unique(shapes, axis=0)
    shapes = shapes[np.argsort(shapes.sum(axis=1), kind="stable")]
    fits = (lengths[:, None, :] <= shapes[None, :, :]).all(axis=2)
    chosen = np.argmax(fits, axis=1)
    used = np.unique(chosen)
    chosen = np.searchsorted(used, chosen)
    tight = np.zeros((len(used), 2), np.int64)
    np.maximum.at(tight, chosen, lengths)
    # Two shapes may have become one.
    tight, same = np.unique(tight, axis=0, return_inverse=True)
    return tight, same[chosen]
