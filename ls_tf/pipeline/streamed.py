"""The splits of a data set that is streamed, as a task has them."""

import dataclasses
import os
from types import ModuleType

import numpy as np

from ls_tf.pipeline import array_cache, contract, shards
from ls_tf.pipeline import usage as usages
from ls_tf.pipeline.long_tail import LongTail
from ls_tf.pipeline.plan import EpochPlan
from ls_tf.pipeline.shards import Shards
from ls_tf.pipeline.stream import SplitBatches, Stream
from ls_tf.pipeline.usage import LeftOut, Usage


class StreamedSplits:
    """Records, labels and pictures by split; nothing stays in memory.

    Labels alone do: reading them takes a pass over the records, so they are
    also kept in the data directory.
    """

    def __init__(
        self,
        module: ModuleType,
        data_dir: str | os.PathLike[str] | None,
        recipe: str,
        *,
        skips: bool = False,
        tail: LongTail | None = None,
    ) -> None:
        """Reads nothing yet.

        Args:
            module: the data set's.
            data_dir: where TFDS data lies; None means TFDS's own default.
            recipe: how pictures are prepared; see ``photographs.recipe``.
            skips: whether the next record of its class takes a damaged one's
                place; else that is an error.
            tail: which records of the training split are used; None: all.
        """
        self._module, self._data_dir = module, data_dir
        self._recipe, self._skips, self._tail = recipe, skips, tail
        self._damaged: dict[str, set[int]] = {}
        self._shards: dict[str, Shards] = {}
        self._labels: dict[str, np.ndarray] = {}

    def shards(self, split: str) -> Shards:
        """Gives the records of a split; see ``shards.find``.

        Of a long tail, those that it has: it takes a pass over the labels.

        Raises:
            SpecError: there are too few examples for the tail.
        """
        if split not in self._shards:
            found = shards.find(self._module, split, data_dir=self._data_dir)
            if self._tail is not None and self._tail.cuts(split):
                rows = self._tail.rows(split, self._read_labels(split, found))
                found = dataclasses.replace(found, rows=tuple(rows.tolist()))
            self._shards[split] = found
        return self._shards[split]

    def training(
        self, split: str, plan: EpochPlan, *, seed: int, steps: int
    ) -> Stream:
        """Gives the training batches; see ``Stream``."""
        return Stream(
            self.shards(split),
            plan,
            recipe=self._recipe,
            seed=seed,
            steps=steps,
            skips=self._skips,
            damaged=self._damaged.setdefault(split, set()),
        )

    def examples(
        self, split: str, positions: np.ndarray | None = None
    ) -> SplitBatches:
        """Gives the pictures of a split, or some of them, to be evaluated."""
        return SplitBatches(
            self.shards(split),
            self._recipe,
            positions,
            skips=self._skips,
            damaged=self._damaged.setdefault(split, set()),
        )

    def labels(self, split: str) -> np.ndarray:
        """Gives the labels of a split, int32 [N].

        Raises:
            DataError: the records cannot be read, or hold other labels than
                the set promises.
        """
        if split not in self._labels:
            records = self.shards(split)
            whole = dataclasses.replace(records, rows=())
            labels = self._read_labels(split, whole)
            rows = np.array(records.rows, np.int64)
            self._labels[split] = labels[rows] if len(rows) else labels
        return self._labels[split]

    def _read_labels(self, split: str, records: Shards) -> np.ndarray:
        """Of all records of a split, whatever of it is used."""
        about = {"count": len(records), "of": records.sha256}
        base = contract.parse_split(split, self._module.INFO.sizes)[0]
        name = f"labels_{base}_{records.start}_{records.stop}"
        folder = array_cache.folder(self._data_dir)
        cache = folder and folder / self._module.INFO.name
        kept = (
            array_cache.read(cache, name, ["label"], about) if cache else None
        )
        if kept is None:
            label = SplitBatches(records, self._recipe).labels()
            contract.check_labels(self._module.INFO, split, label)
            kept = {"label": label}
            if cache:
                array_cache.write(cache, name, kept, about)
        return kept["label"]

    def usage(self, split: str) -> Usage:
        """Says what is used of a split, as far as this process knows."""
        records = self.shards(split)
        damaged = self._damaged.get(split)
        usage = Usage(
            len(records),
            sha256=records.sha256,
            sampled_sha256=records.sampled_sha256,
            class_counts=tuple(np.bincount(self.labels(split)).tolist())
            if records.rows
            else (),
            **usages.of_own(self._module.INFO),
        )
        if not damaged:
            return usage
        reason = "damaged JPEG, the next of its class taken in its place"
        left_out = LeftOut(reason, len(damaged), f"record {min(damaged)}")
        used = len(records) - len(damaged)
        return dataclasses.replace(usage, examples=used, left_out=(left_out,))
