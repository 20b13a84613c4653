"""A checkpoint is written beside the training, one at a time."""

import errno
import threading

import numpy as np
import pytest
from etils import epath

from ls_tf.training import checkpoints, saving
from ls_tf.training.checkpoints import Checkpoint

SECONDS = 20.0


class Slow:
    """A disk that takes what is saved when it is let."""

    def __init__(self, save):
        self._save = save
        self.began, self.let = threading.Event(), threading.Event()
        self.threads = []
        self.error = None

    def __call__(self, folder, checkpoint):
        self.threads.append(threading.current_thread())
        self.began.set()
        assert self.let.wait(SECONDS)
        if self.error is not None:
            raise self.error
        self._save(folder, checkpoint)


@pytest.fixture
def disk(monkeypatch):
    slow = Slow(checkpoints.save)
    monkeypatch.setattr(checkpoints, "save", slow)
    yield slow
    slow.let.set()


@pytest.fixture
def folder(tmp_path):
    return epath.Path(tmp_path) / "checkpoints"


def make(step, value=1.0):
    return Checkpoint(step, {"a": np.full(4, value, np.float32)}, {})


def test_who_saves_goes_on_at_once(disk, folder):
    saver, done = saving.Saver(folder), []
    saver.save(make(10), lambda: done.append(threading.current_thread()))
    assert disk.began.wait(SECONDS)
    saver.look()
    assert not folder.exists() and done == []
    disk.let.set()
    saver.wait()
    assert checkpoints.steps(folder) == [10]
    assert disk.threads != [threading.current_thread()]
    # What comes after it is done here and not there, once.
    assert done == [threading.current_thread()]
    saver.look()
    saver.wait()
    assert len(done) == 1


def test_a_look_sees_what_is_written(disk, folder):
    saver, done = saving.Saver(folder), []
    disk.let.set()
    saver.save(make(10), lambda: done.append(10))
    disk.threads[0].join(SECONDS)
    saver.look()
    assert done == [10]


def test_what_the_training_changes_meanwhile_is_not_saved(disk, folder):
    saver, state = saving.Saver(folder), np.zeros(3, np.float32)
    saver.save(Checkpoint(10, {"a": state}, {}), lambda: None)
    state += 7
    disk.let.set()
    saver.wait()
    np.testing.assert_array_equal(
        checkpoints.read(folder, 10).arrays["a"], np.zeros(3, np.float32)
    )


def test_the_next_one_waits(disk, folder):
    saver, order = saving.Saver(folder), []
    saver.save(make(10), lambda: order.append(10))
    second = threading.Thread(
        target=saver.save, args=(make(20), lambda: order.append(20))
    )
    second.start()
    assert disk.began.wait(SECONDS)
    second.join(0.1)
    assert second.is_alive() and len(disk.threads) == 1
    disk.let.set()
    second.join(SECONDS)
    saver.wait()
    assert order == [10, 20]
    assert checkpoints.steps(folder) == [10, 20]


def test_of_two_runs_one_writes_at_a_time(disk, tmp_path):
    folders = [epath.Path(tmp_path) / name for name in "ab"]
    savers = [saving.Saver(folder) for folder in folders]
    for saver in savers:
        saver.save(make(10), lambda: None)
    assert disk.began.wait(SECONDS)
    assert len(disk.threads) == 1
    disk.let.set()
    for saver, folder in zip(savers, folders, strict=True):
        saver.wait()
        assert checkpoints.steps(folder) == [10]


@pytest.mark.parametrize("seen_by", ["look", "wait", "save"])
def test_an_error_is_raised_where_it_is_looked_for(disk, folder, seen_by):
    saver, done = saving.Saver(folder), []
    disk.error = OSError(errno.ENOSPC, "No space left on device")
    disk.let.set()
    saver.save(make(10), lambda: done.append(10))
    disk.threads[0].join(SECONDS)
    with pytest.raises(OSError, match="No space left") as raised:
        if seen_by == "save":
            saver.save(make(20), lambda: done.append(20))
        else:
            getattr(saver, seen_by)()
    assert raised.value is disk.error
    # Once; and the next one is written as if nothing had been.
    disk.error = None
    saver.save(make(30), lambda: done.append(30))
    saver.wait()
    assert done == [30]
    assert checkpoints.steps(folder) == [30]


def test_behind_another_error_it_is_waited_for(disk, folder):
    saver, done = saving.Saver(folder), []
    saver.save(make(10), lambda: done.append(10))
    disk.error = OSError(errno.EIO, "Input/output error")
    disk.let.set()
    saver.close()
    assert done == [] and not disk.threads[0].is_alive()
