"""The images and labels that an experiment names, by the roles of splits."""

from collections.abc import Mapping

import numpy as np

from ls_tf.pipeline import augment, class_subset, contract, fitting, own
from ls_tf.pipeline.contract import Arrays
from ls_tf.pipeline.in_memory import MemorySplits
from ls_tf.pipeline.long_tail import LongTail
from ls_tf.pipeline.stream import SplitBatches
from ls_tf.pipeline.streamed import StreamedSplits
from ls_tf.pipeline.usage import Usage
from ls_tf.spec import ExperimentSpec, SpecError


class LabelledImages:
    """What a task on images is built on: in memory, or streamed photographs.

    Attributes:
        spec: the experiment.
        class_names: in the order of the labels.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        data_dir: str | None,
        like: "LabelledImages | None" = None,
    ) -> None:
        """Reads nothing yet.

        Args:
            spec: the experiment.
            data_dir: where TFDS data lies, or a prepared file; None means
                TFDS's own default.
            like: those of a run on the same data, to share its arrays.

        Raises:
            SpecError: the data set holds text, it or its labels cannot be had
                as is wanted, or the augmentation is for the other kind of
                images.
        """
        self.spec = spec
        self._data_dir = data_dir
        self._data = own.of(spec.data, data_dir)
        if not isinstance(self._data.INFO, contract.DatasetInfo):
            raise SpecError(
                f"data.name: wanted images with labels, '{spec.data.name}' "
                "holds text"
            )
        info = class_subset.info(spec.data, self._data.INFO)
        self._num_classes = info.num_classes
        self.class_names: tuple[str, ...] = info.class_names
        self._augmentation = augment.augmentation(spec.data.augmentation)
        self._splits: MemorySplits = MemorySplits(
            self._data,
            spec.data,
            data_dir,
            spec.seed,
            None if like is None else like._splits,
        )
        self._streamed = self._streamed_splits()

    def _streamed_splits(self) -> StreamedSplits | None:
        """What reads photographs; None where images fit in memory.

        Raises:
            SpecError: the augmentation is for the other kind.
        """
        data = self.spec.data
        is_streamed = isinstance(self._data.INFO, contract.RecordInfo)
        if is_streamed != isinstance(self._augmentation, augment.Photographs):
            kind = "photographs" if is_streamed else "images in memory"
            raise SpecError(
                f"data.augmentation: wanted one for {kind}, as {data.name} "
                f"holds, got '{data.augmentation}'"
            )
        if not is_streamed:
            return None
        return StreamedSplits(
            self._data,
            self._data_dir,
            data.augmentation,
            skips=data.skip_damaged,
            tail=LongTail(data, self._data.INFO, self.spec.seed),
        )

    @property
    def data_used(self) -> Mapping[str, Usage]:
        """See ``Task.data_used``: only damaged photographs are left out."""
        data, splits = self.spec.data, self._streamed or self._splits
        used = (data.train, data.calibrate, data.report)
        return {split: splits.usage(split) for split in used}

    def labels(self, role: str) -> np.ndarray:
        """Labels int32 [N] of a role's split."""
        if self._streamed:
            return self._streamed.labels(getattr(self.spec.data, role))
        return self.in_memory(role)["label"]

    def examples(
        self, role: str, index: np.ndarray | None = None
    ) -> Arrays | SplitBatches:
        """Gives what ``predict`` takes, of a role's split or a part of it.

        Args:
            role: train, calibrate or report.
            index: int [n], positions in the split; None for all.

        Returns:
            Images uint8 and labels int32 as stored, or batches of images.
        """
        if self._streamed:
            return self._streamed.examples(getattr(self.spec.data, role), index)
        arrays = self.in_memory(role)
        if index is None:
            return arrays
        return {k: v[index] for k, v in arrays.items()}

    def in_memory(self, role: str) -> Arrays:
        """Images of a role's split as stored, and the labels that are used.

        Raises:
            SpecError: they are streamed.
        """
        if self._streamed:
            raise SpecError(
                f"{self.spec.data.name}: wanted a split in memory, its "
                "photographs are streamed"
            )
        return self._splits.arrays(getattr(self.spec.data, role))

    def image_shape(self) -> tuple[int, ...]:
        """See ``Classifier.image_shape``.

        Raises:
            SpecError: they are photographs of many shapes.
        """
        if self._streamed:
            raise SpecError(
                f"{self.spec.data.name}: wanted images of one shape, its "
                "photographs have many"
            )
        return tuple(self._data.INFO.image_shape)

    def other_data(self, name: str, split: str) -> Arrays:
        """See ``Classifier.other_data``."""
        return fitting.load(
            name, split, self.image_shape(), data_dir=self._data_dir
        )

    @property
    def num_views(self) -> int | None:
        """See ``Classifier.num_views``."""
        return self._augmentation.views

    def augmented(
        self,
        role: str,
        index: np.ndarray,
        view: np.ndarray | np.random.Generator,
    ) -> Mapping[str, np.ndarray]:
        """Gives what ``predict`` takes to see augmented views.

        Args:
            role: train, calibrate or report.
            index: int [n], positions in the role's split.
            view: int [n], or a generator; see ``Classifier.views``.

        Returns:
            ``image`` uint8 [n, ...] and what the augmentation draws.

        Raises:
            ValueError: there is no such example or view.
        """
        images = self.in_memory(role)["image"]
        if len(index) and not 0 <= np.min(index) <= np.max(index) < len(images):
            raise SpecError(
                f"wanted examples from 0 to {len(images) - 1} of "
                f"{self.spec.data.name}/{getattr(self.spec.data, role)}, got "
                f"{np.min(index)} to {np.max(index)}"
            )
        how = self._augmentation
        draws = (
            how.draw(view, len(index))
            if isinstance(view, np.random.Generator)
            else how.draws_of(view)
        )
        return {"image": how.prepare(images[index]), **draws}
