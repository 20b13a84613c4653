"""The digits of scikit-learn."""

import numpy as np
import pytest
from sklearn import datasets

from ls_tf.data import digits


@pytest.fixture(scope="module")
def splits():
    return {
        name: digits.load(name, data_dir=None) for name in digits.INFO.sizes
    }


def test_counts_shapes_and_types(splits):
    assert {k: len(v["label"]) for k, v in splits.items()} == {
        "train": 1297,
        "test": 500,
    }
    for arrays in splits.values():
        assert arrays["image"].shape == (len(arrays["label"]), 8, 8, 1)
        assert arrays["image"].dtype == np.uint8
        assert arrays["label"].dtype == np.int32
        assert set(arrays["label"].tolist()) == set(range(10))


def _rows(image, label):
    flat = np.concatenate([image.reshape(len(label), -1), label[:, None]], 1)
    return sorted(map(tuple, flat.tolist()))


def test_the_splits_are_the_whole_set_and_share_nothing(splits):
    raw = datasets.load_digits()
    # v * 255 / 16 is never halfway between two integers, so that undoing it
    # by rounding gives back every raw value.
    image = np.concatenate([splits[k]["image"] for k in ("train", "test")])
    label = np.concatenate([splits[k]["label"] for k in ("train", "test")])
    back = np.rint(image.astype(float) * 16 / 255).astype(int)
    assert _rows(back, label) == _rows(raw.images.astype(int), raw.target)


def test_values_span_the_range_of_a_byte(splits):
    image = splits["train"]["image"]
    expected = {round(value * 255 / 16) for value in range(17)}
    assert set(np.unique(image).tolist()) == expected
    assert image.max() == 255


def test_the_order_is_fixed_for_good(splits):
    train = splits["train"]["label"][:12].tolist()
    test = splits["test"]["label"][:12].tolist()
    assert train == [0, 7, 2, 5, 8, 5, 6, 6, 0, 6, 2, 5]
    assert test == [6, 5, 0, 0, 3, 7, 9, 0, 7, 5, 6, 1]
    assert int(splits["train"]["image"].sum()) == 6464407
    assert int(splits["test"]["image"].sum()) == 2489394


def test_the_splits_are_mixed(splits):
    # The file goes through the writers one by one; were the split a plain
    # cut, the last 500 rows would be the test set.
    raw = datasets.load_digits()
    last = _rows(raw.images[-500:].astype(int), raw.target[-500:])
    test = splits["test"]
    back = np.rint(test["image"].astype(float) * 16 / 255).astype(int)
    shared = set(last) & set(_rows(back, test["label"]))
    # 500 * 500 / 1797 = 139 are expected by chance.
    assert 100 < len(shared) < 180


def test_a_bad_split_is_refused():
    with pytest.raises(ValueError, match=r"train \(1297\), test \(500\)"):
        digits.load("validation", data_dir=None)
