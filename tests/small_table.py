"""A teacher's table of two images with three views each."""

import numpy as np

from ls_tf.training import tables

KEY = tables.Key(
    teacher="a" * 64,
    weights="b" * 64,
    data="digits",
    split="train",
    images="c" * 64,
    augmentation="shift2",
    examples=2,
    views=3,
    classes=2,
)
LOGITS = np.arange(12, dtype=np.float32).reshape(6, 2) / 4
