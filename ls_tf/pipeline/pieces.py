"""Which examples are made together, and how, in a process of its own."""

import dataclasses
from typing import Any, Protocol

import numpy as np

from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.plan import EpochPlan
from ls_tf.pipeline.shards import Shards

BYTES_OF_A_PIXEL = 3


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
        return self.order.size * side**2 * BYTES_OF_A_PIXEL

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
        from ls_tf.pipeline import draws, encoded, jpeg, photographs

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
                    kind = encoded.kind(example.encoded)
                    raise DataError(
                        f"{self.shards.name}: record {self.shards.number(at)} "
                        f"({example.file_name or 'of no known file'}) is no "
                        f"whole {kind}: {error}; prepare the data anew, or set "
                        "data.skip_damaged=true: the next of its class takes "
                        "its place"
                    ) from error
                damaged.append(at)
        raise DataError(
            f"{self.shards.name}: of class {label} no record is a whole picture"
        )
