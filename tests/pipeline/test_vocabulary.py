"""Subwords: learning, the round trip, and what is kept of it."""

import json
import pathlib
import unicodedata

import numpy as np
import pytest
import sentencepiece
from etils import epath

from ls_tf.data import numbers_ende
from ls_tf.pipeline import vocabulary
from ls_tf.pipeline.ragged import Ragged
from ls_tf.pipeline.usage import Usage
from ls_tf.pipeline.vocabulary import EOS, PAD, Subwords, learn

NASTY = [
    "",
    " ",
    "   ",
    "one  two",
    " one",
    "one ",
    "  one   two  ",
    "one\ttwo\t",
    "\t",
    "one\u00a0two\u2003three",
    "😀 👩‍👩‍👧 one",
    "日本語",
    unicodedata.normalize("NFC", "ÄÖÜ é ﬁ"),
    unicodedata.normalize("NFD", "ÄÖÜ é ﬁ"),
    "ﬁ ① ½ ＡＢＣ",
    "\ufeffone",
    "one\x00two",
    "\x01\x1f\x7f",
    "one\ntwo\r\n",
    # What sentencepiece writes itself.
    "\u2581",
    "one\u2581two \u2581\u2581",
    "\ue000\ue0000\ue0001\u2581\ue000",
    "\u2585",
    "10 % \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588 \ue0002",
    "<pad> </s> <unk> <s> <0x41> <0xE2><0x96><0x81>",
    " ⁇ ",
    "\U0010ffff",
    "ONE " * 500,
]


@pytest.fixture(scope="module")
def sentences():
    pairs = numbers_ende.load_pairs("train[:1500]", data_dir=None)
    return pairs.source + pairs.target


@pytest.fixture(scope="module")
def subwords(sentences):
    return learn(sentences, 400, cache_dir=None, name="numbers")


def _rows(ragged):
    return [ragged.row(i).tolist() for i in range(len(ragged))]


# --- Rows of different length -----------------------------------------------


def test_ragged_rows():
    ragged = Ragged.of(np.arange(6, dtype=np.int32), np.array([2, 0, 3, 1]))
    assert ragged.offsets.tolist() == [0, 2, 2, 5, 6]
    assert ragged.offsets.dtype == np.int64 and ragged.tokens.dtype == np.int32
    assert _rows(ragged) == [[0, 1], [], [2, 3, 4], [5]]
    assert ragged.lengths.tolist() == [2, 0, 3, 1]
    assert _rows(ragged.part(1, 3)) == [[], [2, 3, 4]]
    assert _rows(ragged.part(1, 3).part(1, 2)) == [[2, 3, 4]]
    assert len(ragged.part(4, 4)) == 0


# --- The round trip ---------------------------------------------------------


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_the_round_trip_is_lossless(subwords, text):
    ids = subwords.encode([text])
    assert subwords.decode([ids.row(0)]) == [text]
    assert ids.row(0)[-1] == EOS
    inner = ids.row(0)[:-1]
    # Neither padding nor an end within.
    assert len(inner) == 0 or inner.min() > EOS
    assert ids.tokens.max() < subwords.size


def test_the_round_trip_of_random_text(subwords):
    rng = np.random.default_rng(0)
    usual = "abcdefß -\u2581\ue00001"
    texts = []
    for number in range(300):
        length = rng.integers(0, 40)
        if number % 2:
            text = "".join(
                usual[i] for i in rng.integers(0, len(usual), length)
            )
        else:
            codes = rng.integers(0, 0x110000 - 0x800, length)
            # Surrogates are no characters.
            text = "".join(chr(c + 0x800 * (c >= 0xD800)) for c in codes)
        texts.append(text)
    ids = subwords.encode(texts)
    assert subwords.decode(_rows(ids)) == texts


def test_the_words_of_the_corpus_are_whole(subwords):
    # A word is the same subword at the beginning and within.
    ids = _rows(subwords.encode(["hundred", "one hundred"]))
    assert len(ids[0]) == 2
    assert ids[1][-2:] == ids[0]


def test_encoding_is_that_of_the_library(subwords, monkeypatch):
    texts = ["one hundred", "", "zwölf 😀", "dreißig"] * 3
    processor = sentencepiece.SentencePieceProcessor(model_proto=subwords.model)
    expected = [[*processor.encode(text), EOS] for text in texts]
    assert _rows(subwords.encode(texts)) == expected
    monkeypatch.setattr(vocabulary, "_CHUNK", 5)
    chunked = subwords.encode(texts)
    assert _rows(chunked) == expected
    assert chunked.tokens.dtype == np.int32
    assert chunked.offsets.dtype == np.int64


def test_nothing_is_encoded_to_nothing(subwords):
    ids = subwords.encode([])
    assert len(ids) == len(ids.tokens) == 0
    assert subwords.decode([]) == []


def test_decoding_stops_at_the_first_end(subwords):
    one, two = _rows(subwords.encode(["one", "two"]))
    rows = [
        [*one, *two],
        np.array([PAD, *one[:-1], PAD, *two], np.int32),
        [EOS, *one],
        [PAD],
        [],
        two[:-1],
    ]
    assert subwords.decode(rows) == ["one", "one two", "", "", "", "two"]
    assert subwords.decode(np.array([[EOS, 0], [EOS, 5]])) == ["", ""]


def test_bytes_that_are_no_text_are_replaced(subwords):
    ids = subwords.encode(["\u20ac"]).row(0)
    assert subwords.decode([[*ids[:-2], EOS]]) == ["\ufffd" * (len(ids) - 3)]


@pytest.mark.parametrize("bad", [-1, 400])
def test_ids_that_do_not_exist_are_refused(subwords, bad):
    with pytest.raises(ValueError, match=f"0 to 399, got .*{bad}"):
        subwords.decode([[5, bad]])
    # After the end anything may come.
    assert subwords.decode([[EOS, bad]]) == [""]


def test_another_model_is_refused(sentences):
    with pytest.raises(ValueError, match="no sentencepiece model"):
        Subwords(b"something else")
    import io

    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=writer,
        vocab_size=100,
        minloglevel=2,
    )
    with pytest.raises(ValueError, match=r"ids 0 and 1 .*, got \(0, 2\)"):
        Subwords(writer.getvalue())


# --- Learning ---------------------------------------------------------------


def test_learning_is_deterministic(sentences, subwords):
    again = learn(sentences, 400, cache_dir=None, name="other")
    assert again.model == subwords.model
    assert again.digest == subwords.digest
    assert again.size == subwords.size == 400
    less = learn(sentences[::2], 400, cache_dir=None, name="numbers")
    assert less.digest != subwords.digest


def test_few_subwords_are_counted():
    few = learn(["ab", "abc"], 900, cache_dir=None, name="tiny")
    assert 259 < few.size < 280
    used = vocabulary.usage(["ab", "abc"], 900, few.size)
    assert used == Usage(2, (), "sentences", 900, few.size)
    assert few.decode(_rows(few.encode(NASTY))) == NASTY


def test_a_large_corpus_gives_every_kth_sentence(sentences, monkeypatch):
    total = sum(map(len, sentences))
    monkeypatch.setattr(vocabulary, "_MOST_CHARACTERS", total // 3 + 1)
    some = learn(sentences, 400, cache_dir=None, name="numbers")
    used = vocabulary.usage(sentences, 400, some.size)
    (left_out,) = used.left_out
    assert used.examples == len(sentences[::3])
    assert left_out.count == len(sentences) - len(sentences[::3])
    assert left_out.reason.endswith("characters: one of 3 is enough")
    monkeypatch.undo()
    third = learn(sentences[::3], 400, cache_dir=None, name="numbers")
    assert some.digest == third.digest


def _learns_from(sentences, **options):
    """A vocabulary of 400, and what the trainer says of its sentences."""
    learnt = learn(sentences, 400, cache_dir=None, name="x", **options)
    assert learnt.size == 400
    return learnt


RESERVED = ["\u2581", "\u2585", "\ue000", "\ue0002", "\x00", "\t", "\ufffd"]
PIECES = ["<pad>", "</s>", "<s>", "<unk>", "<0x41>", " \u2047 "]


@pytest.mark.parametrize("mark", [*RESERVED, *PIECES], ids=ascii)
def test_no_character_keeps_a_sentence_from_being_learnt(sentences, mark):
    # All words of the corpus are learnt, though every sentence has the mark.
    plain = _learns_from(sentences)
    marked = _learns_from([f"{mark} {text}" for text in sentences])
    words = ["hundert", "thousand", "nineteen", "März"]
    pieces = [len(row) for row in _rows(plain.encode(words))]
    assert [len(row) for row in _rows(marked.encode(words))] == pieces
    assert marked.decode(_rows(marked.encode([mark, mark * 3]))) == [
        *(mark, mark * 3)
    ]


def test_ids_do_not_depend_on_what_is_reserved(sentences, subwords):
    # Bit for bit what was learnt before U+2585 was spelt.
    assert subwords.digest == (
        "5b73dcbd5bb46f105abfe312abe96307faf47b202410c7efb184cff47bfdc2e4"
    )


def test_a_long_sentence_is_learnt_whole(sentences):
    whole = " ".join(sentences[:600]).encode()
    assert len(whole) < 1 << 20
    line = (whole + b" ") * (1 + (1 << 20) // len(whole))
    text = line.decode().strip()
    words = text.split(" ")
    # The same words in sentences of one word each.
    assert _learns_from([text]).model == _learns_from(words).model
    # A word that is too long by itself is cut.
    few = learn(["ab" * (1 << 20)], 275, cache_dir=None, name="x")
    assert "abababab" in map(few.piece, range(few.size))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a" * 16, ["a" * 16]),
        ("ab cd ef ghi jk lmn", ["ab", "cd ef ghi jk lmn"]),
        ("ä" * 8, ["ä" * 8]),
        ("ä" * 9, ["ä" * 4, "ä" * 5]),
        ("a  b" * 5, ["a ", "ba ", "ba  ba  ba  b"]),
    ],
)
def test_where_a_sentence_is_cut(monkeypatch, text, pieces):
    monkeypatch.setitem(vocabulary._SETTINGS, "max_sentence_length", 16)
    assert list(vocabulary._short([text])) == pieces
    assert all(len(piece.encode()) <= 16 for piece in pieces)


@pytest.mark.parametrize(
    ("texts", "size", "says"),
    [
        ([], 400, "got none"),
        (["a", "b\nc"], 400, r"without line breaks, got 'b\\nc'"),
        (["a"], 0, "259 ids or more, got 0"),
        (["a"], 258, "259 ids or more, got 258"),
        (
            [chr(c) for c in range(0x4E00, 0x4E40)],
            270,
            "3[0-9][0-9] ids or more, for the characters",
        ),
    ],
)
def test_what_cannot_be_learnt_is_refused(texts, size, says):
    with pytest.raises(ValueError, match=says) as caught:
        learn(texts, size, cache_dir=None, name="x")
    assert "\n" not in str(caught.value)


# --- The cache --------------------------------------------------------------


@pytest.fixture
def learnt(monkeypatch):
    """Counts how often something is learnt."""
    calls = []
    real = vocabulary._learnt

    def counted(sample, size):
        calls.append((len(sample), size))
        return real(sample, size)

    monkeypatch.setattr(vocabulary, "_learnt", counted)
    return calls


SMALL = ["one two", "two three", "three four"]


def _cached(folder, sentences=SMALL, size=275, name="small"):
    return learn(sentences, size, cache_dir=epath.Path(folder / "c"), name=name)


def test_what_was_learnt_is_found_again(tmp_path, learnt):
    first = _cached(tmp_path)
    second = _cached(tmp_path)
    assert learnt == [(3, 275)]
    assert first.model == second.model
    names = sorted(path.name for path in (tmp_path / "c").iterdir())
    assert len(names) == 2
    assert names[0].startswith("small_275_") and names[0].endswith(".json")
    assert names[1] == names[0].replace(".json", "_model.npy")
    manifest = json.loads((tmp_path / "c" / names[0]).read_text())
    assert manifest["origin"] == "small" and manifest["count"] == 3


@pytest.mark.parametrize(
    "options",
    [
        {"sentences": [*SMALL[:2], "three fou"]},
        {"sentences": SMALL[::-1]},
        {"sentences": [*SMALL, ""]},
        {"size": 276},
    ],
)
def test_another_corpus_is_never_used(tmp_path, learnt, options):
    _cached(tmp_path)
    _cached(tmp_path, **options)
    assert len(learnt) == 2


def test_other_settings_are_another_vocabulary(tmp_path, learnt, monkeypatch):
    _cached(tmp_path)
    monkeypatch.setitem(vocabulary._SETTINGS, "character_coverage", 0.99)
    _cached(tmp_path)
    assert len(learnt) == 2


def _cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def _flip(file):
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [_cut, _flip, pathlib.Path.unlink])
def test_a_damaged_cache_is_rebuilt(tmp_path, learnt, damage):
    first = _cached(tmp_path)
    (file,) = (tmp_path / "c").glob("*.npy")
    whole = file.read_bytes()
    damage(file)
    assert _cached(tmp_path).model == first.model
    assert len(learnt) == 2
    assert file.read_bytes() == whole


def test_goes_on_where_nothing_can_be_written(tmp_path, learnt):
    (tmp_path / "c").write_text("")
    assert _cached(tmp_path).size == _cached(tmp_path).size == 275
    assert len(learnt) == 2
