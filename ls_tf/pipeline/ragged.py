"""Rows of different length in one array."""

import dataclasses

import numpy as np

_CHUNK = 1 << 20  # Ids counted together.


@dataclasses.dataclass(frozen=True)
class Ragged:
    """N rows of ids, one after the other.

    Attributes:
        tokens: int32 [total], the ids of all rows.
        offsets: int64 [N + 1]; row i is tokens offsets[i] .. offsets[i+1] - 1.
    """

    tokens: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, tokens: np.ndarray, lengths: np.ndarray) -> "Ragged":
        """Makes rows of given lengths.

        Args:
            tokens: int [total].
            lengths: int [N], which add up to ``total``.
        """
        offsets = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        return cls(tokens.astype(np.int32, copy=False), offsets)

    def __len__(self) -> int:
        """The number N of rows."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [N], the number of ids of each row."""
        return np.diff(self.offsets)

    def counts(self, size: int) -> np.ndarray:
        """int64 [size]: how often each id below ``size`` stands there."""
        counts = np.zeros(size, np.int64)
        # NumPy makes int64 of what it counts: of some at a time.
        for start in range(0, len(self.tokens), _CHUNK):
            chunk = self.tokens[start : start + _CHUNK]
            counts += np.bincount(chunk, minlength=size)
        return counts

    def row(self, index: int) -> np.ndarray:
        """int32 [length]: one row."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    def rows(self, index: np.ndarray) -> "Ragged":
        """The rows of some places, int [n], in that order."""
        lengths = self.lengths[index]
        ends = np.cumsum(lengths)
        shift = np.repeat(self.offsets[index] - (ends - lengths), lengths)
        return Ragged.of(self.tokens[np.arange(len(shift)) + shift], lengths)

    def part(self, start: int, stop: int) -> "Ragged":
        """The rows start .. stop - 1; no copy is made of their ids."""
        offsets = self.offsets[start : stop + 1]
        return Ragged(
            self.tokens[offsets[0] : offsets[-1]], offsets - offsets[0]
        )
