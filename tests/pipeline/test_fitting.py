"""Images of one data set in the shape of another's."""

import dataclasses

import numpy as np
import pytest
from own_sets import X, Y, folder, npz, two
from PIL import Image, ImageOps
from scipy import ndimage

from ls_tf.data import digits
from ls_tf.pipeline import fitting, own, prepared
from ls_tf.spec import SpecError


def test_the_same_shape_is_left_alone():
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1)
    assert fitting.fitted(images, (3, 4, 1)) is images


def test_a_row_of_two_pixels_by_hand():
    # Twice as wide: centres at -1/4, 1/4, 3/4 and 5/4 of the old ones.
    images = np.array([0, 200], np.uint8).reshape(1, 1, 2, 1)
    found = fitting.fitted(images, (1, 4, 3))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(
        found[0, 0], [[0] * 3, [50] * 3, [150] * 3, [200] * 3]
    )


def test_colours_become_grey():
    red = np.zeros((1, 2, 2, 3), np.uint8)
    red[..., 0] = 200
    found = fitting.fitted(red, (4, 4, 1))
    np.testing.assert_array_equal(found, np.full((1, 4, 4, 1), 60))


def test_against_scipy():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 8, 8, 1), np.uint8)
    found = fitting.fitted(images, (28, 28, 1))
    want = np.stack(
        [
            ndimage.zoom(
                image[..., 0].astype(float),
                28 / 8,
                order=1,
                mode="nearest",
                grid_mode=True,
            )
            for image in images
        ]
    )
    np.testing.assert_allclose(found[..., 0], want, atol=0.51)


def test_digits_as_large_as_mnist():
    found = fitting.load("digits", "test", (28, 28, 1), data_dir=None)
    assert found["image"].shape == (500, 28, 28, 1)
    np.testing.assert_array_equal(
        found["label"], digits.load("test", data_dir=None)["label"]
    )


def test_digits_beside_a_prepared_file_of_another_set(tmp_path):
    path = tmp_path / "other.npz"
    info = dataclasses.replace(digits.INFO, name="other", sizes={"test": 500})
    arrays = digits.load("test", data_dir=None)
    prepared.write(path, experiment="x", info=info, splits={"test": arrays})
    found = fitting.load("digits", "train", (8, 8, 1), data_dir=str(path))
    np.testing.assert_array_equal(
        found["image"], digits.load("train", data_dir=None)["image"]
    )


def test_the_user_s_own_images_are_made_as_large(tmp_path):
    folder(tmp_path / "in", "", two())
    name = f"image_folder:{tmp_path / 'in'}"
    path = tmp_path / "prepared.npz"  # of the run's own data: not looked at
    parts = [
        fitting.load(name, split, (3, 4, 1), data_dir=str(path))
        for split in ("train", "test")
    ]
    found = np.concatenate([part["image"] for part in parts])
    assert [len(part["image"]) for part in parts] == [6, 6]
    grey = [Image.fromarray(x).convert("L") for x in X]
    method = Image.Resampling.BICUBIC
    wanted = [np.asarray(ImageOps.fit(g, (4, 3), method)) for g in grey]
    assert sorted(map(bytes, found)) == sorted(map(bytes, wanted))
    # Of a set with a validation split that is measured on.
    arrays = {"x_train": X[:9], "y_train": Y[:9], "x_val": X[9:]}
    file = npz(tmp_path, **arrays, y_val=Y[9:])
    found = fitting.load(f"npz:{file}", "test", (6, 5, 3), data_dir=None)
    np.testing.assert_array_equal(found["image"], X[9:])
    assert own.shown(f"npz:{file}") == "npz:own.npz"
    assert own.shown("digits") == "digits"


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("nosuch", "test", "no data set 'nosuch'"),
        ("numbers_ende", "test", "wanted a data set of images"),
        ("imagenet_stand_in", "test", "wanted a data set of images"),
        ("digits", "dev", "no split 'dev'"),
        ("digits:a", "test", "wanted digits alone, it has no source"),
        ("npz", "test", "wanted its source behind a colon, as npz:SOURCE"),
        ("npz:no.npz", "test", "there is no file no.npz"),
    ],
)
def test_refusals(name, split, message):
    with pytest.raises(SpecError, match=message) as caught:
        fitting.load(name, split, (28, 28, 1), data_dir=None)
    assert "\n" not in str(caught.value)
