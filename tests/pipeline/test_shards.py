"""Records of photographs where they lie, and what is said where they do not."""

import dataclasses
import hashlib
import json
import types

import numpy as np
import pytest
import small_photographs
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from etils import epath

from ls_tf.data import imagenet
from ls_tf.pipeline import loading, record_files, shards
from ls_tf.pipeline import tfds as reading
from ls_tf.pipeline.contract import Archive, DataError, RecordInfo

SIZES = {"train": 30, "validation": 7}


def prepared(folder, file_format):
    """The set as TFDS itself writes it; gives its module."""

    def generate(base):
        for i in range(SIZES[base]):
            yield (
                i,
                {
                    "image": small_photographs.picture(i, i % 3),
                    "label": i % 3,
                    "file_name": f"{base}_{i}.JPEG",
                },
            )

    members = {
        "VERSION": tfds.core.Version("5.1.0"),
        "_info": lambda self: tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(encoding_format="jpeg"),
                    "label": tfds.features.ClassLabel(num_classes=3),
                    "file_name": tfds.features.Text(),
                }
            ),
            disable_shuffling=True,
        ),
        "_split_generators": lambda self, _: {
            base: generate(base) for base in SIZES
        },
        "_generate_examples": None,
        "name": "small",
    }
    with tfds.core.registered.skip_registration():
        cls = type("Small", (tfds.core.GeneratorBasedBuilder,), members)
    builder = cls(data_dir=str(folder), file_format=file_format)
    config = tfds.download.DownloadConfig(num_shards=2)
    builder.download_and_prepare(download_config=config)
    info = dataclasses.replace(small_photographs.INFO, sizes=SIZES)
    return types.SimpleNamespace(INFO=info), builder


@pytest.fixture
def known(monkeypatch):
    """TFDS knows the set by its name."""

    def add(builder):
        monkeypatch.setattr(
            tfds, "builder", lambda name, data_dir, **options: builder
        )

    return add


def test_reads_what_tfds_wrote_in_any_order(tmp_path, known):
    module, builder = prepared(tmp_path, "array_record")
    known(builder)
    records = shards.find(module, "train[20:]", data_dir=tmp_path)
    assert (records.name, len(records)) == ("small/train", 10)
    assert len(records.files) == 2
    wanted = list(builder.as_data_source(split="train"))[20:]
    for i in (9, 0, 4):
        example = records.read(i)
        assert example.label == wanted[i]["label"]
        assert example.file_name == wanted[i]["file_name"].decode()
        np.testing.assert_array_equal(decoded(example), wanted[i]["image"])


def decoded(example):
    from ls_tf.pipeline import jpeg

    return jpeg.decode(example.encoded)


def test_a_stand_in_has_the_records_of_tfds(tmp_path, known):
    module, builder = prepared(tmp_path / "tfds", "array_record")
    known(builder)
    theirs = shards.find(module, "train", data_dir=tmp_path / "tfds").read(4)
    ours = small_photographs.write(tmp_path / "ours")
    records = shards.find(ours, "train", data_dir=None)
    assert [records.read(i).label in (0, 1, 2) for i in range(70)] == [
        True
    ] * 70
    assert records.read(4).file_name == "train_00000004.JPEG"
    # The same fields of the same kinds; TFDS's own reader takes both.
    made = record_files.record(theirs)
    features = builder.info.features
    both = [features.deserialize_example_np(made), theirs]
    assert both[0]["label"] == theirs.label
    np.testing.assert_array_equal(both[0]["image"], decoded(theirs))


def test_refuses_records_that_cannot_be_read_in_any_order(tmp_path, known):
    module, builder = prepared(tmp_path, "tfrecord")
    known(builder)
    with pytest.raises(DataError) as caught:
        shards.find(module, "train", data_dir=tmp_path)
    message = str(caught.value)
    assert "holds tfrecord files; wanted array_record" in message
    assert str(tmp_path / "small/5.1.0") in message
    assert "build small --file_format=array_record" in message
    assert "\n" not in message


def test_refuses_a_set_of_another_size(tmp_path):
    small_photographs.write(tmp_path)
    larger = dataclasses.replace(
        small_photographs.INFO, sizes={"train": 71, "validation": 21}
    )
    module = small_photographs.module(tmp_path, larger)
    with pytest.raises(
        DataError, match="wanted 71 examples, the files in .* 70"
    ):
        shards.find(module, "train", data_dir=None)


def test_names_a_file_that_is_missing(tmp_path):
    module = small_photographs.write(tmp_path)
    gone = tmp_path / "small-train.array_record-00001-of-00002"
    gone.unlink()
    with pytest.raises(
        DataError, match=f"wanted the file {gone}, which is mis"
    ):
        shards.find(module, "train", data_dir=None)


def test_names_a_file_that_is_damaged(tmp_path):
    module = small_photographs.write(tmp_path)
    file = tmp_path / "small-train.array_record-00000-of-00002"
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    file.write_bytes(data)
    records = shards.find(module, "train", data_dir=None)
    shards._opened.cache_clear()
    with pytest.raises(
        DataError, match="^small/train: cannot read record"
    ) as e:
        for i in range(len(records)):
            records.read(i)
    assert "\n" not in str(e.value)


def test_names_a_description_that_is_damaged(tmp_path):
    module = small_photographs.write(tmp_path)
    (tmp_path / "dataset_info.json").write_text("{")
    with pytest.raises(
        DataError, match="cannot read split train in .*info.json"
    ):
        shards.find(module, "train", data_dir=None)


def test_a_streamed_set_has_no_arrays(tmp_path):
    module = small_photographs.write(tmp_path)
    with pytest.raises(DataError, match="small holds photographs"):
        loading.load(module, "train", data_dir=None)
    with pytest.raises(DataError, match="small holds photographs"):
        loading.prepare(
            tmp_path / "x.npz",
            experiment="x",
            module=module,
            splits=("train",),
            data_dir=None,
        )
    assert not (tmp_path / "x.npz").exists()


# --- Archives that a person must fetch --------------------------------------

ARCHIVES = (
    Archive(name="a.tar", size=1200, md5="0" * 32, source="https://a.page"),
    Archive(name="b.tar", size=300, md5="1" * 32, source="https://a.page"),
)


def refused(tmp_path, info):
    with pytest.raises(DataError) as caught:
        shards.find(
            types.SimpleNamespace(INFO=info), "train", data_dir=tmp_path
        )
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_says_which_archive_is_wanted_and_what_came(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "builder", lambda *a, **k: (None, False))
    info = dataclasses.replace(small_photographs.INFO, archives=ARCHIVES)
    manual = tmp_path / "downloads/manual"
    assert refused(tmp_path, info) == (
        f"small: wanted {manual}/a.tar of 1,200 bytes, there is none; put "
        f"a.tar (1,200 bytes, MD5 {'0' * 32}), b.tar (300 bytes, MD5 "
        f"{'1' * 32}) of https://a.page into {manual}, or point --data_dir or "
        "TFDS_DATA_DIR to where the prepared set lies"
    )
    manual.mkdir(parents=True)
    (manual / "a.tar").write_bytes(bytes(700))
    assert "a.tar of 1,200 bytes, it has 700 bytes; put" in refused(
        tmp_path, info
    )
    (manual / "a.tar").write_bytes(bytes(1200))
    assert "wanted" in refused(tmp_path, info)
    assert "b.tar of 300 bytes, there is none" in refused(tmp_path, info)


def test_imagenet_is_asked_for_by_its_files(tmp_path):
    message = refused(tmp_path, imagenet.INFO)
    assert message.startswith(
        f"imagenet: wanted {tmp_path}/downloads/manual/ILSVRC2012_img_train.tar"
        " of 147,897,477,120 bytes, there is none"
    )
    assert (
        "6,744,924,160 bytes, MD5 29b22e2961454d5413ddabcf34fc5622" in message
    )


def test_a_bucket_is_refused(monkeypatch):
    monkeypatch.setattr(
        reading, "find_data_dir", lambda info, given: epath.Path("gs://b/d")
    )
    module = types.SimpleNamespace(INFO=imagenet.INFO)
    with pytest.raises(DataError, match="wanted a data_dir on a local"):
        shards.find(module, "train", data_dir="gs://b/d")


def test_the_description_is_that_of_tfds(tmp_path, known):
    """What the stand-in leaves out of it, nothing here needs."""
    _, builder = prepared(tmp_path / "tfds", "array_record")
    theirs = json.loads(
        (epath.Path(builder.data_path) / "dataset_info.json").read_text()
    )
    small_photographs.write(tmp_path / "ours")
    ours = json.loads((tmp_path / "ours/dataset_info.json").read_text())
    assert ours["fileFormat"] == theirs["fileFormat"] == "array_record"
    assert ours.keys() <= theirs.keys()
    assert ours["splits"][0].keys() <= theirs["splits"][0].keys()
    assert theirs["splits"][0]["filepathTemplate"] == (
        "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    )


def test_info_is_of_records():
    assert isinstance(imagenet.INFO, RecordInfo)


def test_other_records_have_another_digest(tmp_path):
    for name, damaged in (("a", ()), ("b", ()), ("c", (3,))):
        small_photographs.write(tmp_path / name, damaged)
    one, same, other = (
        small_photographs.find(tmp_path / name).sha256 for name in "abc"
    )
    assert one == same != other
    assert small_photographs.find(tmp_path / "a", "train[:9]").sha256 != one


def test_the_sampled_records_are_the_first_and_the_last_of_each_file(tmp_path):
    """64 records in the first file of 70, and a part of 3 to 67."""
    small_photographs.write(tmp_path)
    found = small_photographs.find(tmp_path, "train[3:67]").sampled_sha256
    files = sorted(tmp_path.glob("*train*"))
    told = hashlib.sha256()
    for file, numbers in zip(files, [(3, 63), (0, 2)], strict=True):
        reader = array_record_module.ArrayRecordReader(str(file))
        for number in numbers:
            told.update(hashlib.sha256(reader.read([number])[0]).digest())
        reader.close()
    assert found == told.hexdigest()


def test_a_damaged_record_that_is_sampled_is_named(tmp_path):
    small_photographs.write(tmp_path)
    file = next(iter(sorted(tmp_path.glob("*train*"))))
    data = bytearray(file.read_bytes())
    data[100:400] = bytes(300)
    file.write_bytes(data)
    with pytest.raises(DataError) as caught:
        small_photographs.find(tmp_path).sampled_sha256  # noqa: B018
    assert str(caught.value).startswith(
        f"small/train: cannot read record 0 or 63 of {file}: "
    )
