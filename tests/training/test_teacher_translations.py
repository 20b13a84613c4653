"""A teacher's translations: made once, in parts, resumed, refused."""

import dataclasses
import json

import numpy as np
import pytest
from etils import epath

from ls_tf import stopping
from ls_tf.pipeline import corpus
from ls_tf.pipeline.ragged import Ragged
from ls_tf.protocols import Decoding, Translations
from ls_tf.records.files import RunError
from ls_tf.spec import TeacherSpec
from ls_tf.spec.resolve import resolve
from ls_tf.stopping import StoppedError
from ls_tf.training import translations

EOS = 1
# 23 sentences of 1 to 7 subwords and an end mark, of many lengths in a row.
LENGTHS = np.array([2 + 3 * i % 7 for i in range(23)])
SOURCES = Ragged.of(
    np.concatenate(
        [[*range(10 + i, 9 + i + n), EOS] for i, n in enumerate(LENGTHS)]
    ),
    LENGTHS,
)
KEY = translations.Key(
    teacher="a" * 64,
    weights="b" * 64,
    data="numbers_ende",
    split="train[:23]",
    subwords="c" * 64,
    sources="d" * 64,
    examples=23,
    beam_size=4,
    length_penalty=0.6,
    extra_length=50,
)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(translations, "_PART_ROWS", 8)
    monkeypatch.setattr(translations, "_CALL_ROWS", 3)


def said_to(words):
    """The made-up translation: reversed; one that is long has no end."""
    words = [int(word) for word in words if word != EOS]
    return words[::-1] if len(words) < 7 else [0, *words], len(words) < 7


class Translator:
    """Counts what it was asked; breaks off at a call."""

    def __init__(self, broken_at=None):
        self.calls, self.broken_at = [], broken_at

    def __call__(self, sources):
        if len(self.calls) == self.broken_at:
            raise KeyboardInterrupt
        self.calls.append(sources.lengths.tolist())
        answers = [said_to(sources.row(i)) for i in range(len(sources))]
        ids, finished = zip(*answers, strict=True)
        return Translations(
            list(ids), np.zeros(len(ids), np.float32), np.array(finished)
        )


def wanted():
    for i in range(23):
        ids, is_ended = said_to(SOURCES.row(i))
        yield [*ids, EOS] if is_ended else ids


def obtain(path, translate, key=KEY):
    return translations.obtain(path, key, SOURCES, translate, title="teacher")


def rows(found):
    return [found.row(i).tolist() for i in range(len(found))]


@pytest.fixture
def path(tmp_path):
    return epath.Path(tmp_path) / "translations" / "of"


def test_each_source_has_its_own_translation(path, capfd):
    translate = Translator()
    found = obtain(path, translate)
    assert found.tokens.dtype == np.int32
    assert rows(found) == list(wanted())
    # By length within a part of 8, 8 or 7, three at a time; each once.
    assert [len(call) for call in translate.calls] == [
        3,
        3,
        2,
        3,
        3,
        2,
        3,
        3,
        1,
    ]
    for part in range(3):
        together = sum(translate.calls[3 * part : 3 * part + 3], [])
        assert together == sorted(LENGTHS[8 * part : 8 * part + 8].tolist())
    said = capfd.readouterr().err
    assert (
        "teacher: translates 23 sentences of numbers_ende/train[:23], beam 4, "
        f"length penalty 0.6, in {path}\n"
    ) in said
    assert "teacher: sentence 23 of 23, " in said
    # The second time nobody is asked, and nothing is said.
    again = obtain(path, None)
    np.testing.assert_array_equal(again.tokens, found.tokens)
    np.testing.assert_array_equal(again.offsets, found.offsets)
    assert capfd.readouterr().err == ""


def test_the_record_counts_those_without_an_end(path):
    found = obtain(path, Translator())
    used = corpus.translated(found)
    endless = sum(1 for row in wanted() if row[-1] != EOS)
    assert 0 < endless < 23
    assert used.as_dict() == {
        "examples": 23,
        "left_out": {},
        "unfinished": endless,
        "sha256": used.sha256,
    }
    other = Ragged.of(found.tokens + 1, found.lengths)
    assert corpus.translated(other).sha256 != used.sha256


def test_a_build_that_was_killed_goes_on_with_the_same_calls(path):
    whole = Translator()
    obtain(path.parent / "whole", whole)
    with pytest.raises(KeyboardInterrupt):
        obtain(path, Translator(broken_at=5))
    assert sorted(file.name for file in path.iterdir()) == [
        "ids-00000.npy",
        "manifest.json",
    ]
    second = Translator()
    assert rows(obtain(path, second)) == list(wanted())
    assert second.calls == whole.calls[3:]


def test_a_signal_stops_between_calls(path):
    translate = Translator()

    def signalled(sources):
        if len(translate.calls) == 4:
            stopping.request()
        return translate(sources)

    with stopping.listening(), pytest.raises(StoppedError):
        obtain(path, signalled)
    assert len(translate.calls) == 5
    assert rows(obtain(path, Translator())) == list(wanted())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"teacher": "e" * 64},
            "holds a translation of another teacher (teacher aaaaaaaaaaaa, "
            "wanted eeeeeeeeeeee); remove it to make it anew",
        ),
        ({"weights": "e" * 64}, "another teacher (weights bbbbbbbbbbbb, want"),
        (
            {"sources": "e" * 64},
            "another corpus or search (sources dddddddddddd, wanted eeee",
        ),
        ({"subwords": "e" * 64}, "another corpus or search (subwords cccc"),
        ({"beam_size": 5}, "another corpus or search (beam_size 4, wanted 5)"),
    ],
)
def test_those_of_others_are_refused(path, change, says):
    obtain(path, Translator())
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    with pytest.raises(RunError) as caught:
        obtain(path, None, dataclasses.replace(KEY, **change))
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


def shorter(ids):
    return ids[:-1]


def altered(ids):
    return np.where(np.arange(len(ids)) == 0, ids + 1, ids)


def with_an_empty_one(ids):
    return np.concatenate([ids[:-1], [-1, -1]]).astype(np.int32)


@pytest.mark.parametrize("damage", [shorter, altered, with_an_empty_one])
def test_a_damaged_file_is_refused(path, damage):
    obtain(path, Translator())
    file = path / "ids-00001.npy"
    ids = damage(np.load(file))
    with file.open("wb") as out:
        np.save(out, ids)
    with pytest.raises(RunError, match="ids-00001.npy is damaged") as caught:
        obtain(path, None)
    assert "to make the translation anew" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_manifest_has_a_digest_of_its_own(path):
    obtain(path, Translator())
    file = path / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["digest"]
    file.write_text(json.dumps({**manifest, "version": 1}))
    with pytest.raises(RunError, match="of version 1; this program reads 2 to"):
        obtain(path, None)


def test_a_search_that_finds_nothing_is_refused(path):
    def nothing(sources):
        count = len(sources)
        none = np.zeros(count)
        return Translations([[]] * count, none, none.astype(bool))

    with pytest.raises(RunError) as caught:
        obtain(path, nothing)
    first = int(np.argsort(LENGTHS[:8], kind="stable")[0]) + 1
    assert str(caught.value) == (
        f"teacher: wanted a translation of sentence {first}, the search found "
        "none"
    )


def test_a_folder_that_cannot_be_written_is_refused(path):
    path.parent.write_text("no folder")
    with pytest.raises(RunError, match="cannot be written") as caught:
        obtain(path, Translator())
    assert "teacher.targets=labels needs no translation" in str(caught.value)


def test_only_whole_ones_are_carried(path):
    assert translations.files(path) == {}
    with pytest.raises(KeyboardInterrupt):
        obtain(path, Translator(broken_at=5))
    assert translations.files(path) == {}
    obtain(path, Translator())
    assert translations.files(path) == {
        file.name: file.read_bytes() for file in path.iterdir()
    }


def test_a_folder_for_each_split_and_search():
    student = resolve(
        "transformer_numbers_student",
        changed={
            "data.train": "train[:60]",
            "teacher.changes.data.train": "train[:60]",
            "teacher.targets": "translations",
            "teacher.beam_size": 2,
        },
    ).spec
    how = translations.search(student.teacher)
    assert how == Decoding(beam_size=2)
    assert translations.search(TeacherSpec("x")) == Decoding()
    found = translations.folder(epath.Path("run"), student, how)
    assert str(found) == (
        "run/translations/numbers_ende,train%5B%3A60%5D,beam=2,penalty=0.6,"
        "extra=50"
    )


def test_rows_of_any_order():
    index = np.array([5, 0, 22, 5])
    found = SOURCES.rows(index)
    assert rows(found) == [SOURCES.row(i).tolist() for i in index]
    assert rows(SOURCES.rows(index[:0])) == []
