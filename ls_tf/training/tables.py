"""Tables of a teacher's logits on every view of its students' images.

Crops and flips make a finite number of views of an image, so that a teacher
need see each of them once, however many students look it up. A table is a
folder below the teacher's run; see ``parts``.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
from etils.epath import Path

from ls_tf import stopping
from ls_tf.records.files import RunError
from ls_tf.training import parts
from ls_tf.training.progress import Progress

_PART_ROWS = 16_000  # of one file; whole prediction batches
_CALL_ROWS = 1000  # of the first call; one prediction batch
_CALL_SECONDS = 2.0  # a stop request is seen between calls
_MIB = 2**20
_KIND = parts.Kind(
    noun="table",
    what="table of logits",
    of="view set",
    stem="logits",
    unit="view",
    without="teacher.table=never needs no table",
    first=1,
)


@dataclass(frozen=True, kw_only=True)
class Key:
    """What a table is of.

    Attributes:
        teacher: digest of the specification of the teacher's run.
        weights: SHA-256 of the teacher's checkpoint.
        data: name of the data set.
        split: of the students' training images; of a tail of it, with the
            first digits of ``images``: a teacher may have a table of each.
        images: SHA-256 of these images.
        augmentation: whose views of them there are.
        examples: N.
        views: V, of each image.
        classes: K.
    """

    teacher: str
    weights: str
    data: str
    split: str
    images: str
    augmentation: str
    examples: int
    views: int
    classes: int

    @property
    def rows(self) -> int:
        """How many views there are of all images."""
        return self.examples * self.views

    @property
    def size(self) -> int:
        """Bytes of the logits."""
        return 2 * self.rows * self.classes


def folder(run: Path, key: Key) -> Path:
    """Where the table lies below its teacher's run.

    Tables for other splits or augmentations have other folders. Another
    teacher or other images under the same names are told by the manifest.
    """
    words = f"{key.data},{key.split},{key.augmentation}"
    return run / "tables" / quote(words, safe="+,")


def obtain(
    path: Path,
    key: Key,
    logits_of: Callable[[int, int], np.ndarray],
    *,
    title: str,
) -> np.ndarray:
    """Reads a table, or first makes what is missing of it.

    If another process makes it already, this one waits for it.

    Args:
        path: of ``folder``.
        key: what is wanted.
        logits_of: gives float [last - first, K] of the rows first..last-1;
            row r is view r % V of example r // V.
        title: what the progress line says.

    Returns:
        float16 [N, V, K].

    Raises:
        RunError: the folder holds a table of another teacher or of other
            views, is damaged, or has not the space; or logits that are no
            float16 numbers. One line.
        StoppedError: a signal came; the parts so far are kept.

    Source: ours.
    """
    kept = parts.Kept(path, key, _KIND, title)
    kept.complete(_PART_ROWS, lambda: _Build(path, key, title, logits_of))
    table = np.empty((key.rows, key.classes), np.float16)
    done = 0
    for part in kept.parts(
        lambda part, rows: _check(part, (rows, key.classes))
    ):
        table[done : done + len(part)] = part
        done += len(part)
    return table.reshape(key.examples, key.views, key.classes)


def _check(part: np.ndarray, shape: tuple[int, int]) -> None:
    if part.shape != shape or part.dtype != np.float16:
        raise ValueError(f"{part.dtype} {list(part.shape)}")


class _Build:
    """The making of one table; see ``parts.Maker``."""

    def __init__(
        self,
        path: Path,
        key: Key,
        title: str,
        logits_of: Callable[[int, int], np.ndarray],
    ) -> None:
        self._path, self._key, self._title = path, key, title
        self._logits_of = logits_of
        self._call_rows = _CALL_ROWS

    def begin(self, rows: int, part_rows: int) -> None:
        """Says what the table takes, and refuses where there is not as much.

        Raises:
            RunError: one line.
        """
        need = 2 * rows * self._key.classes
        print(
            f"{self._title}: {self._key.examples} images x {self._key.views} "
            f"views, {self._key.size / _MIB:.1f} MiB in {self._path}",
            file=sys.stderr,
            flush=True,
        )
        if "://" in str(self._path):
            return
        disk = os.statvfs(str(self._path))
        free = disk.f_bavail * disk.f_frsize
        # One part more, for it is written under another name first.
        need += 2 * part_rows * self._key.classes
        if free < need:
            raise RunError(
                f"{self._path}: the table of the teacher's logits needs "
                f"{need / _MIB:.1f} MiB more, the disk has {free / _MIB:.1f}; "
                "teacher.table=never needs none"
            )

    def part(self, first: int, last: int, progress: Progress) -> np.ndarray:
        """Makes rows first..last-1, in calls of about two seconds."""
        part = np.empty((last - first, self._key.classes), np.float16)
        most = max(len(part), _CALL_ROWS)
        while first < last:
            count = min(self._call_rows, last - first)
            began = time.monotonic()
            with stopping.doing("the present rows of a teacher's table"):
                logits = self._logits_of(first, first + count)
            took = max(time.monotonic() - began, 1e-9)
            place = len(part) - (last - first)
            part[place : place + count] = self._rounded(logits)
            first += count
            progress.advance(first)
            # Whole prediction batches, of which none is filled up.
            batches = int(_CALL_SECONDS * count / took) // _CALL_ROWS
            self._call_rows = min(max(1, batches) * _CALL_ROWS, most)
        return part

    def _rounded(self, logits: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            rounded = logits.astype(np.float16)
        if not np.isfinite(rounded).all():
            largest = float(np.abs(logits).max())
            raise RunError(
                f"{self._path}: wanted logits up to 65504, as float16 holds, "
                f"got {largest:g}; teacher.table=never rounds none"
            )
        return rounded
