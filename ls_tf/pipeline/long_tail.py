"""A long tail: of most classes few training examples, of a few many.

Each example of a data set has its own place in its class's queue, whatever
part of the data a run uses: a longer tail holds the examples of a shorter one.
"""

import numpy as np

from ls_tf import seeds
from ls_tf.pipeline import contract
from ls_tf.pipeline.contract import DatasetInfo
from ls_tf.spec import DataSpec, SpecError


def counts(
    num_classes: int, power: float, largest: int, smallest: int = 1
) -> np.ndarray:
    """Gives how many examples the classes of a long tail have.

    They are in the proportions of the quantiles of a Pareto distribution that
    begins at 0, at the places that K draws have in the mean:
    ``(r / (K + 1)) ** (-1 / power) - 1`` for the r-th most frequent class.

    Args:
        num_classes: K, 1 or more.
        power: above 0; the lower, the longer the tail.
        largest: examples of the most frequent class.
        smallest: the least that a class has.

    Returns:
        int64 [K], falling; rounded to the nearest.

    Source: Shen et al. 2021, 4.3, and Liu et al. 2019 (arXiv 1904.05160) name
    the distribution and its power, 6; the places are ours. Of 1,000 classes,
    1,280 to 5 images each, they give 118,000 images and 390 classes of more
    than 100; ImageNet-LT has 115,846 and 389.
    """
    rank = np.arange(1, num_classes + 1)
    # x ** (-1 / power) - 1 without overflow: e ** log - 1 over that of rank 1.
    log = np.log((num_classes + 1) / rank) / power
    share = np.exp(log - log[0]) * np.expm1(-log) / np.expm1(-log[0])
    nearest = np.floor(largest * share + 0.5).astype(np.int64)
    wanted: np.ndarray = np.maximum(nearest, smallest)
    return wanted


class LongTail:
    """Which examples of a run's training split are used."""

    def __init__(self, data: DataSpec, info: DatasetInfo, seed: int) -> None:
        """Takes how long the tail is; draws nothing yet.

        Args:
            data: the fields of the tail.
            info: the data set's classes and sizes.
            seed: the run's.
        """
        self._data, self._info, self._seed = data, info, seed
        self._rows: dict[str, np.ndarray] = {}

    def cuts(self, split: str) -> bool:
        """Whether a part of a split is used."""
        return self._data.tail_power is not None and split == self._data.train

    def draws_alike(self, other: "LongTail") -> bool:
        """Whether both draw the same examples of a split, if any."""
        return self._data.tail_power is None or self._seed == other._seed

    def rows(self, split: str, labels: np.ndarray) -> np.ndarray:
        """Draws the examples of a split that are used.

        Args:
            split: e.g. ``train[:50000]``.
            labels: int32 [N], the true ones of that split.

        Returns:
            int64 [n], rising; the same array each time.

        Raises:
            SpecError: a class has too few examples, or none.
        """
        if split not in self._rows:
            rows = np.sort(np.concatenate(self._chosen(split, labels)))
            rows.flags.writeable = False
            self._rows[split] = rows
        return self._rows[split]

    def _chosen(self, split: str, labels: np.ndarray) -> list[np.ndarray]:
        """Those of each class."""
        data, num_classes = self._data, self._info.num_classes
        if data.tail_power is None:
            return [np.arange(len(labels))]
        there = np.bincount(labels, minlength=num_classes)
        if not there.all():
            raise SpecError(
                "data.tail_power: wanted examples of every class in "
                f"{data.name}/{split}, got none of class "
                f"{int(np.argmin(there))}"
            )
        # Where nothing else is said: what every class has, whatever its rank.
        largest = data.tail_largest or int(there.min())
        wanted = counts(
            num_classes, data.tail_power, largest, data.tail_smallest
        )
        base, start, stop = contract.parse_split(split, self._info.sizes)
        # Raw words of Philox are fixed for good.
        queue = self._words("examples", base, count=stop)[start:]
        ranked = np.argsort(self._words("classes", count=num_classes))
        chosen = []
        for label, count in zip(ranked.tolist(), wanted.tolist(), strict=True):
            if count > there[label]:
                raise SpecError(
                    f"data.tail_largest, data.tail_smallest: wanted {count} "
                    f"examples of class {label} in {data.name}/{split}, there "
                    f"are {there[label]}"
                )
            (places,) = np.nonzero(labels == label)
            order = np.argsort(queue[places], kind="stable")
            chosen.append(places[order[:count]])
        return chosen

    def _words(self, *purpose: str, count: int) -> np.ndarray:
        words = seeds.philox(
            self._seed, "long_tail", *purpose
        ).bit_generator.random_raw(count)
        return np.asarray(words)
