"""A disk that is full, fails or turns read-only while something is written.

Whatever operation it is at which that begins: what was there is there, what
was half-written is gone or goes with the next owner, and the error says why.
"""

import errno
import os

import numpy as np
import pytest
from etils import epath
from small_table import KEY, LOGITS

from ls_tf.records import files
from ls_tf.records.files import RunError
from ls_tf.records.locks import locked
from ls_tf.training import checkpoints, tables
from ls_tf.training.checkpoints import Checkpoint

WRITING = ("write_bytes", "open", "mkdir")
CHANGING = ("rename", "replace", "unlink", "rmtree")


class Disk:
    """Fails from some operation on: a full one, a broken or read-only one."""

    def __init__(self, number, start, methods):
        self.number, self.start, self.methods = number, start, methods
        self.done = 0
        self.failed = False

    def patch(self, monkeypatch):
        cls = type(epath.Path("/"))
        for name in (*WRITING, *CHANGING):
            monkeypatch.setattr(cls, name, self.method(getattr(cls, name)))
        monkeypatch.setattr(files, "sync", self.sync)

    def sync(self, path):
        self.look("sync", path)

    def look(self, name, path):
        self.done += 1
        if self.done > self.start and name in self.methods:
            self.failed = True
            raise OSError(self.number, os.strerror(self.number), str(path))

    def method(self, real):
        name = real.__name__

        def changed(path, *args, **options):
            if name != "open" or "r" not in args[0]:
                try:
                    self.look(name, path)
                except OSError:
                    if name == "write_bytes":  # half of it fits
                        real(path, args[0][: len(args[0]) // 2])
                    raise
            return real(path, *args, **options)

        return changed


KINDS = {
    "full": (errno.ENOSPC, (*WRITING, "sync")),
    "quota": (errno.EDQUOT, ("sync",)),
    "broken": (errno.EIO, ("sync", "rename", "replace")),
    "read-only": (errno.EROFS, (*WRITING, *CHANGING)),
}


def disks(kind):
    """One disk for each operation at which it may begin to fail."""
    for start in range(40):
        yield Disk(KINDS[kind][0], start, KINDS[kind][1])


def end(path):
    """The end of a process, whose lock the disk may have kept."""
    if (path / "lock").exists():
        (path / "lock").rmtree()


def make(step):
    kernel = np.full(3, step, np.float32)
    return Checkpoint(step, {"model/0": kernel}, {"seconds": 1.5 * step})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [20, 30])
def test_the_checkpoints_before_are_intact(tmp_path, monkeypatch, kind, step):
    failures = 0
    for number, disk in enumerate(disks(kind)):
        folder = epath.Path(tmp_path) / str(number)
        for before in (10, 20):
            checkpoints.save(folder, make(before))
        with monkeypatch.context() as patches:
            disk.patch(patches)
            try:
                checkpoints.save(folder, make(step))
            except OSError as error:
                assert error.errno == disk.number
                failures += 1
            else:
                is_clear = checkpoints.steps(folder) == [20, step][-2:]
                # What cannot be removed is said, and is no failure.
                assert is_clear or disk.failed or step == 20
        # A disk that fails for good lets nothing be removed either.
        assert files.leftovers(folder) == [] or kind in ("broken", "read-only")
        checkpoints.sweep(folder)
        assert files.leftovers(folder) == []
        newest = checkpoints.latest(folder)
        assert newest.step in (20, step)
        assert newest.arrays["model/0"][0] == newest.step
        assert checkpoints.read(folder, 20).step == 20
        if not disk.failed:
            break
    assert failures >= 2
    assert number < 39


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_goes_on_behind_its_last_whole_part(
    tmp_path, monkeypatch, capfd, kind
):
    monkeypatch.setattr(tables, "_PART_ROWS", 2)
    failures = 0

    def obtain(path):
        return tables.obtain(
            path,
            KEY,
            lambda first, last: LOGITS[first:last],
            title="teacher",
        )

    for number, disk in enumerate(disks(kind)):
        path = epath.Path(tmp_path) / str(number)
        with monkeypatch.context() as patches:
            disk.patch(patches)
            try:
                obtain(path)
            except OSError as error:
                assert error.errno == disk.number
                assert kind != "read-only"
                failures += 1
            except RunError as error:
                assert kind == "read-only"
                assert "cannot be written: Read-only file system" in str(error)
                failures += 1
        end(path)
        np.testing.assert_array_equal(obtain(path).reshape(6, 2), LOGITS)
        assert sorted(p.name for p in path.iterdir()) == [
            *(f"logits-{part:05d}.npy" for part in range(3)),
            "manifest.json",
        ]
        if not disk.failed:
            break
    assert failures >= 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_is_taken_or_not(tmp_path, monkeypatch, kind):
    for number, disk in enumerate(disks(kind)):
        path = epath.Path(tmp_path) / str(number)
        with monkeypatch.context() as patches:
            disk.patch(patches)
            try:
                with locked(path):
                    assert (path / "lock" / "owner.json").exists()
            except OSError as error:
                assert error.errno == disk.number
        end(path)
        with locked(path):
            pass
        assert list(path.iterdir()) == []
        if not disk.failed:
            break


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_an_array_that_does_not_fit_says_why(tmp_path):
    path = epath.Path(tmp_path) / "a.npy"
    os.symlink("/dev/full", path)
    with pytest.raises(OSError, match="No space left") as caught:
        files._put(path, np.zeros(10**6))
    assert caught.value.errno == errno.ENOSPC


def test_arrays_are_written_as_numpy_writes_them(tmp_path):
    for array in (
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(8)[::2],
        np.zeros((0, 3), np.float16),
        np.array(5, ">i4"),
        np.zeros(3_000_001, np.uint16),
    ):
        path = epath.Path(tmp_path) / "a.npy"
        files._put(path, array)
        np.save(tmp_path / "b.npy", array)
        assert path.read_bytes() == (tmp_path / "b.npy").read_bytes()
