"""The 8 x 8 digits that come with scikit-learn: data without a download.

The 1,797 images are mixed once by a fixed permutation, so that every writer
is in both splits; the first 1,297 train and the last 500 test. The split is
ours: the set has none.
"""

import os

import numpy as np

from ls_tf import seeds
from ls_tf.pipeline import contract
from ls_tf.pipeline.contract import Arrays, DatasetInfo

INFO = DatasetInfo(
    name="digits",
    sizes={"train": 1297, "test": 500},
    image_shape=(8, 8, 1),
    num_classes=10,
    class_names=tuple("0123456789"),
    licence="CC BY 4.0",
    source=(
        "Part of scikit-learn (sklearn.datasets.load_digits), no download. "
        "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten "
        "Digits, UCI Machine Learning Repository, 1998."
    ),
)
_LEVELS = 16  # Pixels count the set points of a 4 x 4 block: 0 to 16.


def load(split: str, *, data_dir: str | os.PathLike[str] | None) -> Arrays:
    """Loads a split or a part of one.

    Args:
        split: ``"train"``, ``"train[:1000]"``, ``"test[50%:]"``, ...
        data_dir: not used; the data comes with scikit-learn.

    Returns:
        ``image`` uint8 [N, 8, 8, 1], rescaled from 0 .. 16 to 0 .. 255, and
        ``label`` int32 [N].

    Raises:
        ValueError: if there is no such split.

    Source: the split and the rescaling are ours.
    """
    from sklearn import datasets

    del data_dir
    base, start, stop = contract.parse_split(split, INFO.sizes)
    raw = datasets.load_digits()
    image = np.rint(raw.images * (255 / _LEVELS)).astype(np.uint8)
    label = raw.target.astype(np.int32)
    # Raw Philox words are the same in every NumPy; permutation() need not be.
    words = seeds.philox(0, "digits", "split").bit_generator.random_raw(
        len(label)
    )
    order = np.argsort(words, kind="stable")
    first = INFO.sizes["train"]
    order = order[:first] if base == "train" else order[first:]
    arrays = {"image": image[order][..., np.newaxis], "label": label[order]}
    contract.check(INFO, base, arrays)
    return {key: value[start:stop] for key, value in arrays.items()}
