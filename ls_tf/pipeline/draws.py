"""Chance for one picture, from the raw words of a generator."""

import numpy as np

from ls_tf import seeds


class Draws:
    """Numbers drawn one after the other.

    Raw words of Philox are fixed for good, unlike what NumPy's distributions
    make of them in some later version.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        """Takes the generator; nothing else may draw from it."""
        self._raw = rng.bit_generator.random_raw

    def unit(self) -> float:
        """Draws a number of [0, 1)."""
        return float((int(self._raw()) >> 11) * 2.0**-53)

    def uniform(self, low: float, high: float) -> float:
        """Draws a number between two."""
        return low + (high - low) * self.unit()

    def integer(self, count: int) -> int:
        """Draws one of 0 .. count - 1; none is favoured by 1 in 2**31."""
        return ((int(self._raw()) >> 32) * count) >> 32


def of_example(seed: int, epoch: int, position: int) -> Draws:
    """Gives the chance of one example in one epoch, and of nothing else.

    Args:
        seed: the run's.
        epoch: from 0.
        position: of the example in its split.

    Returns:
        The draws, the same whoever asks, and when.

    Source: ours.
    """
    return Draws(seeds.philox(seed, "photograph", epoch, position))
