"""Checkpoints that are damaged, and what else may lie among them."""

import errno
import json
import os
import shutil

import numpy as np
import pytest
from etils import epath

from ls_tf.records import arrays
from ls_tf.records.files import json_bytes
from ls_tf.training import checkpoints
from ls_tf.training.checkpoints import Checkpoint, CheckpointError


def make(step: int, fill: float = 0.0) -> Checkpoint:
    kernel = np.full((1, 2), step + fill, np.float32)
    return Checkpoint(step, {"model/0": kernel}, {"seconds": 1.5 * step})


@pytest.fixture
def folder(tmp_path):
    return epath.Path(tmp_path) / "checkpoints"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# --- nothing of a checkpoint is trusted that has no digest


def refusal(folder, step):
    """The line by which a checkpoint is refused; the one before is used."""
    with pytest.raises(CheckpointError) as error:
        checkpoints.read(folder, step)
    text = str(error.value)
    assert "\n" not in text
    assert f"step-{step:09d}" in text
    return text


def flipped(file, bits):
    """A file with one of its bits flipped after the other."""
    data = file.read_bytes()
    for bit in bits:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        yield bit
    file.write_bytes(data)


@pytest.mark.parametrize("file", ["arrays.safetensors", "manifest.json"])
def test_every_flipped_bit_is_seen(folder, file):
    checkpoints.save(folder, make(10))
    path = folder / "step-000000010" / file
    for _ in flipped(path, range(8 * len(path.read_bytes()))):
        refusal(folder, 10)
    assert checkpoints.read(folder, 10).step == 10


def test_a_flipped_bit_anywhere_in_large_arrays_is_seen(folder):
    array = np.random.default_rng(0).normal(size=50_000)
    checkpoints.save(folder, Checkpoint(10, {"model/0": array}, {}))
    path = folder / "step-000000010" / "arrays.safetensors"
    bits = np.random.default_rng(1).integers(
        8 * len(path.read_bytes()), size=50
    )
    for _ in flipped(path, bits.tolist()):
        assert "SHA-256" in refusal(folder, 10)


@pytest.mark.parametrize("file", ["arrays.safetensors", "manifest.json"])
def test_a_file_cut_short_anywhere_is_seen(folder, file):
    checkpoints.save(folder, make(10))
    path = folder / "step-000000010" / file
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        refusal(folder, 10)


def rewritten(folder, number, /, *, sealed=True, **fields):
    """Changes fields of a manifest as a program might have written them."""
    file = folder / f"step-{number:09d}" / "manifest.json"
    manifest = json.loads(file.read_bytes()) | fields
    del manifest["digest"]
    encoded = arrays.sealed(manifest) if sealed else json_bytes(manifest)
    file.write_bytes(encoded)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"version": 3}, "has version 3; this program reads 1 to 2"),
        ({"version": 0}, "has version 0"),
        ({"version": "1"}, 'has version "1"'),
        ({"version": True}, "has version true"),
        ({"version": [[1]]}, "has version"),
        ({"step": 9}, "is of step 9, not of its folder's"),
        ({"step": "10"}, 'is of step "10"'),
        ({"extra": {"seconds": float("nan")}}, "seconds of training, got nan"),
        ({"extra": {"seconds": -1.0}}, "got -1.0"),
        ({"extra": {"seconds": "1"}}, "is damaged"),
        ({"extra": None}, "is damaged"),
        ({"arrays": {}}, "array model/0 is not as"),
        ({"arrays": 5}, "is damaged"),
        ({"bytes": None}, "is truncated"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(folder, fields, text):
    checkpoints.save(folder, make(10))
    rewritten(folder, 10, **fields)
    assert text in refusal(folder, 10)


@pytest.mark.parametrize("name", ["version", "step", "sha256", "arrays"])
def test_version_1_is_checked_as_far_as_it_goes(folder, name):
    checkpoints.save(folder, make(10))
    rewritten(folder, 10, sealed=False, version=1)
    assert checkpoints.read(folder, 10).extra == {"seconds": 15.0}
    assert checkpoints.read(folder, 10).sha256
    file = folder / "step-000000010" / "manifest.json"
    manifest = json.loads(file.read_bytes())
    del manifest[name]
    file.write_bytes(json_bytes(manifest))
    assert "KeyError" in refusal(folder, 10)
    file.write_bytes(b"[" * 100_000)
    assert "RecursionError" in refusal(folder, 10)


def test_a_manifest_without_its_digest_is_refused(folder):
    checkpoints.save(folder, make(10))
    rewritten(folder, 10, sealed=False)
    assert "not what was written" in refusal(folder, 10)


# --- what else may lie among checkpoints


def test_other_names_are_passed_over(folder):
    checkpoints.save(folder, make(10))
    shutil.copytree(folder / "step-000000010", folder / "step-000000020.bak")
    shutil.copytree(folder / "step-000000010", folder / "step-30")
    for name in ("step-", "step-abc", "step-00000001²", "notes.txt", "step"):
        (folder / name).write_text("mine")
    (folder / "lost+found").mkdir(mode=0)
    os.symlink("step-000000010", folder / "newest")
    assert checkpoints.steps(folder) == [10]
    for step in (20, 30):
        checkpoints.save(folder, make(step))
    assert checkpoints.steps(folder) == [20, 30]
    assert (folder / "step-000000020.bak" / "manifest.json").exists()
    assert (folder / "step-abc").read_text() == "mine"


def _a_file(path):
    path.write_text("mine")


def _a_link_to_nothing(path):
    os.symlink("elsewhere", path)


def _a_link_to_another(path):
    os.symlink("step-000000010", path)


def _a_link_to_itself(path):
    os.symlink(path, path)


def _a_copy(path):
    shutil.copytree(path.parent / "step-000000010", path)


def _empty_folder(path):
    path.mkdir()


ODD = [
    _a_file,
    _a_link_to_nothing,
    _a_link_to_another,
    _a_link_to_itself,
    _a_copy,
    _empty_folder,
]


@pytest.mark.parametrize("odd", ODD)
def test_what_has_a_checkpoints_name_is_reported_and_replaced(folder, odd):
    checkpoints.save(folder, make(10))
    odd(folder / "step-000000020")
    refusal(folder, 20)
    assert checkpoints.latest(folder).step == 10
    checkpoints.save(folder, make(20))
    assert checkpoints.latest(folder).step == 20
    assert checkpoints.read(folder, 10).step == 10
    assert names(folder) == ["step-000000010", "step-000000020"]


@pytest.mark.parametrize("odd", ODD)
def test_what_has_an_old_checkpoints_name_is_dropped_with_it(folder, odd):
    checkpoints.save(folder, make(10))
    odd(folder / "step-000000005")
    for step in (20, 30):
        checkpoints.save(folder, make(step))
    assert names(folder) == ["step-000000020", "step-000000030"]


def test_later_steps_do_not_push_out_what_is_saved(folder):
    for step in (900, 950):
        (folder / f"step-{step:09d}").mkdir(parents=True)
    for step in (10, 20, 30):
        checkpoints.save(folder, make(step))
    assert checkpoints.steps(folder) == [20, 30, 900, 950]
    assert checkpoints.latest(folder).step == 30


@pytest.mark.parametrize("run", ["first", "second"])  # each run says it
def test_an_old_one_that_cannot_be_removed_ends_nothing(
    folder, monkeypatch, caplog, run
):
    checkpoints.save(folder, make(10))
    checkpoints.save(folder, make(20))
    rmtree = type(folder).rmtree

    def refuse(path, *args):
        if path.name == "step-000000010":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        rmtree(path, *args)

    monkeypatch.setattr(type(folder), "rmtree", refuse)
    for step in (30, 40, 50):
        checkpoints.save(folder, make(step))
    assert checkpoints.steps(folder) == [10, 40, 50]
    assert caplog.text.count("Cannot remove") == 1
    monkeypatch.setattr(type(folder), "rmtree", refuse)
    (folder / ".step-000000020.abcd.tmp").mkdir()
    (folder / ".step-000000020.file.tmp").write_text("")
    checkpoints.sweep(folder)
    assert checkpoints.steps(folder) == [10, 40, 50]
    assert len(names(folder)) == 3


def test_a_failure_to_rename_gives_back_what_was_there(folder, monkeypatch):
    checkpoints.save(folder, make(10))
    rename = type(folder).rename

    def fail(path, target):
        # The new one under the name of the old one.
        is_new = (path / "manifest.json").read_bytes() != before
        if target.name == "step-000000010" and is_new:
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, target)

    before = (folder / "step-000000010" / "manifest.json").read_bytes()
    monkeypatch.setattr(type(folder), "rename", fail)
    with pytest.raises(OSError, match="Input/output"):
        checkpoints.save(folder, make(10, fill=0.5))
    assert names(folder) == ["step-000000010"]
    assert checkpoints.latest(folder).arrays["model/0"][0, 0] == 10


def test_the_folder_may_be_a_link(folder, tmp_path):
    (tmp_path / "large_disk").mkdir()
    os.symlink("large_disk", folder)
    for step in (10, 20, 30):
        checkpoints.save(folder, make(step))
    checkpoints.sweep(folder)
    assert checkpoints.latest(folder).step == 30
    assert names(tmp_path / "large_disk") == names(folder)
    assert len(names(folder)) == 2
    assert os.path.islink(folder)


@pytest.mark.parametrize(
    ("odd", "text"),
    [
        (_a_file, "Not a directory"),
        (_a_link_to_nothing, "is a link to what is not there"),
        (_a_link_to_itself, "is a link to what is not there"),
    ],
)
def test_a_folder_that_is_none_is_one_line(folder, odd, text):
    odd(folder)
    checkpoints.sweep(folder)
    for ask in (checkpoints.latest, checkpoints.steps):
        with pytest.raises(CheckpointError, match=text) as error:
            ask(folder)
        assert "\n" not in str(error.value)
        assert str(folder) in str(error.value)


def test_a_folder_of_another_user_is_one_line(folder, monkeypatch):
    checkpoints.save(folder, make(10))

    def refuse(path, *args):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    for name in ("exists", "iterdir"):
        with monkeypatch.context() as patches:
            patches.setattr(type(folder), name, refuse)
            checkpoints.sweep(folder)
            with pytest.raises(CheckpointError, match="cannot be read: Perm"):
                checkpoints.latest(folder)
    monkeypatch.setattr(type(folder), "read_bytes", refuse)
    assert "cannot be read: Permission denied" in refusal(folder, 10)
