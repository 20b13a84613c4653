"""What only a local file system has, beneath the paths that any other has too.

Links and ``fsync`` have no place in ``etils.epath``, so that this module alone
asks the operating system; a path of a bucket has neither.
"""

import os

from etils.epath import Path


def is_local(path: Path) -> bool:
    """Whether a path is not that of a bucket."""
    return "://" not in str(path)


def is_link(path: Path) -> bool:
    """Whether a path is a symbolic link, be it to nothing."""
    return is_local(path) and os.path.islink(path)


def is_there(path: Path) -> bool:
    """Whether anything has the name; unlike ``exists``, also a broken link."""
    return os.path.lexists(path) if is_local(path) else bool(path.exists())
