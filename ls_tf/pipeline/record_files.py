"""Writes photographs as TFDS would have prepared them: ArrayRecord files."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from etils import epath

from ls_tf import stopping
from ls_tf.pipeline import array_cache
from ls_tf.pipeline.contract import DataError, line
from ls_tf.pipeline.shards import FORMAT, Example
from ls_tf.records.files import json_bytes, write_bytes

_DESCRIPTION = "dataset_info.json"


def write(
    folder: epath.Path,
    name: str,
    splits: Mapping[str, tuple[int, Iterable[Example]]],
    *,
    per_file: int,
) -> None:
    """Writes splits.

    Args:
        folder: of the prepared set; it is made.
        name: of the set, as TFDS knows it.
        splits: split -> number of examples, and the examples.
        per_file: how many a file holds.

    Raises:
        OSError: the files cannot be written.

    Source: ours; the form is that of TensorFlow Datasets.
    """
    from array_record.python import array_record_module

    described = []
    folder.mkdir(parents=True, exist_ok=True)
    for base, (size, examples) in splits.items():
        rest: Iterator[Example] = iter(examples)
        count = -(-size // per_file)
        lengths = []
        for i in range(count):
            path = f"{name}-{base}.{FORMAT}-{i:05d}-of-{count:05d}"
            writer = array_record_module.ArrayRecordWriter(
                os.fspath(folder / path), "group_size:1"
            )
            with contextlib.closing(writer):
                length = min(per_file, size - i * per_file)
                for _ in range(length):
                    stopping.look()
                    writer.write(record(next(rest)))
            lengths.append(str(length))
        described.append({"name": base, "shardLengths": lengths})
    # Last: a folder without it is not taken for a whole one.
    about = {"name": name, "fileFormat": FORMAT, "splits": described}
    write_bytes(folder / _DESCRIPTION, json_bytes(about))


def place(
    name: str, data_dir: str | os.PathLike[str] | None, what: str = ""
) -> epath.Path:
    """Finds where the records of photographs are kept, which wants a disk.

    Args:
        name: of the set, for messages.
        data_dir: as ``array_cache.folder`` takes it.
        what: the disk is for, in words for the message.

    Raises:
        DataError: there is no data directory, or it lies in a bucket.
    """
    kept = array_cache.folder(data_dir)
    if kept is None or "://" in os.fspath(kept):
        raise DataError(
            f"{name}: wanted a data_dir on a local or mounted disk{what}, got "
            f"{data_dir}; point --data_dir or TFDS_DATA_DIR to one"
        )
    return kept


def prepared(
    name: str, folder: epath.Path, make: Callable[[epath.Path], None]
) -> str:
    """Gives the folder of a prepared set; makes it unless it is there.

    Args:
        name: of the set, for messages.
        folder: where it is to be.
        make: see ``once``.

    Raises:
        DataError: it cannot be written.
    """
    try:
        once(folder, make)
    except OSError as error:
        raise DataError(
            f"{name}: cannot prepare {folder}: {line(error)}"
        ) from error
    return str(folder)


def once(folder: epath.Path, make: Callable[[epath.Path], None]) -> None:
    """Makes a prepared set unless it is there.

    Args:
        folder: where it is to be.
        make: writes it to a folder of another name first, for two processes
            may do so at once.

    Raises:
        OSError: it cannot be written.
    """
    if (folder / _DESCRIPTION).exists():
        return
    mine = folder.parent / f"{folder.name}.{os.getpid()}.tmp"
    try:
        make(mine)
        with contextlib.suppress(OSError):
            mine.rename(folder)  # or another has done so
    finally:
        with contextlib.suppress(OSError):
            mine.rmtree(missing_ok=True)


def record(example: Example) -> bytes:
    """Makes a serialized ``tf.train.Example``, as TensorFlow Datasets does."""
    from tensorflow_datasets.proto import tf_example_pb2

    made = tf_example_pb2.Example()
    fields = made.features.feature
    fields["image"].bytes_list.value.append(example.encoded)
    fields["label"].int64_list.value.append(example.label)
    fields["file_name"].bytes_list.value.append(example.file_name.encode())
    serialized: bytes = made.SerializeToString()
    return serialized
