"""Sets of listed pictures: prepared from generated ones; what is refused."""

import dataclasses
import json
import types

import pytest
from etils import epath

from ls_tf.data import (
    imagenet_lt,
    imaterialist_2019,
    inaturalist_2019,
    places_lt,
)
from ls_tf.pipeline import array_cache, record_files, shards, stand_in
from ls_tf.pipeline.contract import DataError

SIZES = {"train": 5, "validation": 2}
LABELS = {"train": [0, 2, 1, 2, 2], "validation": [1, 0]}
MODULES = (imagenet_lt, places_lt, inaturalist_2019, imaterialist_2019)


def path_of(base, i):
    return f"train_val2019/{base}/a b/{i}.jpg"


def text_of(form, base):
    rows = list(enumerate(LABELS[base]))
    if form == "lines":
        return "".join(f"{path_of(base, i)} {label}\n" for i, label in rows)
    if form == "classes":
        images = [{"id": path_of(base, i)[:-4], "class": k} for i, k in rows]
        return json.dumps({"images": images})
    return json.dumps(
        {
            "images": [
                {"id": 9 - i, "file_name": path_of(base, i)} for i, _ in rows
            ],
            # In another order than the images.
            "annotations": [
                {"id": i, "image_id": 9 - i, "category_id": k}
                for i, k in reversed(rows)
            ],
        }
    )


def picture(base, i):
    return stand_in.encoded(10 * (base == "train") + i, i % 3, ((40, 50),))


@pytest.fixture(params=MODULES, ids=lambda module: module.INFO.name)
def module(request, tmp_path):
    """A set of its form, small, where a person would have put it."""
    real = request.param
    info = dataclasses.replace(
        real.INFO, sizes=SIZES, num_classes=3, class_names=tuple("abc")
    )
    top = tmp_path / "downloads" / "manual" / info.name
    for base, listed in real.prepare.lists.items():
        top.mkdir(parents=True, exist_ok=True)
        (top / listed.name).write_text(text_of(listed.form, base))
        for i in range(SIZES[base]):
            file = top / listed.folder / path_of(base, i)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(base, i))
    prepare = dataclasses.replace(real.prepare, info=info)
    return types.SimpleNamespace(INFO=info, prepare=prepare, top=top)


def test_pictures_are_as_their_list_says(module, tmp_path, monkeypatch):
    for base, labels in LABELS.items():
        records = shards.find(module, base, data_dir=tmp_path)
        examples = [records.read(i) for i in range(len(records))]
        assert [e.label for e in examples] == labels
        for i, example in enumerate(examples):
            assert example.encoded == picture(base, i)
            assert path_of(base, i).startswith(example.file_name)
    kept = tmp_path / array_cache.FOLDER
    assert [p.name for p in kept.iterdir()] == [f"{module.INFO.name}-1"]

    def never(*args, **kwargs):
        raise AssertionError("prepared again")

    monkeypatch.setattr(record_files, "write", never)
    assert len(shards.find(module, "train", data_dir=tmp_path)) == 5


def refused(module, tmp_path, says):
    with pytest.raises(DataError) as caught:
        shards.find(module, "train", data_dir=tmp_path)
    message = str(caught.value)
    assert says in message and "\n" not in message
    assert not list((tmp_path / array_cache.FOLDER).glob("*"))
    return message


def test_what_is_missing_or_wrong_is_one_line(module, tmp_path):
    listed = module.prepare.lists["train"]
    picture = module.top / listed.folder / path_of("train", 3)
    whole = picture.read_bytes()
    picture.unlink()
    message = refused(module, tmp_path, "train/a b/3")
    assert "there is none; " + module.prepare.advice in message
    picture.write_bytes(whole)
    file = module.top / listed.name
    right = file.read_text()
    file.write_text("no list")
    refused(module, tmp_path, f"{file} is no list of the form")
    file.write_text(text_of(listed.form, "validation"))
    refused(module, tmp_path, f"wanted 5 pictures in {file}, it lists 2")
    for label in ('"class": 2', '"category_id": 2', ".jpg 2"):
        file.write_text(right.replace(label, label[:-1] + "3"))
        if file.read_text() != right:
            break
    refused(module, tmp_path, "wanted labels 0 to 2")
    file.unlink()
    message = refused(module, tmp_path, f"wanted the list {file}, there is")
    assert module.prepare.advice in message
    file.write_text(right)
    assert len(shards.find(module, "train", data_dir=tmp_path)) == 5


def test_no_data_directory_is_one_line(tmp_path):
    with pytest.raises(DataError, match="places_lt: wanted a data_dir on a"):
        places_lt.prepare(data_dir=tmp_path / "nowhere")


def test_sizes_are_those_of_the_papers():
    # Shen et al., table 5; Places-LT as the lists are given away.
    sizes = {
        module.INFO.name: (
            *module.INFO.sizes.values(),
            module.INFO.num_classes,
        )
        for module in MODULES
    }
    assert sizes == {
        "imagenet_lt": (115_846, 20_000, 1000),
        "places_lt": (62_500, 7_300, 365),
        "inaturalist_2019": (265_213, 3_030, 1010),
        "imaterialist_2019": (1_011_532, 10_095, 2019),
    }
    for module in MODULES:
        names = module.INFO.class_names
        assert len(set(names)) == module.INFO.num_classes


def test_many_pictures_are_parted_into_files(tmp_path):
    examples = [
        shards.Example(str(i).encode(), i % 3, f"{i}") for i in range(7)
    ]
    record_files.write(
        epath.Path(tmp_path), "x", {"train": (7, iter(examples))}, per_file=3
    )
    described = json.loads((tmp_path / "dataset_info.json").read_text())
    assert described["splits"] == [
        {"name": "train", "shardLengths": ["3", "3", "1"]}
    ]
    assert len(list(tmp_path.glob("x-train.array_record-*-of-00003"))) == 3
    info = dataclasses.replace(imagenet_lt.INFO, sizes={"train": 7})
    made = types.SimpleNamespace(
        INFO=info, prepare=lambda *, data_dir: str(tmp_path)
    )
    records = shards.find(made, "train", data_dir=None)
    assert [records.read(i) for i in range(7)] == examples
