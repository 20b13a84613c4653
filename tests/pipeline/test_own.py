"""Images of the user's own, read from files that the tests write."""

import dataclasses
import os
import sys

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

from ls_tf import extras
from ls_tf.data import image_folder, mnist
from ls_tf.pipeline import contract, loading, own, prepared, shards, tfds
from ls_tf.pipeline.contract import DataError


@pytest.mark.parametrize(
    "arrays",
    [
        KERAS,
        KERAS | {"y_train": Y[:9, None].astype(np.uint8)},
        {
            "train_images": X[:9],
            "train_labels": Y[:9],
            "test_images": X[9:],
            "test_labels": Y[9:],
        },
        {
            "images": np.concatenate([X[9:], X[:9]]),
            "labels": np.concatenate([Y[9:], Y[:9]]),
            "split": np.array(["test"] * 3 + ["train"] * 9),
        },
    ],
    ids=["keras", "column", "by split", "split named"],
)
def test_arrays_of_a_numpy_file_are_given_as_they_are(tmp_path, arrays):
    spec = data("npz", npz(tmp_path, **arrays))
    info = own.of(spec, None).INFO
    assert info.name == "npz:own.npz"
    assert info.sizes == {"train": 9, "test": 3}
    assert (info.image_shape, info.num_classes) == ((6, 5, 3), 3)
    assert info.class_names == ("0", "1", "2")
    for split, part in (("train", slice(9)), ("test", slice(9, 12))):
        arrays = loaded(spec, split)
        np.testing.assert_array_equal(arrays["image"], X[part], strict=True)
        label = Y[part].astype(np.int32)
        np.testing.assert_array_equal(arrays["label"], label, strict=True)
    contract.check(info, "test", loaded(spec, "test"))


def test_grey_images_get_a_channel_and_classes_their_names(tmp_path):
    grey = {"x_train": X[:9, ..., 0], "x_test": X[9:, ..., 0]}
    names = np.array(["ant", "bee", "cat"])
    spec = data("npz", npz(tmp_path, **(KERAS | grey), class_names=names))
    assert own.of(spec, None).INFO.image_shape == (6, 5, 1)
    assert own.of(spec, None).INFO.class_names == ("ant", "bee", "cat")
    np.testing.assert_array_equal(loaded(spec, "test")["image"], X[9:, ..., :1])


def test_a_share_of_each_class_is_held_out_by_a_seed(tmp_path):
    x, y = np.tile(X, (5, 1, 1, 1)), np.repeat([0, 1], [40, 20])
    x[:, 0, 0, 0] = np.arange(60)  # tells one from another
    file = npz(tmp_path, images=x, labels=y)
    refused(data("npz", file), "has the split train alone", "data.held_out=")
    spec = data("npz", file, held_out=0.25)
    out, kept = loaded(spec, "test"), loaded(spec, "train")
    assert np.bincount(out["label"]).tolist() == [10, 5]
    assert np.bincount(kept["label"]).tolist() == [30, 15]
    numbers = [a["image"][:, 0, 0, 0].tolist() for a in (out, kept)]
    assert sorted(sum(numbers, [])) == list(range(60))
    np.testing.assert_array_equal(out["image"], x[numbers[0]])
    np.testing.assert_array_equal(out["label"], y[numbers[0]])
    other = dataclasses.replace(spec, held_out_seed=1)
    assert numbers[0] != loaded(other, "test")["image"][:, 0, 0, 0].tolist()
    # Beside a test split, what is held out is to calibrate with.
    both = data("npz", npz(tmp_path, **KERAS), held_out=0.3)
    assert own.of(both, None).INFO.sizes == dict(train=6, test=3, validation=3)


def test_sizes_are_changed_as_pillow_does(tmp_path):
    spec = data("npz", npz(tmp_path, **KERAS), image_size=(5, 5), channels=1)
    # 6 x 5 pixels cover 5 x 5 with 5 of their 6 rows, the middle ones.
    picture = Image.fromarray(X[0]).convert("L")
    wanted = picture.resize((5, 5), Image.Resampling.BICUBIC, (0, 0.5, 5, 5.5))
    got = loaded(spec, "train")["image"]
    assert got.shape == (9, 5, 5, 1)
    np.testing.assert_array_equal(got[0, ..., 0], np.asarray(wanted))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"y_train": Y[:8]}, "npz:own.npz/train: wanted a label of each image,"
         " got 9 images and 8 labels"),
        ({"y_test": Y[9:] / 2}, "/test: wanted labels that are whole numbers, "
         "one of each example, got float64 [3]"),
        ({"y_train": np.eye(9)}, "got float64 [9, 9]"),
        ({"y_train": Y[:9] - 1}, "/train: wanted labels of 0 or more, got -1"),
        ({"y_train": Y[:9] * 2}, "/train: wanted examples of every class, 0 to "
         "4, got none of class 1"),
        ({"y_test": Y[9:] + 1}, "/test: wanted the classes of train, 0 to 2, "
         "got 3"),
        ({"y_train": Y[:9] * 0}, "wanted 2 classes or more, got 1"),
        ({"x_train": X[:9] / 255}, "wanted images as uint8, 0 to 255"),
        ({"x_test": X[9:, :5]}, "wanted images of train's size, 6 x 5 x 3, got "
         "5 x 5 x 3; data.image_size"),
        ({"x_test": X[:0], "y_test": Y[:0]}, "/test: wanted examples, got non"),
        ({"y_train": Y[:9].astype(object)}, "array y_train holds objects, "
         "which would have to be unpickled"),
        ({"x_val": X}, "wanted x_val and y_val, got x_val alone"),
        ({"class_names": np.array(["a", "b"])}, "wanted labels 0 to 1"),
        ({"class_names": np.array(["a", "b", "c", "d"])},
         "got none of class 3 (d)"),
    ],
)  # fmt: skip
def test_arrays_that_cannot_be_learnt_from(tmp_path, change, says):
    refused(data("npz", npz(tmp_path, **(KERAS | change))), says)


def test_files_that_are_none(tmp_path):
    refused(data("npz", ""), "data.source: 'npz' wants the name of a NumPy")
    refused(data("npz", tmp_path / "no.npz"), "there is no file", "no.npz")
    refused(data("npz", tmp_path), f"{tmp_path} is a folder")
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    refused(data("npz", tmp_path / "bad.npz"), "bad.npz is damaged, it is no")
    refused(
        data("npz", npz(tmp_path, pixels=X)), "wanted x_train", "holds pixels"
    )


def test_what_is_too_large_for_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(own, "MOST_BYTES", 1000)
    refused(data("npz", npz(tmp_path, **KERAS)), "GB, wanted at most 0.0 in ")
    monkeypatch.setattr(own, "MOST_BYTES", 10_000)
    spec = data("npz", npz(tmp_path, **KERAS), image_size=(100, 100))
    refused(spec, "npz: 12 images of 100 x 100 x 3 are 0.0 GB, wanted at most")


def test_a_part_of_train_has_all_classes(tmp_path):
    spec = data("npz", npz(tmp_path, **KERAS))
    assert len(loaded(spec, "train[:3]")["label"]) == 3
    with pytest.raises(DataError, match=r"train\[:2\] holds no example of cla"):
        loaded(spec, "train[:2]")


def test_a_prepared_file_says_what_the_set_is(tmp_path):
    spec = data("npz", npz(tmp_path, **KERAS), image_size=(3, 3))
    module, file = own.of(spec, None), tmp_path / "prepared.npz"
    loading.prepare(
        file, experiment="x", module=module, splits=["train"], data_dir=None
    )
    again = own.of(spec, file).INFO
    assert again == dataclasses.replace(
        module.INFO, sizes={"train": 9}, licence=again.licence
    )
    np.testing.assert_array_equal(
        loaded(spec, "train[:6]", file)["image"],
        loaded(spec, "train[:6]")["image"],
    )
    other = dataclasses.replace(spec, image_size=(4, 4))
    with pytest.raises(DataError, match=r"image_size=\(3, 3\).*\(4, 4\)"):
        own.of(other, file)
    assert prepared.is_prepared(file)


# --- Folders ----------------------------------------------------------------


def test_a_folder_gives_exactly_its_pixels_and_labels(tmp_path):
    data_dir = tmp_path / "kept"
    data_dir.mkdir()
    tmp_path /= "pictures"
    folder(tmp_path, "train", two())
    folder(tmp_path, "val", two(X[:1], X[1:2]))
    spec = data("image_folder", tmp_path)
    info = own.of(spec, None).INFO
    assert info.name == f"image_folder:{tmp_path.name}"
    assert info.class_names == ("cat", "dog")
    assert info.sizes == {"train": 12, "validation": 2}
    assert info.image_shape == (6, 5, 3)
    train = loaded(spec, "train", data_dir)
    wanted = {(x.tobytes(), i // 6) for i, x in enumerate(X)}
    assert by_pixels(train) == wanted
    contract.check(info, "train", train)
    # Mixed, and the same again; what was kept is what was decoded.
    assert train["label"].tolist() != sorted(train["label"])
    assert len(list(data_dir.glob("ls_tf_arrays/image_folder/*/*.npy"))) == 2
    image_folder._in_memory.cache_clear()
    kept = loaded(spec, "train", data_dir)
    np.testing.assert_array_equal(kept["image"], train["image"])
    np.testing.assert_array_equal(kept["label"], train["label"])
    # One other pixel is seen, though the arrays were kept.
    changed = X[0].copy()
    changed[0, 0, 0] ^= 1
    Image.fromarray(changed).save(tmp_path / "train/cat/0.png")
    wanted ^= {(X[0].tobytes(), 0), (changed.tobytes(), 0)}
    assert by_pixels(loaded(spec, "train", data_dir)) == wanted


def test_sizes_and_colours_of_files_are_made_alike(tmp_path):
    folder(tmp_path, "", two(X[:6, ..., 0], X[6:, :4, :4]))
    spec = data("image_folder", tmp_path, held_out=0.5)
    said = refused(spec, "wanted images of one size", "data.image_size=HEIGHT")
    assert ".png is" in said
    spec = dataclasses.replace(spec, image_size=(4, 4), channels=3)
    arrays = loaded(spec, "train")
    assert arrays["image"].shape == (6, 4, 4, 3)
    dogs = arrays["image"][arrays["label"] == 1]
    assert {d.tobytes() for d in dogs} < {x[:4, :4].tobytes() for x in X[6:]}
    grey = arrays["image"][arrays["label"] == 0]
    assert (grey[..., :1] == grey).all()


def test_a_jpeg_is_read_as_pillow_reads_it(tmp_path):
    folder(tmp_path, "train", two(), "jpg")
    folder(tmp_path, "test", two(X[:1], X[6:7]), "JPEG")
    images = loaded(data("image_folder", tmp_path), "test")["image"]
    file = tmp_path / "test/cat/0.JPEG"
    assert np.asarray(Image.open(file)).tobytes() in map(bytes, images)


def _empty_class(top):
    (top / "train/eel").mkdir()


def _other_class(top):
    (top / "test/dog").rename(top / "test/eel")


def _lacking_class(top):
    (top / "test/dog").rename(top / "train/eel")


def _cut_short(top):
    file = top / "train/dog/1.png"
    file.write_bytes(file.read_bytes()[:-30])


def _of_16_bits(top):
    deep = np.full((6, 5), 1000, np.uint16)
    Image.fromarray(deep).save(top / "train/dog/1.png")


def _other_format(top):
    Image.fromarray(X[0]).save(top / "train/dog/1.gif")


def _unknown_split(top):
    (top / "tset").mkdir()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_empty_class, "/train: wanted PNG, JPEG or WEBP files of every "),
        (_other_class, "/test: wanted the classes of train, 'dog' is missing"),
        (_lacking_class, "/test: wanted the classes of train, 'dog' is missi"),
        (_cut_short, "train/dog/1.png is damaged, or no PNG, JPEG or WEBP: "),
        (_of_16_bits, "train/dog/1.png: wanted 8 bits a channel"),
        (_other_format, "got {top}/train/dog/1.gif"),
        (_unknown_split, "wanted beside train the folders test and validation"),
    ],
)
def test_folders_that_cannot_be_learnt_from(tmp_path, spoil, says):
    folder(tmp_path, "train", two())
    folder(tmp_path, "test", two(X[:1], X[6:7]))
    spoil(tmp_path)
    refused(data("image_folder", tmp_path), says.format(top=tmp_path))


def test_folders_that_are_none(tmp_path):
    spec = data("image_folder", tmp_path / "no")
    refused(spec, "data.source: wanted a folder,", "no is not there")
    (tmp_path / "no").write_text("")
    refused(spec, "no is none")
    refused(
        data("image_folder", tmp_path), "wanted PNG, JPEG or WEBP files in a fo"
    )
    folder(tmp_path, "train", {"cat": X})
    refused(data("image_folder", tmp_path), "wanted 2 classes or more")
    refused(data("image_folder", "gs://x/y"), "wanted a folder on a local")


# --- TensorFlow Datasets ----------------------------------------------------

TFDS_DIR = os.environ.get("TFDS_DATA_DIR", "")


@pytest.mark.slow
@pytest.mark.skipif(
    not os.path.isdir(f"{TFDS_DIR}/mnist"), reason="MNIST is not prepared"
)
def test_a_set_named_as_tfds_has_it_is_that_set(tmp_path):
    os.symlink(f"{TFDS_DIR}/mnist", tmp_path / "mnist")
    spec = data("tfds", "mnist")
    info = own.of(spec, tmp_path).INFO
    for field in ("sizes", "image_shape", "num_classes", "class_names"):
        assert getattr(info, field) == getattr(mnist.INFO, field)
    arrays = loaded(spec, "test", tmp_path)
    wanted = loading.load(mnist, "test", data_dir=TFDS_DIR)
    for key in ("image", "label"):
        np.testing.assert_array_equal(arrays[key], wanted[key], strict=True)
    with pytest.raises(DataError, match="no data set 'kmnst'; near it: kmnist"):
        own.of(data("tfds", "kmnst"), tmp_path)
    # What TFDS said is kept, and it is not asked again.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds, "builder", None)
        assert info == own.of(spec, tmp_path).INFO
        assert loaded(spec, "test[:3]", tmp_path)["label"].tolist() == (
            wanted["label"][:3].tolist()
        )


def test_jpegs_of_a_folder_are_streamed_as_they_are(tmp_path):
    folder(tmp_path / "in", "", two(), "jpg")
    (tmp_path / "data").mkdir()
    spec = data(
        "image_folder",
        tmp_path / "in",
        held_out=0.5,
        augmentation="imagenet_32",
    )
    module = own.of(spec, tmp_path / "data")
    assert isinstance(module.INFO, contract.RecordInfo)
    assert module.INFO.sizes == {"train": 6, "test": 6}
    read = []
    for base in ("train", "test"):
        records = shards.find(module, base, data_dir=tmp_path / "data")
        read += [records.read(i) for i in range(len(records))]
    files = sorted((tmp_path / "in").glob("*/*.jpg"))
    assert {(e.file_name, e.encoded, e.label) for e in read} == {
        (str(f), f.read_bytes(), int(f.parent.name == "dog")) for f in files
    }
    # What would be cut twice is refused.
    spec = dataclasses.replace(spec, image_size=(8, 8))
    refused(spec, "wanted nothing, the augmentation of photographs makes them")


# --- Hugging Face -----------------------------------------------------------


def test_without_its_library_a_hugging_face_set_is_refused(monkeypatch):
    monkeypatch.setattr(tfds, "answers", lambda url: True)
    monkeypatch.setattr(extras, "is_there", lambda library: False)
    monkeypatch.setitem(sys.modules, "datasets", None)  # as if not installed
    with pytest.raises(extras.MissingError) as caught:
        own.of(data("hf", "x/y"), None)
    assert str(caught.value) == (
        "data.name=hf wants the package datasets, which is not installed; "
        'install it with: pip install "ls_tf[hf]"'
    )


@pytest.mark.slow
def test_a_hugging_face_set_on_disk_gives_its_pixels(tmp_path):
    spec = hugging_face(
        tmp_path / "a", train=(X[:9], Y[:9]), test=(X[9:], Y[9:])
    )
    info = own.of(spec, None).INFO
    assert info.sizes == {"train": 9, "test": 3}
    assert (info.image_shape, info.class_names) == ((6, 5, 3), ("a", "b", "c"))
    for split, part in (("train", slice(9)), ("test", slice(9, 12))):
        arrays = loaded(spec, split)
        np.testing.assert_array_equal(arrays["image"], X[part], strict=True)
        assert arrays["label"].tolist() == Y[part].tolist()
    alone = hugging_face(tmp_path / "b", train=(X, Y))
    refused(alone, "has the split train alone")
    (tmp_path / "c").mkdir()
    refused(data("hf", tmp_path / "c"), "c holds no Hugging Face data set")
