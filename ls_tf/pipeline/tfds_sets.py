"""Any image classification set of TensorFlow Datasets, by its name there."""

import dataclasses
import difflib
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from etils import epath

from ls_tf import stopping
from ls_tf.pipeline import array_cache, own, tfds
from ls_tf.pipeline.contract import DataError, DatasetInfo, RecordInfo, line

# Name, configuration and version; no way out of the data directory.
_NAME = re.compile(r"\w+(/[\w.\-]+)?(:\d+\.\d+\.\d+)?", re.ASCII)
_KEPT = "description"


def described(
    blank: DatasetInfo,
    source: str,
    data_dir: str | os.PathLike[str] | None,
    *,
    streams: bool,
) -> DatasetInfo:
    """Says what a set is; lets TFDS prepare it if need be.

    What TFDS said is kept in the data directory, so that another run needs
    neither it nor TensorFlow.

    Args:
        blank: what the module says of all such sets.
        source: its name: ``kmnist``, ``emnist/letters``, ``mnist:3.0.1``.
        data_dir: where TFDS data lies; None means TFDS's own default.
        streams: whether its pictures are wanted as JPEGs, in ArrayRecord
            files.

    Returns:
        The contract; a ``RecordInfo`` where the pictures are streamed. Sides
        of 0 in ``image_shape``: its pictures have many sizes.

    Raises:
        DataError: there is no such set, it cannot be had, or it holds no
            images with one class each; one line.

    Source: ours.
    """
    info, folder = check(blank, source, data_dir)
    if streams:
        known = _ask(_as_records(info), folder, streams=True)
    else:
        cache = folder / array_cache.FOLDER / source
        kept = array_cache.read(cache, _KEPT, ["text"])
        if kept is None:
            known = _ask(info, folder, streams=False)
            text = np.frombuffer(json.dumps(known).encode(), np.uint8)
            about = {"origin": known["origin"]}
            array_cache.write(cache, _KEPT, {"text": text}, about)
        else:
            known = json.loads(bytes(kept["text"]))
    height, width, channels = known["image_shape"]
    return dataclasses.replace(
        _as_records(info) if streams else info,
        sizes=known["sizes"],
        image_shape=(0, 0, 3) if streams else (height, width, channels),
        num_classes=len(known["class_names"]),
        class_names=tuple(known["class_names"]),
    )


def _as_records(info: DatasetInfo) -> RecordInfo:
    return RecordInfo(**vars(info))


def _ask(
    info: DatasetInfo, folder: epath.Path, *, streams: bool
) -> dict[str, Any]:
    """Asks TFDS for shape, classes and sizes."""
    made, is_prepared = tfds.builder(info, folder)
    if not is_prepared:
        if streams:
            made, _ = tfds.builder(info, folder, file_format="array_record")
        made = tfds.downloaded(info, made, folder)
    features, what = dict(made.info.features or {}), type(made).__name__
    shape = getattr(features.get("image"), "shape", None)
    kinds = getattr(features.get("label"), "num_classes", None)
    if shape is None or len(shape) != 3 or not kinds:
        raise DataError(
            f"{info.name}: wanted images with one class each, as 'image' and "
            f"'label'; {what} holds {', '.join(features) or 'nothing'}"
        )
    return {
        "origin": str(made.info.full_name),
        "image_shape": [int(side or 0) for side in shape],
        "class_names": [str(name) for name in features["label"].names],
        "sizes": {
            str(name): int(split.num_examples)
            for name, split in made.info.splits.items()
            if split.num_examples
        },
    }


def check(
    blank: DatasetInfo, source: str, data_dir: str | os.PathLike[str] | None
) -> tuple[DatasetInfo, epath.Path]:
    """Refuses a name that TFDS has not, and that is not prepared here.

    TensorFlow is not imported, and TFDS for a new name alone.

    Args:
        blank: what the module says of all such sets.
        source: the set's name.
        data_dir: where TFDS data lies; None means TFDS's own default.

    Returns:
        What is known of the set, and the data directory.

    Raises:
        DataError: one line.

    Source: ours.
    """
    if not _NAME.fullmatch(source):
        raise DataError(
            f"data.source: wanted the name of a TFDS data set, as kmnist or "
            f"emnist/letters, got '{source}'"
        )
    info = dataclasses.replace(
        blank, name=own.title("tfds", source), tfds=source, is_own=True
    )
    folder = tfds.find_data_dir(info, data_dir)
    name = re.split("[/:]", source)[0]
    if (folder / name).exists() or (
        folder / array_cache.FOLDER / source / f"{_KEPT}.json"
    ).exists():
        return info, folder
    with stopping.importing("TensorFlow Datasets"):
        import tensorflow_datasets

    existing = tensorflow_datasets.list_builders(with_community_datasets=False)
    if name in existing:
        return info, folder
    near = difflib.get_close_matches(name, existing, n=3, cutoff=0.5)
    raise DataError(
        f"data.source: TFDS has no data set '{name}'; near it: "
        f"{', '.join(near) or 'none'}"
    )


def pictures(
    info: DatasetInfo, base: str, data_dir: str | os.PathLike[str] | None
) -> Iterator[tuple[np.ndarray, int]]:
    """Gives the pictures of a whole split, of whatever size, and labels.

    Args:
        info: of ``described``, not of what is streamed.
        base: the split.
        data_dir: where TFDS data lies; None means TFDS's own default.

    Yields:
        uint8 [H, W, C] and the class id, in the order of the TFDS files.

    Raises:
        DataError: the files are missing or damaged.

    Source: ours.
    """
    made, is_prepared = tfds.builder(info, tfds.find_data_dir(info, data_dir))
    try:
        if not is_prepared:
            raise FileNotFoundError(made.data_path)
        for example in tfds.examples(made, base, batch_size=None):
            yield example["image"], int(example["label"])
    except Exception as error:  # TFDS raises nearly anything.
        raise DataError(
            f"{info.name}/{base}: the TFDS files in {made.data_path} cannot be "
            f"read or are damaged: {line(error)}"
        ) from error
