"""Batches of a data set that does not fit in memory, made by other processes.

A step's examples are those of ``plan.EpochPlan``, so that a batch is a
function of (seed, step) alone: not of the number of processes that make it,
of the number that train, or of where a run was interrupted. A batch is made
in pieces of a few dozen pictures. Piece k is made by process k modulo their
number, which finds by itself which records it needs; Grain hands the pieces
over in order, through shared memory.
"""

import gc
import os
import signal
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from absl import flags

from ls_tf import stopping
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.pieces import (
    BYTES_OF_A_PIXEL,
    Listed,
    Pieces,
    Training,
)
from ls_tf.pipeline.plan import EpochPlan
from ls_tf.pipeline.shards import Shards
from ls_tf.records.reading import line

Arrays = Mapping[str, np.ndarray]

_PIECE_BYTES = 2**23  # of decoded pictures: what one process makes at a time
_AT_ONCE_BYTES = 2**25  # of decoded pictures that an engine is given at once
_AHEAD = 2  # batches that are made before they are asked for
_MOST_PROCESSES = 64


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
        self._bytes = self._side**2 * BYTES_OF_A_PIXEL
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
        self._size = max(1, _AT_ONCE_BYTES // (side**2 * BYTES_OF_A_PIXEL))

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
        if count:
            _start_tracker()
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
        """Ends the processes, and gives back the memory that they shared."""
        self._finalizer()
        # Grain's iterator refers to itself, and to its last pieces.
        self._iterator = None
        gc.collect()


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


def _start_tracker() -> None:
    """Starts Python's process that tidies shared memory, without its words.

    Grain gives memory back in a thread of its own. What that has not come to
    at the program's end is tidied by the tracker, which warns of a leak.
    """
    from multiprocessing import resource_tracker

    before = os.environ.get("PYTHONWARNINGS")
    quiet = f"ignore::UserWarning:{resource_tracker.__name__}"
    os.environ["PYTHONWARNINGS"] = f"{before},{quiet}" if before else quiet
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


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
