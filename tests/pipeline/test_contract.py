"""The language of splits and the promises of a data set."""

import dataclasses

import numpy as np
import pytest

from ls_tf.data import digits, emnist, fashion_mnist, mnist
from ls_tf.pipeline import contract
from ls_tf.pipeline.contract import DataError

SIZES = {"train": 60_000, "test": 7}


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("train", ("train", 0, 60_000)),
        ("test", ("test", 0, 7)),
        ("train[:]", ("train", 0, 60_000)),
        ("train[:50000]", ("train", 0, 50_000)),
        ("train[50000:]", ("train", 50_000, 60_000)),
        ("train[10:20]", ("train", 10, 20)),
        ("train[59999:60000]", ("train", 59_999, 60_000)),
        ("train[25%:75%]", ("train", 15_000, 45_000)),
        ("train[10:50%]", ("train", 10, 30_000)),
        ("test[:100%]", ("test", 0, 7)),
        ("test[:50%]", ("test", 0, 4)),  # 3.5 rounds up
        ("test[50%:]", ("test", 4, 7)),  # and the halves do not overlap
    ],
)
def test_reads_a_split(split, expected):
    assert contract.parse_split(split, SIZES) == expected


@pytest.mark.parametrize(
    "split",
    [
        "trian",  # no such split
        "",
        "train[",
        "train[]",
        "train[5]",
        "train[:-1]",
        "train[:1.5%]",
        "train[:5] ",
        "train[:5]\n",
        "train+test",
        "train[:٣]",  # digits of another script
        "train[:60001]",  # out of range
        "train[60001:]",
        "train[:101%]",
        "train[:0]",  # empty
        "train[60000:]",
        "train[20:10]",
        "test[1%:2%]",
    ],
)
def test_refuses_a_bad_split_in_one_line_that_lists_what_exists(split):
    with pytest.raises(DataError) as caught:
        contract.parse_split(split, SIZES)
    message = str(caught.value)
    assert "\n" not in message
    assert "train (60000), test (7)" in message


@pytest.mark.parametrize("cut", [0, 1, 333, 1296, 1297])
def test_two_halves_of_a_cut_make_the_whole(cut):
    whole = digits.load("train", data_dir=None)["label"]
    parts = []
    if cut > 0:
        parts.append(digits.load(f"train[:{cut}]", data_dir=None)["label"])
    if cut < 1297:
        parts.append(digits.load(f"train[{cut}:]", data_dir=None)["label"])
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("module", [digits, mnist, fashion_mnist, emnist])
def test_info_is_whole(module):
    info = module.INFO
    assert info.name == module.__name__.rpartition(".")[2]
    assert set(info.sizes) == {"train", "test"}
    assert len(info.class_names) == info.num_classes
    assert len(set(info.class_names)) == info.num_classes
    assert info.licence and info.source
    dataclasses.asdict(info)  # plain enough to be written down
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.name = "other"


def test_sizes_and_classes_are_those_of_the_publications():
    assert mnist.INFO.sizes == {"train": 60_000, "test": 10_000}
    assert fashion_mnist.INFO.sizes == {"train": 60_000, "test": 10_000}
    # 47 classes of 2,400 and of 400 examples.
    assert emnist.INFO.sizes == {"train": 47 * 2400, "test": 47 * 400}
    assert emnist.INFO.num_classes == 47
    assert mnist.INFO.num_classes == fashion_mnist.INFO.num_classes == 10


def _arrays(info, base):
    size = info.sizes[base]
    return {
        "image": np.zeros((size, *info.image_shape), np.uint8),
        "label": np.arange(size, dtype=np.int32) % info.num_classes,
    }


def test_check_passes_what_is_as_promised():
    contract.check(digits.INFO, "test", _arrays(digits.INFO, "test"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a | {"image": a["image"][1:]}, "wanted 500 examples"),
        (lambda a: a | {"label": a["label"][1:]}, "wanted 500 examples"),
        (lambda a: a | {"image": a["image"][:, 1:]}, "shape"),
        (lambda a: a | {"label": a["label"][:, None]}, "one label each"),
        (lambda a: a | {"image": a["image"].astype(float)}, "uint8"),
        (lambda a: a | {"label": a["label"].astype(np.int64)}, "int32"),
        (lambda a: a | {"label": a["label"] + 1}, "labels 0 to 9"),
        (lambda a: a | {"label": a["label"] - 1}, "labels 0 to 9"),
    ],
)
def test_check_names_the_first_difference(change, says):
    arrays = change(_arrays(digits.INFO, "test"))
    with pytest.raises(DataError, match=says) as caught:
        contract.check(digits.INFO, "test", arrays)
    assert "\n" not in str(caught.value)
    assert "digits/test" in str(caught.value)
