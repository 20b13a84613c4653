"""``gs://`` in a local folder, for tests: nobody gets around ``epath``."""

import operator
import os

from etils.epath import backend as epath_backend
from etils.epath import gpath


class Mapped(epath_backend._OsPathBackend):
    """Plays gs:// in a local folder; whoever goes around it finds nothing."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.calls = []

    def _at(self, path):
        path = os.fspath(path)
        assert path.startswith("gs://"), path
        return self.folder + "/" + path.removeprefix("gs://")


def _mapped(name, paths):
    method = getattr(epath_backend._OsPathBackend, name)

    def call(self, *args, **kwargs):
        self.calls.append(name)
        local = [self._at(a) for a in args[:paths]]
        return method(_OS, *local, *args[paths:], **kwargs)

    return call


_OS = epath_backend._OsPathBackend()
for _name in ("open", "exists", "isdir", "listdir", "glob", "makedirs"):
    setattr(Mapped, _name, _mapped(_name, 1))
for _name in ("mkdir", "rmtree", "remove", "stat"):
    setattr(Mapped, _name, _mapped(_name, 1))
for _name in ("rename", "replace", "copy"):
    setattr(Mapped, _name, _mapped(_name, 2))


def install(backend, setattr=setattr, setitem=operator.setitem):
    """Lets ``epath`` take it for ``gs://``; TensorFlow's own is not asked."""
    setattr(gpath, "_is_tf_installed", lambda: False)
    setitem(gpath._PREFIX_TO_BACKEND, "gs", backend)
