"""A kill at any file operation, played within the process.

From the n-th operation on nothing reaches the disk any more, as if the process
had gone: whoever tidies up after an error is held up too. Of the bytes that
are being written, the first half is.
"""

import weakref

from etils.epath import backend

_OPERATIONS = ("replace", "rename", "remove", "rmtree", "mkdir", "makedirs")


class KilledError(BaseException):
    """The process has gone: no ``except Exception`` takes it."""


class _File:
    """A file that is open for writing."""

    def __init__(self, file, kill):
        self._file, self._kill = file, kill
        weakref.finalize(self, file.close)  # the system would do it

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def write(self, data):
        torn = not self._kill.is_done and self._kill.left == 1
        if torn:
            self._file.write(data[: len(data) // 2])
            self._file.flush()
        self._kill.count()
        return self._file.write(data)


class Kill:
    """Kills at the n-th operation; ``is_done`` says whether it came to it."""

    def __init__(self, monkeypatch, operation):
        self.left, self.is_done = operation, False
        kind = backend._OsPathBackend
        for name in _OPERATIONS:
            self._count_calls(monkeypatch, kind, name)
        opened = kind.open

        def open_counted(self_, path, mode):
            if not set(mode) & set("wax+"):
                return opened(self_, path, mode)
            self.count()
            return _File(opened(self_, path, mode), self)

        monkeypatch.setattr(kind, "open", open_counted)

    def _count_calls(self, monkeypatch, kind, name):
        method = getattr(kind, name)

        def counted(*args, **kwargs):
            self.count()
            return method(*args, **kwargs)

        monkeypatch.setattr(kind, name, counted)

    def count(self):
        self.left -= 1
        if self.left <= 0:
            self.is_done = True
            raise KilledError
