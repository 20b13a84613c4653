"""The store of named arrays: whole files, digests, and the forms on disk.

``stored`` holds a cache, a prepared file, a table and a checkpoint that were
written before these had one store; what is written now is the same.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil

import numpy as np
import pytest
from etils import epath

from ls_tf.data import digits
from ls_tf.pipeline import array_cache, prepared
from ls_tf.records import arrays, files, local
from ls_tf.records.arrays import DamageError
from ls_tf.training import checkpoints, tables
from ls_tf.training.checkpoints import Checkpoint

STORED = pathlib.Path(__file__).parent / "stored"
SPLIT = {
    "image": np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1),
    "label": np.arange(4, dtype=np.int32),
}
INFO = dataclasses.replace(digits.INFO, name="small", sizes={"train": 4})
KEY = tables.Key(
    teacher="a" * 64,
    weights="b" * 64,
    data="digits",
    split="train[:7]",
    images="c" * 64,
    augmentation="shift2",
    examples=7,
    views=5,
    classes=3,
)
LOGITS = np.arange(105, dtype=np.float32).reshape(35, 3) / 4
CHECKPOINT = Checkpoint(
    7,
    {
        "model/0000/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
        "model/0001/seed": np.array([5, 20], np.uint32),
        "optimizer/0000/iteration": np.array(7, np.int64),
        "pending/loss": np.zeros(0, np.float32),
    },
    {"seconds": 10.5},
)


@pytest.fixture
def folder(tmp_path):
    return epath.Path(tmp_path)


def equal(some, other):
    assert some.keys() == other.keys()
    for name in some:
        assert some[name].dtype == other[name].dtype
        assert some[name].shape == other[name].shape
        np.testing.assert_array_equal(some[name], other[name])


def contents(path):
    """File name -> bytes of everything below a folder."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in pathlib.Path(path).rglob("*")
        if file.is_file()
    }


def make_table(path, logits_of):
    return tables.obtain(path, KEY, logits_of, title="teacher")


# --- what was written before is read, and written in the same form


def test_a_stored_cache_is_read(folder):
    stored = array_cache.read(epath.Path(STORED) / "cache", "train", SPLIT)
    equal(stored, SPLIT)
    about = {"origin": "mnist/3.0.1", "count": 4}
    array_cache.write(folder, "train", SPLIT, about)
    assert contents(folder) == contents(STORED / "cache")


def test_a_stored_prepared_file_is_read(tmp_path):
    equal(prepared.load(INFO, "train", STORED / "small.npz"), SPLIT)
    file = tmp_path / "small.npz"
    prepared.write(
        file, experiment="fc_small", info=INFO, splits={"train": SPLIT}
    )
    # The compression's bytes are the library's; the manifest is among these.
    with np.load(file) as now, np.load(STORED / "small.npz") as before:
        equal(dict(now), dict(before))


def test_a_stored_table_is_read_and_made_again(folder, monkeypatch):
    want = LOGITS.astype(np.float16).reshape(7, 5, 3)
    stored = make_table(epath.Path(STORED) / "table", None)
    np.testing.assert_array_equal(stored, want)
    monkeypatch.setattr(tables, "_PART_ROWS", 16)
    made = make_table(folder, lambda first, last: LOGITS[first:last])
    np.testing.assert_array_equal(made, want)
    now, before = contents(folder), contents(STORED / "table")
    about, about_before = (
        json.loads(files.pop("manifest.json")) for files in (now, before)
    )
    assert now == before
    # Times differ; version 1 had no digest of the manifest itself.
    assert about.pop("version") == 2
    assert list(about) == [*list(about_before)[1:], "digest"]
    for name in set(about) - {"seconds", "finished", "digest"}:
        assert about[name] == about_before[name]


def test_a_stored_table_that_is_not_finished_goes_on(folder):
    path = folder / "table"
    shutil.copytree(STORED / "table", path)
    manifest = json.loads((path / "manifest.json").read_text())
    del manifest["parts"]["2"]
    manifest["finished"] = None
    (path / "manifest.json").write_text(json.dumps(manifest))
    (path / "logits-00002.npy").unlink()
    asked = []

    def logits_of(first, last):
        asked.append((first, last))
        return LOGITS[first:last]

    made = make_table(path, logits_of)
    np.testing.assert_array_equal(made.reshape(35, 3), LOGITS)
    assert asked == [(32, 35)]


@pytest.mark.parametrize("version", ["version_1", "version_2"])
def test_a_stored_checkpoint_is_read(version):
    path = epath.Path(STORED) / "checkpoints" / version
    stored = checkpoints.latest(path)
    assert (stored.step, stored.extra) == (7, {"seconds": 10.5})
    equal(stored.arrays, CHECKPOINT.arrays)
    data = (path / "step-000000007" / "arrays.safetensors").read_bytes()
    assert stored.sha256 == hashlib.sha256(data).hexdigest()


def test_a_checkpoint_is_written_as_it_was(folder):
    checkpoints.save(folder, CHECKPOINT)
    assert contents(folder) == contents(STORED / "checkpoints" / "version_2")


# --- digests


def test_a_digest_is_of_dtype_shape_and_values():
    array = np.array([[1, 2], [3, 4]], np.int32)
    # Little-endian int32, row by row.
    values = b"\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0"
    whole = hashlib.sha256(b"<i4 (2, 2) " + values).hexdigest()
    assert arrays.digest(array) == whole
    only = hashlib.sha256(values).hexdigest()
    assert arrays.digest(array, values_only=True) == only
    assert arrays.digest(array.T) != whole  # values are in C order
    assert arrays.digest(np.asfortranarray(array)) == whole
    others = (array.reshape(4), array.astype(np.uint32), array + 1)
    assert whole not in [arrays.digest(other) for other in others]
    assert arrays.digest(others[0], values_only=True) == only
    assert arrays.digests({"a": array}) == {"a": whole}


def test_what_was_altered_is_named():
    array = np.zeros(3)
    assert arrays.intact(array, arrays.digest(array), "x.npy") is array
    with pytest.raises(DamageError, match="^x.npy is not what was written$"):
        arrays.intact(array + 1, arrays.digest(array), "x.npy")


# --- files of arrays


def test_a_local_file_is_mapped_where_that_is_asked_for(folder):
    files.write_files(folder, {"a.npy": np.arange(6.0)})
    mapped = arrays.read_npy(folder / "a.npy", mapped=True)
    copied = arrays.read_npy(folder / "a.npy")
    assert isinstance(mapped, np.memmap)
    assert not isinstance(copied, np.memmap)
    np.testing.assert_array_equal(mapped, copied)


def test_a_bucket_has_no_maps(folder):
    class Bucket:
        def __str__(self):
            return "gs://bucket/a.npy"

        def open(self, mode):
            return (folder / "a.npy").open(mode)

    files.write_files(folder, {"a.npy": np.arange(6.0)})
    array = arrays.read_npy(Bucket(), mapped=True)
    np.testing.assert_array_equal(array, np.arange(6.0))


def test_an_archive_gives_what_was_put_in(folder):
    named = {"a/b": np.arange(3), "c": np.zeros((0, 2), np.float32)}
    (folder / "a.npz").write_bytes(arrays.npz(named))
    equal(dict(arrays.open_npz(folder / "a.npz")), named)
    assert arrays.npz(named) == arrays.npz(named)
    files.write_files(folder, {"a.npz": np.zeros(3)})
    with pytest.raises(ValueError, match="it is a single array"):
        arrays.open_npz(folder / "a.npz")
    np.savez(str(folder / "a.npz"), a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        dict(arrays.open_npz(folder / "a.npz"))


def test_a_description_tells_what_is_cut_short_or_altered():
    named = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(1, np.int64)}
    data = arrays.npz(named)
    about = arrays.description(data, named)
    assert about == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "arrays": {
            "a": {"shape": [2, 3], "dtype": "float64"},
            "b": {"shape": [], "dtype": "int64"},
        },
    }

    def says(text, data=data, arrays_of=named, **changed):
        with pytest.raises(DamageError, match=f"^it{text}$"):
            arrays.decoded(data, about | changed, lambda _: arrays_of, "it")

    assert arrays.decoded(data, about, lambda _: named, "it") is named
    says(
        f" is truncated: wanted {len(data)} bytes, got {len(data) - 1}",
        data[:-1],
    )
    says(
        " is corrupted: its SHA-256 differs from the manifest's",
        b"\0" + data[1:],
    )
    for other in (named["a"].T, named["a"].astype(np.float32)):
        says(
            ": array a is not as its manifest says",
            arrays_of=named | {"a": other},
        )
    says(": array b is not as its manifest says", arrays_of={"a": named["a"]})
    says(
        ": array c is not as its manifest says",
        arrays_of=named | {"c": named["a"]},
    )


def test_a_sealed_manifest_is_read_as_it_was_written_or_refused():
    fields = {"version": 2, "x": {"b": [1.5, None], "a": "é"}}
    data = arrays.sealed(fields)
    plain = files.json_bytes(fields)
    assert json.loads(data) == {
        **fields,
        "digest": hashlib.sha256(plain).hexdigest(),
    }
    assert arrays.unsealed(data, "it") == fields
    assert list(arrays.unsealed(data, "it")["x"]) == ["b", "a"]
    reordered = json.dumps(json.loads(data), indent=1, sort_keys=True).encode()
    for other in (plain, data + b"\n", reordered, b"[]", b"null"):
        with pytest.raises(DamageError, match="^it is not what was written$"):
            arrays.unsealed(other, "it")


# --- whole or not there


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class FullDisk:
    """Lets so many files be written, and of the next a half."""

    def __init__(self, monkeypatch, folder, room, error):
        self.room, self.error = room, error
        self.write = type(folder).write_bytes
        monkeypatch.setattr(
            type(folder), "write_bytes", lambda path, data: self(path, data)
        )

    def __call__(self, path, data):
        self.room -= 1
        if self.room < 0:
            self.write(path, data[: len(data) // 2])
            raise self.error
        return self.write(path, data)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()]
)
@pytest.mark.parametrize("write", [files.write_files, files.write_folder])
def test_a_failure_leaves_what_was_there(folder, monkeypatch, write, error):
    place = folder / "place"
    before = {"a": b"before", "b": b"before"}
    write(place, before)
    FullDisk(monkeypatch, folder, 1, error)
    with pytest.raises(type(error)):
        write(place, {"a": b"after", "b": b"after"})
    monkeypatch.undo()
    assert contents(place) == before
    assert names(folder) == ["place"]


def test_files_appear_after_all_are_written_in_their_order(folder, monkeypatch):
    place, appeared = folder / "place", []
    replace = type(folder).replace

    def noted(path, target):
        appeared.append((target.name, len(list(path.parent.iterdir()))))
        return replace(path, target)

    monkeypatch.setattr(type(folder), "replace", noted)
    files.write_files(
        place, {"b.npy": np.zeros(2), "a.npy": np.ones(2), "c.json": b"{}"}
    )
    assert appeared == [("b.npy", 3), ("a.npy", 3), ("c.json", 3)]
    assert names(place) == ["a.npy", "b.npy", "c.json"]


class Disk:
    """Notes what is waited for and what appears, in order."""

    def __init__(self, monkeypatch, folder):
        self.done = []
        sync, cls = local.sync, type(folder)
        monkeypatch.setattr(
            files, "sync", lambda path: (self.note("sync", path), sync(path))
        )
        for name in ("rename", "replace"):
            real = getattr(cls, name)
            monkeypatch.setattr(cls, name, self.noting(real))

    def noting(self, real):
        def rename(path, target):
            self.note("rename", path, target)
            return real(path, target)

        return rename

    def note(self, what, path, target=None):
        plain = [
            re.sub(r"[.]([^/]*)[.][0-9a-f]{8}([.]old)?[.]tmp", r"\1~", str(p))
            for p in (path, target)
            if p is not None
        ]
        self.done.append((what, *(p.rpartition("deep/")[2] for p in plain)))


def test_what_appears_is_on_the_disk(folder, monkeypatch):
    place = folder / "deep"
    disk = Disk(monkeypatch, folder)
    files.write_files(place, {"a.npy": np.zeros(2), "b": b"1"})
    # The folder is new, too.
    assert disk.done[0][1] == str(folder)
    assert disk.done[1:5] == [
        ("sync", "a.npy~"),
        ("sync", "b~"),
        ("rename", "a.npy~", "a.npy"),
        ("rename", "b~", "b"),
    ]
    assert disk.done[5:] == [("sync", str(place))]


def test_a_folder_that_appears_is_on_the_disk(folder, monkeypatch):
    place = folder / "deep" / "place"
    place.parent.mkdir()
    disk = Disk(monkeypatch, folder)
    new = [
        ("sync", "place~/a"),
        ("sync", "place~/b"),
        ("sync", "place~"),
        ("rename", "place~", "place"),
        ("sync", str(place.parent)),
    ]
    files.write_folder(place, {"a": b"1", "b": b"1"})
    assert disk.done == new
    disk.done.clear()
    files.write_folder(place, {"a": b"1", "b": b"1"})
    # What was there before has another name for the time of the renaming.
    assert disk.done == [*new[:3], ("rename", "place", "place~"), *new[3:]]
    assert names(place.parent) == ["place"]


@pytest.mark.parametrize("write", [files.write_files, files.write_folder])
def test_a_disk_that_cannot_keep_a_file_leaves_what_was_there(
    folder, monkeypatch, write
):
    place = folder / "place"
    write(place, {"a": b"before", "b": b"before"})
    for number in range(2):
        calls = []

        def fail(path, number=number, calls=calls):
            calls.append(path)
            if len(calls) > number:
                raise OSError(errno.EIO, "Input/output error", str(path))

        monkeypatch.setattr(files, "sync", fail)
        with pytest.raises(OSError, match="Input/output"):
            write(place, {"a": b"after", "b": b"after"})
        assert contents(place) == {"a": b"before", "b": b"before"}
        assert names(folder) == ["place"]


@pytest.mark.parametrize(
    ("number", "is_raised"),
    [(errno.EINVAL, False), (errno.EACCES, False), (errno.EIO, True)],
)
def test_folders_that_know_no_fsync_are_let_be(
    folder, monkeypatch, number, is_raised
):
    def fsync(file):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(local.os, "fsync", fsync)
    (folder / "a").write_bytes(b"")
    with pytest.raises(OSError, match="."):
        local.sync(folder / "a")
    expected = pytest.raises(OSError, match=".")
    with expected if is_raised else contextlib.nullcontext():
        local.sync(folder)
    local.sync(epath.Path("gs://bucket/a"))  # asks nobody


def test_a_folder_is_replaced_whole(folder):
    place = folder / "deep" / "place"
    files.write_folder(place, {"a": b"1", "b": b"1"})
    files.write_folder(place, {"c": b"2"})
    assert contents(place) == {"c": b"2"}
    assert names(place.parent) == ["place"]


def test_what_a_kill_left_is_found(folder):
    assert files.leftovers(folder / "none") == []
    (folder / ".a.npy.12345678.tmp").write_bytes(b"half")
    (folder / ".step-000000020.abcd.tmp").mkdir()
    for other in ("a.npy", ".hidden", "b.tmp"):
        (folder / other).write_bytes(b"")
    assert sorted(path.name for path in files.leftovers(folder)) == [
        ".a.npy.12345678.tmp",
        ".step-000000020.abcd.tmp",
    ]


def test_what_is_replaced_stays_aside_where_its_name_is_taken(
    tmp_path, monkeypatch
):
    place = epath.Path(tmp_path) / "folder"
    files.write_folder(place, {"a": b"1"})
    aside = files._aside

    @contextlib.contextmanager
    def taken(path, other):
        with aside(path, other):
            path.mkdir()
            yield

    monkeypatch.setattr(files, "_aside", taken)
    with pytest.raises(OSError):
        files.write_folder(place, {"a": b"2"})
    assert not list(place.iterdir())
    place.rmdir()
    files.give_back(place.parent)
    assert (place / "a").read_bytes() == b"1"
    assert list(place.parent.iterdir()) == [place]
