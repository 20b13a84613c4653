"""Any image classification set of TensorFlow Datasets, by its name.

``data.source`` is its name there, such as ``kmnist``, ``emnist/letters`` or
``mnist:3.0.1``. Splits, classes and sizes are read from TFDS; the set is
prepared in the data directory as others are.

With an augmentation of photographs its pictures are streamed, else all images
are held in memory: if they have many sizes, as large as ``data.image_size``
says.
"""

import functools
import os
from collections.abc import Sequence
from types import ModuleType

from ls_tf.pipeline import own, tfds_sets
from ls_tf.pipeline import tfds as reading
from ls_tf.pipeline.contract import Arrays, DataError, DatasetInfo

INFO = DatasetInfo(
    name="tfds",
    sizes={},  # TFDS says it.
    image_shape=(0, 0, 0),
    num_classes=0,
    class_names=(),
    licence="see the page of the set, https://www.tensorflow.org/datasets",
    source="A data set of TFDS, named by data.source.",
)
WANTS = "the name of a data set of TFDS"


def check(
    source: str,
    splits: Sequence[str],
    *,
    data_dir: str | os.PathLike[str] | None,
) -> None:
    """Refuses a set that TFDS has not, before TensorFlow is loaded.

    Args:
        source: its name.
        splits: not looked at; TFDS says which there are.
        data_dir: where TFDS data lies; None means TFDS's own default.

    Raises:
        DataError: one line.

    Source: ours.
    """
    del splits
    tfds_sets.check(INFO, source, data_dir)


def opened(source: str, how: own.Reading) -> ModuleType:
    """Reads what TFDS says of the set.

    Args:
        source: its name.
        how: it is read.

    Returns:
        The set as a module.

    Raises:
        DataError: one line: no such set, it cannot be had, its images are of
            many sizes, or too many for memory.

    Source: ours.
    """
    info = tfds_sets.described(INFO, source, how.data_dir, streams=how.streams)
    if how.streams:
        if how.image_size or how.channels or how.held_out:
            raise DataError(
                "data.image_size, data.channels, data.held_out: wanted "
                "nothing, the photographs are streamed as TFDS has them"
            )
        return own.as_module(info)
    if not (how.image_size or all(info.image_shape)):
        raise DataError(
            f"{info.name}: its images have many sizes; say "
            "--set=data.image_size=HEIGHT,WIDTH, or an augmentation of "
            "photographs, which streams them"
        )
    if not (how.image_size or how.channels or how.held_out):
        if len(info.sizes) == 1:
            own.refuse_one_split(info.name)
        own.check_bytes(info.name, sum(info.sizes.values()), info.image_shape)
        return own.as_module(info)
    return _changed(source, how)


@functools.lru_cache(maxsize=2)
def _changed(source: str, how: own.Reading) -> ModuleType:
    """The set with images of another size, or a split held out."""
    from ls_tf.pipeline import alike

    info = tfds_sets.described(INFO, source, how.data_dir, streams=False)
    stored: dict[str, Arrays] = {}
    total = sum(info.sizes.values())
    for base in info.sizes:
        where = f"{info.name}/{base}"
        if all(info.image_shape):
            own.check_bytes(where, total, info.image_shape)
            stored[base] = reading.load(info, base, data_dir=how.data_dir)
            image = stored[base]["image"]
            image = alike.fit(image, where, how.image_size, how.channels, total)
            stored[base] = {**stored[base], "image": image}
        else:
            stored[base] = alike.of_many(
                tfds_sets.pictures(info, base, how.data_dir),
                where,
                info.sizes[base],
                how.image_size,
                how.channels,
                total,
            )
    return own.in_memory(info.name, stored, info.class_names, how)
