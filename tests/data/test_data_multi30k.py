"""Translations through TFDS: our builder of Multi30k, and those of WMT."""

import dataclasses
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow_datasets as tfds
from absl import logging

from ls_tf.data import multi30k, multi30k_deen, wmt14_ende, wmt_t2t_ende
from ls_tf.pipeline import corpus, multi30k_builder
from ls_tf.pipeline import tfds as reading
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.text_pairs import Pairs

INFOS = {m.INFO.name: m.INFO for m in (multi30k, wmt_t2t_ende, wmt14_ende)}
ROOT = pathlib.Path(__file__).parents[2]
SIZES = {"train": 7, "val": 3, "test_2016_flickr": 2}
WMT = {"train": 5, "validation": 2, "test": 3}
CACHE = "ls_tf_arrays"


def _text(split, language, size):
    """Lines whose order shows, with white space and an umlaut."""
    return [f" {split} {language} {i} für\t" for i in range(size)]


def _archives(folder, sizes=SIZES):
    manual = folder / "downloads" / "manual" / "multi30k"
    manual.mkdir(parents=True)
    for split, size in sizes.items():
        for language in ("en", "de"):
            text = "\n".join(_text(split, language, size)) + "\n"
            (manual / f"{split}.{language}.gz").write_bytes(
                gzip.compress(text.encode())
            )
    return manual


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Sets of a few pairs, whose small sizes are the promise."""
    for module, sizes in (
        (multi30k, SIZES),
        (wmt_t2t_ende, WMT),
        (wmt14_ende, WMT),
    ):
        small = dataclasses.replace(module.INFO, sizes=sizes)
        monkeypatch.setattr(module, "INFO", small)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Multi30k as its builder leaves it."""
    folder = tmp_path_factory.mktemp("tfds")
    _archives(folder)
    builder = multi30k_builder.Multi30k(data_dir=str(folder))
    builder.download_and_prepare()
    shutil.rmtree(folder / "downloads")
    return folder


@pytest.fixture
def data_dir(prepared, tmp_path):
    return pathlib.Path(shutil.copytree(prepared, tmp_path / "data"))


@pytest.fixture
def no_network(monkeypatch):
    asked = []

    def refuse(urls):
        asked.extend(urls)
        if urls:
            raise ConnectionError("no way\nout")

    monkeypatch.setattr(reading, "_probe", refuse)
    return asked


@pytest.fixture
def said(monkeypatch):
    found = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *args: found.append(text % args)
    )
    return found


def _fails(module, split, data_dir, *says):
    with pytest.raises(DataError) as caught:
        corpus.load_pairs(module, split, data_dir=data_dir)
    message = str(caught.value)
    assert "\n" not in message
    for text in (module.INFO.name, *says):
        assert str(text) in message


def _expected(split, size):
    return Pairs(
        *(
            [line.strip() for line in _text(split, language, size)]
            for language in ("en", "de")
        )
    )


# --- What is promised -------------------------------------------------------


def test_sizes_and_licences_are_those_of_the_publications():
    assert INFOS["multi30k"].sizes == {
        "train": 29_000,
        "val": 1_014,
        "test_2016_flickr": 1_000,
    }
    assert INFOS["multi30k"].licence == "CC BY-NC-SA 4.0"
    for name, size in (("wmt_t2t_ende", 4_592_289), ("wmt14_ende", 4_508_785)):
        # newstest2013 and newstest2014
        assert INFOS[name].sizes == {
            "train": size,
            "validation": 3_000,
            "test": 3_003,
        }
    for info in INFOS.values():
        assert (info.source_language, info.target_language) == ("en", "de")


def test_the_builder_states_licence_and_origin():
    info = multi30k_builder.Multi30k(data_dir="/no/where").info
    assert info.redistribution_info.license == "CC BY-NC-SA 4.0"
    assert "Elliott" in info.citation
    assert info.homepage == "https://github.com/multi30k/dataset"
    names = tfds.list_builders(with_community_datasets=False)
    assert "multi30k" in names


# --- Multi30k ---------------------------------------------------------------


@pytest.mark.parametrize("split", SIZES)
def test_loads_every_pair_in_the_order_of_the_files(split, data_dir):
    found = corpus.load_pairs(multi30k, split, data_dir=data_dir)
    assert found == _expected(split, SIZES[split])


def test_loads_a_part(data_dir):
    found = corpus.load_pairs(multi30k, "train[2:50%]", data_dir=str(data_dir))
    assert found == _expected("train", 7).part(2, 4)
    with pytest.raises(ValueError, match=r"val \(3\), test_2016_flickr"):
        corpus.load_pairs(multi30k, "test", data_dir=data_dir)


def test_archives_of_a_person_are_taken(tmp_path, no_network, said, capsys):
    _archives(tmp_path)
    found = corpus.load_pairs(multi30k, "val", data_dir=tmp_path)
    assert found == _expected("val", 3)
    assert no_network == []
    # They are not the real ones, and that is said, once for each.
    ours = [line for line in said if "is not the file" in line]
    assert len(ours) == 6 and "train.en.gz is not" in ours[0]
    # What TFDS says must not be taken for an answer.
    assert capsys.readouterr().out == ""


def test_what_is_missing_is_said_and_nothing_written(tmp_path, no_network):
    folder = tmp_path / "data"
    folder.mkdir()
    names = [f"{s}.{lang}.gz" for s in SIZES for lang in ("en", "de")]
    _fails(
        multi30k,
        "train",
        folder,
        f"not in {folder}",
        "cannot be downloaded (ConnectionError: no way out)",
        f"put {', '.join(names)} of https://github.com/multi30k/dataset",
        "CC BY-NC-SA 4.0",
        f"into {folder}/downloads/manual/multi30k",
        "TFDS_DATA_DIR",
    )
    assert no_network == [f"{multi30k_builder.URL}/{n}" for n in names]
    assert list(folder.iterdir()) == []


def test_only_what_is_missing_is_wanted(tmp_path, no_network):
    (_archives(tmp_path) / "val.de.gz").unlink()
    _fails(multi30k, "train", tmp_path, "put val.de.gz of")
    assert no_network == [f"{multi30k_builder.URL}/val.de.gz"]
    assert [p.name for p in tmp_path.iterdir()] == ["downloads"]


def test_a_download_that_succeeds(tmp_path, monkeypatch):
    manual = _archives(tmp_path / "there")
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(reading, "_probe", lambda urls: None)

    def download(self, urls):
        return {
            name: manual / url.rpartition("/")[2] for name, url in urls.items()
        }

    monkeypatch.setattr(tfds.download.DownloadManager, "download", download)
    found = corpus.load_pairs(multi30k, "train", data_dir=tmp_path / "here")
    assert found == _expected("train", 7)


def test_its_builder_is_registered_when_it_is_needed(tmp_path):
    _archives(tmp_path)
    code = f"""
        import dataclasses
        from ls_tf.data import multi30k
        from ls_tf.pipeline import corpus
        multi30k.INFO = dataclasses.replace(multi30k.INFO, sizes={SIZES})
        folder = {str(tmp_path)!r}
        print(len(corpus.load_pairs(multi30k, "train", data_dir=folder)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "7\n", done.stderr


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("train.en.gz", b"no archive", "cannot read"),
        ("val.de.gz", gzip.compress(b"a\nb\n\xff"), "line 3: wanted UTF-8"),
        ("val.de.gz", gzip.compress(b"a\nb\n"), "wanted equally many"),
    ],
    ids=["archive", "coding", "length"],
)
def test_archives_that_are_not_what_they_should_be(
    tmp_path, no_network, name, content, says
):
    manual = _archives(tmp_path)
    (manual / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        corpus.load_pairs(multi30k, "train", data_dir=tmp_path)
    message = str(caught.value)
    assert "\n" not in message and name in message
    assert "downloaded" not in message
    # The next attempt starts anew.
    shutil.rmtree(manual)
    _archives(tmp_path)
    assert len(corpus.load_pairs(multi30k, "train", data_dir=tmp_path)) == 7


def test_a_set_of_another_size_is_refused_and_not_kept(data_dir, monkeypatch):
    monkeypatch.setattr(multi30k, "INFO", INFOS["multi30k"])
    _fails(multi30k, "train", data_dir, "wanted 29000 pairs, got 7")
    assert not (data_dir / CACHE).exists()


def test_the_cache_is_enough_and_needs_no_tensorflow(data_dir):
    whole = corpus.load_pairs(multi30k, "train", data_dir=data_dir)
    shutil.rmtree(data_dir / "multi30k")
    assert corpus.load_pairs(multi30k, "train", data_dir=data_dir) == whole
    manifest = json.loads(
        (data_dir / CACHE / "multi30k/train.json").read_text()
    )
    assert manifest["origin"] == "multi30k/1.0.0" and manifest["count"] == 7
    code = f"""
        import dataclasses, sys
        from ls_tf.data import multi30k
        from ls_tf.pipeline import corpus
        folder = {str(data_dir)!r}
        multi30k.INFO = dataclasses.replace(multi30k.INFO, sizes={SIZES})
        pairs = corpus.load_pairs(multi30k, "train[5:]", data_dir=folder)
        assert pairs.target == ["train de 5 für", "train de 6 für"]
        for name in ("tensorflow", "tensorflow_datasets", "keras"):
            assert name not in sys.modules, name
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=60,
    )


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_damaged_cache_is_rebuilt(data_dir, side):
    first = corpus.load_pairs(multi30k, "train", data_dir=data_dir)
    file = data_dir / CACHE / "multi30k" / f"train_{side}_text.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert corpus.load_pairs(multi30k, "train", data_dir=data_dir) == first
    assert file.read_bytes() == whole


# --- WMT --------------------------------------------------------------------


def _wmt(module, folder):
    """Writes a small set under the name and version that TFDS knows."""
    name, _, config = module.INFO.tfds.partition("/")

    def describe(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.Translation(languages=("de", "en")),
        )

    def generate(split, size):
        for i in range(size):
            yield i, {"en": f" {split} {i} x\ny ", "de": f"ü {split} {i}\r"}

    real = tfds.builder_cls(name).builder_configs[config]
    members = {
        "VERSION": real.version,
        "_info": describe,
        "_split_generators": lambda self, _: {
            split: generate(split, size) for split, size in WMT.items()
        },
        "_generate_examples": None,
        "name": name,
        "BUILDER_CONFIGS": [
            tfds.core.BuilderConfig(name=config, version=real.version)
        ],
    }
    with tfds.core.registered.skip_registration():
        cls = type("Small", (tfds.core.GeneratorBasedBuilder,), members)
    cls(data_dir=str(folder), config=config).download_and_prepare()


@pytest.mark.parametrize("module", [wmt_t2t_ende, wmt14_ende])
def test_wmt_comes_through_tfds(module, tmp_path):
    _wmt(module, tmp_path)
    for split, size in WMT.items():
        pairs = corpus.load_pairs(module, split, data_dir=tmp_path)
        # The order is that of TFDS, which mixes once.
        assert sorted(pairs.source) == [f"{split} {i} x y" for i in range(size)]
        for english, german in zip(pairs.source, pairs.target, strict=True):
            assert german == f"ü {english.removesuffix(' x y')}"
        assert corpus.load_pairs(
            module, f"{split}[1:]", data_dir=tmp_path
        ) == pairs.part(1, size)


@pytest.mark.parametrize("module", [wmt_t2t_ende, wmt14_ende])
def test_wmt_that_is_missing(module, tmp_path, no_network):
    _fails(
        module,
        "validation",
        tmp_path,
        f"not in {tmp_path}",
        "no way out",
        "tensorflow_datasets.scripts.cli.main build "
        f"{module.INFO.tfds} --data_dir={tmp_path}",
    )
    assert list(tmp_path.iterdir()) == []
    assert any("newstest2013" in url or "dev.tgz" in url for url in no_network)


def test_the_other_way_round_both_sides_are_swapped(monkeypatch):
    asked = []

    def load(info, split, *, data_dir):
        asked.append((info.name, split, data_dir))
        return Pairs(["a dog", "b"], ["ein Hund", "B"], np.array([[1, 2]]))

    monkeypatch.setattr(reading, "load_pairs", load)
    found = multi30k_deen.load_pairs("val", data_dir="there")
    assert (found.source, found.target) == (["ein Hund", "B"], ["a dog", "b"])
    assert found.left_out.tolist() == [[1, 2]]
    assert asked == [("multi30k", "val", "there")]
    info = multi30k_deen.INFO
    assert (info.source_language, info.target_language) == ("de", "en")
