"""ImageNet, Tiny ImageNet, CUB-200 and their stand-ins."""

import dataclasses
import io
import pathlib
import types
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from ls_tf.data import (
    cub200,
    cub200_stand_in,
    imagenet,
    imagenet_lt,
    imagenet_lt_stand_in,
    imagenet_stand_in,
    tiny_imagenet,
    tiny_imagenet_stand_in,
)
from ls_tf.measuring import class_choice
from ls_tf.pipeline import (
    array_cache,
    contract,
    jpeg,
    painted,
    shards,
    stand_in,
    tiny_imagenet_builder,
)
from ls_tf.pipeline.contract import DataError

PAIRS = (
    (imagenet, imagenet_stand_in),
    (tiny_imagenet, tiny_imagenet_stand_in),
    (cub200, cub200_stand_in),
    (imagenet_lt, imagenet_lt_stand_in),
)


# --- Classes and sizes ------------------------------------------------------


def test_imagenet_counts_its_classes_as_tfds_does():
    labels = pathlib.Path(tfds.__file__).parent / "datasets/imagenet2012"
    ids = (labels / "labels.txt").read_text().split()
    names = imagenet.INFO.class_names
    known = {i: n for i, n in enumerate(names) if n != ids[i]}
    assert known == {
        0: "tench",
        265: "toy_poodle",
        266: "miniature_poodle",
        299: "meerkat",
        499: "cleaver",
    }
    assert [ids[i] for i in known] == [
        "n01440764",
        "n02113624",
        "n02113712",
        "n02138441",
        "n03041632",
    ]


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (("tench", "meerkat", "cleaver"), (0, 299, 499)),
        (("toy_poodle", "miniature_poodle", "tench"), (265, 266, 0)),
    ],
)
def test_the_classes_of_figure_1_are_found(names, ids):
    network = types.SimpleNamespace(class_names=imagenet.INFO.class_names)
    assert class_choice.ids("penultimate", network, names, 3) == ids


def test_tiny_imagenet_is_a_part_of_imagenet():
    labels = pathlib.Path(tfds.__file__).parent / "datasets/imagenet2012"
    every = set((labels / "labels.txt").read_text().split())
    names = tiny_imagenet.INFO.class_names
    assert len(set(names)) == 200 and set(names) <= every
    assert names[0] == "n02124075"


def test_sizes_are_those_of_the_builders_and_of_the_papers():
    assert imagenet.INFO.sizes == {"train": 1_281_167, "validation": 50_000}
    assert tiny_imagenet.INFO.sizes == {
        "train": 200 * 500,
        "validation": 200 * 50,
    }
    assert cub200.INFO.sizes == {"train": 5_994, "test": 5_794}
    # TFDS has both; what it promises is checked where the files lie.
    for name in (imagenet.INFO.tfds, cub200.INFO.tfds):
        assert tfds.builder_cls(name)


def test_fifty_thousand_training_images_can_be_held_out():
    sizes = imagenet.INFO.sizes
    assert contract.parse_split("train[:1231167]", sizes)[1:] == (0, 1_231_167)
    held = contract.parse_split("train[1231167:]", sizes)
    assert held == ("train", 1_231_167, 1_281_167)
    assert held[2] - held[1] == 50_000


# --- Stand-ins --------------------------------------------------------------


@pytest.mark.parametrize(("real", "made"), PAIRS)
def test_a_stand_in_has_the_classes_of_the_real_set(real, made, tmp_path):
    assert made.INFO.class_names == real.INFO.class_names
    assert made.INFO.sizes.keys() == real.INFO.sizes.keys()
    base = next(b for b in made.INFO.sizes if b != "train")
    records = shards.find(made, base, data_dir=tmp_path)
    assert len(records) == 256
    labels = [records.read(i).label for i in range(256)]
    of_imagenet = real in (imagenet, imagenet_lt)
    classes = [0, 265, 266, 299, 499] if of_imagenet else [*range(5)]
    assert sorted(set(labels)) == classes
    assert np.bincount(labels).max() < 256 / 5 * 1.5
    shape = jpeg.decode(records.read(0).encoded).shape
    wanted = (64, 64) if real is tiny_imagenet else stand_in.SMALL[512 % 3]
    assert shape == (*wanted, 3)


def test_a_stand_in_is_painted_once(tmp_path, monkeypatch):
    one = imagenet_stand_in.prepare(data_dir=tmp_path)
    kept = tmp_path / array_cache.FOLDER
    assert pathlib.Path(one).parent == kept
    assert [p.name for p in kept.iterdir()] == ["imagenet_stand_in-1"]

    def never(*args, **kwargs):
        raise AssertionError("painted again")

    monkeypatch.setattr(stand_in, "write", never)
    assert imagenet_stand_in.prepare(data_dir=tmp_path) == one


def test_a_stand_in_needs_no_data_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setattr(stand_in, "_folders", {})
    sizes = {"train": 3, "validation": 2}
    info, prepare = painted.stand_in(imagenet.INFO, sizes, classes=(0, 499))
    one = prepare(data_dir=None)
    assert prepare(data_dir=None) == one
    module = types.SimpleNamespace(INFO=info, prepare=prepare)
    assert len(shards.find(module, "train", data_dir=None)) == 3


def test_who_paints_second_takes_what_the_first_has_painted(
    tmp_path, monkeypatch
):
    original = stand_in.write

    def write(folder, *args, **kwargs):
        original(folder, *args, **kwargs)
        if folder.name.endswith(".tmp"):
            # Another process was quicker.
            original(kept / "imagenet_stand_in-1", *args, **kwargs)

    kept = stand_in.epath.Path(tmp_path / array_cache.FOLDER)
    monkeypatch.setattr(stand_in, "write", write)
    folder = imagenet_stand_in.prepare(data_dir=tmp_path)
    assert [p.name for p in kept.iterdir()] == ["imagenet_stand_in-1"]
    assert (pathlib.Path(folder) / "dataset_info.json").exists()


def test_pictures_of_a_class_are_alike():
    shape = (60, 80)
    one, same = (stand_in.picture(7, n, shape).astype(float) for n in (1, 2))
    other = stand_in.picture(8, 3, shape).astype(float)
    assert np.abs(one - same).mean() < 0.7 * np.abs(one - other).mean()
    assert not np.array_equal(one, same)


def test_real_sizes_of_pictures_are_an_option(tmp_path):
    stand_in.write(
        stand_in.epath.Path(tmp_path), "x", {"train": 3}, classes=(0,)
    )
    info = dataclasses.replace(
        imagenet_stand_in.INFO, sizes={"train": 3}, tfds="x"
    )
    module = types.SimpleNamespace(
        INFO=info, prepare=lambda *, data_dir: str(tmp_path)
    )
    records = shards.find(module, "train", data_dir=None)
    shapes = [jpeg.size(records.read(i).encoded) for i in range(3)]
    assert shapes == [(375, 500), (500, 375), (333, 500)]


# --- Tiny ImageNet's archive ------------------------------------------------


def archive(path, classes=("n1", "n2")):
    """A small archive of the real form."""
    root = "tiny-imagenet-200"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(f"{root}/wnids.txt", "".join(f"{c}\n" for c in classes))
        for label, name in enumerate(classes):
            for i in range(3):
                data = picture(label, 10 * label + i)
                made.writestr(
                    f"{root}/train/{name}/images/{name}_{i}.JPEG", data
                )
            made.writestr(f"{root}/train/{name}/{name}_boxes.txt", "x")
        lines = []
        for i in range(4):
            made.writestr(
                f"{root}/val/images/val_{i}.JPEG", picture(i % 2, 50 + i)
            )
            lines.append(f"val_{i}.JPEG\t{classes[i % 2]}\t0\t0\t9\t9\n")
        made.writestr(f"{root}/val/val_annotations.txt", "".join(lines))
        made.writestr(f"{root}/test/images/test_0.JPEG", picture(0, 99))


def picture(label, number):
    return jpeg.encode(stand_in.picture(label, number, (64, 64)), 90)


@pytest.fixture
def manual(tmp_path):
    folder = tmp_path / "downloads/manual"
    folder.mkdir(parents=True)
    return folder / tiny_imagenet_builder.NAME


def small(monkeypatch, path):
    size = path.stat().st_size
    monkeypatch.setattr(tiny_imagenet_builder, "SIZE", size)
    info = dataclasses.replace(
        tiny_imagenet.INFO, sizes={"train": 6, "validation": 4}
    )
    monkeypatch.setattr(tiny_imagenet, "INFO", info)


def test_tiny_imagenet_is_prepared_from_its_archive(
    manual, tmp_path, monkeypatch
):
    archive(manual)
    small(monkeypatch, manual)
    found = {}
    for split in ("train", "validation"):
        records = shards.find(tiny_imagenet, split, data_dir=tmp_path)
        for i in range(len(records)):
            example = records.read(i)
            found[example.file_name] = example
    assert sorted(found) == sorted(
        [f"n{c}_{i}.JPEG" for c in (1, 2) for i in range(3)]
        + [f"val_{i}.JPEG" for i in range(4)]
    )
    assert {n: e.label for n, e in found.items() if n[0] == "n"} == {
        f"n{c}_{i}.JPEG": c - 1 for c in (1, 2) for i in range(3)
    }
    assert [found[f"val_{i}.JPEG"].label for i in range(4)] == [0, 1, 0, 1]
    # The bytes of the archive, not encoded anew.
    assert found["n2_1.JPEG"].encoded == picture(1, 11)


def test_half_an_archive_of_tiny_imagenet_is_refused(manual, tmp_path):
    buffer = io.BytesIO()
    archive(buffer)
    manual.write_bytes(buffer.getvalue()[:1000])
    with pytest.raises(DataError) as caught:
        shards.find(tiny_imagenet, "train", data_dir=tmp_path)
    message = str(caught.value)
    assert f"wanted {manual} of 248,100,043 bytes" in message
    assert "it has 1,000" in message
    assert "\n" not in message


def test_tiny_imagenet_says_where_its_archive_goes(tmp_path, monkeypatch):
    from ls_tf.pipeline import tfds as reading

    def refuse(urls):
        raise ConnectionError(f"no way to {urls[0]}")

    monkeypatch.setattr(reading, "_probe", refuse)
    with pytest.raises(DataError) as caught:
        shards.find(tiny_imagenet, "train", data_dir=tmp_path)
    message = str(caught.value)
    assert "no way to http://cs231n.stanford.edu/tiny-imagenet-200" in message
    assert f"{tmp_path}/downloads/manual/tiny-imagenet-200.zip" in message
    assert "90528d7ca1a48142e341f4ef8d21d0de" in message


def test_cub200_says_how_it_is_prepared(tmp_path, monkeypatch):
    from ls_tf.pipeline import tfds as reading

    def refuse(urls):
        raise ConnectionError("no way out")

    monkeypatch.setattr(reading, "_probe", refuse)
    with pytest.raises(DataError) as caught:
        shards.find(cub200, "train", data_dir=tmp_path)
    message = str(caught.value)
    assert "cub200: not in" in message
    assert "build caltech_birds2011 --file_format=array_record" in message
