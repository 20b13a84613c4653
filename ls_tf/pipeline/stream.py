"""Batches of a data set that does not fit in memory, made by other processes.

A step's examples are those of ``plan.EpochPlan``, so that a batch is a
function of (seed, step) alone: not of the number of processes that make it,
of the number that train, or of where a run was interrupted. A batch is made
in pieces of a few dozen pictures. Piece k is made by process k modulo their
number, which finds by itself which records it needs; Grain hands the pieces
over in order, through shared memory.
"""

import dataclasses
import os
import signal
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from absl import flags

from ls_tf import stopping
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.plan import EpochPlan
from ls_tf.pipeline.shards import Shards
from ls_tf.records.reading import line

Arrays = Mapping[str, np.ndarray]

_PIECE_BYTES = 2**23  # of decoded pictures: what one process makes at a time
_AT_ONCE_BYTES = 2**25  # of decoded pictures that an engine is given at once
_AHEAD = 2  # batches that are made before they are asked for
_MOST_PROCESSES = 64
_PICTURE = 3  # bytes of a pixel


class Order(Protocol):
    """Which examples which piece holds."""

    @property
    def size(self) -> int:
        """Examples of a piece, at most."""

    def piece(self, number: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Gives positions int [n], and epochs int [n] where chance plays."""


@dataclasses.dataclass(frozen=True)
class Training:
    """The examples of training steps.

    Attributes:
        plan: which examples a step has.
        part: which of how many equal parts of each batch, from 0.
        size: examples of a piece, at most.
    """

    plan: EpochPlan
    part: tuple[int, int]
    size: int

    @property
    def batch(self) -> int:
        """Examples of this part of a batch."""
        return self.plan.batch_size // self.part[1]

    @property
    def pieces(self) -> int:
        """How many pieces this part of a batch has."""
        return -(-self.batch // self.size)

    def piece(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """See ``Order``; pieces count on from step to step."""
        step, piece = divmod(number, self.pieces)
        first = self.part[0] * self.batch
        rows = slice(
            first + piece * self.size,
            first + min((piece + 1) * self.size, self.batch),
        )
        index = self.plan.steps(step, 1)["index"][0, rows]
        places = step * self.plan.batch_size + np.arange(rows.start, rows.stop)
        return index, places // self.plan.num_examples


@dataclasses.dataclass(frozen=True)
class Listed:
    """Examples of a split, each once.

    Attributes:
        positions: int [N]; None for all in order.
        count: N.
        size: examples of a piece, at most.
    """

    positions: np.ndarray | None
    count: int
    size: int

    @property
    def pieces(self) -> int:
        """How many pieces there are."""
        return -(-self.count // self.size)

    def piece(self, number: int) -> tuple[np.ndarray, None]:
        """See ``Order``."""
        first = number * self.size
        last = min(first + self.size, self.count)
        if self.positions is None:
            return np.arange(first, last), None
        return self.positions[first:last], None


@dataclasses.dataclass(frozen=True)
class Pieces:
    """Makes pieces, in a process of its own; a source of Grain.

    Attributes:
        shards: the records.
        order: which of them.
        recipe: how pictures are prepared; empty: labels alone.
        seed: the run's.
        first: the piece that number 0 means.
        count: how many there are from there.
        skips: whether the next record of its class takes a damaged one's
            place.
    """

    shards: Shards
    order: Order
    recipe: str
    seed: int
    first: int
    count: int
    skips: bool = False

    def __len__(self) -> int:
        """How many pieces there are."""
        return self.count

    @property
    def bytes(self) -> int:
        """Of the largest piece."""
        from ls_tf.pipeline import photographs

        if not self.recipe:
            return 4 * self.order.size
        side = photographs.recipe(self.recipe).size
        return self.order.size * side**2 * _PICTURE

    def __getitem__(self, number: Any) -> dict[str, np.ndarray]:
        """Makes a piece.

        Args:
            number: from 0.

        Returns:
            ``label`` int32 [n]; ``image`` uint8 [n, H, W, 3]; ``damaged``
            int64 [d], the positions of records that others stand in for.

        Raises:
            DataError: a record is damaged.
        """
        from ls_tf.pipeline import photographs

        positions, epochs = self.order.piece(self.first + int(number))
        labels = np.empty(len(positions), np.int32)
        damaged: list[int] = []
        if not self.recipe:
            for i, position in enumerate(positions.tolist()):
                labels[i] = self.shards.read(position).label
            return {"label": labels}
        recipe = photographs.recipe(self.recipe)
        images = np.empty(
            (len(positions), recipe.size, recipe.size, 3), np.uint8
        )
        for i, position in enumerate(positions.tolist()):
            epoch = None if epochs is None else int(epochs[i])
            images[i], labels[i] = self._made(position, epoch, damaged)
        return {
            "image": images,
            "label": labels,
            "damaged": np.array(damaged, np.int64),
        }

    def _made(
        self, position: int, epoch: int | None, damaged: list[int]
    ) -> tuple[np.ndarray, int]:
        """Gives the pixels and the label of a record, or of its stand-in."""
        from ls_tf.pipeline import draws, jpeg, photographs

        recipe = photographs.recipe(self.recipe)
        label: int | None = None
        for at in range(position, position + len(self.shards)):
            at %= len(self.shards)
            example = self.shards.read(at)
            label = example.label if label is None else label
            if example.label != label:
                continue
            try:
                if epoch is None:
                    return recipe.evaluate(example.encoded), label
                chance = draws.of_example(self.seed, epoch, position)
                return recipe.train(example.encoded, chance), label
            except jpeg.DamagedImageError as error:
                if not self.skips:
                    raise DataError(
                        f"{self.shards.name}: record {self.shards.start + at} "
                        f"({example.file_name or 'of no known file'}) is no "
                        f"whole JPEG: {error}; prepare the data anew, or set "
                        "data.skip_damaged=true: the next of its class takes "
                        "its place"
                    ) from error
                damaged.append(at)
        raise DataError(
            f"{self.shards.name}: of class {label} no record is a whole JPEG"
        )


def processes() -> int:
    """How many processes make batches: one for each core that we may use."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return min(cores, _MOST_PROCESSES)


class Stream:
    """Training batches, in the order of their steps, made ahead of time."""

    def __init__(
        self,
        shards: Shards,
        plan: EpochPlan,
        *,
        recipe: str,
        seed: int,
        steps: int,
        skips: bool = False,
        damaged: set[int] | None = None,
        processes: int | None = None,
    ) -> None:
        """Starts nothing yet.

        Args:
            shards: the training split.
            plan: which examples a step has; draws nothing.
            recipe: see ``photographs.recipe``.
            seed: the run's.
            steps: how many the run has.
            skips: see ``Pieces``.
            damaged: the positions of records that others stand in for are
                added to it.
            processes: how many make batches, 0 for this one itself; default:
                one for each core.
        """
        from ls_tf.pipeline import photographs

        self._shards, self._plan, self._recipe = shards, plan, recipe
        self._seed, self._steps, self._skips = seed, steps, skips
        self._processes = processes
        self._side = photographs.recipe(recipe).size
        self._bytes = self._side**2 * _PICTURE
        self._maker: _Maker | None = None
        self._next = (-1, (0, 1))  # step and part that the maker makes next
        self.damaged: set[int] = set() if damaged is None else damaged

    @property
    def steps_at_once(self) -> int:
        """The most steps of one call of ``batches``; 1 or more."""
        return max(1, _AT_ONCE_BYTES // (self._bytes * self._plan.batch_size))

    def batches(self, start: int, count: int, part: tuple[int, int]) -> Arrays:
        """Gives a part of the batches of some steps.

        A step that is not the one behind the last starts other processes.

        Args:
            start: first step.
            count: number of steps; at most ``steps_at_once`` are given.
            part: (which, of how many) equal parts of each batch.

        Returns:
            ``image`` uint8 [n, b, H, W, 3] and ``label`` int32 [n, b], n of
            1 to ``count``.

        Raises:
            DataError: a record is damaged, or a process has died; one line.
            StoppedError: the process was asked to stop.

        Source: ours.
        """
        count = min(count, self.steps_at_once, self._steps - start)
        order = Training(self._plan, part, self._piece_size(part))
        if self._next != (start, part) or self._maker is None:
            self._start(order, start)
        maker = self._maker
        if maker is None:
            raise RuntimeError("there is nothing that makes batches")
        self._next = (-1, part)  # until this call has ended well
        made = maker.pieces(count * order.pieces)
        shape = (count, order.batch)
        images = np.empty((*shape, self._side, self._side, 3), np.uint8)
        labels = np.empty(shape, np.int32)

        def assemble() -> None:
            for i in range(count):
                first = 0
                for _ in range(order.pieces):
                    piece = next(made)
                    last = first + len(piece["label"])
                    images[i, first:last] = piece["image"]
                    labels[i, first:last] = piece["label"]
                    self.damaged.update(piece["damaged"].tolist())
                    first = last

        stopping.aside(assemble)
        self._next = (start + count, part)
        if start + count >= self._steps:
            self.close()
        return {"image": images, "label": labels}

    def _piece_size(self, part: tuple[int, int]) -> int:
        mine = self._plan.batch_size // part[1]
        return min(mine, max(1, _PIECE_BYTES // self._bytes))

    def _start(self, order: Training, start: int) -> None:
        self.close()
        pieces = Pieces(
            shards=self._shards,
            order=order,
            recipe=self._recipe,
            seed=self._seed,
            first=start * order.pieces,
            count=(self._steps - start) * order.pieces,
            skips=self._skips,
        )
        self._maker = _Maker(pieces, _AHEAD * order.pieces, self._processes)

    def close(self) -> None:
        """Ends the processes; a later call of ``batches`` starts others."""
        if self._maker is not None:
            self._maker.close()
        self._maker = None


class SplitBatches:
    """The examples of a split, each once, as they are evaluated.

    They are read anew whenever they are asked for.
    """

    def __init__(
        self,
        shards: Shards,
        recipe: str,
        positions: np.ndarray | None = None,
        *,
        skips: bool = False,
        damaged: set[int] | None = None,
        processes: int | None = None,
    ) -> None:
        """Reads nothing yet.

        Args:
            shards: the split.
            recipe: see ``photographs.recipe``.
            positions: int [N], which of them; None for all.
            skips: see ``Pieces``.
            damaged: see ``Stream``.
            processes: see ``Stream``.
        """
        from ls_tf.pipeline import photographs

        self._shards, self._recipe = shards, recipe
        self._positions, self._processes = positions, processes
        self._skips = skips
        self.damaged: set[int] = set() if damaged is None else damaged
        self.num_examples = len(shards if positions is None else positions)
        side = photographs.recipe(recipe).size
        self._size = max(1, _AT_ONCE_BYTES // (side**2 * _PICTURE))

    def batches(self) -> Iterator[Arrays]:
        """Gives the pictures in order.

        Yields:
            ``image`` uint8 [n, H, W, 3]; n is the same but for the last.

        Raises:
            DataError: a record is damaged, or a process has died; one line.
            StoppedError: the process was asked to stop.
        """
        for piece in self._made(self._recipe, self._size):
            self.damaged.update(piece["damaged"].tolist())
            yield {"image": piece["image"]}

    def labels(self) -> np.ndarray:
        """Reads the labels alone, int32 [N]; see ``batches``."""
        parts = [piece["label"] for piece in self._made("", _LABELS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    def _made(self, recipe: str, size: int) -> Iterator[Arrays]:
        order = Listed(self._positions, self.num_examples, size)
        pieces = Pieces(
            shards=self._shards,
            order=order,
            recipe=recipe,
            seed=0,  # nothing is drawn
            first=0,
            count=order.pieces,
            skips=self._skips,
        )
        maker = _Maker(pieces, _AHEAD, self._processes)
        try:
            made = maker.pieces(order.pieces)
            for _ in range(order.pieces):
                # Copied, for the memory that is shared goes with the piece.
                yield stopping.aside(
                    lambda: {k: np.array(v) for k, v in next(made).items()}
                )
        finally:
            maker.close()


_LABELS_AT_ONCE = 1000
_SHARED = "/dev/shm"


# --- Processes --------------------------------------------------------------


class _Maker:
    """Makes pieces in other processes, through Grain."""

    def __init__(self, pieces: Pieces, ahead: int, wanted: int | None) -> None:
        """Starts the processes.

        Args:
            pieces: what to make.
            ahead: how many to have ready, at least.
            wanted: how many processes; 0 for this one; None: as many as
                there are cores.
        """
        count = processes() if wanted is None else wanted
        count = min(count, len(pieces))
        with stopping.importing("Grain"):
            import grain
        # Grain has flags of its own, which no command of ours parses.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        each = -(-ahead // count) if count else 0
        _check_shared_memory(pieces, count * (2 * each + 2))
        data = grain.MapDataset.source(pieces).to_iter_dataset(
            grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
        )
        if count:
            data = data.mp_prefetch(
                grain.MultiprocessingOptions(
                    num_workers=count,
                    per_worker_buffer_size=each,
                ),
                worker_init_fn=_begin,
            )
        self._name = pieces.shards.name
        self._iterator = iter(data)
        self._finalizer = weakref.finalize(self, _close, self._iterator)

    def pieces(self, count: int) -> Iterator[Arrays]:
        """Gives the next pieces.

        Raises:
            DataError: a record is damaged, or a process has died; one line.
            StoppedError: the process, and with it those, were asked to stop.
        """
        for _ in range(count):
            try:
                piece: Arrays = next(self._iterator)
            except (DataError, stopping.StoppedError):
                raise
            except Exception as error:  # Grain raises nearly anything.
                stopping.look()
                raise DataError(
                    f"{self._name}: a process that reads and decodes it has "
                    f"failed: {line(error)}"
                ) from error
            yield piece

    def close(self) -> None:
        """Ends the processes."""
        self._finalizer()


def _check_shared_memory(pieces: Pieces, count: int) -> None:
    """Refuses to begin where shared memory cannot hold what is made ahead.

    A process that writes to more than there is dies without a word.

    Args:
        pieces: what is made.
        count: how many there may be at once.

    Raises:
        DataError: one line.
    """
    try:
        state = os.statvfs(_SHARED)
    except OSError:
        return  # another system keeps it elsewhere
    wanted, free = count * pieces.bytes, state.f_bavail * state.f_frsize
    if wanted > free:
        raise DataError(
            f"{pieces.shards.name}: wanted {wanted / 2**20:.0f} MiB of shared "
            f"memory for the batches that are made ahead, {_SHARED} has "
            f"{free / 2**20:.0f} free; a container is given more with "
            "--shm-size"
        )


def _close(iterator: Any) -> None:
    if hasattr(iterator, "close"):
        iterator.close()


def _begin(index: int, count: int) -> None:
    """What a process does first: it ends with its parent, and not before."""
    import multiprocessing

    del index, count
    # A terminal signals all processes of a command: the parent decides.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    watch = threading.Thread(
        target=_end_with, args=(parent.sentinel,), daemon=True
    )
    watch.start()


def _end_with(sentinel: int) -> None:
    """Ends this process as soon as its parent is gone, however it went."""
    from multiprocessing import connection

    connection.wait([sentinel])
    os._exit(0)
