"""Many sentences in one array of bytes, decoded when they are asked for.

A million Python strings take several times the memory of their letters, and
seconds to make; what is counted, hashed or stored needs none of them.
"""

import codecs
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np

_FEED = 10  # ends a sentence
_CHUNK = 1 << 22  # Bytes looked at together.
_DECODED = 1 << 12  # Sentences decoded together.


class Lines(Sequence[str]):
    """N sentences, none with a line feed.

    Attributes:
        text: uint8 [bytes], UTF-8, a line feed after each sentence; behind
            the last one it may be missing.
        starts: int64 [N + 1]: sentence i is text[starts[i] : starts[i+1] - 1].
    """

    def __init__(self, text: np.ndarray, starts: np.ndarray) -> None:
        """Use ``joined`` or ``packed``."""
        self.text, self.starts = text, starts

    @classmethod
    def joined(cls, blocks: Iterable[Sequence[str]]) -> "Lines":
        """Makes them of blocks of sentences, none with a line feed."""
        buffer = bytearray()
        for block in blocks:
            if block:
                buffer += "\n".join(block).encode()
                buffer.append(_FEED)
        text = np.frombuffer(buffer, np.uint8)
        return cls(text, np.concatenate([[0], _feeds(text) + 1]))

    @classmethod
    def packed(cls, text: np.ndarray) -> "Lines":
        """Makes them of what ``pack`` gives: one sentence or more.

        Args:
            text: uint8 [bytes]; it is not copied.

        Raises:
            UnicodeDecodeError: it is no UTF-8.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        for chunk in _chunks(text):
            decoder.decode(chunk.tobytes())
        decoder.decode(b"", final=True)
        ends = np.concatenate([_feeds(text), [len(text)]])
        return cls(text, np.concatenate([[0], ends + 1]))

    def pack(self) -> np.ndarray:
        """uint8 [bytes]: all sentences, a line feed between two; no copy."""
        return self.text[self.starts[0] : self.starts[-1] - 1]

    @property
    def sizes(self) -> np.ndarray:
        """int64 [N]: bytes of each sentence."""
        return np.diff(self.starts) - 1

    @property
    def characters(self) -> int:
        """Of all sentences: the bytes that go on with none before them."""
        if not len(self):
            return 0
        count = sum(
            int(np.count_nonzero((chunk & 0xC0) != 0x80))
            for chunk in _chunks(self.pack())
        )
        return count - (len(self) - 1)

    def has(self, words: Iterable[str]) -> bool:
        """Whether a sentence holds one of some words, none with a line feed."""
        patterns = [word.encode() for word in words]
        overlap = max(map(len, patterns)) - 1
        text = self.pack() if len(self) else self.text[:0]
        for first in range(0, len(text), _CHUNK):
            chunk = text[first : first + _CHUNK + overlap].tobytes()
            if any(pattern in chunk for pattern in patterns):
                return True
        return False

    def kept(self, which: np.ndarray) -> "Lines":
        """Those that a bool [N] names; without a copy where it names all."""
        if which.all():
            return self
        edges = np.flatnonzero(
            np.diff(which.astype(np.int8), prepend=0, append=0)
        )
        buffer = bytearray()
        for start, stop in self.starts[edges].reshape(-1, 2).tolist():
            buffer += self.text[start : stop - 1].data
            buffer.append(_FEED)  # It may be missing behind the last one.
        lengths = np.diff(self.starts)[which]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return Lines(np.frombuffer(buffer, np.uint8), starts)

    def __len__(self) -> int:
        """The number N of sentences."""
        return len(self.starts) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...

    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        """A sentence; or some of them: without a copy where they adjoin."""
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if step == 1:
                stop = max(start, stop)
                return Lines(self.text, self.starts[start : stop + 1])
            return [self[i] for i in range(start, stop, step)]
        place = range(len(self))[at]
        first, last = self.starts[place : place + 2].tolist()
        return self.text[first : last - 1].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        """Decodes them in order, some together."""
        for start in range(0, len(self), _DECODED):
            stop = min(start + _DECODED, len(self))
            first, last = self.starts[[start, stop]].tolist()
            text = self.text[first : last - 1].tobytes().decode()
            yield from text.split("\n")

    def __eq__(self, other: object) -> bool:
        """Whether they are the same sentences, as of a list."""
        if isinstance(other, Lines):
            return np.array_equal(self.sizes, other.sizes) and np.array_equal(
                self._bytes(), other._bytes()
            )
        if isinstance(other, list | tuple):
            return len(self) == len(other) and all(
                a == b for a, b in zip(self, other, strict=True)
            )
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """As a list."""
        return repr(list(self))

    def _bytes(self) -> np.ndarray:
        return self.pack() if len(self) else self.text[:0]


class Chained(Sequence[str]):
    """The sentences of both languages, one after the other; no copy."""

    def __init__(self, first: Sequence[str], second: Sequence[str]) -> None:
        """Takes both."""
        self._both = first, second

    @property
    def characters(self) -> int:
        """Of all sentences."""
        return sum(map(characters, self._both))

    def __len__(self) -> int:
        """How many there are."""
        return sum(map(len, self._both))

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...

    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        """A sentence, or a list of some."""
        first, second = self._both
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            return list(itertools.islice(self, start, stop, step))
        place = range(len(self))[at]
        if place < len(first):
            return first[place]
        return second[place - len(first)]

    def __iter__(self) -> Iterator[str]:
        """In order."""
        return itertools.chain(*self._both)


def characters(texts: Sequence[str]) -> int:
    """Counts the characters of all sentences."""
    if isinstance(texts, Lines | Chained):
        return texts.characters
    return sum(map(len, texts))


def _chunks(text: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(text), _CHUNK):
        yield text[first : first + _CHUNK]


def _feeds(text: np.ndarray) -> np.ndarray:
    """int64: where the line feeds are."""
    found = [
        np.flatnonzero(chunk == _FEED) + number * _CHUNK
        for number, chunk in enumerate(_chunks(text))
    ]
    return np.concatenate([np.zeros(0, np.int64), *found])
