"""Data sets of the library ``datasets`` of Hugging Face."""

import dataclasses
import functools
import os
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ls_tf import extras, stopping
from ls_tf.pipeline import alike, own, own_records, tfds
from ls_tf.pipeline.contract import Arrays, DataError, line
from ls_tf.pipeline.shards import Example
from ls_tf.records import arrays

_HUB = "https://huggingface.co"


@functools.lru_cache(maxsize=2)
def opened(source: str, how: own.Reading) -> ModuleType:
    """Reads a data set.

    Args:
        source: a folder that ``save_to_disk`` wrote, or a name on the hub.
        how: it is read.

    Returns:
        Its module.

    Raises:
        DataError: one line.

    Source: ours.
    """
    name = own.title("hf", source)
    splits, names = _splits(name, source, how)
    if how.streams:
        return _streamed(name, splits, names, how)
    total = sum(len(split.table) for split in splits.values())
    stored: dict[str, Arrays] = {}
    for base, split in splits.items():
        where = f"{name}/{base}"
        count = len(split.table)
        pictures = (
            (called, alike.decode(data, called, how.image_size, how.channels))
            for called, data in _encoded(split, where, np.arange(count))
        )
        stored[base] = {
            "image": alike.together(pictures, where, count, total),
            "label": split.labels(where),
        }
    return own.in_memory(name, stored, names, how)


def glance(source: str, how: own.Reading) -> Mapping[str, int]:
    """Refuses a set on disk by its columns and labels.

    Args:
        source: a folder, or a name on the hub, of which nothing is fetched.
        how: it is read.

    Returns:
        Split -> how many examples it has; empty of a name on the hub.

    Raises:
        DataError: one line.

    Source: ours.
    """
    if how.streams:
        own_records.refuse_size(how)
    if not os.path.isdir(os.path.expanduser(source)):
        return {}
    name = own.title("hf", source)
    splits, names = _splits(name, source, how)
    labels, _ = own.classes(name, _labels(name, splits), names)
    parts = own.hold_out(name, labels, how)
    return {base: len(rows) for base, (_, rows) in parts.items()}


def _labels(name: str, splits: Mapping[str, "_Split"]) -> dict[str, np.ndarray]:
    """Split -> checked labels, int32 [N]."""
    return {
        base: own.check_labels(
            f"{name}/{base}", split.labels(f"{name}/{base}"), len(split.table)
        )
        for base, split in splits.items()
    }


def _streamed(
    name: str,
    splits: Mapping[str, "_Split"],
    names: list[str],
    how: own.Reading,
) -> ModuleType:
    """The set, its pictures read from Arrow row by row."""
    labels, called_as = own.classes(name, _labels(name, splits), names)

    def pictures(base: str, rows: np.ndarray) -> Iterator[Example]:
        encoded = _encoded(splits[base], f"{name}/{base}", rows)
        for row, (called, data) in zip(rows, encoded, strict=True):
            kept = alike.upright(data, called)
            yield Example(kept, int(labels[base][row]), called)

    files = [
        (file["filename"], facts.st_size, facts.st_mtime_ns)
        for split in splits.values()
        for file in split.table.cache_files
        for facts in (os.stat(file["filename"]),)
    ]
    told = {base: arrays.digest(label) for base, label in labels.items()}
    state = (name, files, told)
    return own_records.streamed(name, labels, called_as, pictures, how, state)


@dataclasses.dataclass(frozen=True)
class _Split:
    """A table, and its columns of images and of class labels."""

    table: Any
    image: str
    label: str

    def labels(self, where: str) -> np.ndarray:
        """The class ids.

        Raises:
            DataError: an image has none.
        """
        values = self.table[self.label][:]
        if any(value is None for value in values):
            raise DataError(
                f"{where}: wanted a label of each image, some have none"
            )
        return np.array(values)


def _splits(
    name: str, source: str, how: own.Reading
) -> tuple[dict[str, _Split], list[str]]:
    """Split -> where it has images and labels; and the names of classes."""
    splits: dict[str, _Split] = {}
    names: list[str] = []
    for base, table in _tables(source).items():
        where = f"{name}/{base}"
        image, label = _columns(where, table.features, how)
        if base != "train" and _lacks_labels(table, label):
            continue
        names = names or [str(n) for n in table.features[label].names]
        if names != list(table.features[label].names):
            raise DataError(f"{where}: wanted the class names of train")
        if not len(table):
            raise DataError(f"{where}: wanted examples, got none")
        splits[base] = _Split(table, image, label)
    return splits, names


def _lacks_labels(table: Any, label: str) -> bool:
    """Whether a split is one whose labels its makers keep: all -1 or none."""
    return bool(len(table)) and set(table.unique(label)) <= {-1, None}


def _library(*, is_fetched: bool = False) -> Any:
    """The library, once it is wanted."""
    if is_fetched and not tfds.answers(os.environ.get("HF_ENDPOINT", _HUB)):
        # Read when it is loaded: it would try again for half a minute, and
        # has what it has fetched before without.
        os.environ["HF_HUB_OFFLINE"] = "1"
    with extras.needed("data.name=hf"), stopping.importing("datasets"):
        import datasets
    datasets.disable_progress_bars()
    return datasets


def _tables(source: str) -> dict[str, Any]:
    """Split -> table; ``train`` first."""
    path = os.path.expanduser(source)
    is_there = os.path.isdir(path)
    datasets = _library(is_fetched=not is_there)
    try:
        if is_there:
            tables = datasets.load_from_disk(path)
        else:
            name, _, configuration = source.partition(":")
            tables = datasets.load_dataset(name, configuration or None)
    except Exception as error:  # The library raises nearly anything.
        if is_there:
            said = f"{path} holds no Hugging Face data set: {line(error)}"
            raise DataError(said) from None
        raise DataError(
            f"data.source: there is no folder {path}, and no data set of that "
            f"name can be had ({line(error)}); where there is no network, name "
            "a folder, which datasets.load_dataset(NAME).save_to_disk(FOLDER) "
            "writes elsewhere"
        ) from None
    if not isinstance(tables, dict):  # a table alone
        return {"train": tables}
    named = {
        own.SPLITS.get(str(called), str(called)): table
        for called, table in tables.items()
    }
    if len(named) < len(tables):
        raise DataError(
            f"{source}: wanted each split once, got {', '.join(tables)}"
        )
    return dict(sorted(named.items(), key=lambda item: item[0] != "train"))


def _columns(where: str, features: Any, how: own.Reading) -> tuple[str, str]:
    """Finds the columns of images and of labels; ``how`` may name that."""
    datasets, label = _library(), how.label_column
    images, labels = (
        [name for name, kind in features.items() if isinstance(kind, wanted)]
        for wanted in (datasets.Image, datasets.ClassLabel)
    )
    if label and label not in labels:
        raise DataError(
            f"{where}: data.label_column: wanted a column of class labels, "
            f"{', '.join(labels) or 'none is there'}, got {label}"
        )
    keeping = "save_to_disk(FOLDER) keeps it"
    # Of a foreign set no field of the experiment says how it is read.
    choosing = (
        "in datasets rename_column(..., 'label') says which is meant, and "
        f"{keeping}"
        if how.is_foreign
        else f"say which, as --set=data.label_column={(labels or [''])[0]}"
    )
    return (
        _one(
            f"{where}: wanted one column of images",
            images,
            "image",
            features,
            "in datasets remove_columns(...) takes the others out, and "
            f"{keeping}"
            if images
            else "in datasets cast_column(..., datasets.Image()) makes one of "
            f"files, and {keeping}",
        ),
        label
        or _one(
            f"{where}: wanted one column of class labels",
            labels,
            "label",
            features,
            choosing
            if labels
            else "in datasets class_encode_column(...) makes one of numbers or "
            f"words, and {keeping}",
        ),
    )


def _one(
    wanted: str, columns: list[str], called: str, features: Any, how: str
) -> str:
    """The only column of a kind, or the one that is called so."""
    if called in columns:
        return called
    if len(columns) == 1:
        return columns[0]
    raise DataError(
        f"{wanted}, got {', '.join(columns) or 'none'} among "
        f"{', '.join(features)}; {how}"
    )


def _encoded(
    split: _Split, where: str, rows: np.ndarray
) -> Iterator[tuple[str, bytes]]:
    """Gives the images' files; each is told by its name, or its number."""
    datasets = _library()
    column = split.image
    raw = (
        split.table.select_columns([column])
        .cast_column(column, datasets.Image(decode=False))
        .select(rows)
    )
    for i, row in zip(rows, raw, strict=True):
        path = (row[column] or {}).get("path") or ""
        called = f"{where}: image {i}" + (f" ({path})" if path else "")
        encoded = (row[column] or {}).get("bytes")
        if encoded is None and not path:
            raise DataError(f"{called} is missing; wanted one for each label")
        try:
            if encoded is None:
                with open(path, "rb") as file:
                    encoded = file.read()
        except OSError as error:
            raise DataError(f"{called} cannot be read: {line(error)}") from None
        yield called, encoded
