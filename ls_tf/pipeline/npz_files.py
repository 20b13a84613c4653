"""A user's own NumPy file, read once as long as it stays as it is."""

import contextlib
import dataclasses
import os
import zipfile
from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any

import numpy as np
from etils import epath

from ls_tf.pipeline import own
from ls_tf.pipeline.contract import DataError
from ls_tf.records.local import plain
from ls_tf.records.reading import reading

_ENDING = ".npy"
State = tuple[str, int, int]  # name, time of the last change, size


def state(source: str) -> State:
    """Tells one state of a file from another.

    Args:
        source: its name; may be ``gs://``.

    Returns:
        Full name, time of the last change and size.

    Raises:
        DataError: there is none, or it is no file; one line.

    Source: ours.
    """
    file = epath.Path(source).expanduser()
    with reading(file, "NumPy file", DataError):
        if not file.exists():
            raise DataError(f"data.source: there is no file {file}")
        if file.is_dir():
            raise DataError(
                f"data.source: wanted a NumPy file, {file} is a folder"
            )
        if "://" not in os.fspath(file):  # epath's is in whole seconds
            local = os.stat(file)
            return os.fspath(file), local.st_mtime_ns, local.st_size
        stat = file.stat()
        return os.fspath(file), stat.mtime, stat.length


@dataclasses.dataclass(frozen=True)
class Head:
    """What a file says of an array before its values.

    Attributes:
        shape: of the array.
        dtype: likewise.
        is_by_rows: whether one row stands behind the other.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_by_rows: bool


def heads(file: epath.Path) -> dict[str, Head]:
    """Reads what arrays a file has, and none of their values.

    Args:
        file: ``*.npz``.

    Returns:
        Name -> head.

    Raises:
        DataError: damaged; one line.

    Source: ours; the form is NumPy's.
    """
    with _reading(file), _archive(file) as (_, archive):
        made = {}
        for member in archive.namelist():
            if member.endswith(_ENDING):
                with archive.open(member) as opened:
                    made[member.removesuffix(_ENDING)] = _head(opened)
        return made


def _head(opened: IO[bytes]) -> Head:
    version = np.lib.format.read_magic(opened)
    shape, is_by_columns, dtype = (
        np.lib.format.read_array_header_1_0(opened)
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0(opened)
    )
    return Head(shape, dtype, not is_by_columns or len(shape) < 2)


def read(
    file: epath.Path, most_bytes: int, names: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Reads arrays of a file.

    Args:
        file: ``*.npz``.
        most_bytes: that they may have in memory, all together.
        names: which of those that there are; None: all.

    Returns:
        Name -> array.

    Raises:
        DataError: damaged, too large, or with an array of objects, which
            would have to be unpickled; one line.

    Source: ours.
    """
    with _reading(file), _archive(file) as (raw, archive):
        whole = sum(
            member.file_size
            for member in archive.infolist()
            if names is None or member.filename.removesuffix(_ENDING) in names
        )
        if whole > most_bytes:
            raise DataError(
                f"{file}: its arrays have {whole / 1e9:.1f} GB, wanted at most "
                f"{most_bytes / 1e9:.1f} in memory; say {own.STREAM}"
            )
        raw.seek(0)
        stored = np.load(raw, allow_pickle=False)
        return {
            name: _array(file, stored, name)
            for name in stored
            if names is None or name in names
        }


def _array(
    file: epath.Path, stored: Mapping[str, np.ndarray], name: str
) -> np.ndarray:
    try:
        return stored[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"{file}: wanted numbers or text, array {name} holds objects, "
            "which would have to be unpickled"
        ) from None


def rows(
    file: epath.Path, name: str, wanted: np.ndarray
) -> Iterator[np.ndarray]:
    """Reads rows of an array one by one; nothing stays in memory.

    Args:
        file: ``*.npz``, compressed or not.
        name: of an array whose head ``is_by_rows``.
        wanted: which rows, rising; int [n].

    Yields:
        Each row.

    Raises:
        DataError: damaged; one line.

    Source: ours; the form is NumPy's.
    """
    with (
        _reading(file),
        _archive(file) as (_, archive),
        archive.open(name + _ENDING) as opened,
    ):
        head, behind = _head(opened), 0
        length = int(np.prod(head.shape[1:])) * head.dtype.itemsize
        for row in wanted.tolist():
            opened.seek((row - behind) * length, os.SEEK_CUR)
            data = opened.read(length)
            if len(data) < length:
                raise EOFError(f"array {name} is cut short")
            behind = row + 1
            yield np.frombuffer(data, head.dtype).reshape(head.shape[1:])


def _reading(file: epath.Path) -> contextlib.AbstractContextManager[None]:
    return reading(file, "NumPy file (*.npz)", DataError)


@contextlib.contextmanager
def _archive(file: epath.Path) -> Iterator[tuple[IO[bytes], zipfile.ZipFile]]:
    """Opens a file, and what it is an archive of."""
    with plain(file).open("rb") as raw, zipfile.ZipFile(raw) as archive:
        yield raw, archive
