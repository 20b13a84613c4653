"""Splits of encoded photographs in ArrayRecord files, read one by one.

The files are those that TFDS prepares with ``file_format=array_record``: a
record is a ``tf.train.Example`` with the bytes of a JPEG, PNG or WEBP, a label
and the name of the file that it came from. Any record is read without those
before it, and without TensorFlow.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
from types import ModuleType
from typing import Any

import numpy as np
from etils import epath

from ls_tf import stopping
from ls_tf.pipeline import contract, tfds
from ls_tf.pipeline.contract import DataError, RecordInfo
from ls_tf.records.reading import line

FORMAT = "array_record"
# The index of an ArrayRecord file, and the block that it is filled up to.
_END_BYTES = 2**17
# Under which names sets keep the name of a picture's file.
_FILE_NAMES = ("file_name", "image/filename")


@dataclasses.dataclass(frozen=True)
class Example:
    """A record.

    Attributes:
        encoded: bytes of a JPEG, PNG or WEBP.
        label: class id.
        file_name: where the picture came from; empty if that is not known.
    """

    encoded: bytes
    label: int
    file_name: str


@dataclasses.dataclass(frozen=True)
class Shards:
    """A split or a part of one; other processes are given a copy.

    Attributes:
        name: data set and split, as in ``imagenet/train``.
        files: its ArrayRecord files, in order.
        sizes: how many records each has.
        start: first record of the part.
        stop: the one behind its last.
        rows: those of them that are used, rising; empty: all.
    """

    name: str
    files: tuple[str, ...]
    sizes: tuple[int, ...]
    start: int
    stop: int
    rows: tuple[int, ...] = ()

    def __len__(self) -> int:
        """How many records the part has."""
        return len(self.rows) or self.stop - self.start

    def number(self, position: int) -> int:
        """Which record of the files a position in the part means."""
        return self.start + (self.rows[position] if self.rows else position)

    @functools.cached_property
    def sha256(self) -> str:
        """What tells these records from others: the ends of their files.

        There stands where each record lies; to read all would take hours.
        """
        told = hashlib.sha256()
        for file, size in zip(self.files, self.sizes, strict=True):
            stopping.look()
            path = epath.Path(file)
            length = path.stat().length
            with path.open("rb") as opened:
                opened.seek(max(0, length - _END_BYTES))
                told.update(f"{path.name} {size} {length} ".encode())
                told.update(opened.read())
        told.update(f"{self.name} {self.start} {self.stop}".encode())
        if self.rows:
            told.update(np.array(self.rows, "<i8").tobytes())
        return told.hexdigest()

    @functools.cached_property
    def sampled_sha256(self) -> str:
        """Of the first and the last record that each file has of the part.

        Raises:
            DataError: a file is damaged; named.
        """
        from array_record.python import array_record_module

        told, first = hashlib.sha256(), 0
        for file, size in zip(self.files, self.sizes, strict=True):
            stopping.look()
            begin = max(self.start - first, 0)
            end = min(self.stop - first, size)
            first += size
            if begin >= end:
                continue
            try:
                # One at a time: of a thousand files not all can be open.
                reader = array_record_module.ArrayRecordReader(
                    file, "readahead_buffer_size:0"
                )
                with contextlib.closing(reader):
                    records = reader.read([begin, end - 1])
            except Exception as error:  # see ``read``
                raise DataError(
                    f"{self.name}: cannot read record {begin} or {end - 1} of "
                    f"{file}: {line(error)}"
                ) from error
            for record in records:
                told.update(hashlib.sha256(record).digest())
        return told.hexdigest()

    def read(self, position: int) -> Example:
        """Reads one record.

        Args:
            position: in the part, from 0.

        Returns:
            The example; its picture is not decoded.

        Raises:
            DataError: the file is damaged; named.
        """
        from tensorflow_datasets.proto import tf_example_pb2

        try:
            record = _opened(self.files, self.sizes)[self.number(position)]
            fields = tf_example_pb2.Example.FromString(record).features.feature
            name = next((n for n in _FILE_NAMES if n in fields), None)
            return Example(
                fields["image"].bytes_list.value[0],
                int(fields["label"].int64_list.value[0]),
                fields[name].bytes_list.value[0].decode() if name else "",
            )
        except Exception as error:  # Damaged files raise nearly anything.
            raise DataError(
                f"{self.name}: cannot read record {self.number(position)} of "
                f"the files {self.files[0]} and following: {line(error)}"
            ) from error


@functools.lru_cache(maxsize=2)
def _opened(files: tuple[str, ...], sizes: tuple[int, ...]) -> Any:
    """The open files, once in each process."""
    from array_record.python import array_record_data_source

    # Said in brackets, the numbers of records are not looked for.
    return array_record_data_source.ArrayRecordDataSource(
        [f"{f}[0:{size}]" for f, size in zip(files, sizes, strict=True)]
    )


def find(
    module: ModuleType, split: str, *, data_dir: str | os.PathLike[str] | None
) -> Shards:
    """Finds the records of a split; lets TFDS prepare them if need be.

    Args:
        module: the data set's module, with ``INFO``; one whose records the
            program makes itself has a ``prepare``.
        split: see ``contract.parse_split``.
        data_dir: where TFDS data lies; None means TFDS's own default.

    Returns:
        The records.

    Raises:
        ValueError: there is no such split.
        DataError: the data is missing and cannot be had, of another format,
            or not as ``INFO`` promises.

    Source: ours.
    """
    info: RecordInfo = module.INFO
    base, start, stop = contract.parse_split(split, info.sizes)
    if hasattr(module, "prepare"):
        folder = epath.Path(module.prepare(data_dir=data_dir))
    else:
        folder = _prepared(info, tfds.find_data_dir(info, data_dir))
    files, sizes = _listed(info, base, folder)
    if sum(sizes) != info.sizes[base]:
        raise DataError(
            f"{info.name}/{base}: wanted {info.sizes[base]} examples, the "
            f"files in {folder} hold {sum(sizes)}"
        )
    for file in files:
        stopping.look()
        if not epath.Path(file).exists():
            raise DataError(
                f"{info.name}/{base}: wanted the file {file}, which is "
                f"missing; {_advice(info)}"
            )
    return Shards(f"{info.name}/{base}", files, sizes, start, stop)


def _prepared(info: RecordInfo, data_dir: epath.Path) -> epath.Path:
    """Gives the folder of the prepared set; prepares it if there is none."""
    if "://" in os.fspath(data_dir):
        raise DataError(
            f"{info.name}: wanted a data_dir on a local or mounted disk, got "
            f"{data_dir}; copy or mount it"
        )
    builder, is_prepared = tfds.builder(info, data_dir)
    if not is_prepared:
        for archive in info.archives:
            _check_archive(info, archive, data_dir)
        builder, _ = tfds.builder(info, data_dir, file_format=FORMAT)
        builder = tfds.downloaded(info, builder, data_dir)
    return epath.Path(builder.data_path)


def _listed(
    info: RecordInfo, base: str, folder: epath.Path
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Gives the files of a split, and how many records each has."""
    file = folder / "dataset_info.json"
    try:
        described = json.loads(file.read_bytes())
        found = str(described.get("fileFormat", "tfrecord"))
        name = str(described["name"])
        splits = {s["name"]: s for s in described["splits"]}
        sizes = tuple(int(n) for n in splits.get(base, {})["shardLengths"])
    except Exception as error:  # Cloud file systems raise errors of their own.
        raise DataError(
            f"{info.name}: cannot read split {base} in {file}: {line(error)}"
        ) from error
    if found != FORMAT:
        raise DataError(
            f"{info.name}: {folder} holds {found} files; wanted {FORMAT}, "
            f"which can be read in any order; {_advice(info)}"
        )
    count = len(sizes)
    return tuple(
        os.fspath(
            folder / f"{name}-{base}.{FORMAT}-{i:05d}-of-{count:05d}",
        )
        for i in range(count)
    ), sizes


def _advice(info: RecordInfo) -> str:
    """Says how the files are made."""
    return (
        "make them in another data_dir with: python -m "
        f"tensorflow_datasets.scripts.cli.main build {info.tfds} "
        f"--file_format={FORMAT} --data_dir=NEW"
    )


def _check_archive(
    info: RecordInfo, archive: contract.Archive, data_dir: epath.Path
) -> None:
    """Refuses an archive that a person has not put there, or not all of it."""
    file = data_dir / "downloads" / "manual" / archive.name
    try:
        length = file.stat().length if file.exists() else None
    except Exception as error:  # Cloud file systems raise errors of their own.
        raise DataError(
            f"{info.name}: cannot look at {file}: {line(error)}"
        ) from error
    if length == archive.size:
        return
    came = "there is none" if length is None else f"it has {length:,} bytes"
    everything = ", ".join(
        f"{a.name} ({a.size:,} bytes, MD5 {a.md5})" for a in info.archives
    )
    raise DataError(
        f"{info.name}: wanted {file} of {archive.size:,} bytes, {came}; put "
        f"{everything} of {archive.source} into {file.parent}, or point "
        "--data_dir or TFDS_DATA_DIR to where the prepared set lies"
    )
