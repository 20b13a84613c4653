"""Prepared files: the arrays of an experiment in one portable file."""

import dataclasses
import io
import json
import os
import pathlib
import subprocess
import sys
import textwrap
import threading
import time
import types
import zipfile

import numpy as np
import pytest

from ls_tf import stopping
from ls_tf.data import digits
from ls_tf.pipeline import loading, prepared
from ls_tf.pipeline.contract import DataError
from ls_tf.records.arrays import digest

ROOT = pathlib.Path(__file__).parents[2]
INFO = dataclasses.replace(
    digits.INFO, name="small", sizes={"train": 30, "test": 10}
)


def _split(size, seed):
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(0, 256, (size, 8, 8, 1)).astype(np.uint8),
        "label": rng.integers(0, 10, size).astype(np.int32),
    }


SPLITS = {"train": _split(30, 0), "test": _split(10, 1)}


def _write(path, info=INFO, splits=SPLITS):
    prepared.write(path, experiment="fc_small", info=info, splits=splits)


@pytest.fixture(autouse=True)
def _fresh():
    prepared._read.cache_clear()


@pytest.fixture
def file(tmp_path):
    _write(tmp_path / "small.npz")
    return tmp_path / "small.npz"


def _equal(one, other):
    assert one.keys() == other.keys()
    for key in one:
        assert one[key].dtype == other[key].dtype
        np.testing.assert_array_equal(one[key], other[key])


def _fails(path, *says, info=INFO, split="train"):
    with pytest.raises(DataError) as caught:
        prepared.load(info, split, path)
    message = str(caught.value)
    assert "\n" not in message
    for text in (path, *says):
        assert str(text) in message
    return message


def _manifest(file):
    with np.load(file, allow_pickle=False) as archive:
        return json.loads(bytes(archive["manifest"]))


def _rewrite(file, manifest=None, **changed):
    """Writes a file anew with another manifest or other arrays."""
    with np.load(file, allow_pickle=False) as archive:
        arrays = dict(archive)
    if manifest is not None:
        text = json.dumps(_manifest(file) | manifest).encode()
        arrays["manifest"] = np.frombuffer(text, np.uint8)
    np.savez_compressed(file, **arrays | changed)


# --- Names ------------------------------------------------------------------


def test_a_prepared_file_is_told_by_its_name(tmp_path):
    assert prepared.is_prepared("data/fc.npz")
    assert prepared.is_prepared(tmp_path / "fc.npz")  # There need be none.
    assert prepared.is_prepared("~/fc.npz")
    assert prepared.SUFFIX == ".npz"
    for other in (None, "", "data", "fc.npz.txt", tmp_path, "fc.npz/"):
        assert not prepared.is_prepared(other)
    (tmp_path / "dir.npz").mkdir()
    assert not prepared.is_prepared(tmp_path / "dir.npz")


def test_a_file_system_that_cannot_be_asked(monkeypatch):
    class Broken:
        def expanduser(self):
            raise RuntimeError("no credentials\nfor bucket")

        def __fspath__(self):
            return "gs://bucket/fc.npz"

        def stat(self):
            raise RuntimeError("no credentials\nfor bucket")

    broken = Broken()
    monkeypatch.setattr(prepared.epath, "Path", lambda _: broken)
    assert prepared.is_prepared("gs://bucket/fc.npz")
    monkeypatch.setattr(Broken, "expanduser", lambda self: self)
    monkeypatch.setattr(Broken, "__str__", Broken.__fspath__)
    _fails("gs://bucket/fc.npz", "RuntimeError: no credentials for bucket")


# --- There and back ---------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "base", "part"),
    [
        ("train", "train", slice(0, 30)),
        ("train[:20]", "train", slice(0, 20)),
        ("train[20:]", "train", slice(20, 30)),
        ("test[50%:]", "test", slice(5, 10)),
    ],
)
def test_loads_what_was_written(file, split, base, part):
    expected = {key: a[part] for key, a in SPLITS[base].items()}
    _equal(prepared.load(INFO, split, file), expected)
    _equal(prepared.load(INFO, split, str(file)), expected)


def test_what_is_in_the_file(file):
    with np.load(file, allow_pickle=False) as archive:
        assert set(archive.files) == {
            "train/image",
            "train/label",
            "test/image",
            "test/label",
            "manifest",
        }
        assert archive["manifest"].dtype == np.uint8
        np.testing.assert_array_equal(
            archive["test/label"], SPLITS["test"]["label"]
        )
    manifest = _manifest(file)
    assert manifest["version"] == prepared.VERSION == 1
    assert manifest["experiment"] == "fc_small"
    assert manifest["data_set"] == manifest["origin"] == "small"
    assert manifest["licence"] == INFO.licence
    assert manifest["source"] == INFO.source
    assert manifest["sizes"] == {"train": 30, "test": 10}
    assert manifest["sha256"]["train/image"] == digest(SPLITS["train"]["image"])
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            assert member.compress_type == zipfile.ZIP_DEFLATED


def test_the_same_arrays_give_the_same_bytes(file, tmp_path):
    _write(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == file.read_bytes()


def test_parents_are_made_and_a_file_is_replaced(tmp_path):
    file = tmp_path / "a" / "b" / "small.npz"
    _write(file)
    prepared.load(INFO, "train", file)
    other = {"train": _split(30, 2), "test": _split(10, 3)}
    _write(file, splits=other)
    # What is kept in memory of the file before does not show.
    _equal(prepared.load(INFO, "train", file), other["train"])
    assert [path.name for path in file.parent.iterdir()] == ["small.npz"]


def test_the_home_directory_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    _write("~/small.npz")
    assert (tmp_path / "small.npz").exists()
    _equal(prepared.load(INFO, "test", "~/small.npz"), SPLITS["test"])


def test_asking_twice_decompresses_once(file, monkeypatch):
    calls = []
    load = np.load

    def counted(*args, **kwargs):
        calls.append(args)
        return load(*args, **kwargs)

    monkeypatch.setattr(np, "load", counted)
    first = prepared.load(INFO, "train[:20]", file)
    second = prepared.load(INFO, "train[20:]", file)
    prepared.load(INFO, "test", file)
    assert len(calls) == 1
    assert first["image"].base is second["image"].base
    os.utime(file, ns=(1, 1))
    prepared.load(INFO, "test", file)
    assert len(calls) == 2


def test_what_is_returned_cannot_be_damaged(file):
    for array in prepared.load(INFO, "train[:20]", file).values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


# --- Errors of reading ------------------------------------------------------


def test_a_bad_split_is_refused(file):
    with pytest.raises(ValueError, match=r"train \(30\), test \(10\)"):
        prepared.load(INFO, "trian", file)


def test_a_missing_file(tmp_path):
    for path in (tmp_path / "no.npz", tmp_path / "no" / "no.npz"):
        _fails(path, "no prepared file", "--mode=prepare")
    (tmp_path / "file").write_text("")
    _fails(tmp_path / "file" / "no.npz", "no prepared file")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4" + bytes(99)])
def test_no_archive_at_all(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    _fails(tmp_path / "a.npz", "damaged or no prepared file")


def test_a_pickle_is_not_loaded(tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, manifest=np.array([{}], dtype=object))
    _fails(file, "damaged or no prepared file", "allow_pickle")


def test_a_single_array(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    (tmp_path / "a.npz").write_bytes(buffer.getvalue())
    _fails(tmp_path / "a.npz", "damaged or no prepared file")


def test_an_archive_of_something_else(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    _fails(tmp_path / "a.npz", "damaged or no prepared file", "manifest")


def test_every_cut_and_many_changed_bytes_are_noticed(file):
    whole = file.read_bytes()
    for length in range(0, len(whole), 97):
        file.write_bytes(whole[:length])
        _fails(file, "damaged")
    unnoticed = 0
    for position in range(0, len(whole), 29):
        content = bytearray(whole)
        content[position] ^= 0x41
        file.write_bytes(content)
        try:
            found = prepared.load(INFO, "train", file)
        except DataError as error:
            assert "\n" not in str(error)
        else:
            # Some bytes, such as those of dates, mean nothing here.
            _equal(found, SPLITS["train"])
            unnoticed += 1
    assert unnoticed < len(whole) / 29 / 4


def test_arrays_that_are_not_what_was_written(file):
    image = SPLITS["train"]["image"].copy()
    image[3, 4, 5, 0] ^= 1
    _rewrite(file, **{"train/image": image})
    _fails(file, "damaged", "array train/image is not what was written")


@pytest.mark.parametrize(
    "manifest",
    [
        {"sizes": None},
        {"version": "one"},
        {"data_set": 3},
        {"sha256": {"valid/image": ""}},
        {"sha256": {"train/other": ""}},
    ],
)
def test_a_manifest_that_makes_no_sense(file, manifest):
    _rewrite(file, manifest)
    _fails(file, "damaged or no prepared file")


def test_a_newer_version(file):
    _rewrite(file, {"version": 2, "data_set": "other"})
    _fails(file, "version 2", "reads up to 1", "newer ls_tf")


def test_another_data_set(file):
    message = _fails(file, info=dataclasses.replace(INFO, name="large"))
    assert message == (
        f"prepared file {file} holds data set small, prepared for experiment "
        "fc_small; wanted large; make one with: python run_experiment.py "
        "--experiment=NAME --mode=prepare"
    )


def test_a_split_that_it_lacks(tmp_path):
    file = tmp_path / "a.npz"
    _write(file, splits={"train": SPLITS["train"]})
    _equal(prepared.load(INFO, "train", file), SPLITS["train"])
    _fails(
        file, "only train", "fc_small", "wanted test", "make one", split="test"
    )


def test_a_set_of_another_size(file):
    info = dataclasses.replace(INFO, sizes={"train": 31, "test": 10})
    says = "small/train: wanted 31 examples, got 30"
    with pytest.raises(DataError, match=says):
        prepared.load(info, "train", file)


# --- Errors of writing ------------------------------------------------------


def _not_written(path, *says, **options):
    with pytest.raises(DataError) as caught:
        _write(path, **options)
    assert "\n" not in str(caught.value)
    for text in says:
        assert str(text) in str(caught.value)


def test_a_name_that_would_not_be_read(tmp_path):
    (tmp_path / "dir.npz").mkdir()
    for name in ("small", "small.zip", "dir.npz"):
        _not_written(tmp_path / name, tmp_path / name, "ends in .npz")
    assert [path.name for path in tmp_path.iterdir()] == ["dir.npz"]


def test_arrays_that_are_not_as_promised(tmp_path):
    part = {key: array[1:] for key, array in SPLITS["train"].items()}
    _not_written(
        tmp_path / "a.npz", "small/train: wanted 30", splits={"train": part}
    )
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.npz"
    _not_written(path, "cannot write", path)


def test_a_failure_leaves_the_old_file_and_no_half_one(file, monkeypatch):
    before = file.read_bytes()

    def fail(self, target):
        raise OSError("no\nspace left")

    monkeypatch.setattr(type(prepared.epath.Path(file)), "replace", fail)
    other = {"train": _split(30, 2)}
    _not_written(file, "OSError: no space left", splits=other)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


# --- Where arrays come from -------------------------------------------------


def _module(**members):
    return types.SimpleNamespace(INFO=INFO, **members)


def test_source_reads_the_prepared_file(file):
    def load(split, *, data_dir):
        raise AssertionError("the module is not asked")

    arrays = loading.load(_module(load=load), "train[5:]", data_dir=file)
    _equal(arrays, {key: a[5:] for key, a in SPLITS["train"].items()})


@pytest.mark.parametrize("data_dir", [None, "/some/where"])
def test_source_asks_the_module_otherwise(data_dir):
    def load(split, *, data_dir):
        asked.append((split, data_dir))
        return SPLITS["test"]

    asked = []
    arrays = loading.load(_module(load=load), "test", data_dir=data_dir)
    _equal(arrays, SPLITS["test"])
    assert asked == [("test", data_dir)]


def test_prepare_writes_the_whole_of_what_is_used(tmp_path):
    def load(split, *, data_dir):
        asked.append((split, data_dir))
        return SPLITS[split]

    asked = []
    module = _module(load=load)
    file = tmp_path / "a.npz"
    loading.prepare(
        file,
        experiment="fc_small",
        module=module,
        splits=("train[:20]", "train[20:]", "train[20:]"),
        data_dir="here",
    )
    assert asked == [("train", "here")]
    _equal(loading.load(module, "train", data_dir=file), SPLITS["train"])
    _fails(file, split="test")
    # A prepared file may be the source of another.
    loading.prepare(
        tmp_path / "b.npz",
        experiment="fc_small",
        module=module,
        splits=("train",),
        data_dir=file,
    )
    assert (tmp_path / "b.npz").read_bytes() == file.read_bytes()


def test_prepare_refuses_a_name_before_it_loads(tmp_path):
    with pytest.raises(DataError, match="ends in .npz"):
        loading.prepare(
            tmp_path / "a",
            experiment="fc_small",
            module=_module(),
            splits=("train",),
            data_dir=None,
        )


def test_a_prepared_file_needs_no_tensorflow(tmp_path):
    file = tmp_path / "digits.npz"
    loading.prepare(
        file,
        experiment="fc_digits",
        module=digits,
        splits=("train", "test"),
        data_dir=None,
    )
    code = f"""
        import sys
        from ls_tf.data import digits
        from ls_tf.pipeline import loading
        arrays = loading.load(digits, "train[:30]", data_dir={str(file)!r})
        assert arrays["image"].shape == (30, 8, 8, 1)
        for name in ("tensorflow", "tensorflow_datasets", "keras", "sklearn"):
            assert name not in sys.modules, name
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    whole = digits.load("test", data_dir=None)
    _equal(loading.load(digits, "test", data_dir=file), whole)


def test_a_stop_does_not_wait_for_the_compression(tmp_path, monkeypatch):
    ended = threading.Event()

    def slow(arrays):
        stopping.request()
        ended.wait(20)
        return b""

    monkeypatch.setattr(prepared, "npz", slow)
    with stopping.listening(), pytest.raises(stopping.StoppedError):
        began = time.monotonic()
        _write(tmp_path / "small.npz")
    assert time.monotonic() - began < 5
    ended.set()
    assert not list(tmp_path.iterdir())
