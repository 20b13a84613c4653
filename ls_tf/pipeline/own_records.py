"""Images of the user's own that are streamed, from records made once."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType

import numpy as np
from etils import epath

from ls_tf.pipeline import own, record_files
from ls_tf.pipeline.contract import DataError, RecordInfo
from ls_tf.pipeline.shards import Example

# A stored split and rows of it, rising -> those pictures.
Pictures = Callable[[str, np.ndarray], Iterator[Example]]
_PER_FILE = 2000


def streamed(
    name: str,
    labels: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    pictures: Pictures,
    how: own.Reading,
    state: object,
) -> ModuleType:
    """Makes a data set of encoded pictures that are read when needed.

    Args:
        name: of the set; see ``own.title``.
        labels: split -> checked labels, int32 [N], as they are stored.
        class_names: in the order of the labels.
        pictures: gives them, encoded.
        how: the set is read: what is held out, and no size.
        state: whose words tell one state of the user's files from another.

    Returns:
        Its module; its ``prepare`` writes the pictures into ArrayRecord files
        in the data directory, unless they are there.

    Raises:
        DataError: one line: a size is given, or see ``own.hold_out``.

    Source: ours.
    """
    refuse_size(how)
    parts = own.hold_out(name, labels, how)
    info = RecordInfo(
        name=name,
        sizes={base: len(rows) for base, (_, rows) in parts.items()},
        num_classes=len(class_names),
        class_names=tuple(class_names),
        licence=own.LICENCE,
        source=name,
        is_own=True,
    )
    kind = name.partition(":")[0]
    told = repr((state, how.held_out, how.held_out_seed))
    number = hashlib.sha256(told.encode()).hexdigest()[:16]

    def make(mine: epath.Path) -> None:
        splits = {
            base: (len(rows), pictures(of, rows))
            for base, (of, rows) in parts.items()
        }
        record_files.write(mine, kind, splits, per_file=_PER_FILE)

    def prepare(*, data_dir: str | os.PathLike[str] | None) -> str:
        """Gives the folder of the records; makes it if need be."""
        what = " for the records of its photographs"
        kept = record_files.place(name, data_dir, what)
        return record_files.prepared(name, kept / f"{kind}-{number}", make)

    return own.as_module(info, prepare=prepare)


def refuse_size(how: own.Reading) -> None:
    """Refuses a size of what the augmentation makes alike.

    Raises:
        DataError: one line.
    """
    if how.image_size or how.channels:
        raise DataError(
            "data.image_size, data.channels: wanted nothing, the augmentation "
            "of photographs makes them alike"
        )
