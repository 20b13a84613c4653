"""Which examples a step takes, and with which augmentation.

The examples of a run are one stream: the permutation of epoch 0, then that
of epoch 1, and so on. Step s takes the stream's positions s * B up to
(s + 1) * B - 1. A batch may thus hold the end of one epoch and the start of
the next; none is cut short, and no example is dropped or taken more often.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ls_tf import seeds

if TYPE_CHECKING:
    from ls_tf.pipeline.augment import Augmentation

_KEPT_EPOCHS = 2  # A chunk of steps ends in one epoch and starts the next.


class EpochPlan:
    """The plan of a run: a pure function of the seed and the step.

    What it keeps of past calls only saves time.
    """

    def __init__(
        self,
        num_examples: int,
        batch_size: int,
        seed: int,
        augmentation: Augmentation | None = None,
        num_draws: int = 0,
        tells_epoch: bool = False,
    ) -> None:
        """Sets up the plan; draws nothing yet.

        Args:
            num_examples: size N of the split.
            batch_size: examples B of a step, over all devices.
            seed: the run's seed.
            augmentation: what to draw for each example; None for nothing.
            num_draws: how many numbers the loss draws for each example.
            tells_epoch: whether to say which epoch each step is of.

        Raises:
            ValueError: if ``batch_size`` is not in 1 .. N.
        """
        if not 1 <= batch_size <= num_examples:
            raise ValueError(
                f"wanted a batch size of 1 to {num_examples} (the number of "
                f"examples), got {batch_size}"
            )
        self.num_examples = num_examples
        self.batch_size = batch_size
        self._seed = seed
        self._augmentation = augmentation
        self._num_draws = num_draws
        self._tells_epoch = tells_epoch
        self._epochs: dict[int, dict[str, np.ndarray]] = {}

    def steps(self, start: int, count: int) -> dict[str, np.ndarray]:
        """Gives the plan of the steps start .. start + count - 1.

        Args:
            start: first step, 0 or more.
            count: number of steps, 1 or more.

        Returns:
            ``index`` int32 [count, B], positions in the split, and what the
            augmentation draws, int32 [count, B, ...]; where the loss draws,
            ``loss_draws`` int32 [count, B, num_draws], from 0 to 2**31 - 1;
            and where that is asked for ``epoch`` int32 [count, B], that of
            the step's first example, for all of them.

        Raises:
            ValueError: if ``start`` or ``count`` is too small.

        Source: ours.
        """
        if start < 0 or count < 1:
            raise ValueError(
                "wanted start of 0 or more and count of 1 or more, got "
                f"start={start} and count={count}"
            )
        position = start * self.batch_size
        end = position + count * self.batch_size
        pieces = []
        while position < end:
            epoch, first = divmod(position, self.num_examples)
            last = min(first + end - position, self.num_examples)
            rows = self._epoch(epoch)
            pieces.append({key: row[first:last] for key, row in rows.items()})
            position += last - first
        plan = {
            key: np.concatenate([piece[key] for piece in pieces]).reshape(
                count, self.batch_size, *pieces[0][key].shape[1:]
            )
            for key in pieces[0]
        }
        if self._tells_epoch:
            positions = np.arange(start, start + count) * self.batch_size
            epochs = (positions // self.num_examples).astype(np.int32)
            plan["epoch"] = np.repeat(epochs[:, None], self.batch_size, axis=1)
        return plan

    def _epoch(self, epoch: int) -> dict[str, np.ndarray]:
        """Gives order and draws of one epoch; row i is its i-th example."""
        if epoch not in self._epochs:
            # The raw words of Philox are fixed for good, unlike what
            # Generator.permutation makes of them in some later NumPy.
            words = seeds.philox(
                self._seed, "order", epoch
            ).bit_generator.random_raw(self.num_examples)
            rows = {"index": np.argsort(words, kind="stable").astype(np.int32)}
            if self._augmentation is not None:
                rng = seeds.philox(self._seed, "augment", epoch)
                rows |= self._augmentation.draw(rng, self.num_examples)
            if self._num_draws:
                words = seeds.philox(
                    self._seed, "loss", epoch
                ).bit_generator.random_raw(self.num_examples * self._num_draws)
                draws = (words >> np.uint64(33)).astype(np.int32)
                rows["loss_draws"] = draws.reshape(-1, self._num_draws)
            while len(self._epochs) >= _KEPT_EPOCHS:
                del self._epochs[next(iter(self._epochs))]
            self._epochs[epoch] = rows
        return self._epochs[epoch]


def part_of(
    plan: Mapping[str, np.ndarray], part: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Gives the examples of a plan that one of several processes needs.

    Args:
        plan: arrays [steps, batch, ...].
        part: (which, of how many) equal parts of the batch.

    Returns:
        Arrays [steps, batch / parts, ...].

    Source: ours.
    """
    index, parts = part
    if parts == 1:
        return dict(plan)
    size = next(iter(plan.values())).shape[1] // parts
    return {k: v[:, index * size : (index + 1) * size] for k, v in plan.items()}
