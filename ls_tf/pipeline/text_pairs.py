"""What a text data set promises, and its pairs of sentences."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from ls_tf.pipeline.contract import Arrays, DataError
from ls_tf.pipeline.lines import Lines
from ls_tf.pipeline.usage import LeftOut, Usage

# The arrays of the texts of a split, in a cache or a prepared file.
KEYS = ("source_text", "target_text")
_LEFT_OUT = "left_out"  # an array that is there if anything is
_LINE_BREAK = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextInfo:
    """The contract of one data set of sentence pairs.

    Attributes:
        name: the module's name.
        sizes: number of pairs of each split; empty where the user's own
            files decide.
        source_language: of the sentences to translate, as in ``en``.
        target_language: of their translations, as in ``de``.
        licence: under which terms the data is given away.
        source: how to get it and what to cite.
        tfds: name in TensorFlow Datasets, or None if it does not come from
            there.
        builder: module whose import registers the set with TFDS; None where
            TFDS has it.
    """

    name: str
    sizes: Mapping[str, int]
    source_language: str = "en"
    target_language: str = "de"
    licence: str
    source: str
    tfds: str | None = None
    builder: str | None = None


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Sentences and their translations, in the order of the data set.

    Attributes:
        source: N sentences, none with a line break.
        target: their N translations.
        left_out: int64 [M, 2]: pairs with an empty side that lay between
            them: how many of the N come before, and the number of the line.
    """

    source: Sequence[str]
    target: Sequence[str]
    left_out: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros((0, 2), np.int64), compare=False
    )

    def __post_init__(self) -> None:
        """Refuses lists of different length."""
        if len(self.source) != len(self.target):
            raise ValueError(
                f"wanted as many translations as sentences, got "
                f"{len(self.source)} and {len(self.target)}"
            )

    def __len__(self) -> int:
        """The number N of pairs."""
        return len(self.source)

    def part(self, start: int, stop: int) -> "Pairs":
        """The pairs start .. stop - 1, and what lay before each of them.

        What lay after the last of all belongs to it.
        """
        place = self.left_out[:, 0]
        inside = (start <= place) & (place < stop)
        if stop == len(self):
            inside |= place == stop
        return Pairs(
            self.source[start:stop],
            self.target[start:stop],
            self.left_out[inside] - [start, 0],
        )

    @property
    def usage(self) -> Usage:
        """What is used of them: all but those with an empty side."""
        count = len(self.left_out)
        left_out: tuple[LeftOut, ...] = ()
        if count:
            first = f"line {self.left_out[0, 1]}"
            left_out = (LeftOut("a side is empty", count, first),)
        return Usage(len(self), left_out, "pairs")


def check(info: TextInfo, base: str, arrays: Arrays) -> None:
    """Compares the texts of a whole split with what its data set promises.

    Args:
        info: the promise.
        base: name of the split.
        arrays: what ``pack`` made.

    Raises:
        DataError: if the number of pairs is another one, or the two sides
            have different numbers of sentences.
    """
    where = f"{info.name}/{base}"
    size = info.sizes[base]
    for key in KEYS:
        array = arrays[key]
        if array.dtype != np.uint8 or array.ndim != 1:
            raise DataError(
                f"{where}: wanted texts as uint8 [bytes], got {array.dtype} "
                f"{list(array.shape)}"
            )
        count = int(np.count_nonzero(array == _LINE_BREAK)) + 1
        if count != size:
            raise DataError(
                f"{where}: wanted {size} pairs, got {count} lines of {key}"
            )


def pack(pairs: Pairs) -> Arrays:
    """Writes pairs as arrays of bytes.

    Args:
        pairs: one or more.

    Returns:
        ``source_text`` and ``target_text``, uint8: UTF-8, a line break
        between two sentences; ``left_out`` as in ``Pairs``, if there is any.

    Raises:
        ValueError: if there are no pairs or a sentence has a line break.

    Source: ours.
    """
    if not len(pairs):
        raise ValueError("wanted one pair of sentences or more, got none")
    arrays = {}
    for key, texts in zip(KEYS, (pairs.source, pairs.target), strict=True):
        arrays[key] = (
            texts.pack()
            if isinstance(texts, Lines)
            else np.frombuffer(joined(texts).encode(), np.uint8)
        )
    if len(pairs.left_out):
        arrays[_LEFT_OUT] = pairs.left_out
    return arrays


def joined(texts: Sequence[str]) -> str:
    """Joins sentences with line breaks, so that they can be told apart.

    Raises:
        ValueError: if a sentence has a line break.
    """
    text = "\n".join(texts)
    if text.count("\n") != max(len(texts) - 1, 0):
        bad = next(t for t in texts if "\n" in t)
        raise ValueError(
            f"wanted sentences without line breaks, got {bad[:60]!r}"
        )
    return text


def unpack(arrays: Arrays) -> Pairs:
    """Undoes ``pack``.

    Args:
        arrays: what ``pack`` made; others are passed over.

    Returns:
        The pairs.

    Raises:
        ValueError: if the two sides do not fit or are no UTF-8.

    Source: ours.
    """
    source, target = (Lines.packed(arrays[key]) for key in KEYS)
    if _LEFT_OUT not in arrays:
        return Pairs(source, target)
    return Pairs(source, target, arrays[_LEFT_OUT].reshape(-1, 2))
