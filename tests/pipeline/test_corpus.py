"""Pairs as ids: vocabulary, splits, and prepared files of them."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest

from ls_tf.data import digits, numbers_ende, parallel_files
from ls_tf.pipeline import corpus as corpora
from ls_tf.pipeline import loading, prepared, vocabulary
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.text_pairs import Pairs, TextInfo

ROOT = pathlib.Path(__file__).parents[2]
TRAIN = "train[:600]"
SIZE = 350


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _fresh():
    prepared._read.cache_clear()


def _load(data_dir, module=numbers_ende, **options):
    options = {"train": TRAIN, "vocabulary_size": SIZE} | options
    return corpora.load(module, data_dir=data_dir, **options)


def _same(one, other):
    assert one.texts == other.texts
    for side in ("source", "target"):
        for name in ("tokens", "offsets"):
            a = getattr(getattr(one, side), name)
            b = getattr(getattr(other, side), name)
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def _calls(monkeypatch, owner, name):
    calls = []
    real = getattr(owner, name)

    def counted(*args, **kwargs):
        calls.append(args)
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, counted)
    return calls


# --- Ids --------------------------------------------------------------------


def test_a_split_is_text_and_ids(data_dir):
    corpus = _load(data_dir)
    assert corpus.info == numbers_ende.INFO
    assert corpus.vocabulary_size == corpus.subwords.size == SIZE
    assert corpus.digest == corpus.subwords.digest
    for split in (TRAIN, "validation[:50]"):
        tokens = corpus.split(split)
        texts = numbers_ende.load_pairs(split, data_dir=None)
        assert tokens.texts == texts
        assert len(tokens) == len(tokens.source) == len(tokens.target)
        for side in ("source", "target"):
            ids = getattr(tokens, side)
            ends = ids.tokens[ids.offsets[1:] - 1]
            assert (ends == vocabulary.EOS).all()
            assert (ids.tokens == vocabulary.EOS).sum() == len(tokens)
            assert ids.tokens.min() > vocabulary.PAD
            rows = [ids.row(i) for i in range(len(ids))]
            assert corpus.subwords.decode(rows) == getattr(texts, side)
    assert corpus.split(TRAIN) is corpus.split(TRAIN)


def test_the_vocabulary_is_of_both_languages_of_the_training_split(data_dir):
    pairs = numbers_ende.load_pairs(TRAIN, data_dir=None)
    expected = vocabulary.learn(
        pairs.source + pairs.target, SIZE, cache_dir=None, name="x"
    )
    assert _load(data_dir).digest == expected.digest
    assert _load(data_dir, train="train[:500]").digest != expected.digest
    assert _load(data_dir, vocabulary_size=SIZE + 1).digest != expected.digest


def test_parts_are_those_of_the_whole(data_dir):
    corpus = _load(data_dir)
    whole = corpus.split("test")
    _same(corpus.split("test[10:30]"), whole.part(10, 30))
    _same(corpus.split("test[99%:]"), whole.part(990, 1000))


def test_splits_that_do_not_exist_are_refused(data_dir):
    corpus = _load(data_dir)
    with pytest.raises(ValueError, match=r"no split 'val'.* validation \(1000"):
        corpus.split("val")
    with pytest.raises(ValueError, match="out of range"):
        corpus.split("test[:1001]")
    with pytest.raises(ValueError, match="malformed"):
        _load(data_dir, train="train[:x]")


def test_images_and_texts_are_not_confused(data_dir):
    with pytest.raises(DataError, match="^digits holds images"):
        _load(data_dir, module=digits)
    with pytest.raises(DataError, match="^numbers_ende holds texts"):
        loading.load(numbers_ende, "train", data_dir=data_dir)


def test_a_vocabulary_that_cannot_be_had_is_one_line(data_dir):
    with pytest.raises(DataError, match="^numbers_ende: wanted a voc.* got 0$"):
        _load(data_dir, vocabulary_size=0)


# --- The cache --------------------------------------------------------------


def test_what_was_encoded_is_found_again(data_dir, monkeypatch):
    first = _load(data_dir)
    whole = {name: first.split(name) for name in (TRAIN, "test[:20]")}
    learnt = _calls(monkeypatch, vocabulary, "_learnt")
    encoded = _calls(monkeypatch, vocabulary.Subwords, "encode")
    second = _load(data_dir)
    for name, tokens in whole.items():
        _same(second.split(name), tokens)
    assert learnt == encoded == []
    _load(data_dir, vocabulary_size=SIZE + 1).split(TRAIN)
    assert len(learnt) == 1 and len(encoded) == 2


def test_ids_of_other_texts_are_never_used(data_dir, monkeypatch):
    info = TextInfo(name="own", sizes={}, licence="x", source="x")
    texts = {"train": Pairs(["a b c", "d e f"], ["g h", "i j"])}
    module = types.SimpleNamespace(
        INFO=info, load_pairs=lambda split, **_: texts[split]
    )
    for test in (
        Pairs(["a b"], ["g"]),
        Pairs(["a c"], ["g"]),
        Pairs(["a c"], ["h"]),
        Pairs(["a", "b"], ["g", "h"]),
    ):
        texts["test"] = test
        corpus = _load(
            data_dir, module=module, train="train", vocabulary_size=275
        )
        tokens = corpus.split("test")
        for side in ("source", "target"):
            ids = getattr(tokens, side)
            rows = [ids.row(i) for i in range(len(ids))]
            assert corpus.subwords.decode(rows) == getattr(test, side)


def test_damaged_ids_are_made_again(data_dir):
    first = _load(data_dir).split(TRAIN)
    for file in (data_dir / "ls_tf_arrays/tokens").glob("*_tokens.npy"):
        file.write_bytes(file.read_bytes()[:-4])
    _same(_load(data_dir).split(TRAIN), first)


@pytest.mark.parametrize("named", [None, "no/such/folder"])
def test_without_a_data_directory_nothing_is_kept(data_dir, named):
    corpus = _load(named)
    assert len(corpus.split(TRAIN)) == 600
    assert not (data_dir.parent / "home").exists()
    assert list(data_dir.iterdir()) == []


def test_the_environment_names_the_directory(data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    _load(None).split(TRAIN)
    names = {p.name for p in (data_dir / "ls_tf_arrays").iterdir()}
    assert names == {"subwords", "tokens"}


# --- A user's corpus --------------------------------------------------------


@pytest.fixture
def source(tmp_path):
    for language, letters in (("fr", "abc"), ("cs", "xyz")):
        lines = [
            f"{a} {b} {c}" for a in letters for b in letters for c in letters
        ]
        (tmp_path / f"own.{language}").write_text("\n".join(lines) + "\n")
    return f"{tmp_path / 'own'}:fr-cs"


def test_a_corpus_of_files(data_dir, source, monkeypatch):
    reads = _calls(monkeypatch, parallel_files, "load_pairs")
    corpus = _load(
        data_dir,
        module=parallel_files,
        source=source,
        train="train[:20]",
        vocabulary_size=275,
    )
    assert corpus.info.source_language == "fr"
    assert corpus.info.target_language == "cs"
    tokens = corpus.split("train[20:]")
    assert tokens.texts.source[-1] == "c c c" and len(tokens) == 7
    with pytest.raises(ValueError, match=r"train \(27\)"):
        corpus.split("train[:28]")
    # The files are read once for all their parts.
    assert len(reads) == 1


# --- Prepared files ---------------------------------------------------------

SPLITS = (TRAIN, "validation[:40]", "test[:30]")


def _prepare(file, data_dir, module=numbers_ende, **options):
    options = {
        "splits": SPLITS,
        "source": "",
        "vocabulary_size": SIZE,
        "experiment": "transformer_numbers",
    } | options
    loading.prepare(file, module=module, data_dir=data_dir, **options)
    return file


@pytest.fixture
def file(data_dir, tmp_path):
    return _prepare(tmp_path / "numbers.npz", data_dir)


def test_a_prepared_file_gives_the_same(file, data_dir):
    expected, found = _load(data_dir), _load(file)
    assert found.info == expected.info
    assert found.vocabulary_size == expected.vocabulary_size
    assert found.digest == expected.digest == found.subwords.digest
    # The whole of every split is there, also what no role names.
    for split in (*SPLITS, "train", "test[500:]"):
        _same(found.split(split), expected.split(split))
    with pytest.raises(ValueError, match="out of range"):
        found.split("test[:1001]")


def test_what_is_in_the_file(file):
    with np.load(file, allow_pickle=False) as archive:
        manifest = json.loads(bytes(archive["manifest"]))
        names = set(archive.files)
        assert archive["train/source_tokens"].dtype == np.int32
        model = archive["subwords/model"].tobytes()
    keys = [
        f"{side}_{what}"
        for side in ("source", "target")
        for what in ("tokens", "offsets", "text")
    ]
    assert names == {"manifest", "subwords/model"} | {
        f"{base}/{key}" for base in numbers_ende.INFO.sizes for key in keys
    }
    assert manifest["data_set"] == "numbers_ende"
    assert manifest["sizes"] == dict(numbers_ende.INFO.sizes)
    assert manifest["subwords"] == {
        "size": SIZE,
        "train": TRAIN,
        "vocabulary_size": SIZE,
        "corpus": "",
    }
    assert manifest["sha256"].keys() == names - {"manifest"}
    assert vocabulary.Subwords(model).size == SIZE


def test_the_same_data_give_the_same_bytes(file, data_dir, tmp_path):
    again = _prepare(tmp_path / "again.npz", data_dir)
    assert again.read_bytes() == file.read_bytes()
    # A prepared file may be the source of another.
    third = _prepare(tmp_path / "third.npz", file)
    assert third.read_bytes() == file.read_bytes()


def _fails(file, *says, **options):
    with pytest.raises(DataError) as caught:
        _load(file, **options).split("train")
    message = str(caught.value)
    assert "\n" not in message
    for text in (file, *says):
        assert str(text) in message


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"train": "train"}, f"train={TRAIN}, prepared for experiment "),
        ({"train": "train"}, "transformer_numbers; wanted train=train; make"),
        ({"vocabulary_size": 9}, "wanted vocabulary_size=9"),
        ({"source": "a/b"}, "wanted corpus=b"),
    ],
)
def test_another_vocabulary_is_refused(file, options, says):
    _fails(file, says, **options)


def test_another_data_set_is_refused(file, tmp_path):
    _fails(file, "holds data set numbers_ende", module=parallel_files)
    images = tmp_path / "digits.npz"
    loading.prepare(
        images,
        experiment="fc_digits",
        module=digits,
        splits=("train", "test"),
        data_dir=None,
    )
    _fails(images, "holds data set digits, prepared for experiment fc_digits")
    with pytest.raises(DataError, match="holds data set numbers_ende"):
        loading.load(digits, "train", data_dir=file)


def test_a_split_that_it_lacks(data_dir, tmp_path):
    file = _prepare(tmp_path / "a.npz", data_dir, splits=(TRAIN, "test[:1]"))
    with pytest.raises(DataError, match="only train, test, .* wanted valid"):
        _load(file).split("validation")


def test_a_set_of_another_size_is_refused(file, monkeypatch):
    info = dataclasses.replace(numbers_ende.INFO, sizes={"train": 19_999})
    monkeypatch.setattr(numbers_ende, "INFO", info)
    with pytest.raises(DataError, match="wanted 19999 pairs, got 20000"):
        _load(file).split("train")


def _rewrite(file, change):
    with np.load(file, allow_pickle=False) as archive:
        arrays = dict(archive)
    manifest = json.loads(bytes(arrays["manifest"]))
    change(manifest, arrays)
    text = json.dumps(manifest).encode()
    arrays["manifest"] = np.frombuffer(text, np.uint8)
    np.savez_compressed(file, **arrays)


@pytest.mark.parametrize(
    "name", ["train/source_tokens", "train/target_text", "subwords/model"]
)
def test_arrays_that_are_not_what_was_written(file, name):
    def change(manifest, arrays):
        arrays[name] = arrays[name].copy()
        arrays[name][7] ^= 1

    _rewrite(file, change)
    _fails(file, f"array {name} is not what was written")


def test_a_manifest_without_a_vocabulary(file):
    _rewrite(file, lambda manifest, arrays: manifest["subwords"].pop("train"))
    _fails(file, "says nothing of its subwords")

    def change(manifest, arrays):
        del manifest["subwords"], manifest["sha256"]["subwords/model"]

    _rewrite(file, change)
    _fails(file, "says nothing of its subwords")


def test_a_corpus_of_files_is_prepared_too(data_dir, tmp_path, source):
    options = {
        "module": parallel_files,
        "source": source,
        "vocabulary_size": 275,
    }
    splits = ("train[:20]", "train[20:]", "train[20:]")
    file = _prepare(tmp_path / "own.npz", data_dir, splits=splits, **options)
    expected = _load(data_dir, train="train[:20]", **options)
    # On another machine the corpus may lie elsewhere, or nowhere.
    options["source"] = "elsewhere/own:fr-cs"
    found = _load(file, train="train[:20]", **options)
    assert found.info == expected.info
    _same(found.split("train[20:]"), expected.split("train[20:]"))
    options["source"] = "elsewhere/other"
    _fails(file, "corpus=own:fr-cs", train="train[:20]", **options)


def test_a_prepared_file_knows_what_was_left_out(
    data_dir, tmp_path, monkeypatch
):
    for language, gap in (("en", 3), ("de", 30)):
        lines = [f"{i} {language}" if i != gap else "" for i in range(50)]
        (tmp_path / f"own.{language}").write_text("\n".join(lines))
    # So few characters that every other sentence is learnt from.
    monkeypatch.setattr(vocabulary, "_MOST_CHARACTERS", 100)
    options = {
        "module": parallel_files,
        "source": str(tmp_path / "own"),
        "vocabulary_size": 275,
    }
    splits = ("train[:20]", "train[20:]")
    said = []
    monkeypatch.setattr(
        corpora.logging, "warning", lambda text, *args: said.append(text % args)
    )
    file = _prepare(tmp_path / "own.npz", data_dir, splits=splits, **options)
    assert [line.split(",")[0] for line in said] == [
        "train[:20]: left out 1 of 21 pairs",
        "train[20:]: left out 1 of 29 pairs",
        "subwords: left out 20 of 40 sentences",
    ]
    expected = _load(data_dir, train="train[:20]", **options)
    found = _load(file, train="train[:20]", **options)
    assert found.learning == expected.learning
    for split, line in zip((*splits, "train"), (4, 31, 4), strict=True):
        used = expected.split(split).texts.usage
        assert found.split(split).texts.usage == used
        assert used.left_out[0].first == f"line {line}"


def test_prepare_refuses_a_name_before_it_loads(data_dir, monkeypatch):
    monkeypatch.setattr(corpora, "load", None)
    with pytest.raises(DataError, match="ends in .npz"):
        _prepare("numbers", data_dir)


def _without(modules, code):
    """Runs code in a process where some modules cannot be imported."""
    text = f"""
        import sys
        for name in {modules!r}:
            sys.modules[name] = None
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text) + textwrap.dedent(code)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=60,
        capture_output=True,
        text=True,
    )


def test_a_prepared_file_needs_neither_tensorflow_nor_sentencepiece(file):
    done = _without(
        ["tensorflow", "tensorflow_datasets", "sentencepiece", "sklearn"],
        f"""
        from ls_tf.data import numbers_ende
        from ls_tf.pipeline import batching, corpus as corpora
        corpus = corpora.load(
            numbers_ende, train={TRAIN!r}, vocabulary_size={SIZE},
            data_dir={str(file)!r})
        assert corpus.subwords is None
        tokens = corpus.split("train[:100]")
        plan = batching.BucketPlan(
            tokens.source.lengths, tokens.target.lengths,
            batch_tokens=200, max_length=64, seed=0)
        assert plan.steps(0, 1)["index"].size
        print(corpus.vocabulary_size, len(corpus.digest), len(tokens.texts))
        """,
    )
    assert done.stderr == ""
    assert done.stdout == f"{SIZE} 64 100\n"


def test_without_sentencepiece_texts_cannot_be_encoded():
    done = _without(
        ["sentencepiece"],
        """
        from ls_tf.data import numbers_ende
        from ls_tf.pipeline import contract, corpus
        try:
            corpus.load(
                numbers_ende, train="train", vocabulary_size=300, data_dir=None)
        except contract.DataError as error:
            print(error)
        """,
    )
    assert done.stderr == ""
    assert 'install it with: pip install "ls_tf[text]"' in done.stdout
    assert "--mode=prepare" in done.stdout
