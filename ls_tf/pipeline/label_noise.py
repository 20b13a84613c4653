"""Labels that are wrong on purpose: a function of the run's seed alone.

Each example of a data set has its own chance, whatever part of the data a run
uses and however its labels are changed: with a lower rate of kept labels the
labels that were wrong before stay so, and stay what they were.
"""

import numpy as np

from ls_tf import seeds
from ls_tf.pipeline import contract
from ls_tf.pipeline.contract import DatasetInfo
from ls_tf.spec import DataSpec, SpecError


def change(
    labels: np.ndarray, transition: np.ndarray, chance: np.ndarray
) -> np.ndarray:
    """Draws what is observed of true labels.

    Args:
        labels: int [N], true classes.
        transition: float [K, K]; row j is the distribution of what is observed
            where j is true.
        chance: float [2, N] in [0, 1): whether a label is kept, and which of
            the other classes takes its place.

    Returns:
        int32 [N].

    Source: Chen et al. 2020, App. C, for equal rows; ours.
    """
    observed = labels.astype(np.int32, copy=True)
    for true in range(len(transition)):
        (places,) = np.nonzero(labels == true)
        kept, others = transition[true, true], transition[true].copy()
        places = places[chance[0, places] >= kept]
        others[true] = 0.0
        ends = np.cumsum(others)
        if not ends[-1]:
            continue
        which = np.searchsorted(ends, chance[1, places] * ends[-1], "right")
        # Rounding may reach the very end.
        observed[places] = np.minimum(which, np.flatnonzero(others)[-1])
    return observed


class LabelNoise:
    """What a run's labels are, of each split that it names."""

    def __init__(self, data: DataSpec, info: DatasetInfo, seed: int) -> None:
        """Takes what is to be changed, and by which chance.

        Args:
            data: which labels, and how.
            info: the data set's classes and sizes.
            seed: the run's.

        Raises:
            SpecError: a matrix for another number of classes, or photographs
                that are streamed.
        """
        self._data, self._info, self._seed = data, info, seed
        self._observed: dict[str, np.ndarray] = {}
        self._refuse()

    def _refuse(self) -> None:
        data = self._data
        if not data.has_label_noise:
            return
        if isinstance(self._info, contract.RecordInfo):
            raise SpecError(
                "data.label_kept, data.label_transition: wanted images in "
                f"memory, the photographs of {data.name} are streamed"
            )
        rows, classes = len(data.label_transition), self._info.num_classes
        if rows not in (0, classes):
            raise SpecError(
                f"data.label_transition: wanted {classes} x {classes} "
                f"probabilities for the classes of {data.name}, got {rows} x "
                f"{rows}"
            )

    def changes(self, split: str) -> bool:
        """Whether the labels of a split are changed."""
        data = self._data
        return data.has_label_noise and (
            data.noisy_labels == "all" or split == data.train
        )

    def observed(self, split: str, labels: np.ndarray) -> np.ndarray:
        """Gives the labels that a run uses.

        Args:
            split: e.g. ``train[:50000]``.
            labels: int32 [N], the true ones of that split.

        Returns:
            int32 [N]; the same array each time, and the true one where
            nothing is changed.
        """
        if not self.changes(split):
            return labels
        if split not in self._observed:
            chance = self._chance(split)
            observed = change(labels, self._transition(), chance)
            observed.flags.writeable = False
            self._observed[split] = observed
        return self._observed[split]

    def _chance(self, split: str) -> np.ndarray:
        """Of the examples of a split: float64 [2, N]."""
        base, start, stop = contract.parse_split(split, self._info.sizes)
        # Raw words of Philox are fixed for good.
        words = seeds.philox(
            self._seed, "label_noise", base
        ).bit_generator.random_raw(2 * stop)
        unit = (np.asarray(words) >> np.uint64(11)) * 2.0**-53
        of_example: np.ndarray = unit.reshape(stop, 2)[start:].T
        return of_example

    def _transition(self) -> np.ndarray:
        if self._data.label_transition:
            return np.array(self._data.label_transition, np.float64)
        kept, classes = self._data.label_kept, self._info.num_classes
        other = (1 - kept) / (classes - 1)
        return np.where(np.eye(classes, dtype=bool), kept, other)
