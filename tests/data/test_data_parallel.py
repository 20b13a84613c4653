"""A corpus of the user's own."""

import pytest

from ls_tf.data import parallel_files
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.text_pairs import Pairs
from ls_tf.pipeline.usage import LeftOut


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(folder, **files):
    for name, text in files.items():
        data = text if isinstance(text, bytes) else text.encode()
        (folder / name.replace("_", ".")).write_bytes(data)


def _load(split, source):
    return parallel_files.load_pairs(split, data_dir=None, source=source)


def _fails(split, source, *says):
    with pytest.raises(DataError) as caught:
        _load(split, source)
    assert "\n" not in str(caught.value)
    for text in says:
        assert text in str(caught.value)


def test_two_files_are_the_training_split(folder):
    _write(
        folder, talk_en="One.\nTwo \r\n Three\n", talk_de="Eins.\nZwei\nDrei"
    )
    whole = Pairs(["One.", "Two", "Three"], ["Eins.", "Zwei", "Drei"])
    assert _load("train", "talk") == whole
    assert _load("train", str(folder / "talk")) == whole
    assert _load("train[1:]", "talk") == whole.part(1, 3)
    assert _load("train[67%:]", "talk") == whole.part(2, 3)
    assert not len(_load("train", "talk").left_out)


def test_files_of_a_split_have_its_name(folder):
    _write(folder, talk_en="no", talk_de="nein")
    _write(folder, talk_train_en="One", talk_train_de="Eins")
    _write(folder, talk_dev_en="Two", talk_dev_de="Zwei")
    assert _load("train", "talk") == Pairs(["One"], ["Eins"])
    assert _load("dev", "talk") == Pairs(["Two"], ["Zwei"])
    _fails("test", "talk", "no file talk.test.en", "split 'test'")


def test_other_languages_are_named(folder):
    _write(folder, talk_train_cs="Ano", talk_train_fr="Oui")
    assert _load("train", "talk:fr-cs") == Pairs(["Oui"], ["Ano"])
    assert _load("train", "talk:cs-fr") == Pairs(["Ano"], ["Oui"])
    assert parallel_files.languages("a/talk:fr-cs") == ("fr", "cs")
    assert parallel_files.languages("C:/a/talk") == ("en", "de")
    _fails("train", "talk", "talk.train.en", "talk.train.de", "talk.en")


def test_empty_lines_are_left_out_and_counted(folder):
    _write(folder, a_en="1\n\n3\n4\n5", a_de="1\n2\n3\n \n5")
    kept = Pairs(["1", "3", "5"], ["1", "3", "5"])
    assert _load("train", "a") == kept
    used = _load("train", "a").usage
    assert used.examples == 3
    assert used.left_out == (LeftOut("a side is empty", 2, "line 2"),)
    assert _load("train[:1]", "a").usage.left_out == ()
    assert _load("train[2:]", "a").usage.left_out == (
        LeftOut("a side is empty", 1, "line 4"),
    )
    # Sizes are those of what is left.
    assert _load("train[2:3]", "a") == kept.part(2, 3)
    with pytest.raises(ValueError, match=r"exist: train \(3\)"):
        _load("train[:4]", "a")


@pytest.mark.parametrize(
    ("english", "german", "says"),
    [
        ("1\n2\n", "1\n2\n3\n", ("a.en has 2 lines", "a.de has 3")),
        ("1\n2\n", b"1\n\xe42\n", ("a.de, line 2: wanted UTF-8", "0xe4")),
        ("", "", ("a.en and a.de hold no pair",)),
        ("\n\n", "x\n\n", ("hold no pair",)),
        (None, "x", ("no file a.en",)),
    ],
)
def test_files_that_are_no_corpus(folder, english, german, says):
    _write(folder, a_de=german)
    if english is not None:
        _write(folder, a_en=english)
    _fails("train", "a", *says)


def test_a_corpus_must_be_named(folder):
    _fails("train", "", "data.source=path/prefix")


def test_what_is_no_file_is_said(folder):
    _write(folder, a_de="x")
    (folder / "a.en").mkdir()
    _fails("train", "a", "cannot read a.en")


def test_a_malformed_split_is_refused(folder):
    _write(folder, a_en="1", a_de="1")
    with pytest.raises(ValueError, match="malformed split 'train\\[x\\]'"):
        _load("train[x]", "a")
