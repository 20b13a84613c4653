"""A teacher's translations of its students' training sources.

They are a function of the teacher's weights, the sources and the search, so
that a teacher need make them once, however many students learn from them. They
lie in a folder below the teacher's run; see ``parts``.

Source: Kim and Rush 2016, section 3.2.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
from etils.epath import Path

from ls_tf import stopping
from ls_tf.pipeline.ragged import Ragged
from ls_tf.pipeline.vocabulary import EOS
from ls_tf.protocols import Decoding, Translations
from ls_tf.records.files import RunError
from ls_tf.spec import ExperimentSpec, TeacherSpec
from ls_tf.training import parts
from ls_tf.training.progress import Progress

FOLDER = "translations"
_PART_ROWS = 4096  # of one file; sorted by length before they are translated
# Of one call: whole batches of 64. A stop request is seen between calls, and
# what is translated together is the same after it.
_CALL_ROWS = 256
_END = -1  # behind each sentence in a file; no id
_KIND = parts.Kind(
    noun="translation",
    what="translation",
    of="corpus or search",
    stem="ids",
    unit="sentence",
    without="teacher.targets=labels needs no translation",
)

Translate = Callable[[Ragged], Translations]


@dataclass(frozen=True, kw_only=True)
class Key:
    """What is translated, by whom and how.

    Attributes:
        teacher: digest of the specification of the teacher's run.
        weights: SHA-256 of the teacher's checkpoint.
        data: name of the data set.
        split: of the students' training pairs.
        subwords: SHA-256 of the vocabulary.
        sources: SHA-256 of the training sources as subwords.
        examples: N of them.
        beam_size: see ``Decoding``.
        length_penalty: see ``Decoding``.
        extra_length: see ``Decoding``.
    """

    teacher: str
    weights: str
    data: str
    split: str
    subwords: str
    sources: str
    examples: int
    beam_size: int
    length_penalty: float
    extra_length: int

    @property
    def rows(self) -> int:
        """How many sentences there are."""
        return self.examples


def search(teacher: TeacherSpec) -> Decoding:
    """How a teacher's translations are searched for."""
    return Decoding(
        beam_size=teacher.beam_size,
        length_penalty=teacher.length_penalty,
        extra_length=teacher.extra_length,
    )


def folder(run: Path, student: ExperimentSpec, how: Decoding) -> Path:
    """Where the translations lie below the teacher's run.

    Those of another split or search have another folder. Another teacher or
    other sources under the same names are told by the manifest.
    """
    words = (
        f"{student.data.name},{student.data.train},beam={how.beam_size},"
        f"penalty={float(how.length_penalty)},extra={how.extra_length}"
    )
    return run / FOLDER / quote(words, safe="+,=")


def files(path: Path) -> dict[str, bytes]:
    """The files of finished translations, by name; see ``parts.files``."""
    return parts.files(path, _KIND)


def obtain(
    path: Path,
    key: Key,
    sources: Ragged,
    translate: Translate,
    *,
    title: str,
) -> Ragged:
    """Reads translations, or first makes those that are missing.

    If another process makes them already, this one waits for it.

    Args:
        path: of ``folder``.
        key: what is wanted.
        sources: N sentences as subwords, each with its end mark.
        translate: gives the best translation of each of some sentences.
        title: what the progress line says.

    Returns:
        N sentences as subwords, in the order of the sources: what the search
        found, with its end mark where it came to one.

    Raises:
        RunError: the folder holds translations by another teacher or of other
            sources, is damaged, or cannot be written; one line.
        StoppedError: a signal came; the parts so far are kept.

    Source: Kim and Rush 2016, section 3.2.
    """
    kept = parts.Kept(path, key, _KIND, title)
    kept.complete(
        _PART_ROWS, lambda: _Build(path, key, sources, translate, title)
    )
    stored = np.concatenate([np.asarray(p) for p in kept.parts(_check)])
    ends = np.flatnonzero(stored == _END)
    lengths = np.diff(ends, prepend=-1) - 1
    return Ragged.of(stored[stored != _END], lengths)


def _check(part: np.ndarray, rows: int) -> None:
    """Refuses what is not so many sentences of one subword or more."""
    if part.dtype != np.int32 or part.ndim != 1:
        raise ValueError(f"{part.dtype} {list(part.shape)}")
    ends = np.flatnonzero(part == _END)
    if len(ends) != rows or ends[-1] != len(part) - 1:
        raise ValueError(f"wanted {rows} sentences, got {len(ends)}")
    if (np.diff(ends, prepend=-1) < 2).any() or part.min() < _END:
        raise ValueError("a sentence is empty or holds no ids")


class _Build:
    """The making of the translations; see ``parts.Maker``."""

    def __init__(
        self,
        path: Path,
        key: Key,
        sources: Ragged,
        translate: Translate,
        title: str,
    ) -> None:
        self._path, self._key, self._title = path, key, title
        self._sources, self._translate = sources, translate

    def begin(self, rows: int, part_rows: int) -> None:
        """Says what is translated."""
        key = self._key
        print(
            f"{self._title}: translates {rows} sentences of {key.data}/"
            f"{key.split}, beam {key.beam_size}, length penalty "
            f"{key.length_penalty:g}, in {self._path}",
            file=sys.stderr,
            flush=True,
        )

    def part(self, first: int, last: int, progress: Progress) -> np.ndarray:
        """Translates sentences first..last-1, those of one length together."""
        sources = self._sources.part(first, last)
        order = np.argsort(sources.lengths, kind="stable")
        rows: list[list[int]] = [[]] * len(order)
        for start in range(0, len(order), _CALL_ROWS):
            chosen = order[start : start + _CALL_ROWS]
            with stopping.doing("the present sentences of a translation"):
                found = self._translate(sources.rows(chosen))
            for place, ids, is_ended in zip(
                chosen, found.ids, found.finished, strict=True
            ):
                words = [*ids, EOS] if is_ended else ids
                if not words:  # of weights that are no numbers
                    raise RunError(
                        f"{self._title}: wanted a translation of sentence "
                        f"{first + place + 1}, the search found none"
                    )
                rows[place] = [*words, _END]
            progress.advance(first + start + len(chosen))
        return np.concatenate([np.array(row, np.int32) for row in rows])
