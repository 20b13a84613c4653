"""Small sets of made-up photographs, and a stream's independent reference."""

import types

import numpy as np
from etils import epath

from ls_tf.pipeline import jpeg, shards, stand_in
from ls_tf.pipeline.contract import RecordInfo

SIZES = {"train": 70, "validation": 21}
SHAPES = ((48, 64), (64, 48), (50, 50))
CLASSES = (0, 1, 2)
INFO = RecordInfo(
    name="small",
    sizes=SIZES,
    num_classes=3,
    class_names=("a", "b", "c"),
    licence="none",
    source="made up",
    tfds="small",
)


def module(folder, info=INFO):
    """A data set's module whose records lie in a folder."""
    return types.SimpleNamespace(
        INFO=info, prepare=lambda *, data_dir: str(folder)
    )


def write(folder, damaged=()):
    """Writes the set; the pictures at some training positions cut short."""
    encoded = stand_in.encoded

    def cut(number, label, shapes):
        whole = encoded(number, label, shapes)
        return whole[: len(whole) // 2] if number in damaged else whole

    stand_in.encoded = cut
    try:
        stand_in.write(
            epath.Path(folder), "small", SIZES, classes=CLASSES, shapes=SHAPES
        )
    finally:
        stand_in.encoded = encoded
    return module(folder)


def find(folder, split="train"):
    return shards.find(module(folder), split, data_dir=None)


def picture(number, label):
    """What a decoder makes of a picture, by its number."""
    return jpeg.decode(stand_in.encoded(number, label, SHAPES))


def same(one, other):
    """Whether two sets of named arrays hold the same bits."""
    return one.keys() == other.keys() and all(
        np.array_equal(one[k], other[k]) and one[k].dtype == other[k].dtype
        for k in one
    )
