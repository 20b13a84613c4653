"""What is kept of a user's corpus: where, what it costs, and if it breaks."""

import importlib.util
import tracemalloc

import numpy as np
import pytest
from absl import logging

from ls_tf.data import parallel_files
from ls_tf.pipeline import corpus as corpora
from ls_tf.pipeline import lines, vocabulary
from ls_tf.pipeline.contract import DataError

PAIRS = 1500
TRAIN, REST = f"train[:{PAIRS - 100}]", f"train[{PAIRS - 100}:]"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    for language, letters in (("en", "abcd"), ("de", "äöüx")):
        words = rng.choice([*letters], (PAIRS, 24, 3))
        text = [" ".join(map("".join, sentence)) for sentence in words]
        # A pair without a translation is left out, and one is spelt.
        text[7:9] = ["" if language == "de" else "a", "\u2581 a"]
        (folder / f"own.{language}").write_text("\n".join(text) + "\n")
    return str(folder / "own")


@pytest.fixture
def said(monkeypatch):
    found = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *words: found.append(text % words)
    )
    return found


def loaded(source, data_dir):
    corpus = corpora.load(
        parallel_files,
        train=TRAIN,
        vocabulary_size=300,
        source=source,
        data_dir=data_dir,
    )
    return corpus, corpus.split(TRAIN)


def same(tokens, other):
    assert tokens.texts == other.texts
    assert tokens.usage == other.usage
    for side in ("source", "target"):
        for name in ("tokens", "offsets"):
            array, wanted = (
                getattr(getattr(t, side), name) for t in (tokens, other)
            )
            assert array.dtype == wanted.dtype
            np.testing.assert_array_equal(array, wanted)


def test_a_folder_is_made_and_what_is_kept_equals_the_fresh(
    source, tmp_path, said, monkeypatch
):
    folder = tmp_path / "not" / "there"
    first, fresh = loaded(source, folder)
    assert said == [f"Made {folder}: the next start finds there what is kept"]
    with monkeypatch.context() as patch:
        patch.setattr(vocabulary, "_learnt", None)  # not to be called
        patch.setattr(vocabulary.Subwords, "encode", None)
        again, kept = loaded(source, folder)
    assert again.digest == first.digest
    same(kept, fresh)
    # From the file, not from memory.
    assert isinstance(kept.source.tokens.base, np.memmap)
    assert len(said) == 1
    texts = kept.texts.source
    assert (
        again.subwords.decode([kept.source.row(i) for i in range(9)])
        == (texts[:9])
    )
    assert "\u2581 a" in texts[:9] and len(texts) == PAIRS - 100


@pytest.mark.parametrize("damage", ["cut", "altered", "missing"])
def test_what_is_damaged_is_one_line_and_made_again(
    source, tmp_path, said, damage
):
    _, fresh = loaded(source, tmp_path)
    (file,) = (tmp_path / "ls_tf_arrays/tokens").glob("*_target_tokens.npy")
    data = file.read_bytes()
    file.unlink()
    if damage == "cut":
        file.write_bytes(data[:-8])
    elif damage == "altered":
        file.write_bytes(data[:-4] + bytes([data[-4] ^ 1]) + data[-3:])
    assert said == []
    same(loaded(source, tmp_path)[1], fresh)
    assert len(said) == 1 and "\n" not in said[0]
    assert said[0].startswith(f"Rebuilding {tmp_path}/ls_tf_arrays/tokens/")
    assert file.read_bytes() == data
    same(loaded(source, tmp_path)[1], fresh)
    assert len(said) == 1


def test_no_folder_is_one_line(source, tmp_path, said):
    (tmp_path / "file").write_text("")
    _, fresh = loaded(source, tmp_path / "file" / "data")
    assert len(said) == 1 and "\n" not in said[0]
    assert said[0].startswith(
        "Going on without a cache, each start will take as long: cannot make "
        f"{tmp_path}/file/data: "
    )
    same(fresh, loaded(source, tmp_path)[1])


def test_a_start_needs_little_memory(source, tmp_path, monkeypatch):
    loaded(source, tmp_path / "warm")  # Imports are no part of it.
    # What is learnt from has a bound of its own, whatever the corpus.
    monkeypatch.setattr(vocabulary, "_MOST_CHARACTERS", 10_000)
    monkeypatch.setattr(vocabulary, "_CHUNK", 100)
    monkeypatch.setattr(lines, "_CHUNK", 1 << 12)
    monkeypatch.setattr(lines, "_DECODED", 100)
    monkeypatch.setattr(parallel_files, "_BLOCK", 1 << 14)
    # Encoded, where an array below 16 MB is copied to be written; then found.
    for most in (1100, 600):
        tracemalloc.start()
        loaded(source, tmp_path / "data")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # A pair has 95 and 167 bytes, and some 100 ids of four bytes;
        # lists of strings would take 1,010 bytes when all is found.
        assert peak < most * PAIRS


def test_what_is_no_text_names_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel_files, "_BLOCK", 4)
    (tmp_path / "own.en").write_bytes(b"one\ntwo\nthree\n")
    (tmp_path / "own.de").write_bytes(b"eins\nzw\xffei\ndrei\n")
    with pytest.raises(DataError, match="own.de, line 2: wanted UTF-8"):
        loaded(str(tmp_path / "own"), None)


def test_what_bleu_lacks_is_said_at_the_start(tmp_path, said, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for language in ("en", "ja"):
        (tmp_path / f"own.{language}").write_text("a b c\n")
    with pytest.raises(DataError, match="no files .*other.train.ja"):
        loaded(f"{tmp_path / 'other'}:en-ja", tmp_path)
    assert len(said) == 1 and "pip install 'sacrebleu[ja]'" in said[0]
