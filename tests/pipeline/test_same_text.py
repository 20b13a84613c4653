"""The same bytes are the same subwords, in training and in use."""

import codecs
import os
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ls_tf import text_lines
from ls_tf.data import parallel_files
from ls_tf.measuring.translator import ModelTranslator
from ls_tf.pipeline import corpus as corpora
from ls_tf.pipeline import loading, vocabulary
from ls_tf.protocols import Decoding, Translations
from ls_tf.running import translate

# Whatever someone may have taken for an end of a line, a space or a sign.
ODD = (
    "\r\t\x0b\x0c\x1c\x85\xa0\u2028\u2029\u200b\u3000\ufeff\0\u2581\u2585\ue000"
)
LINES = st.lists(
    st.text(
        st.one_of(
            st.sampled_from(ODD + "ab ä"),
            st.characters(exclude_characters="\n", exclude_categories=["Cs"]),
        ),
        max_size=12,
    ),
    min_size=1,
    max_size=6,
)
ENDS = st.sampled_from(["\n", "\r\n"])
FORMS = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"])


class Heard:
    """What a translator was asked to translate, as subwords."""

    def __init__(self, subwords):
        self.subwords, self.spec, self.model = subwords, None, None
        self.compute = None


def used(subwords, data):
    """The subwords of lines on standard input, by line; [] if empty."""
    translator = ModelTranslator(Heard(subwords), Heard(subwords))
    rows = []

    def translate_(source, how):
        rows.extend(source.row(i).tolist() for i in range(len(source)))
        count = len(source)
        return Translations([[]] * count, np.zeros(count), np.zeros(count))

    translator.translate = translate_
    read, write = os.pipe()
    with os.fdopen(write, "wb") as stream:
        stream.write(data)
    answers = []
    for block in translate.blocks(read):
        answers += translator.translate_lines(block, Decoding(), 10**6)[0]
    os.close(read)
    return len(answers), rows


@pytest.fixture(scope="module")
def subwords():
    sentences = ["ab ba aab", "bä äb ab", "a b ä"] * 20
    return vocabulary.learn(sentences, 275, cache_dir=None, name="x")


@settings(max_examples=200, deadline=None)
@given(LINES, ENDS, st.booleans(), st.booleans(), FORMS)
@example(["ab", "", "ba"], "\r\n", True, True, "NFD")
@example(["a\rb", "b\u2028a\r"], "\n", True, True, "NFC")
@example(["\ufeffab", "\u2585 \u2581"], "\n", False, True, "NFC")
def test_a_line_of_a_corpus_is_the_line_that_is_translated(
    tmp_path_factory, subwords, texts, end, has_mark, ends, form
):
    text = end.join(unicodedata.normalize(form, text) for text in texts)
    data = codecs.BOM_UTF8 * has_mark + text.encode() + end.encode() * ends
    if not data:
        return
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "own.en").write_bytes(data)
    count = len(text_lines.lines(data, "x", ValueError))
    (folder / "own.de").write_bytes(b"x\n" * count)
    try:
        pairs = parallel_files.load_pairs(
            "train", data_dir=None, source=str(folder / "own")
        )
    except parallel_files.DataError:
        assert used(subwords, data) == (count, [])  # nothing but white space
        return
    trained = subwords.encode(pairs.source)
    rows = [trained.row(i).tolist() for i in range(len(trained))]
    assert used(subwords, data) == (count, rows)
    assert subwords.decode(rows) == pairs.source


def test_a_prepared_file_has_the_subwords_of_its_corpus(tmp_path, monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    texts = [f"{mark}a{mark}{i} e\u0301é" for i, mark in enumerate(ODD)]
    texts[3] = ""
    for language in ("en", "de"):
        data = codecs.BOM_UTF8 + "\r\n".join(texts).encode()
        (tmp_path / f"own.{language}").write_bytes(data)
    options = {"source": str(tmp_path / "own"), "vocabulary_size": 320}
    file = tmp_path / "own.npz"
    loading.prepare(
        file,
        module=parallel_files,
        splits=("train",),
        data_dir=None,
        experiment="x",
        **options,
    )
    found, expected = (
        corpora.load(parallel_files, train="train", data_dir=place, **options)
        for place in (file, None)
    )
    assert found.digest == expected.digest
    one, other = found.split("train"), expected.split("train")
    assert one.texts == other.texts and len(one) == len(texts) - 1
    for side in ("source", "target"):
        np.testing.assert_array_equal(
            getattr(one, side).tokens, getattr(other, side).tokens
        )
    data = (tmp_path / "own.en").read_bytes()
    rows = [one.source.row(i).tolist() for i in range(len(one))]
    assert used(found.subwords, data) == (len(texts), rows)
