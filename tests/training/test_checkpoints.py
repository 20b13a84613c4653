"""Checkpoints: whole or not at all, the newest whole one is used."""

import errno
import json
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from etils import epath

from ls_tf.spec import SpecError
from ls_tf.training import checkpoints
from ls_tf.training.checkpoints import Checkpoint, CheckpointError


def make(step: int, fill: float = 0.0) -> Checkpoint:
    return Checkpoint(
        step,
        {
            "model/0000/kernel": np.full((3, 4), step + fill, np.float32),
            "model/0001/seed": np.array([5, 20], np.uint32),
            "optimizer/0000/iteration": np.array(step, np.int64),
            "pending/loss": np.zeros(0, np.float32),
        },
        {"seconds": 1.5 * step},
    )


@pytest.fixture
def folder(tmp_path):
    return epath.Path(tmp_path) / "checkpoints"


def test_read_gives_what_was_saved(folder):
    saved = make(7)
    checkpoints.save(folder, saved)
    found = checkpoints.latest(folder)
    assert found.step == 7
    assert found.extra == {"seconds": 10.5}
    assert set(found.arrays) == set(saved.arrays)
    for name, array in saved.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        np.testing.assert_array_equal(found.arrays[name], array)


def test_no_checkpoint_is_none(folder):
    assert checkpoints.latest(folder) is None
    folder.mkdir()
    assert checkpoints.latest(folder) is None


def test_keeps_the_newest_two(folder):
    for step in (10, 20, 30):
        checkpoints.save(folder, make(step))
    assert checkpoints.steps(folder) == [20, 30]


def test_the_file_is_safetensors_without_pickle(folder):
    from safetensors.numpy import load

    checkpoints.save(folder, make(1))
    data = (folder / "step-000000001" / "arrays.safetensors").read_bytes()
    # The format: 8 bytes of header length, then a JSON header.
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["model/0000/kernel"]["shape"] == [3, 4]
    assert load(data)["optimizer/0000/iteration"] == 1


def test_manifest_names_shapes_dtypes_and_hash(folder):
    import hashlib

    checkpoints.save(folder, make(1))
    path = folder / "step-000000001"
    manifest = json.loads((path / "manifest.json").read_text())
    data = (path / "arrays.safetensors").read_bytes()
    assert manifest["sha256"] == hashlib.sha256(data).hexdigest()
    assert manifest["arrays"]["model/0001/seed"] == {
        "shape": [2],
        "dtype": "uint32",
    }


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-5])


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))


def _empty(path):
    path.write_bytes(b"")


def _remove(path):
    path.unlink()


@pytest.mark.parametrize("damage", [_truncate, _flip, _empty, _remove])
@pytest.mark.parametrize("file", ["arrays.safetensors", "manifest.json"])
def test_a_damaged_newest_is_reported_and_the_one_before_is_used(
    folder, damage, file, caplog
):
    checkpoints.save(folder, make(10))
    checkpoints.save(folder, make(20))
    damage(folder / "step-000000020" / file)
    with pytest.raises(CheckpointError) as error:
        checkpoints.read(folder, 20)
    assert "\n" not in str(error.value)
    found = checkpoints.latest(folder)
    assert found.step == 10
    np.testing.assert_array_equal(
        found.arrays["model/0000/kernel"], np.full((3, 4), 10.0)
    )


def test_all_damaged_is_an_error_not_a_fresh_start(folder):
    checkpoints.save(folder, make(10))
    _truncate(folder / "step-000000010" / "arrays.safetensors")
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        checkpoints.latest(folder)


def test_a_full_disk_leaves_the_checkpoint_before(folder, monkeypatch):
    checkpoints.save(folder, make(10))
    write = type(folder).write_bytes

    def full(self, data):
        write(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(type(folder), "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(folder, make(20))
    monkeypatch.undo()
    assert [p.name for p in folder.iterdir()] == ["step-000000010"]
    assert checkpoints.latest(folder).step == 10


_LIMITED = """
import resource, signal, sys
import numpy as np
from etils import epath
from ls_tf.training import checkpoints
from ls_tf.training.checkpoints import Checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = epath.Path(sys.argv[1])
checkpoints.save(folder, Checkpoint(1, {"a": np.zeros(10)}, {}))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    checkpoints.save(folder, Checkpoint(2, {"a": np.zeros(100_000)}, {}))
except OSError as error:
    print(error.errno)
"""


def test_the_system_refusing_to_write_leaves_the_checkpoint_before(folder):
    assert resource.RLIMIT_FSIZE is not None and signal.SIGXFSZ
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(errno.EFBIG)
    assert [p.name for p in folder.iterdir()] == ["step-000000001"]
    assert checkpoints.latest(folder).step == 1


def test_sweep_removes_what_a_kill_left(folder):
    checkpoints.save(folder, make(10))
    (folder / ".step-000000020.abcd.tmp").mkdir()
    checkpoints.sweep(folder)
    assert [p.name for p in folder.iterdir()] == ["step-000000010"]


def test_saving_a_step_again_replaces_it(folder):
    checkpoints.save(folder, make(10))
    checkpoints.save(folder, make(10, fill=0.5))
    kernel = checkpoints.latest(folder).arrays["model/0000/kernel"]
    assert kernel[0, 0] == 10.5


def test_match_names_the_first_difference():
    named = {"model/0000/kernel": np.zeros((3, 4))}
    checkpoints.match({"model/0000/kernel": (3, 4)}, named)
    with pytest.raises(SpecError, match=r"wanted shape \(4, 4\)"):
        checkpoints.match({"model/0000/kernel": (4, 4)}, named)
    with pytest.raises(SpecError, match="no array 'model/0001/bias'"):
        checkpoints.match({"model/0001/bias": (4,)}, named)
