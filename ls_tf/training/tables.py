"""Tables of a teacher's logits on every view of its students' images.

Crops and flips make a finite number of views of an image, so that a teacher
need see each of them once, however many students look it up. A table is a
folder below the teacher's run, made in parts: a build that was killed goes on
after its last whole part.
"""

import dataclasses
import errno
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from etils.epath import Path

from ls_tf import stopping
from ls_tf.records.arrays import digest, read_npy, sealed, unsealed
from ls_tf.records.files import RunError, now, write_bytes, write_files
from ls_tf.records.local import number_of, plain
from ls_tf.records.locks import HeldError, locked, tidy
from ls_tf.records.reading import line, reading
from ls_tf.training.progress import Progress

VERSION = 2
_MANIFEST = "manifest.json"
_PART_ROWS = 16_000  # of one file; whole prediction batches
_CALL_ROWS = 1000  # of the first call; one prediction batch
_CALL_SECONDS = 2.0  # a stop request is seen between calls
_WAIT_SECONDS = 2.0
_PATIENCE_SECONDS = 1800.0  # without a new part by whoever builds
_MIB = 2**20
# A folder that cannot be written, rather than a full disk.
_REFUSED = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.EPERM,
    errno.EROFS,
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
    wait = _Wait(title)
    while _manifest(path, key)["finished"] is None:
        try:
            with locked(path):
                _Build(path, key, title).run(logits_of)
        except HeldError as error:
            wait.once(error, len(_manifest(path, key)["parts"]))
        except OSError as error:
            if number_of(error) not in _REFUSED:
                raise
            raise RunError(
                f"{path} cannot be written: {error.strerror or error}; "
                "teacher.table=never needs no table"
            ) from None
    tidy(path)
    return _read(path, key)


class _Wait:
    """The patience with another process that makes the same table."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts = -1
        self._since = 0.0

    def once(self, error: RunError, parts: int) -> None:
        """Waits a moment; gives up where nothing has come for long.

        Args:
            error: who makes it.
            parts: how many there are.

        Raises:
            RunError: nothing has come for half an hour.
            StoppedError: a signal came.
        """
        if self._parts < 0:
            print(
                f"{self._title}: waiting, {error}", file=sys.stderr, flush=True
            )
        if parts != self._parts:
            self._since, self._parts = time.monotonic(), parts
        if time.monotonic() - self._since > _PATIENCE_SECONDS:
            raise error
        with stopping.doing("waiting for a teacher's table"):
            stopping.wait(_WAIT_SECONDS)


def _manifest(path: Path, key: Key) -> dict[str, Any]:
    """The manifest, or a new one; refuses that of another table."""
    manifest = _stored(path)
    if manifest is None:
        return {
            "version": VERSION,
            **dataclasses.asdict(key),
            "part_rows": _PART_ROWS,
            "parts": {},
            "seconds": 0.0,
            "finished": None,
        }
    for name, wanted in dataclasses.asdict(key).items():
        if manifest.get(name) != wanted:
            kind = "teacher" if name in ("teacher", "weights") else "view set"
            raise RunError(
                f"{path} holds a table of another {kind} ({name} "
                f"{_short(manifest.get(name))}, wanted {_short(wanted)}); "
                "remove it to make it anew"
            )
    return manifest


def _stored(path: Path) -> dict[str, Any] | None:
    """Reads a manifest; one of version 1 has no digest of its own.

    Raises:
        RunError: it is damaged, or of a version that is not known.
    """
    file = path / _MANIFEST
    with reading(file, "table of logits", RunError):
        try:
            data = plain(file).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        manifest: dict[str, Any] = json.loads(data)
        version = manifest["version"]
        if version not in (1, VERSION) or isinstance(version, bool):
            raise RunError(
                f"{path} holds a table of version {_short(version)}; this "
                f"program reads 1 to {VERSION}"
            )
        if version != 1:
            manifest = unsealed(data, file.name)
        count = range(len(manifest["parts"]))
        if set(manifest["parts"]) != {str(number) for number in count}:
            raise ValueError("wanted parts 0, 1, ...")
        if not manifest["part_rows"] >= 1:
            raise ValueError("wanted parts of 1 row or more")
    return manifest


def _short(value: Any) -> str:
    """A digest by its first digits; anything else in one short line."""
    is_digest = isinstance(value, str) and len(value) == 64
    return value[:12] if is_digest else json.dumps(value)[:40]


def _part(number: int) -> str:
    return f"logits-{number:05d}.npy"


def _read(path: Path, key: Key) -> np.ndarray:
    """Puts the parts of a finished table together.

    Raises:
        RunError: a part is missing, truncated or altered.
    """
    manifest = _manifest(path, key)
    table = np.empty((key.rows, key.classes), np.float16)
    step = int(manifest["part_rows"])
    for number, first in enumerate(range(0, key.rows, step)):
        file, rows = path / _part(number), table[first : first + step]
        try:
            part = read_npy(file, mapped=True)
            if part.shape != rows.shape or part.dtype != np.float16:
                raise ValueError(f"{part.dtype} {list(part.shape)}")
            written = manifest["parts"].get(str(number))
            if digest(part, values_only=True) != written:
                raise ValueError("another SHA-256 than was written")
        except Exception as error:  # What is damaged raises nearly anything.
            raise RunError(
                f"{file} is damaged ({line(error)}); remove {path} to make "
                "the table anew"
            ) from None
        rows[:] = part
    return table.reshape(key.examples, key.views, key.classes)


class _Build:
    """The making of one table, from where it stands."""

    def __init__(self, path: Path, key: Key, title: str) -> None:
        self._path, self._key, self._title = path, key, title
        self._manifest = _manifest(path, key)
        self._step = int(self._manifest["part_rows"])
        self._call_rows = _CALL_ROWS

    def run(self, logits_of: Callable[[int, int], np.ndarray]) -> None:
        """Makes the parts that are missing, one after the other."""
        if self._manifest["finished"] is not None:
            return  # by another process, before the lock was ours
        key, done = self._key, len(self._manifest["parts"])
        first = min(done * self._step, key.rows)
        self._announce(key.rows - first)
        progress = Progress(self._title, first, key.rows, unit="view")
        try:
            while first < key.rows:
                last = min(first + self._step, key.rows)
                began = time.monotonic()
                part = self._make(first, last, logits_of, progress)
                self._write(done, part, time.monotonic() - began)
                first, done = last, done + 1
        finally:
            progress.close()
        self._manifest["finished"] = now()
        self._write_manifest()

    def _announce(self, rows: int) -> None:
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
        need += 2 * self._step * self._key.classes
        if free < need:
            raise RunError(
                f"{self._path}: the table of the teacher's logits needs "
                f"{need / _MIB:.1f} MiB more, the disk has {free / _MIB:.1f}; "
                "teacher.table=never needs none"
            )

    def _make(
        self,
        first: int,
        last: int,
        logits_of: Callable[[int, int], np.ndarray],
        progress: Progress,
    ) -> np.ndarray:
        """Makes rows first..last-1, in calls of about two seconds."""
        part = np.empty((last - first, self._key.classes), np.float16)
        while first < last:
            count = min(self._call_rows, last - first)
            began = time.monotonic()
            with stopping.doing("the present rows of a teacher's table"):
                logits = logits_of(first, first + count)
            took = max(time.monotonic() - began, 1e-9)
            place = len(part) - (last - first)
            part[place : place + count] = self._rounded(logits)
            first += count
            progress.advance(first)
            # Whole prediction batches, of which none is filled up.
            batches = int(_CALL_SECONDS * count / took) // _CALL_ROWS
            self._call_rows = min(max(1, batches) * _CALL_ROWS, self._step)
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

    def _write(self, number: int, part: np.ndarray, seconds: float) -> None:
        write_files(self._path, {_part(number): part})
        self._manifest["parts"][str(number)] = digest(part, values_only=True)
        self._manifest["seconds"] += round(seconds, 3)
        self._write_manifest()

    def _write_manifest(self) -> None:
        fields = {**self._manifest, "version": VERSION}
        write_bytes(self._path / _MANIFEST, sealed(fields))
