"""What a teacher answers, kept below its run and made in parts.

A folder holds a manifest and one file for each part, which is written whole or
not at all: a build that was killed goes on after its last whole part. One
process makes it; others wait for that and read it.
"""

import dataclasses
import errno
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

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
_WAIT_SECONDS = 2.0
_PATIENCE_SECONDS = 1800.0  # without a new part by whoever builds
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


@dataclass(frozen=True)
class Kind:
    """What is kept in parts, and what messages call it.

    Attributes:
        noun: what it is, in the singular.
        what: the same, as a damaged file says it.
        of: what it is made of beside a teacher.
        stem: how the names of its files begin.
        unit: what a row is, in the singular.
        without: how to do without it.
        first: the oldest version of its manifest; 1 had no digest of its own.
    """

    noun: str
    what: str
    of: str
    stem: str
    unit: str
    without: str
    first: int = VERSION


class Key(Protocol):
    """What is wanted: a dataclass whose fields the manifest repeats.

    Of its fields ``teacher`` and ``weights`` name the network that answers.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def rows(self) -> int:
        """How many rows there are in all parts."""


class Maker(Protocol):
    """Who makes the rows."""

    def begin(self, rows: int, part_rows: int) -> None:
        """Says what is to be made; may refuse it.

        Args:
            rows: how many are missing.
            part_rows: of one part.
        """

    def part(self, first: int, last: int, progress: Progress) -> np.ndarray:
        """Makes the rows first..last-1, and shows how far it is."""


class Kept:
    """A folder of parts, finished or not."""

    def __init__(self, path: Path, key: Key, kind: Kind, title: str) -> None:
        """Takes what is wanted; looks at nothing yet.

        Args:
            path: the folder.
            key: what is wanted.
            kind: what it is.
            title: what the lines about the work begin with.
        """
        self._path, self._key, self._kind = path, key, kind
        self._title = title

    def complete(self, part_rows: int, maker: Callable[[], Maker]) -> None:
        """Makes the parts that are missing, or waits for who makes them.

        Args:
            part_rows: of one part, where none is there yet.
            maker: gives who makes them; not asked where nothing is missing.

        Raises:
            RunError: the folder holds what another teacher answered, or to
                something else, is damaged, or cannot be written; one line.
            StoppedError: a signal came; the parts so far are kept.
        """
        wait = _Wait(self._title, self._kind)
        while self._manifest(part_rows)["finished"] is None:
            try:
                with locked(self._path):
                    self._build(part_rows, maker)
            except HeldError as error:
                wait.once(error, len(self._manifest(part_rows)["parts"]))
            except OSError as error:
                if number_of(error) not in _REFUSED:
                    raise
                raise RunError(
                    f"{self._path} cannot be written: "
                    f"{error.strerror or error}; {self._kind.without}"
                ) from None
        tidy(self._path)

    def parts(
        self, check: Callable[[np.ndarray, int], None]
    ) -> Iterator[np.ndarray]:
        """Reads the parts of a finished folder.

        Args:
            check: raises ValueError for a part that is none of so many rows.

        Yields:
            Each part, mapped from its file.

        Raises:
            RunError: a part is missing, truncated or altered.
        """
        manifest, rows = self._manifest(1), self._key.rows
        step = int(manifest["part_rows"])
        for number, first in enumerate(range(0, rows, step)):
            file = self._path / _file_of(self._kind, number)
            try:
                part = read_npy(file, mapped=True)
                check(part, min(step, rows - first))
                written = manifest["parts"].get(str(number))
                if digest(part, values_only=True) != written:
                    raise ValueError("another SHA-256 than was written")
            except Exception as error:  # What is damaged raises anything.
                raise RunError(
                    f"{file} is damaged ({line(error)}); remove {self._path} "
                    f"to make the {self._kind.noun} anew"
                ) from None
            yield part

    def _build(self, part_rows: int, maker: Callable[[], Maker]) -> None:
        """Makes the parts that are missing, one after the other."""
        manifest = self._manifest(part_rows)
        if manifest["finished"] is not None:
            return  # by another process, before the lock was ours
        step, rows = int(manifest["part_rows"]), self._key.rows
        done = len(manifest["parts"])
        first, made_by = min(done * step, rows), maker()
        made_by.begin(rows - first, step)
        progress = Progress(self._title, first, rows, unit=self._kind.unit)
        try:
            while first < rows:
                last = min(first + step, rows)
                began = time.monotonic()
                part = made_by.part(first, last, progress)
                manifest["seconds"] += round(time.monotonic() - began, 3)
                file = _file_of(self._kind, done)
                write_files(self._path, {file: part})
                manifest["parts"][str(done)] = digest(part, values_only=True)
                self._write(manifest)
                first, done = last, done + 1
        finally:
            progress.close()
        self._write({**manifest, "finished": now()})

    def _write(self, manifest: dict[str, Any]) -> None:
        fields = {**manifest, "version": VERSION}
        write_bytes(self._path / _MANIFEST, sealed(fields))

    def _manifest(self, part_rows: int) -> dict[str, Any]:
        """The manifest, or a new one; refuses that of something else."""
        manifest = _stored(self._path, self._kind)
        wanted: dict[str, Any] = dataclasses.asdict(self._key)
        if manifest is None:
            return {
                "version": VERSION,
                **wanted,
                "part_rows": part_rows,
                "parts": {},
                "seconds": 0.0,
                "finished": None,
            }
        for name, value in wanted.items():
            if manifest.get(name) != value:
                is_teacher = name in ("teacher", "weights")
                raise RunError(
                    f"{self._path} holds a {self._kind.noun} of another "
                    f"{'teacher' if is_teacher else self._kind.of} ({name} "
                    f"{_short(manifest.get(name))}, wanted {_short(value)}); "
                    "remove it to make it anew"
                )
        return manifest


def files(path: Path, kind: Kind) -> dict[str, bytes]:
    """Gives the files of a finished folder, to be carried elsewhere.

    Args:
        path: the folder; of anybody's answers.
        kind: what it is.

    Returns:
        dict: name -> content; empty where nothing is finished.

    Raises:
        RunError: the manifest is damaged.

    Source: ours.
    """
    manifest = _stored(path, kind)
    if manifest is None or manifest["finished"] is None:
        return {}
    names = [_file_of(kind, number) for number in range(len(manifest["parts"]))]
    with reading(path, kind.what, RunError):
        return {
            name: plain(path / name).read_bytes()
            for name in (*names, _MANIFEST)
        }


def _file_of(kind: Kind, number: int) -> str:
    return f"{kind.stem}-{number:05d}.npy"


def _stored(path: Path, kind: Kind) -> dict[str, Any] | None:
    """Reads a manifest; one of version 1 has no digest of its own.

    Raises:
        RunError: it is damaged, or of a version that is not known.
    """
    file = path / _MANIFEST
    with reading(file, kind.what, RunError):
        try:
            data = plain(file).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        manifest: dict[str, Any] = json.loads(data)
        version = manifest["version"]
        if version not in range(kind.first, VERSION + 1) or isinstance(
            version, bool
        ):
            raise RunError(
                f"{path} holds a {kind.noun} of version {_short(version)}; "
                f"this program reads {kind.first} to {VERSION}"
            )
        if version != 1:
            manifest = unsealed(data, file.name)
        count = range(len(manifest["parts"]))
        if set(manifest["parts"]) != {str(number) for number in count}:
            raise ValueError("wanted parts 0, 1, ...")
        if not manifest["part_rows"] >= 1:
            raise ValueError("wanted parts of 1 row or more")
    return manifest


class _Wait:
    """The patience with another process that makes the same."""

    def __init__(self, title: str, kind: Kind) -> None:
        self._title, self._kind = title, kind
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
        with stopping.doing(f"waiting for a teacher's {self._kind.noun}"):
            stopping.wait(_WAIT_SECONDS)


def _short(value: Any) -> str:
    """A digest by its first digits; anything else in one short line."""
    is_digest = isinstance(value, str) and len(value) == 64
    return value[:12] if is_digest else json.dumps(value)[:40]
