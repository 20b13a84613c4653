"""What only a local file system has, beneath the paths that any other has too.

Links and ``fsync`` have no place in ``etils.epath``, so that this module alone
asks the operating system; a path of a bucket has neither.
"""

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator

from etils.epath import Path

_PATIENCE_SECONDS = 5.0
_UNKNOWN_OF_FOLDERS = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)


# Errors that ``etils.epath`` raises itself have a type and no number.
_NUMBERS = {
    FileExistsError: errno.EEXIST,
    FileNotFoundError: errno.ENOENT,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
    PermissionError: errno.EACCES,
}


def number_of(error: OSError) -> int | None:
    """The ``errno`` of an error, also where it says its type alone."""
    return error.errno or _NUMBERS.get(type(error))


def is_local(path: Path) -> bool:
    """Whether a path is not that of a bucket."""
    return "://" not in str(path)


def is_link(path: Path) -> bool:
    """Whether a path is a symbolic link, be it to nothing."""
    return is_local(path) and os.path.islink(path)


def target(path: Path) -> Path:
    """What a path leads to, through all symbolic links."""
    return Path(os.path.realpath(path)) if is_local(path) else path


def copy_rights(path: Path, other: Path) -> None:
    """Gives a file the mode of another, and its owner where that is allowed.

    Raises:
        OSError: one of them is not there.
    """
    if not is_local(path):
        return  # a bucket has its own ways
    facts = os.stat(path)
    with contextlib.suppress(PermissionError):
        os.chown(other, facts.st_uid, facts.st_gid)
    os.chmod(other, stat.S_IMODE(facts.st_mode))


def is_there(path: Path) -> bool:
    """Whether anything has the name; unlike ``exists``, also a broken link."""
    return os.path.lexists(path) if is_local(path) else bool(path.exists())


def kind_of(path: Path) -> str:
    """What has a name, in words: "a file", "a directory", or what is neither.

    Raises:
        OSError: nothing has it, or it cannot be said.
    """
    if not is_local(path):
        return "a directory" if path.is_dir() else "a file"
    mode = os.lstat(path).st_mode
    for is_kind, words in _KINDS.items():
        if is_kind(mode):
            return words
    return "a pipe, a socket or a device"


_KINDS = {
    stat.S_ISREG: "a file",
    stat.S_ISDIR: "a directory",
    stat.S_ISLNK: "a symbolic link",
}


def is_special(path: Path) -> bool:
    """Whether to open a path may wait: a pipe, a socket, a device.

    Raises:
        OSError: there is nothing, or it cannot be said.
    """
    if not is_local(path):
        return False
    mode = os.stat(path).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_file(path: Path) -> bool:
    """Whether a path can be read: no folder, and nothing that would wait."""
    return bool(path.exists()) and not path.is_dir() and not is_special(path)


def plain(path: Path) -> Path:
    """Gives a path back that can be opened without waiting for anybody.

    Raises:
        OSError: there is nothing, or it is a pipe, a socket or a device.
    """
    if is_special(path):
        reason = "it is a pipe, a socket or a device"
        raise OSError(errno.EINVAL, reason, str(path))
    return path


def may_write(folder: Path) -> bool:
    """Whether this process may put files into a folder."""
    return not is_local(folder) or os.access(folder, os.W_OK | os.X_OK)


def sync(path: Path) -> None:
    """Waits until a file's bytes, or a folder's names, are on the disk.

    Raises:
        OSError: the disk could not keep a file.
    """
    if not is_local(path):
        return  # a bucket keeps what it has taken
    is_folder = path.is_dir()
    try:
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
    except OSError as error:
        # Some file systems know no fsync of folders, and some folders may be
        # written to and not be read.
        if not is_folder or error.errno not in _UNKNOWN_OF_FOLDERS:
            raise


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lets one process at a time into a block, of those that ask for a folder.

    It is for moments: who waits longer than five seconds, for a process that
    is stopped in the block, say, goes in all the same. So do all where the
    file system knows no such thing.
    """
    number = None
    if is_local(folder):
        # To open a pipe that stands there would be to wait for its writer.
        with contextlib.suppress(OSError):
            number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    if number is None:
        yield
        return
    try:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not _is_had(number) and time.monotonic() < end:
            time.sleep(0.002)
        yield
    finally:
        os.close(number)


def _is_had(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EINTR)
    return True
