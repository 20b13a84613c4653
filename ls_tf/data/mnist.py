"""MNIST: 28 x 28 handwritten digits."""

import os

from ls_tf.pipeline import tfds
from ls_tf.pipeline.contract import Arrays, DatasetInfo

INFO = DatasetInfo(
    name="mnist",
    sizes={"train": 60_000, "test": 10_000},
    image_shape=(28, 28, 1),
    num_classes=10,
    class_names=tuple("0123456789"),
    licence="CC BY-SA 3.0",
    source=(
        "TFDS mnist, 11 MiB. Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "
        "Gradient-based learning applied to document recognition, "
        "Proceedings of the IEEE 86, 1998."
    ),
    tfds="mnist",
)


def load(split: str, *, data_dir: str | os.PathLike[str] | None) -> Arrays:
    """Loads a split or a part of one.

    Args:
        split: ``"train"``, ``"train[:50000]"``, ``"test[50%:]"``, ...
        data_dir: where TFDS data lies; None means TFDS's own default.

    Returns:
        ``image`` uint8 [N, 28, 28, 1] and ``label`` int32 [N], in TFDS order.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data is missing, damaged or not as ``INFO`` says.

    Source: LeCun et al. 1998.
    """
    return tfds.load(INFO, split, data_dir=data_dir)
