"""WMT 2014 English to German.

As ``wmt_t2t_ende``, but with News Commentary v9.
"""

import os

from ls_tf.pipeline import tfds
from ls_tf.pipeline.text_pairs import Pairs, TextInfo

INFO = TextInfo(
    name="wmt14_ende",
    sizes={"train": 4_508_785, "validation": 3_000, "test": 3_003},
    licence="the terms of statmt.org: free for research",
    source=(
        "TFDS wmt14_translate/de-en, 1.6 GiB to download. "
        "O. Bojar et al., Findings of the 2014 Workshop on Statistical "
        "Machine Translation, 2014."
    ),
    tfds="wmt14_translate/de-en",
)


def load_pairs(
    split: str, *, data_dir: str | os.PathLike[str] | None, source: str = ""
) -> Pairs:
    """Loads a split or a part of one.

    Args:
        split: ``"train"``, ``"train[:100000]"``, ``"validation"``
            (newstest2013), ``"test"`` (newstest2014).
        data_dir: where TFDS data lies; None means TFDS's own default.
        source: not used.

    Returns:
        English sentences and their German translations, in TFDS order.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data is missing, damaged or not as ``INFO`` says.

    Source: Bojar et al. 2014.
    """
    del source
    return tfds.load_pairs(INFO, split, data_dir=data_dir)
