"""Fashion-MNIST: 28 x 28 pictures of clothes."""

import os

from ls_tf.pipeline import tfds
from ls_tf.pipeline.contract import Arrays, DatasetInfo

INFO = DatasetInfo(
    name="fashion_mnist",
    sizes={"train": 60_000, "test": 10_000},
    image_shape=(28, 28, 1),
    num_classes=10,
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    licence="MIT",
    source=(
        "TFDS fashion_mnist, 30 MiB. H. Xiao, K. Rasul and R. Vollgraf, "
        "Fashion-MNIST: a novel image dataset for benchmarking machine "
        "learning algorithms, arXiv:1708.07747, 2017."
    ),
    tfds="fashion_mnist",
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

    Source: Xiao et al. 2017.
    """
    return tfds.load(INFO, split, data_dir=data_dir)
