"""EMNIST, balanced: 28 x 28 handwritten digits and letters, 47 classes.

Eleven letters have a class of their own in lower case; the others share it
with their capital.
"""

import os

import numpy as np

from ls_tf.pipeline import tfds
from ls_tf.pipeline.contract import Arrays, DatasetInfo

INFO = DatasetInfo(
    name="emnist",
    sizes={"train": 112_800, "test": 18_800},
    image_shape=(28, 28, 1),
    num_classes=47,
    class_names=tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"),
    licence="none stated; derived from NIST Special Database 19",
    source=(
        "TFDS emnist/balanced, 535 MiB. G. Cohen, S. Afshar, J. Tapson and "
        "A. van Schaik, EMNIST: extending MNIST to handwritten letters, "
        "IJCNN 2017, arXiv:1702.05373."
    ),
    tfds="emnist/balanced",
)


def load(split: str, *, data_dir: str | os.PathLike[str] | None) -> Arrays:
    """Loads a split or a part of one.

    Args:
        split: ``"train"``, ``"train[:94000]"``, ``"test[50%:]"``, ...
        data_dir: where TFDS data lies; None means TFDS's own default.

    Returns:
        ``image`` uint8 [N, 28, 28, 1], upright, and ``label`` int32 [N], in
        TFDS order.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data is missing, damaged or not as ``INFO`` says.

    Source: Cohen et al. 2017.
    """
    arrays = tfds.load(INFO, split, data_dir=data_dir)
    # The files hold rows as columns, and TFDS leaves them so.
    upright = np.ascontiguousarray(arrays["image"].transpose(0, 2, 1, 3))
    return {"image": upright, "label": arrays["label"]}
