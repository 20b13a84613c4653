"""Caches, prepared files and tables with any damage: refused, rebuilt, exact.

Nothing else may come of it: no other numbers, and no other error.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
from absl import logging
from etils import epath
from small_table import KEY, LOGITS

from ls_tf.data import digits
from ls_tf.pipeline import array_cache, prepared, vocabulary
from ls_tf.pipeline.contract import DataError
from ls_tf.records.files import RunError
from ls_tf.training import tables

SPLIT = {
    "image": np.arange(16, dtype=np.uint8).reshape(4, 2, 2, 1),
    "label": np.arange(4, dtype=np.int32),
}
INFO = dataclasses.replace(
    digits.INFO, name="small", sizes={"train": 4}, image_shape=(2, 2, 1)
)


def bits(size, most=250):
    """All bits of so many bytes, or a sample of them."""
    every = np.arange(8 * size)
    if len(every) <= most:
        return every.tolist()
    return sorted(np.random.default_rng(0).choice(every, most, replace=False))


def _flips(file):
    data = file.read_bytes()
    for bit in bits(len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        yield
    file.write_bytes(data)


def _cuts(file):
    data = file.read_bytes()
    for size in range(0, len(data), max(1, len(data) // 60)):
        file.write_bytes(data[:size])
        yield
    file.write_bytes(data)


def _replacements(file):
    data = file.read_bytes()
    other = file.with_name("other")
    other.write_bytes(b"\x93NUMPY")
    for make in (
        lambda: file.write_bytes(b"null"),
        lambda: file.write_bytes(b"[" * 100_000),
        lambda: file.write_bytes(b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535),
        lambda: file.write_bytes(b'{"version": 1e999}'),
        lambda: file.mkdir(),
        lambda: (file.mkdir(), (file / "mine").write_text("mine")),
        lambda: os.symlink("nowhere", file),
        lambda: os.symlink(file, file),
        lambda: os.symlink("other", file),
        lambda: os.symlink(".", file),
        lambda: file.write_bytes(b""),
    ):
        _remove(file)
        make()
        yield
    _remove(file)
    other.unlink()
    file.write_bytes(data)


def _remove(file):
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    else:
        file.unlink(missing_ok=True)


DAMAGES = [_flips, _cuts, _replacements]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("ls_tf.records.files.sync", lambda path: None)


@pytest.fixture
def said(monkeypatch):
    """The warnings."""
    lines = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *words: lines.append(text % words)
    )
    return lines


def equal(some, other):
    assert some.keys() == other.keys()
    for name, array in some.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name])


@contextlib.contextmanager
def refused_or(error):
    """Whether the block gave something; else one line, of the wanted kind."""
    try:
        yield
    except error as reason:
        assert type(reason) is error
        assert "\n" not in str(reason)


# --- the cache


def obtained(cache):
    """As every user of the cache does it: read, or made and kept."""
    arrays = array_cache.read(cache, "train", SPLIT)
    if arrays is None:
        array_cache.write(cache, "train", SPLIT, {"origin": "x", "count": 4})
        return SPLIT, True
    return arrays, False


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name", ["train.json", "train_image.npy", "train_label.npy"]
)
def test_a_cache_rebuilds_itself_with_one_warning(tmp_path, name, damage, said):
    cache = epath.Path(tmp_path)
    obtained(cache)
    rebuilt = 0
    for _ in damage(tmp_path / name):
        said.clear()
        arrays, is_rebuilt = obtained(cache)
        equal(arrays, SPLIT)
        rebuilt += is_rebuilt
        assert len(said) <= is_rebuilt  # none where nothing is there
        again, is_rebuilt = obtained(cache)
        equal(again, SPLIT)
        assert not is_rebuilt
    assert rebuilt > 5
    assert len(list(tmp_path.iterdir())) == 3


def test_a_cache_that_cannot_be_mended_is_done_without(
    tmp_path, said, monkeypatch
):
    cache = epath.Path(tmp_path)
    obtained(cache)
    (tmp_path / "train_label.npy").unlink()
    (tmp_path / "train_label.npy").mkdir()

    def fail(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(array_cache, "remove", fail)
    arrays, _ = obtained(cache)
    equal(arrays, SPLIT)
    assert [line.split()[0] for line in said] == ["Rebuilding", "Going"]


def test_a_cache_of_something_else_is_rebuilt(tmp_path, said):
    cache = epath.Path(tmp_path)
    obtained(cache)
    of = {"origin": "x"}
    assert array_cache.read(cache, "train", SPLIT, of) is not None
    assert said == []
    assert array_cache.read(cache, "train", SPLIT, {"origin": "y"}) is None
    assert array_cache.read(cache, "train", SPLIT, {"from": "y"}) is None
    assert len(said) == 2


@pytest.mark.parametrize("damage", [_cuts, _replacements])
def test_a_vocabulary_is_learnt_again(tmp_path, damage, said):
    cache = epath.Path(tmp_path)
    sentences = ["a b c", "c b a", "ab ab abc"]

    def learnt():
        return vocabulary.learn(sentences, 270, cache_dir=cache, name="x")

    model = learnt().model
    for suffix in ("*.json", "*.npy"):
        (file,) = tmp_path.glob(suffix)
        for _ in damage(file):
            assert learnt().model == model
    assert said


def test_the_vocabulary_of_another_corpus_is_not_taken(tmp_path, said):
    cache = epath.Path(tmp_path)
    first, second = ["a b c", "ab ab abc"], ["x y z", "xy xy xyz"]

    def learnt(sentences):
        return vocabulary.learn(sentences, 270, cache_dir=cache, name="x").model

    model = learnt(second)
    files = {file.suffix: file for file in tmp_path.iterdir()}
    other = learnt(first)
    for file in tmp_path.iterdir():
        if file not in files.values():
            shutil.copy(file, files[file.suffix])
    assert other != model
    assert learnt(second) == model
    assert "another learnt_from is wanted" in said[0]


# --- prepared files


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_prepared_file_is_exact_or_refused(tmp_path, damage):
    file = tmp_path / "small.npz"
    prepared.write(file, experiment="x", info=INFO, splits={"train": SPLIT})
    read = []
    for _ in damage(file):
        prepared._read.cache_clear()
        with refused_or(DataError):
            read.append(prepared.load(INFO, "train", file))
    prepared._read.cache_clear()
    equal(prepared.load(INFO, "train", file), SPLIT)
    for arrays in read:
        equal(arrays, SPLIT)


# --- tables


def table(path, logits_of=lambda first, last: LOGITS[first:last]):
    return tables.obtain(path, KEY, logits_of, title="teacher")


@pytest.fixture
def made(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(tables, "_PART_ROWS", 4)
    path = epath.Path(tmp_path) / "table"
    table(path)
    return path


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name", ["manifest.json", "logits-00000.npy", "logits-00001.npy"]
)
def test_a_table_is_exact_or_refused(made, name, damage):
    refused = 0
    for _ in damage(pathlib.Path(made) / name):
        try:
            found = table(made)
        except RunError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 600
            refused += 1
        else:
            np.testing.assert_array_equal(found.reshape(6, 2), LOGITS)
    assert refused > 5
    np.testing.assert_array_equal(table(made).reshape(6, 2), LOGITS)


def test_every_flipped_bit_of_a_manifest_is_refused(made):
    for _ in _flips(pathlib.Path(made) / "manifest.json"):
        with pytest.raises(RunError):
            table(made)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"version": 3}, "of version 3; this program reads 1 to 2"),
        ({"version": True}, "of version true"),
        ({"part_rows": -1}, "wanted parts of 1 row or more"),
        ({"part_rows": "4"}, "TypeError"),
        ({"parts": []}, "is missing|is damaged"),
        ({"parts": {"0": 1, "2": 2}}, "wanted parts 0, 1, ..."),
        ({"parts": 5}, "TypeError"),
        ({"teacher": ["a" * 500]}, "another teacher"),
        ({"rows": 5, "finished": "x", "parts": {}}, "another SHA-256"),
    ],
)
def test_an_older_manifest_is_checked_as_far_as_it_goes(made, fields, says):
    file = made / "manifest.json"
    manifest = {**json.loads(file.read_text()), "version": 1, **fields}
    del manifest["digest"]
    file.write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=says) as caught:
        table(made)
    assert "\n" not in str(caught.value)


def test_a_folder_where_a_part_belongs_is_refused(tmp_path, capfd):
    path = epath.Path(tmp_path) / "table"
    (path / "logits-00000.npy").mkdir(parents=True)
    with pytest.raises(RunError, match="cannot be written: .* is a directory"):
        table(path)
    assert [p.name for p in path.iterdir()] == ["logits-00000.npy"]
