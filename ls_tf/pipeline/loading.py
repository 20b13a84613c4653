"""Where the arrays of a data set come from: its module, TFDS or a file."""

import os
from collections.abc import Iterable
from types import ModuleType

from ls_tf.pipeline import contract, prepared, tfds
from ls_tf.pipeline.contract import (
    Arrays,
    DataError,
    DatasetInfo,
    RecordInfo,
)
from ls_tf.pipeline.text_pairs import TextInfo


def load(
    module: ModuleType,
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None,
) -> Arrays:
    """Loads a split or a part of one.

    Args:
        module: the data set's module, with ``INFO``; one that TFDS does not
            give as it is has a ``load``.
        split: ``"train"``, ``"train[:50000]"``, ``"test[50%:]"``, ...
        data_dir: a prepared file (``*.npz``), or where TFDS data lies; None
            means TFDS's own default.

    Returns:
        ``image`` uint8 [N, H, W, C] and ``label`` int32 [N], always in the
        same order. From a prepared file neither TensorFlow nor TFDS is
        imported.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data is missing, damaged or not as ``INFO`` says,
            or are texts.

    Source: ours.
    """
    if isinstance(module.INFO, TextInfo):
        raise DataError(
            f"{module.INFO.name} holds texts; wanted a data set of images"
        )
    _refuse_streamed(module.INFO)
    if data_dir is not None and prepared.is_prepared(data_dir):
        return prepared.load(module.INFO, split, data_dir)
    if not hasattr(module, "load"):
        return tfds.load(module.INFO, split, data_dir=data_dir)
    arrays: Arrays = module.load(split, data_dir=data_dir)
    return arrays


def prepare(
    path: str | os.PathLike[str],
    *,
    experiment: str,
    module: ModuleType,
    splits: Iterable[str],
    data_dir: str | os.PathLike[str] | None,
    source: str = "",
    vocabulary_size: int = 0,
) -> None:
    """Writes what an experiment needs of a data set to a prepared file.

    Args:
        path: the file, ``*.npz``; may be ``gs://``.
        experiment: the experiment's name.
        module: the data set's module.
        splits: splits that the experiment names, the one it trains on
            first; the file holds the whole of each that any of them is a
            part of.
        data_dir: see ``load``.
        source: for texts: which corpus, where the data set does not say.
        vocabulary_size: for texts: how many subwords.

    Raises:
        ValueError: if there is no such split.
        DataError: if the data cannot be loaded or the file not written.

    Source: ours.
    """
    prepared.target(path)  # before a long download
    _refuse_streamed(module.INFO)
    if isinstance(module.INFO, TextInfo):
        from ls_tf.pipeline import corpus

        corpus.prepare(
            path,
            experiment=experiment,
            module=module,
            splits=tuple(splits),
            source=source,
            vocabulary_size=vocabulary_size,
            data_dir=data_dir,
        )
        return
    bases = [contract.parse_split(s, module.INFO.sizes)[0] for s in splits]
    prepared.write(
        path,
        experiment=experiment,
        info=module.INFO,
        splits={
            base: load(module, base, data_dir=data_dir)
            for base in dict.fromkeys(bases)
        },
    )


def _refuse_streamed(info: DatasetInfo | TextInfo) -> None:
    if isinstance(info, RecordInfo):
        raise DataError(
            f"{info.name} holds photographs, which are streamed from their "
            "files; wanted a data set that fits in memory as arrays"
        )
