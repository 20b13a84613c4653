"""A file system that fails: what a process writes is counted, and refused.

The operations that change files below one folder are numbered from 1: a file
made, bytes written, a folder made, a rename, a removal, an fsync. What is to
happen at which number is the ``Fault``. Nothing in the product knows of it:
the functions of ``os`` and ``io`` are replaced in the process that is tested,
under epath, pathlib, shutil and NumPy.
"""

import builtins
import dataclasses
import errno
import io
import os
import signal
import stat
import threading

# How to refuse: kind of fault -> errno.
_ERRNO = {
    "full": errno.ENOSPC,
    "inodes": errno.ENOSPC,
    "readonly": errno.EROFS,
    "every": errno.EIO,
    "denied": errno.EACCES,
}
_MAKES = ("create", "mkdir")
_GROWS = (*_MAKES, "write")


@dataclasses.dataclass(frozen=True)
class Fault:
    """What goes wrong.

    Attributes:
        root: the folder below which files are watched.
        kind: "count" lets all pass; "kill" ends the process at the ``at``-th
            operation, in the middle if it writes; from the ``at``-th on,
            "full" refuses what takes space, "inodes" what makes a file and
            "readonly" everything; "every" refuses each ``at``-th write;
            "denied" refuses to read files whose path ends with ``name``.
        at: a number of operations.
        log: a file, not below ``root``, for a line about each operation.
        name: see "denied".
    """

    root: str
    kind: str = "count"
    at: int = 0
    log: str = ""
    name: str = ""


class _Watch:
    """Numbers the operations, and lets one fail."""

    def __init__(self, fault, functions):
        self._fault, self._do = fault, functions
        self._root = os.path.realpath(fault.root)
        self._count = self._writes = 0
        # A checkpoint is written beside the training.
        self._counting = threading.Lock()
        self._log = None
        if fault.log:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._log = self._do["open"](fault.log, flags)

    def place(self, path, dir_fd=None):
        """The path below the root; None outside of it, or for no path."""
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        path = os.fsdecode(path)
        if dir_fd is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), path)
        path = os.path.abspath(path)
        if path != self._root and not path.startswith(self._root + os.sep):
            return None
        return os.path.relpath(path, self._root)

    def denies(self, path):
        place = self.place(path) if self._fault.kind == "denied" else None
        return place is not None and place.endswith(self._fault.name)

    def before(self, kind, place, torn=None):
        """Counts an operation; raises or ends the process if it fails.

        Args:
            kind: create, write, mkdir, rename, remove, fsync, truncate.
            place: below the root.
            torn: does the half of a write.
        """
        with self._counting:
            self._count += 1
            self._writes += kind == "write"
            self._happen(self._count, kind, place, torn)

    def _happen(self, count, kind, place, torn):
        if self._log is not None:
            line = f"{count} {kind} {place}\n".encode()
            self._do["write"](self._log, line)
        fault = self._fault
        if fault.kind == "kill" and count == fault.at:
            if torn is not None:
                torn()
            os.kill(os.getpid(), signal.SIGKILL)
        fails = {
            "full": count >= fault.at and kind in _GROWS,
            "inodes": count >= fault.at and kind in _MAKES,
            "readonly": count >= fault.at,
            "every": kind == "write" and self._writes % (fault.at or 1) == 0,
        }.get(fault.kind, False)
        if fails:
            if torn is not None and fault.kind == "full":
                torn()
            raise self.error(place if kind != "write" else None)

    def error(self, place):
        number = _ERRNO[self._fault.kind]
        # As from the system: an error of write names no file.
        named = () if place is None else (os.path.join(self._root, place),)
        return OSError(number, os.strerror(number), *named)


class _File(io.FileIO):
    """A file whose every write is watched."""

    watch = None
    place = ""

    def write(self, data):
        data = bytes(data)
        self.watch.before(
            "write",
            self.place,
            lambda: super(_File, self).write(data[: len(data) // 2]),
        )
        return super().write(data)

    def truncate(self, size=None):
        self.watch.before("truncate", self.place)
        return super().truncate(size)


def _opening(watch, plain):
    """``open`` with a watched file where one below the root is written."""

    def opened(
        file,
        mode="r",
        buffering=-1,
        encoding=None,
        errors=None,
        newline=None,
        closefd=True,
        opener=None,
    ):
        place = watch.place(file)
        writes = set(mode) & set("wxa+")
        if place is None or not writes:
            if place is not None and watch.denies(file):
                raise watch.error(place)
            options = (buffering, encoding, errors, newline, closefd, opener)
            return plain(file, mode, *options)
        if not isinstance(file, int) and not os.path.exists(file):
            watch.before("create", place)
        elif "w" in mode:
            watch.before("truncate", place)
        letters = mode.replace("b", "").replace("t", "")
        raw = _File(file, letters, closefd, opener)
        raw.watch, raw.place = watch, place
        if buffering == 0:
            return raw
        kind = io.BufferedRandom if "+" in mode else io.BufferedWriter
        size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
        buffered = kind(raw, size)
        if "b" in mode:
            return buffered
        text = io.TextIOWrapper(
            buffered, encoding, errors, newline, buffering == 1
        )
        text.mode = mode
        return text

    return opened


def _functions(watch, do):
    """The functions of ``os`` that change files, watched."""

    def one(name, kind):
        def changed(path, *args, dir_fd=None, **options):
            place = watch.place(path, dir_fd)
            if place is not None:
                watch.before(kind, place)
            if dir_fd is not None:
                options["dir_fd"] = dir_fd
            return do[name](path, *args, **options)

        return changed

    def two(name):
        def moved(source, target, **options):
            place = watch.place(target)
            if place is not None:
                watch.before("rename", place)
            return do[name](source, target, **options)

        return moved

    def opened(path, flags, mode=0o777, *, dir_fd=None):
        place = watch.place(path, dir_fd)
        if place is not None and flags & (os.O_WRONLY | os.O_RDWR):
            if not os.path.exists(path) and flags & os.O_CREAT:
                watch.before("create", place)
            elif flags & os.O_TRUNC:
                watch.before("truncate", place)
        return do["open"](path, flags, mode, dir_fd=dir_fd)

    def written(fd, data):
        place = watch.place(fd) if stat.S_ISREG(os.fstat(fd).st_mode) else None
        if place is not None:
            half = bytes(data)[: len(data) // 2]
            watch.before("write", place, lambda: do["write"](fd, half))
        return do["write"](fd, data)

    def synced(name):
        def sync(fd):
            number = fd if isinstance(fd, int) else fd.fileno()
            place = watch.place(number)
            if place is not None:
                watch.before("fsync", place)
            return do[name](fd)

        return sync

    return {
        "open": opened,
        "write": written,
        "mkdir": one("mkdir", "mkdir"),
        "rmdir": one("rmdir", "remove"),
        "unlink": one("unlink", "remove"),
        "remove": one("remove", "remove"),
        "truncate": one("truncate", "truncate"),
        "ftruncate": one("ftruncate", "truncate"),
        "symlink": two("symlink"),
        "link": two("link"),
        "rename": two("rename"),
        "replace": two("replace"),
        "fsync": synced("fsync"),
        "fdatasync": synced("fdatasync"),
    }


def install(fault):
    """Watches this process from now on."""
    names = ("open", "write", "mkdir", "rmdir", "unlink", "remove")
    names += ("truncate", "ftruncate", "symlink", "link", "rename", "replace")
    do = {name: getattr(os, name) for name in (*names, "fsync", "fdatasync")}
    watch = _Watch(fault, do)
    for name, function in _functions(watch, do).items():
        # shutil asks these sets whether a function knows folders by number.
        for known in (os.supports_dir_fd, os.supports_fd):
            if do[name] in known:
                known.add(function)
        setattr(os, name, function)
    builtins.open = io.open = _opening(watch, io.open)
    # NumPy writes to files of the system past their ``write``.
    from numpy.lib import _format_impl

    _format_impl.isfileobj = lambda file: False
