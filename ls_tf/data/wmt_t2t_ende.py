"""WMT English to German with the training data of tensor2tensor.

Europarl v7, Common Crawl and News Commentary v13, as in the
``translate_ende_wmt32k`` problem that Mueller et al. 2019 train on.
"""

import os

from ls_tf.pipeline import tfds
from ls_tf.pipeline.text_pairs import Pairs, TextInfo

INFO = TextInfo(
    name="wmt_t2t_ende",
    sizes={"train": 4_592_289, "validation": 3_000, "test": 3_003},
    licence="the terms of statmt.org: free for research",
    source=(
        "TFDS wmt_t2t_translate/de-en, 1.6 GiB to download. "
        "O. Bojar et al., Findings of the 2014 Workshop on Statistical "
        "Machine Translation, 2014."
    ),
    tfds="wmt_t2t_translate/de-en",
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
