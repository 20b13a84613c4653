"""Files of a run directory: whole or not there, versioned, through epath.

What appears under its name is on the disk, so that a machine that loses its
power leaves what a killed process does: the new file whole, or the old one.
"""

import contextlib
import datetime
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from etils.epath import Path

from ls_tf.records.local import (
    alone,
    copy_rights,
    is_link,
    is_there,
    plain,
    sync,
    target,
)
from ls_tf.records.reading import reading

Contents = Mapping[str, bytes | np.ndarray]

VERSION = 1  # of the record; a record of a newer version is refused


class RunError(ValueError):
    """A run directory that cannot be used; the message is one line."""


_OLD = ".old.tmp"


def _other_name(path: Path, end: str = ".tmp") -> Path:
    """A name beside another that a later owner of the folder clears away."""
    return path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}{end}"


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A name to write under first; after a failure nothing has it."""
    temporary = _other_name(path)
    try:
        yield temporary
    except BaseException:
        with contextlib.suppress(Exception):
            remove(temporary)
        raise


def remove(path: Path) -> None:
    """Removes a file, a folder, or a link and not what it leads to.

    Raises:
        OSError: the file system refused.
    """
    if path.is_dir() and not is_link(path):
        path.rmtree()
    elif is_there(path):
        path.unlink()


def leftovers(folder: Path) -> list[Path]:
    """What killed processes left half-written in a folder.

    A folder that cannot be listed has none; whoever reads it says why.
    """
    try:
        entries = list(folder.iterdir())
    except OSError:
        return []
    return [
        path
        for path in entries
        if path.name.startswith(".") and path.name.endswith(".tmp")
    ]


# Folder -> what refuses to write below it any more.
_guards: dict[str, Callable[[], None]] = {}


@contextlib.contextmanager
def guarded(folder: Path, look: Callable[[], None]) -> Iterator[None]:
    """Lets somebody look before anything below a folder is replaced.

    Args:
        folder: the folder.
        look: raises where that must not happen.
    """
    _guards[str(folder)] = look
    try:
        yield
    finally:
        del _guards[str(folder)]


def _look(path: Path) -> None:
    for folder, look in list(_guards.items()):
        if str(path) == folder or str(path).startswith(f"{folder}/"):
            look()


def _make(folder: Path) -> None:
    """Makes a folder; it and those above it that were missing are kept."""
    missing = [f for f in (folder, *folder.parents) if not f.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync(made.parent)


def _put(path: Path, content: bytes | np.ndarray) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with path.open("wb") as file:
            # To what is no file of the system's, NumPy writes part by part:
            # its own way to write files says of a full disk only that it is.
            np.lib.format.write_array(
                _Writer(file.write), content, allow_pickle=False
            )


@dataclass(frozen=True)
class _Writer:
    write: Callable[[bytes], int]


def write_files(folder: Path, contents: Contents) -> None:
    """Writes files, each of which is either wholly there or not at all.

    They appear in their order, after all are written: what the last of them
    says of the others, as a manifest does, is true.

    Args:
        folder: where; it is made.
        contents: file name -> bytes, or the array of an ``*.npy`` file.

    Raises:
        OSError: the file system refused; nothing is left half-written.
    """
    _make(folder)
    with contextlib.ExitStack() as stack:
        written = {}
        for name, content in contents.items():
            written[name] = stack.enter_context(_temporary(folder / name))
            _put(written[name], content)
        for temporary in written.values():
            sync(temporary)
        _look(folder)
        for name, temporary in written.items():
            temporary.replace(folder / name)
        sync(folder)


def write_folder(folder: Path, contents: Contents) -> None:
    """Writes a folder that is wholly there or not at all.

    What has its name, a folder, a file or a link, is replaced.

    Raises:
        OSError: the file system refused; nothing is left half-written.
    """
    _make(folder.parent)
    with _temporary(folder) as temporary:
        temporary.mkdir()
        for name, content in contents.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            _put(temporary / name, content)
        for path in (*(temporary / name for name in contents), temporary):
            sync(path)
        _look(folder)
        # Who begins to work in the folder waits: see ``locks``.
        with alone(folder.parent), _aside(folder, temporary):
            temporary.rename(folder)
            sync(folder.parent)


@contextlib.contextmanager
def _aside(path: Path, other: Path) -> Iterator[None]:
    """Frees a name for another; what had it is back after a failure.

    Where somebody else has taken the name meanwhile it stays aside.
    """
    if not is_there(path):
        yield
        return
    old = _other_name(path, _OLD)
    path.rename(old)
    try:
        yield
    except BaseException:
        if not is_there(path):
            old.rename(path)
        raise
    finally:
        # What cannot be removed now is left to a later owner of the folder.
        if is_there(path) and not is_there(other):
            with contextlib.suppress(Exception):
                remove(old)


def give_back(folder: Path) -> None:
    """Gives what was being replaced its name again, if nothing else has it.

    A kill, or a disk that failed, came between two renamings.

    Raises:
        OSError: the file system refused.
    """
    for old in leftovers(folder):
        name = re.fullmatch(rf"[.](.+)[.][0-9a-f]+{re.escape(_OLD)}", old.name)
        if name is None:
            continue
        with alone(folder):  # it may be a living process that replaces it
            if is_there(old) and not is_there(folder / name[1]):
                old.rename(folder / name[1])


def clear(path: Path) -> None:
    """Removes what kills left of the writing of a file or folder.

    Only for who alone may write it now, and while it is there.
    """
    for left in leftovers(path.parent):
        if left.name.startswith(f".{path.name}."):
            with contextlib.suppress(OSError):
                remove(left)


def overwrite(path: Path, data: bytes) -> None:
    """Writes a file of no lasting worth: whole, but nobody waits for the disk.

    Raises:
        OSError: the file system refused, or there is no such folder.
    """
    with _temporary(path) as temporary:
        _put(temporary, data)
        temporary.replace(path)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes one file as ``write_files`` does."""
    write_files(path.parent, {path.name: data})


def rewrite(path: Path, data: bytes) -> None:
    """Writes a file that is somebody's own, as ``write_bytes`` does.

    It keeps its mode and its owner; a symbolic link stays one, and what it
    leads to is written.

    Raises:
        OSError: the file system refused, or there is no such file.
    """
    path = target(path)
    with _temporary(path) as temporary:
        _put(temporary, data)
        copy_rights(path, temporary)
        sync(temporary)
        _look(path)
        temporary.replace(path)
        sync(path.parent)


def append(path: Path, data: bytes) -> None:
    """Adds bytes at the end of a file.

    Alone of what is written here they may be there in part, after a kill or a
    full disk: whoever reads them must be able to tell.

    Raises:
        OSError: the file system refused.
    """
    _look(path)
    with path.open("ab") as file:
        file.write(data)


def keep(path: Path) -> None:
    """Waits until the disk has what was appended to a file.

    Raises:
        OSError: it could not take it.
    """
    sync(path)


def json_bytes(value: Any) -> bytes:
    """Encodes JSON, a field a line; floats keep all their digits."""
    return json.dumps(value, indent=1).encode()


def write_json(path: Path, value: Any) -> None:
    """Writes JSON through ``write_bytes``."""
    write_bytes(path, json_bytes(value) + b"\n")


def now() -> str:
    """The time as ISO text, UTC, to the second."""
    time = datetime.datetime.now(datetime.UTC)
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of two values for one name none is to be trusted."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"'{twice[:60]}' stands there twice")
    return content


def read(file: Path, what: str) -> bytes | None:
    """Reads a file; None if it is not there.

    Args:
        file: which; a pipe, a socket or a device is not opened, since that
            might wait for ever.
        what: what it should be, for messages.

    Raises:
        RunError: it cannot be read, or is no file; one line.
    """
    with reading(file, what, RunError):
        try:
            data: bytes = plain(file).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return data


def parse_json(data: bytes, file: Path, what: str) -> dict[str, Any]:
    """Decodes versioned JSON.

    Args:
        data: what is in a file.
        file: its name, for messages.
        what: what it should be, for messages.

    Raises:
        RunError: damaged, or of a newer version; one line.
    """
    with reading(file, what, RunError):
        content = json.loads(data.decode(), object_pairs_hook=_no_duplicates)
        version = content["version"]
        if type(version) is not int or version < 1:
            raise ValueError(f"wanted a version from 1 on, got {version!r}")
    if version > VERSION:
        raise RunError(
            f"{file} has record version {version}; this program reads up to "
            f"{VERSION}: use a newer ls_tf"
        )
    return dict(content)


def read_json(file: Path, what: str) -> dict[str, Any] | None:
    """Reads a versioned JSON file; None if it is not there.

    Raises:
        RunError: unreadable, damaged or of a newer version.
    """
    data = read(file, what)
    return None if data is None else parse_json(data, file, what)
