"""Multi30k the other way round: German captions into English."""

import dataclasses
import os

from ls_tf.data import multi30k
from ls_tf.pipeline import tfds
from ls_tf.pipeline.text_pairs import Pairs, TextInfo

INFO: TextInfo = dataclasses.replace(
    multi30k.INFO,
    name="multi30k_deen",
    source_language="de",
    target_language="en",
)


def load_pairs(
    split: str, *, data_dir: str | os.PathLike[str] | None, source: str = ""
) -> Pairs:
    """Loads a split or a part of one.

    Args:
        split: ``"train"``, ``"train[:1000]"``, ``"val"``,
            ``"test_2016_flickr"``.
        data_dir: where TFDS data lies; None means TFDS's own default.
        source: not used.

    Returns:
        German sentences and their English originals, in the order of
        ``multi30k``.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data is missing, damaged or not as promised.

    Source: ours.
    """
    del source
    pairs = tfds.load_pairs(multi30k.INFO, split, data_dir=data_dir)
    return Pairs(pairs.target, pairs.source, pairs.left_out)
