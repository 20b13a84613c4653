"""What people's own files are like: turned, deep, linked, oddly named."""

import os

import cv2
import numpy as np
import pytest
from own_sets import (
    KERAS,
    X,
    Y,
    by_pixels,
    data,
    folder,
    hugging_face,
    loaded,
    npz,
    refused,
    two,
)
from PIL import Image

from ls_tf.pipeline import fitting, own
from ls_tf.spec import SpecError

_ORIENTATION = 0x112


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_picture_is_turned_as_the_camera_was_held(tmp_path, kind):
    # Saved on its side: 6 means a quarter turn clockwise to see it.
    told = Image.Exif()
    told[_ORIENTATION] = 6
    folder(tmp_path, "train", two(X[:2], X[6:]))
    folder(tmp_path, "test", two(X[:1], X[6:7]))
    file = tmp_path / "train/cat/0.png"
    file.unlink()
    turned = file.with_suffix(f".{kind}")
    on_its_side = Image.fromarray(np.rot90(X[0], 1).copy())  # [5, 6, 3]
    on_its_side.save(turned, exif=told, quality=95)
    pixels = np.rot90(np.asarray(Image.open(turned)), -1)
    train = loaded(data("image_folder", tmp_path), "train")
    assert (pixels.tobytes(), 0) in by_pixels(train)


def test_directions_that_cannot_be_read_cost_no_picture(tmp_path):
    folder(tmp_path, "train", two())
    folder(tmp_path, "test", two(X[:1], X[6:7]))
    file = tmp_path / "train/cat/0.png"
    Image.fromarray(X[0]).save(file, exif=b"Exif\0\0II*\0\xff\xff\xff")
    train = loaded(data("image_folder", tmp_path), "train")
    assert (X[0].tobytes(), 0) in by_pixels(train)


def test_colours_of_16_bits_are_refused_as_greys_are(tmp_path):
    folder(tmp_path, "train", two())
    file = tmp_path / "train/dog/1.png"
    cv2.imwrite(str(file), X[0].astype(np.uint16) * 257)
    said = refused(data("image_folder", tmp_path, held_out=0.2), "dog/1.png")
    assert "wanted 8 bits a channel, grey or colours, got 16; scale" in said


def test_what_only_ends_as_a_picture_is_told_in_plain_words(tmp_path):
    folder(tmp_path, "train", two())
    (tmp_path / "train/dog/1.png").write_bytes(b"GIF89a")
    spec = data("image_folder", tmp_path, held_out=0.2)
    refused(spec, "dog/1.png is damaged, or no PNG, JPEG or WEBP: its first")
    folder(tmp_path, "val", {"cat": X[:1, ..., 0], "dog": X[6:7]})
    Image.fromarray(X[1]).convert("RGBA").save(tmp_path / "train/dog/1.png")
    spec = data("image_folder", tmp_path)
    said = refused(
        spec, "/validation: wanted images of one size,", " 6 x 5 x 1"
    )
    assert "--set=data.channels=3 or 1" in said


def test_names_and_links_of_any_kind_are_read(tmp_path):
    top = tmp_path / "Bücher & Bäume"
    folder(top, "Train", {"große Katze": X[:4], "_dog": X[6:]})
    folder(top, "VAL", {"große Katze": X[:1], "_dog": X[6:7]})
    # A linked folder and a linked file are read; what is hidden is not, and
    # a link to where it lies is followed once.
    folder(tmp_path, "else", {"more": X[4:5]})
    cats = top / "Train/große Katze"
    os.symlink(tmp_path / "else/more", cats / "linked")
    Image.fromarray(X[5]).save(tmp_path / "far away.PNG")
    os.symlink(tmp_path / "far away.PNG", cats / "ä b.png")
    os.symlink(cats, cats / "again")
    folder(cats, ".hidden", {"x": X[:3]})
    spec = data("image_folder", top)
    info = own.of(spec, None).INFO
    assert info.class_names == ("_dog", "große Katze")
    assert info.sizes == {"train": 12, "validation": 1 + 1}
    wanted = {(x.tobytes(), int(i < 6)) for i, x in enumerate(X)}
    assert by_pixels(loaded(spec, "train")) == wanted


def test_names_that_no_record_can_hold_are_refused(tmp_path):
    folder(tmp_path, "train", two())
    os.rename(tmp_path / "train/cat", os.fsencode(tmp_path) + b"/train/\xff")
    refused(
        data("image_folder", tmp_path), "wanted names in UTF-8, got b'", "f"
    )


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("Training", "Testing"), "wanted beside train the folders test and "),
        (("test", "val"), "wanted a folder train beside"),
        (("train", "val", "valid"), "(or val), each once, got"),
    ],
)
def test_folders_that_look_like_splits_are_no_classes(tmp_path, names, says):
    for name in names:
        folder(tmp_path, name, two(X[:1], X[1:2]))
    refused(data("image_folder", tmp_path), says)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x_train": X[:9] / 255}, "[9, 6, 5, 3]; np.rint(255 * x).astype"),
        ({"x_train": X[:9].astype(np.float32)}, "; np.rint(x).astype"),
        ({"x_train": np.full(X[:9].shape, np.nan)}, "; some are no numbers"),
        ({"x_train": X[:9].astype(int) * 3 - 9}, ", -9 to "),
        ({"x_train": np.moveaxis(X[:9], 3, 1).repeat(2, 3)},
         "channels last, [N, H, W, C], got [9, 3, 6, 10]; np.moveaxis(x, 1,"),
        ({"y_train": Y[:9] + 1, "y_test": Y[9:] + 1}, "class 0; y - 1 begins"),
        ({"y_train": Y[:9] / 1}, "float64 [9]; y.astype(int)"),
        ({"y_train": np.eye(3)[Y[:9]]}, "[9, 3]; of a column for each class"),
        ({"y_train": np.array(["a", "b", "c"])[Y[:9]]}, "; class_names, y"),
        ({"y_train": Y[:9] + 10**9 * (Y[:9] == 2)},
         "of every class, 0 to 1000000002, got none of class 2"),
        ({"y_test": np.array([0, 1, 2**64 - 1], np.uint64)}, "1844674407370"),
    ],
)  # fmt: skip
def test_a_message_says_what_would_help(tmp_path, change, says):
    refused(data("npz", npz(tmp_path, **(KERAS | change))), says)


@pytest.mark.slow
def test_splits_without_labels_are_left_out_of_a_hugging_face_set(tmp_path):
    spec = hugging_face(
        tmp_path / "a",
        label="fine_label",
        train=(X[:6], Y[:6]),
        valid=(X[6:9], Y[6:9]),
        test=(X[9:], [-1] * 3),
    )
    assert own.of(spec, None).INFO.sizes == {"train": 6, "validation": 3}
    np.testing.assert_array_equal(loaded(spec, "validation")["image"], X[6:9])
    part = hugging_face(
        tmp_path / "b", train=(X[:9], Y[:9]), test=(X[9:], [0, -1, 1])
    )
    refused(part, "/test: wanted labels of 0 or more, got -1")
    lacks = hugging_face(
        tmp_path / "c", train=([*X[:8], None], Y[:9]), test=(X[9:], Y[9:])
    )
    refused(lacks, "/train: image 8 is missing; wanted one for each label")


@pytest.mark.slow
def test_columns_that_might_be_meant_are_told(tmp_path):
    datasets = pytest.importorskip("datasets")
    kinds = datasets.ClassLabel(names=["a", "b", "c"])
    images = [Image.fromarray(x) for x in X]
    columns = {"img": images, "fine_label": Y.tolist(), "coarse": Y.tolist()}
    features = {"img": datasets.Image(), "fine_label": kinds, "coarse": kinds}
    for name, changed, says in (
        ("both", {}, "got fine_label, coarse among img, fine_label, coarse; "
         "say which, as --set=data.label_column=fine_label"),
        ("none", {"fine_label": datasets.Value("int64"),
                  "coarse": datasets.Value("int64")},
         "class labels, got none among img, fine_label, coarse; in datasets "
         "class_encode_column("),
    ):  # fmt: skip
        table = datasets.Dataset.from_dict(
            columns, features=datasets.Features(features | changed)
        )
        table.save_to_disk(tmp_path / name)
        refused(data("hf", tmp_path / name, held_out=0.2), says)


@pytest.mark.slow
def test_the_column_that_is_named_is_learnt(tmp_path):
    datasets = pytest.importorskip("datasets")
    fine = datasets.ClassLabel(names=["a", "b", "c"])
    coarse = datasets.ClassLabel(names=["x", "y"])
    features = {"img": datasets.Image(), "fine_label": fine, "coarse": coarse}
    table = datasets.Dataset.from_dict(
        {
            "img": [Image.fromarray(x) for x in X],
            "fine_label": Y.tolist(),
            "coarse": (Y % 2).tolist(),
        },
        features=datasets.Features(features),
    )
    parts = {"train": table, "test": table}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "two")
    for column, labels, names in (
        ("fine_label", Y, ("a", "b", "c")),
        ("coarse", Y % 2, ("x", "y")),
    ):
        spec = data("hf", tmp_path / "two", label_column=column)
        info = own.of(spec, None).INFO
        assert info.class_names == names
        assert info.source.endswith(f"label_column={column}")  # as recorded
        np.testing.assert_array_equal(loaded(spec, "test")["label"], labels)
    refused(
        data("hf", tmp_path / "two", label_column="img"),
        "data.label_column: wanted a column of class labels, fine_label, "
        "coarse, got img",
    )
    # Of a set that is only measured on no field of the experiment says it.
    foreign = f"hf:{tmp_path / 'two'}"
    with pytest.raises(SpecError, match="rename_column") as caught:
        fitting.load(foreign, "test", (6, 5, 3), data_dir=None)
    assert "data.label_column" not in str(caught.value)
    renamed = {
        base: part.rename_column("coarse", "label")
        for base, part in parts.items()
    }
    datasets.DatasetDict(renamed).save_to_disk(tmp_path / "renamed")
    foreign = f"hf:{tmp_path / 'renamed'}"
    found = fitting.load(foreign, "test", (6, 5, 3), data_dir=None)
    np.testing.assert_array_equal(found["label"], Y % 2)


def test_a_column_of_labels_is_of_sets_with_columns_alone(tmp_path):
    spec = data("npz", npz(tmp_path, **KERAS), label_column="y")
    refused(spec, "data.label_column: wanted nothing, 'npz' has no columns")
