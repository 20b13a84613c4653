"""A named pipe where a file belongs is refused, and nobody waits for it."""

import os
import signal

import numpy as np
import pytest
from etils import epath

from ls_tf.pipeline import array_cache
from ls_tf.records import arrays, files, locks
from ls_tf.training import checkpoints, summaries, tables

_KEY = tables.Key(
    teacher="t",
    weights="w",
    data="digits",
    split="train",
    images="i",
    augmentation="none",
    examples=1,
    views=1,
    classes=2,
)


@pytest.fixture(autouse=True)
def _no_wait():
    """To open a pipe that nobody writes to takes for ever."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(5)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path):
    return epath.Path(tmp_path)


def pipe(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


def test_a_file_of_a_record(folder):
    with pytest.raises(files.RunError, match="it is a pipe"):
        files.read(pipe(folder / "run.json"), "run record")


@pytest.mark.parametrize("name", ["manifest.json", "arrays.safetensors"])
def test_a_checkpoint(folder, name):
    checkpoints.save(folder, checkpoints.Checkpoint(3, {"a": np.ones(2)}, {}))
    (folder / "step-000000003" / name).unlink()
    pipe(folder / "step-000000003" / name)
    with pytest.raises(checkpoints.CheckpointError, match="it is a pipe"):
        checkpoints.read(folder, 3)


@pytest.mark.parametrize("name", ["manifest.json", "logits-00000.npy"])
def test_a_table(folder, name):
    def logits(first, last):
        return np.zeros((last - first, 2))

    tables.obtain(folder, _KEY, logits, title="t")
    (folder / name).unlink()
    pipe(folder / name)
    with pytest.raises(files.RunError, match="it is a pipe"):
        tables.obtain(folder, _KEY, logits, title="t")


@pytest.mark.parametrize("name", ["owner.json", "beat.json"])
def test_a_lock(folder, name):
    pipe(folder / "lock" / name)
    assert locks.owner_of(folder / "lock") == {}
    assert not locks.is_abandoned(folder / "lock")
    assert "unknown process" in locks.held(folder / "lock")


@pytest.mark.parametrize("name", ["train.json", "train_a.npy"])
def test_a_cache_is_made_again(folder, name):
    kept = {"a": np.arange(3)}
    array_cache.write(folder, "train", kept, {})
    (folder / name).unlink()
    pipe(folder / name)
    assert array_cache.read(folder, "train", kept) is None
    array_cache.write(folder, "train", kept, {})
    np.testing.assert_array_equal(
        array_cache.read(folder, "train", kept)["a"], kept["a"]
    )


def test_a_prepared_file(folder):
    with pytest.raises(OSError, match="it is a pipe"):
        arrays.open_npz(pipe(folder / "x.npz"))


def test_a_file_of_events(folder, capsys):
    pipe(folder / "events.out.tfevents.0000000001.here.1")
    summaries.Summaries(str(folder), 5).close()
    assert "it is a pipe" in capsys.readouterr().err
    assert len(list(folder.iterdir())) == 1
