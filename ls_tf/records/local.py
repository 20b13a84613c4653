"""What only a local file system has, beneath the paths that any other has too.

Links and ``fsync`` have no place in ``etils.epath``, so that this module alone
asks the operating system; a path of a bucket has neither.
"""

import errno
import os
import stat

from etils.epath import Path

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


def is_there(path: Path) -> bool:
    """Whether anything has the name; unlike ``exists``, also a broken link."""
    return os.path.lexists(path) if is_local(path) else bool(path.exists())


def is_special(path: Path) -> bool:
    """Whether to open a path may wait: a pipe, a socket, a device.

    Raises:
        OSError: there is nothing, or it cannot be said.
    """
    if not is_local(path):
        return False
    mode = os.stat(path).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


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
