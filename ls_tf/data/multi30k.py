"""Multi30k: 29,000 captions of photographs, English to German.

The builder for TFDS is ours (``_multi30k_builder``): it reads the six files
``{train,val,test_2016_flickr}.{en,de}.gz`` of the authors' repository from
``<data_dir>/downloads/manual/multi30k``, or downloads them.
"""

import os

from ls_tf.pipeline import tfds
from ls_tf.pipeline.text_pairs import Pairs, TextInfo

INFO = TextInfo(
    name="multi30k",
    sizes={"train": 29_000, "val": 1_014, "test_2016_flickr": 1_000},
    licence="CC BY-NC-SA 4.0",
    source=(
        "https://github.com/multi30k/dataset, data/task1/raw, 1 MiB. D. "
        "Elliott, S. Frank, K. Sima'an and L. Specia, Multi30K: Multilingual "
        "English-German Image Descriptions, Workshop on Vision and Language, "
        "2016."
    ),
    tfds="multi30k",
)


def load_pairs(
    split: str, *, data_dir: str | os.PathLike[str] | None, source: str = ""
) -> Pairs:
    """Loads a split or a part of one.

    Args:
        split: ``"train"``, ``"train[:5000]"``, ``"val"``, ...
        data_dir: where TFDS data lies; None means TFDS's own default.
        source: not used.

    Returns:
        English sentences and their German translations, in the order of the
        authors' files.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data is missing, damaged or not as ``INFO`` says.

    Source: Elliott et al. 2016.
    """
    del source
    return tfds.load_pairs(INFO, split, data_dir=data_dir)
