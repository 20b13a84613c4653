"""The splits of a data set that fits in memory, as a run uses them."""

import os
from types import ModuleType

import numpy as np

from ls_tf.pipeline import class_subset, contract, loading, usage
from ls_tf.pipeline.contract import Arrays
from ls_tf.pipeline.label_noise import LabelNoise
from ls_tf.pipeline.long_tail import LongTail
from ls_tf.pipeline.usage import Usage
from ls_tf.spec import DataSpec


class MemorySplits:
    """Images and labels by split; a tail is cut, labels are changed."""

    def __init__(
        self,
        module: ModuleType,
        data: DataSpec,
        data_dir: str | os.PathLike[str] | None,
        seed: int,
        like: "MemorySplits | None" = None,
    ) -> None:
        """Reads nothing yet.

        Args:
            module: the data set's.
            data: which splits, and how they are changed.
            data_dir: where TFDS data lies, or a prepared file; None means
                TFDS's own default.
            seed: the run's.
            like: those of a run on the same data, to share its arrays.

        Raises:
            SpecError: labels cannot be changed as is wanted.
        """
        self._module, self._data, self._data_dir = module, data, data_dir
        self._noise = LabelNoise(data, module.INFO, seed)
        self._tail = LongTail(data, module.INFO, seed)
        self._loaded: dict[str, Arrays] = {}
        self._cut: dict[str, Arrays] = {}
        self._sha256: dict[str, str] = {}
        self._has_own_labels = data.has_label_noise
        if like is None:
            return
        self._loaded = like._loaded
        if like._tail.draws_alike(self._tail):
            self._cut = like._cut
            if not (self._has_own_labels or like._has_own_labels):
                self._sha256 = like._sha256

    def arrays(self, split: str) -> Arrays:
        """Gives a split as it is used.

        Returns:
            ``image`` uint8 [N, H, W, C] as stored, the same array each time
            and for all that share it; ``label`` int32 [N].

        Raises:
            ValueError: the data is missing or not as its contract says.
            SpecError: there are too few examples for a tail.
        """
        used = whole = self._whole(split)
        label = self._noise.observed(split, whole["label"])
        if self._tail.cuts(split):
            rows = self._tail.rows(split, whole["label"])
            if split not in self._cut:
                self._cut[split] = {k: v[rows] for k, v in whole.items()}
            used, label = self._cut[split], label[rows]
        return {**used, "label": label} if self._noise.changes(split) else used

    def cuts(self, split: str) -> bool:
        """Whether another seed has other images of a split."""
        return self._tail.cuts(split)

    def usage(self, split: str) -> Usage:
        """Says what is used of a split.

        It has the digest of the training split, and of others whose labels
        are changed; of the user's own images that of every split.
        """
        changes = self._noise.changes(split)
        info = class_subset.info(self._data, self._module.INFO)
        if split != self._data.train and not changes and not info.is_own:
            # It need not be loaded.
            _, start, stop = contract.parse_split(
                split, self._module.INFO.sizes
            )
            if self._data.classes:
                return Usage(len(self._whole(split)["label"]))
            return Usage(stop - start)
        arrays, true = self.arrays(split), self._whole(split)["label"]
        counts: tuple[int, ...] = ()
        if self._tail.cuts(split):
            true = true[self._tail.rows(split, true)]
            counts = tuple(np.bincount(true).tolist())
        if split not in self._sha256:
            self._sha256[split] = usage.digest(arrays["image"], arrays["label"])
        return Usage(
            len(true),
            sha256=self._sha256[split],
            relabelled=int(np.sum(arrays["label"] != true))
            if changes
            else None,
            class_counts=counts,
            **usage.of_own(info),
        )

    def _whole(self, split: str) -> Arrays:
        """A split as it is stored, less the classes that are left out."""
        if split not in self._loaded:
            loaded = loading.load(self._module, split, data_dir=self._data_dir)
            self._loaded[split] = class_subset.part(self._data, split, loaded)
        return self._loaded[split]
