"""Data sets of the library ``datasets`` of Hugging Face, as arrays."""

import functools
import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from ls_tf import extras, stopping
from ls_tf.pipeline import alike, own, tfds
from ls_tf.pipeline.contract import Arrays, DataError, line

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
    splits = _splits(source)
    stored: dict[str, Arrays] = {}
    names: list[str] = []
    for base, table in splits.items():
        where = f"{name}/{base}"
        image, label = _columns(where, table.features)
        if base != "train" and _lacks_labels(table, label):
            continue
        names = names or [str(n) for n in table.features[label].names]
        if names != list(table.features[label].names):
            raise DataError(f"{where}: wanted the class names of train")
        if not len(table):
            raise DataError(f"{where}: wanted examples, got none")
        pictures = _pictures(table, image, where, how)
        stored[base] = {
            "image": alike.together(pictures, where, len(table)),
            "label": _labels(where, table, label),
        }
    return own.in_memory(name, stored, names, how)


def _lacks_labels(table: Any, label: str) -> bool:
    """Whether a split is one whose labels its makers keep: all -1 or none."""
    return bool(len(table)) and set(table.unique(label)) <= {-1, None}


def _labels(where: str, table: Any, label: str) -> np.ndarray:
    values = table[label][:]
    if any(value is None for value in values):
        raise DataError(
            f"{where}: wanted a label of each image, some have none"
        )
    return np.array(values)


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


def _splits(source: str) -> dict[str, Any]:
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


def _columns(where: str, features: Any) -> tuple[str, str]:
    """Finds the columns of images and of labels."""
    datasets = _library()
    columns_of = []
    for kind, called, word in (
        (datasets.Image, "image", "images"),
        (datasets.ClassLabel, "label", "class labels"),
    ):
        columns = [c for c, f in features.items() if isinstance(f, kind)]
        if len(columns) != 1 and called not in columns:
            how = (
                "remove_columns(...) takes the others out"
                if columns
                else "class_encode_column(...) makes one of numbers or words"
                if kind is datasets.ClassLabel
                else "cast_column(..., datasets.Image()) makes one of files"
            )
            raise DataError(
                f"{where}: wanted one column of {word}, got "
                f"{', '.join(columns) or 'none'} among {', '.join(features)}; "
                f"in datasets {how}, and save_to_disk(FOLDER) keeps it"
            )
        columns_of.append(called if called in columns else columns[0])
    return columns_of[0], columns_of[1]


def _pictures(
    table: Any, column: str, where: str, how: own.Reading
) -> Iterator[tuple[str, np.ndarray]]:
    """Decodes the images; each is told by its file, or its number."""
    datasets = _library()
    raw = table.select_columns([column]).cast_column(
        column, datasets.Image(decode=False)
    )
    for i, row in enumerate(raw):
        path = (row[column] or {}).get("path") or ""
        called = f"{where}: image {i}" + (f" ({path})" if path else "")
        try:
            encoded = row[column]["bytes"]
            if encoded is None:
                with open(path, "rb") as file:
                    encoded = file.read()
        except (OSError, TypeError) as error:
            raise DataError(f"{called} cannot be read: {line(error)}") from None
        yield (
            called,
            alike.decode(encoded, called, how.image_size, how.channels),
        )
