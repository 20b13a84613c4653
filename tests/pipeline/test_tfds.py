"""MNIST and its kin through TFDS, on small sets in real TFRecord files."""

import dataclasses
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging

from ls_tf.data import emnist, fashion_mnist, mnist
from ls_tf.pipeline import loading
from ls_tf.pipeline import tfds as reading
from ls_tf.pipeline.contract import DataError

SIZES = {"train": 40, "test": 12}
CACHE = pathlib.Path("ls_tf_arrays")
FLIPS = 4  # of a file; 400 of each were tried once
ROOT = pathlib.Path(__file__).parents[2]


def _example(number, num_classes):
    """An image that tells its number, and no transpose of itself."""
    image = np.zeros((28, 28, 1), np.uint8)
    image[3, 20:24, 0] = number + 1
    image[3, 0, 0] = 200
    return {"image": image, "label": number % num_classes}


def _builder(module, folder, num_shards):
    """Writes a small set under the name and version that TFDS knows."""
    info = module.INFO
    name, _, config = info.tfds.partition("/")

    def describe(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=info.image_shape),
                    "label": tfds.features.ClassLabel(
                        num_classes=info.num_classes
                    ),
                }
            ),
        )

    def generate(count):
        for number in range(count):
            yield number, _example(number, info.num_classes)

    members = {
        "VERSION": tfds.builder_cls(name).VERSION,
        "_info": describe,
        "_split_generators": lambda self, _: {
            key: generate(count) for key, count in SIZES.items()
        },
        "_generate_examples": None,
        "name": name,
    }
    if config:
        members["BUILDER_CONFIGS"] = [tfds.core.BuilderConfig(name=config)]
    with tfds.core.registered.skip_registration():
        cls = type("Small", (tfds.core.GeneratorBasedBuilder,), members)
    builder = cls(data_dir=str(folder), config=config or None)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(num_shards=num_shards)
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    for module, num_shards in ((mnist, 1), (fashion_mnist, 3), (emnist, 1)):
        _builder(module, folder, num_shards)
    return folder


@pytest.fixture
def data_dir(prepared, tmp_path, monkeypatch):
    """A fresh copy of the sets, whose small sizes are now the promise."""
    for module in (mnist, fashion_mnist, emnist):
        small = dataclasses.replace(module.INFO, sizes=SIZES)
        monkeypatch.setattr(module, "INFO", small)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    return pathlib.Path(shutil.copytree(prepared, tmp_path / "data"))


@pytest.fixture
def no_network(monkeypatch):
    def refuse(urls):
        raise ConnectionError(f"no way\nto {sorted(urls)[0]}")

    monkeypatch.setattr(reading, "_probe", refuse)


def _fails(module, split, data_dir, *says):
    with pytest.raises(DataError) as caught:
        loading.load(module, split, data_dir=data_dir)
    message = str(caught.value)
    assert "\n" not in message
    for text in (module.INFO.name, *says):
        assert str(text) in message
    return message


def _numbers(arrays):
    return arrays["image"].max(axis=(1, 3))[:, 20].astype(int) - 1


# --- Decoding ---------------------------------------------------------------


@pytest.mark.parametrize("module", [mnist, fashion_mnist])
@pytest.mark.parametrize("split", ["train", "test"])
def test_loads_every_example_with_its_label(module, split, data_dir):
    arrays = loading.load(module, split, data_dir=data_dir)
    assert arrays["image"].shape == (SIZES[split], 28, 28, 1)
    assert arrays["image"].dtype == np.uint8
    assert arrays["label"].dtype == np.int32
    numbers = _numbers(arrays)
    assert sorted(numbers) == list(range(SIZES[split]))
    np.testing.assert_array_equal(arrays["label"], numbers % 10)
    for image, number in zip(arrays["image"], numbers, strict=True):
        np.testing.assert_array_equal(image, _example(number, 10)["image"])


def test_emnist_is_turned_upright(data_dir):
    arrays = loading.load(emnist, "train", data_dir=data_dir)
    assert arrays["image"].flags.c_contiguous
    for image, label in zip(arrays["image"], arrays["label"], strict=True):
        stored = _example(label, 47)["image"]
        for y in range(28):
            for x in range(28):
                assert image[y, x, 0] == stored[x, y, 0]


def test_the_order_is_that_of_the_files(data_dir):
    files = sorted(map(str, data_dir.glob("fashion_mnist/*/*train.tfrecord*")))
    assert len(files) == 3
    feature = {"label": tf.io.FixedLenFeature([], tf.int64)}
    labels = [
        int(tf.io.parse_single_example(record, feature)["label"])
        for file in files
        for record in tf.data.TFRecordDataset(file)
    ]
    arrays = loading.load(fashion_mnist, "train", data_dir=data_dir)
    assert arrays["label"].tolist() == labels


def test_parts_of_a_split(data_dir):
    whole = loading.load(mnist, "train", data_dir=data_dir)
    for split, part in (
        ("train[:30]", slice(0, 30)),
        ("train[30:]", slice(30, 40)),
        ("train[25%:50%]", slice(10, 20)),
    ):
        arrays = loading.load(mnist, split, data_dir=data_dir)
        for key, value in whole.items():
            np.testing.assert_array_equal(arrays[key], value[part])


def test_a_bad_split_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match=r"train \(60000\), test \(10000\)"):
        loading.load(mnist, "trian", data_dir=tmp_path / "nowhere")


def test_a_set_of_another_size_is_refused_and_not_kept(data_dir, monkeypatch):
    real = dataclasses.replace(
        mnist.INFO, sizes={"train": 60_000, "test": 10_000}
    )
    monkeypatch.setattr(mnist, "INFO", real)
    _fails(mnist, "train[:10]", data_dir, "wanted 60000 examples, got 40")
    assert not (data_dir / CACHE / "mnist" / "train.json").exists()


# --- Where the data lies ----------------------------------------------------


def test_the_environment_names_the_directory(data_dir, monkeypatch, tmp_path):
    expected = loading.load(mnist, "test", data_dir=data_dir)["label"]
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    found = loading.load(mnist, "test", data_dir=None)["label"]
    np.testing.assert_array_equal(found, expected)
    # The argument is stronger.
    _fails(mnist, "test", tmp_path / "nowhere", "does not exist")


def test_the_default_is_that_of_tfds(data_dir, monkeypatch, no_network):
    home = data_dir.parent / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    # It need not exist: TFDS would make it. Without a network it cannot.
    _fails(mnist, "test", None, home / "tensorflow_datasets", "no way to")
    data_dir.rename(home / "tensorflow_datasets")
    assert len(loading.load(mnist, "test", data_dir=None)["label"]) == 12


def test_a_directory_that_does_not_exist(tmp_path):
    _fails(mnist, "test", tmp_path / "nowhere", tmp_path / "nowhere", "create")
    assert not (tmp_path / "nowhere").exists()


def test_a_file_in_place_of_the_directory(tmp_path):
    (tmp_path / "file").write_text("")
    _fails(mnist, "test", tmp_path / "file", "is not a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read(data_dir):
    data_dir.chmod(0)
    try:
        _fails(mnist, "test", data_dir, "no permission to read")
    finally:
        data_dir.chmod(0o755)


def test_permission_is_asked_for(data_dir, monkeypatch):
    # Root, too, can test the message.
    monkeypatch.setattr(os, "access", lambda *_: False)
    _fails(mnist, "test", data_dir, "no permission to read", data_dir)


def test_a_file_system_that_fails(monkeypatch):
    class Broken:
        def expanduser(self):
            return self

        def exists(self):
            raise RuntimeError("no credentials\nfor bucket")

        def __str__(self):
            return "gs://bucket"

    monkeypatch.setattr(reading.epath, "Path", lambda _: Broken())
    _fails(mnist, "test", "gs://bucket", "gs://bucket", "no credentials for")


# --- Damage -----------------------------------------------------------------


def _record_file(data_dir):
    (file,) = data_dir.glob("mnist/*/*train.tfrecord*")
    return file


def test_a_truncated_record_file(data_dir):
    file = _record_file(data_dir)
    file.write_bytes(file.read_bytes()[:-10])
    _fails(mnist, "train", data_dir, data_dir, "damaged", "DataLossError")
    assert not (data_dir / CACHE).exists()


def test_a_changed_record_file(data_dir):
    file = _record_file(data_dir)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    _fails(mnist, "train", data_dir, data_dir, "damaged", "DataLossError")


def test_a_record_file_cut_between_two_records(data_dir):
    file = _record_file(data_dir)
    content = file.read_bytes()
    # A record: length (8 bytes), checksum (4), data, checksum (4).
    length = int.from_bytes(content[:8], "little") + 16
    file.write_bytes(content[:length])
    _fails(mnist, "train", data_dir, "damaged", "contained only 1 element.")


@pytest.mark.parametrize("content", [None, b""])
def test_a_record_file_that_is_gone_or_empty(data_dir, content):
    file = _record_file(data_dir)
    file.unlink() if content is None else file.write_bytes(content)
    _fails(mnist, "train", data_dir, data_dir)


def test_a_broken_description(data_dir):
    (file,) = data_dir.glob("mnist/*/dataset_info.json")
    file.write_text("{")
    _fails(mnist, "train", data_dir, data_dir)


# --- Downloads --------------------------------------------------------------


@pytest.mark.parametrize("module", [mnist, fashion_mnist, emnist])
def test_without_network_one_line_says_what_to_do(module, tmp_path, no_network):
    _fails(
        module,
        "train",
        tmp_path,
        f"not in {tmp_path}",
        "no way to http",
        f"cli.main build {module.INFO.tfds} --data_dir={tmp_path}",
        "TFDS_DATA_DIR",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_fails(tmp_path, monkeypatch):
    def fail(self):
        raise RuntimeError("wrong\nchecksum")

    monkeypatch.setattr(reading, "_probe", lambda urls: None)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    _fails(mnist, "train", tmp_path, "RuntimeError: wrong checksum")


def test_a_download_that_succeeds(data_dir, tmp_path, monkeypatch):
    def prepare(self):
        shutil.copytree(data_dir / "mnist", empty / "mnist")
        self.info.read_from_directory(self.data_path)

    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setattr(reading, "_probe", lambda urls: None)
    monkeypatch.setattr(
        tfds.core.DatasetBuilder, "download_and_prepare", prepare
    )
    assert len(loading.load(mnist, "train", data_dir=empty)["label"]) == 40


def _answer(monkeypatch, answer):
    asked = []

    def urlopen(request, timeout):
        asked.append(request.full_url)
        return answer(request)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def _status(code):
    def answer(request):
        raise urllib.error.HTTPError(
            request.full_url, code, "said so", {}, None
        )

    return answer


def test_probe_asks_each_host_once(monkeypatch):
    asked = _answer(monkeypatch, lambda _: io.BytesIO())
    urls = ["https://a.test/1", "https://a.test/2", "http://b.test/3"]
    reading._probe([*urls, "ftp://c.test/4", "gs://bucket/5"])
    assert asked == ["https://a.test/1", "http://b.test/3"]


def test_probe_lets_tfds_judge_a_refusal(monkeypatch):
    _answer(monkeypatch, _status(403))
    reading._probe(["https://a.test/1"])


def test_probe_stops_at_a_server_that_is_ill(monkeypatch):
    _answer(monkeypatch, _status(503))
    with pytest.raises(ConnectionError, match=r"a\.test cannot be reached"):
        reading._probe(["https://a.test/1"])


def test_probe_does_not_wait_for_long(monkeypatch):
    _answer(monkeypatch, lambda _: time.sleep(2))
    monkeypatch.setattr(reading, "_PROBE_SECONDS", 0.05)
    start = time.perf_counter()
    with pytest.raises(TimeoutError, match=r"a\.test does not answer"):
        reading._probe(["https://a.test/1"])
    assert time.perf_counter() - start < 1


# --- The cache --------------------------------------------------------------


@pytest.fixture
def decoded(monkeypatch):
    """Counts how often a split is decoded."""
    calls = []
    decode = reading._decode

    def counted(info, base, folder):
        calls.append(base)
        return decode(info, base, folder)

    monkeypatch.setattr(reading, "_decode", counted)
    return calls


def test_the_second_load_reads_the_cache(data_dir, decoded):
    first = loading.load(mnist, "train", data_dir=data_dir)
    second = loading.load(mnist, "train[10:]", data_dir=data_dir)
    loading.load(mnist, "test", data_dir=data_dir)
    assert decoded == ["train", "test"]
    for key, value in first.items():
        assert second[key].dtype == value.dtype
        np.testing.assert_array_equal(second[key], value[10:])
        assert not second[key].flags.writeable  # a file, and no copy of it
    manifest = json.loads((data_dir / CACHE / "mnist/train.json").read_text())
    assert manifest["count"] == 40
    assert manifest["origin"] == "mnist/3.0.1"
    names = {file.name for file in (data_dir / CACHE / "mnist").iterdir()}
    assert names == {
        f"{split}{end}"
        for split in SIZES
        for end in ("_image.npy", "_label.npy", ".json")
    }


def test_the_cache_is_enough_and_needs_no_tensorflow(data_dir):
    loading.load(mnist, "train", data_dir=data_dir)
    loading.load(emnist, "train", data_dir=data_dir)
    shutil.rmtree(data_dir / "mnist")
    shutil.rmtree(data_dir / "emnist")
    code = f"""
        import dataclasses, sys
        from ls_tf.data import emnist, mnist
        from ls_tf.pipeline import loading
        folder = {str(data_dir)!r}
        for module in (mnist, emnist):
            module.INFO = dataclasses.replace(module.INFO, sizes={SIZES})
            arrays = loading.load(module, "train[:30]", data_dir=folder)
            assert arrays["image"].shape == (30, 28, 28, 1)
        for name in ("tensorflow", "tensorflow_datasets", "keras", "sklearn"):
            assert name not in sys.modules, name
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=60,
    )


def _cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def _flip(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [_cut, _flip, pathlib.Path.unlink, lambda f: f.write_text("")]
)
@pytest.mark.parametrize(
    "name", ["train_image.npy", "train_label.npy", "train.json"]
)
def test_a_damaged_cache_is_rebuilt(data_dir, decoded, damage, name):
    first = loading.load(mnist, "train", data_dir=data_dir)
    file = data_dir / CACHE / "mnist" / name
    whole = file.read_bytes()
    # In the manifest the last byte is a line break, so damage what counts.
    if name == "train.json":
        file.write_bytes(whole.rstrip())
    damage(file)
    second = loading.load(mnist, "train", data_dir=data_dir)
    assert decoded == ["train", "train"]
    for key, value in first.items():
        np.testing.assert_array_equal(second[key], value)
    assert file.read_bytes() == whole


@pytest.mark.parametrize("content", ["[]", "{}", '{"version": 0}', "null"])
def test_a_foreign_manifest_is_rebuilt(data_dir, decoded, content):
    loading.load(mnist, "train", data_dir=data_dir)
    (data_dir / CACHE / "mnist/train.json").write_text(content)
    loading.load(mnist, "train", data_dir=data_dir)
    assert decoded == ["train", "train"]


def test_a_cache_of_the_wrong_set_is_refused(data_dir, monkeypatch):
    loading.load(mnist, "train", data_dir=data_dir)
    more = dataclasses.replace(mnist.INFO, sizes={"train": 41, "test": 12})
    monkeypatch.setattr(mnist, "INFO", more)
    _fails(mnist, "train", data_dir, "wanted 41 examples, got 40")


def test_goes_on_where_nothing_can_be_written(data_dir, decoded, monkeypatch):
    # A file where the directory should be stops root as well.
    (data_dir / CACHE).write_text("")
    said = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *args: said.append(text % args)
    )
    for _ in range(2):
        labels = loading.load(mnist, "train", data_dir=data_dir)["label"]
        assert len(labels) == 40
    assert decoded == ["train", "train"]
    assert len(said) == 2
    assert "without a cache" in said[0] and "\n" not in said[0]


def test_a_full_disk_leaves_no_half_files(data_dir, monkeypatch):
    failed = []

    def fail(file, array, allow_pickle):
        file.write(b"half")
        failed.append(array)
        raise OSError("no space left")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    assert len(loading.load(mnist, "train", data_dir=data_dir)["label"]) == 40
    assert list((data_dir / CACHE / "mnist").iterdir()) == []
    assert failed


# --- Any damage -------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["*.json", "*tfrecord*"])
def test_a_flipped_bit_is_refused_or_changes_nothing(
    data_dir, no_network, pattern
):
    whole = loading.load(mnist, "test", data_dir=data_dir)
    shutil.rmtree(data_dir / CACHE)
    folder = data_dir / "mnist"
    files = sorted(f for f in folder.rglob(pattern) if "train" not in f.name)
    assert files
    rng = np.random.default_rng(0)
    for file in files:
        content = file.read_bytes()
        for bit in rng.integers(8 * len(content), size=FLIPS):
            damaged = bytearray(content)
            damaged[bit // 8] ^= 1 << bit % 8
            file.write_bytes(damaged)
            try:
                found = loading.load(mnist, "test", data_dir=data_dir)
            except DataError as error:
                assert "\n" not in str(error)
            else:
                for key, array in whole.items():
                    assert found[key].dtype == array.dtype
                    np.testing.assert_array_equal(found[key], array)
            shutil.rmtree(data_dir / CACHE, ignore_errors=True)
        file.write_bytes(content)


# --- Two that prepare at once -----------------------------------------------


@pytest.mark.parametrize("is_there", [True, False])
def test_who_finds_anothers_data_ready_reads_it(data_dir, is_there):
    class Builder:
        url_infos = None
        data_path = "there"

        def __init__(self, data_dir):
            self.data_dir = data_dir

        def download_and_prepare(self):
            raise FileExistsError("Destination already exists.")

        def is_prepared(self):
            return is_there

    def get():
        return reading.downloaded(mnist.INFO, Builder("mine"), data_dir)

    if is_there:
        assert get().data_dir == str(data_dir)
    else:
        with pytest.raises(DataError, match="cannot be downloaded"):
            get()
