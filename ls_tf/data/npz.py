"""Images of the user's own in a NumPy file, ``*.npz``.

``data.source`` names it. It holds, for each split, one of

* ``x_train`` and ``y_train``, as Keras writes its data sets,
* ``train_images`` and ``train_labels``,

with ``test``, ``val`` or ``validation`` in the place of ``train``; or
``images`` and ``labels`` of all, with ``split``, the name of each one's split,
or without: then ``data.held_out`` says how much of it is to be ``test``.
``class_names`` may stand beside them. Nothing is unpickled.

With an augmentation of photographs the images are streamed, as PNGs in records
that are written once; else all are held in memory.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from etils import epath

from ls_tf.pipeline import npz_files, own, own_records
from ls_tf.pipeline.contract import Arrays, DataError, DatasetInfo
from ls_tf.pipeline.shards import Example

INFO = DatasetInfo(
    name="npz",
    sizes={},  # The file decides.
    image_shape=(0, 0, 0),
    num_classes=0,
    class_names=(),
    licence=own.LICENCE,
    source="A NumPy file named by data.source, no download.",
)
WANTS = "the name of a NumPy file (*.npz)"
_COLOURS = (1, 3)
_MOST_CHANNELS = 4
_FORMS = (("x_{}", "y_{}"), ("{}_images", "{}_labels"))


def opened(source: str, how: own.Reading) -> ModuleType:
    """Reads the file.

    Args:
        source: its name; may be ``gs://``.
        how: it is read; no data directory is used.

    Returns:
        The set as a module.

    Raises:
        DataError: one line: no file, no archive, or arrays that are no images
            and labels.

    Source: ours.
    """
    state = npz_files.state(source)
    return _streamed(state, how) if how.streams else _in_memory(state, how)


@dataclasses.dataclass(frozen=True)
class _Part:
    """Where the file has a split.

    Attributes:
        image: name of the array of images.
        label: name of that of labels.
        rows: which of them, rising; None: all.
    """

    image: str
    label: str
    rows: np.ndarray | None = None

    def of(self, array: np.ndarray) -> np.ndarray:
        """The split's rows of one of the two arrays."""
        return array if self.rows is None else array[self.rows]


@functools.lru_cache(maxsize=2)
def _in_memory(state: npz_files.State, how: own.Reading) -> ModuleType:
    file, name = epath.Path(state[0]), own.title("npz", state[0])
    heads = npz_files.heads(file)
    arrays = npz_files.read(file, own.MOST_BYTES)
    parts = _parts(name, heads, arrays.get("split"))
    total = sum(_count(part, heads) for part in parts.values())
    stored: dict[str, Arrays] = {}
    for base, part in parts.items():
        where = f"{name}/{base}"
        image = _images(where, part.of(arrays[part.image]))
        if how.image_size or how.channels:
            from ls_tf.pipeline import alike  # wants Pillow

            image = alike.fit(image, where, how.image_size, how.channels, total)
        stored[base] = {"image": image, "label": part.of(arrays[part.label])}
    return own.in_memory(name, stored, _names(name, arrays), how)


@functools.lru_cache(maxsize=2)
def _streamed(state: npz_files.State, how: own.Reading) -> ModuleType:
    file, name = epath.Path(state[0]), own.title("npz", state[0])
    heads = npz_files.heads(file)
    split = npz_files.read(file, own.MOST_BYTES, ("split",)).get("split")
    parts = _parts(name, heads, split)
    read = ("class_names", *(part.label for part in parts.values()))
    arrays = npz_files.read(file, own.MOST_BYTES, read)
    labels = {}
    for base, part in parts.items():
        where, head = f"{name}/{base}", heads[part.image]
        _check_form(where, head.dtype, head.shape)
        if len(head.shape) == 4 and head.shape[3] not in _COLOURS:
            raise DataError(
                f"{where}: wanted 1 or 3 channels to be streamed, got "
                f"{list(head.shape)}"
            )
        if not head.is_by_rows:
            raise DataError(
                f"{where}: wanted {part.image} in C order to be streamed; "
                "np.ascontiguousarray(x) has it"
            )
        labels[base] = own.check_labels(
            where, part.of(arrays[part.label]), _count(part, heads)
        )
    labels, names = own.classes(name, labels, _names(name, arrays))

    def pictures(base: str, rows: np.ndarray) -> Iterator[Example]:
        from ls_tf.pipeline import encoded  # wants Pillow

        part, label = parts[base], labels[base]
        places = rows if part.rows is None else part.rows[rows]
        images = npz_files.rows(file, part.image, places)
        for place, row, image in zip(places, rows, images, strict=True):
            grey = image[..., np.newaxis] if image.ndim == 2 else image
            called = f"{part.image}[{place}]"
            yield Example(encoded.png(grey), int(label[row]), called)

    return own_records.streamed(name, labels, names, pictures, how, state)


def _count(part: _Part, heads: Mapping[str, npz_files.Head]) -> int:
    """How many images a split has."""
    if part.rows is not None:
        return len(part.rows)
    return next(iter(heads[part.image].shape), 0)


def _parts(
    name: str,
    heads: Mapping[str, npz_files.Head],
    split: np.ndarray | None,
) -> dict[str, _Part]:
    """Finds images and labels by split."""
    parts: dict[str, _Part] = {}
    for word, base in own.SPLITS.items():
        for form in _FORMS:
            image, label = (part.format(word) for part in form)
            there = [key for key in (image, label) if key in heads]
            if len(there) == 1:
                raise DataError(
                    f"{name}: wanted {image} and {label}, got {there[0]} alone"
                )
            if there and base in parts:
                raise DataError(
                    f"{name}: wanted one array of images of {base}, got "
                    f"{parts[base].image} and {image}"
                )
            if there:
                parts[base] = _Part(image, label)
    if parts:
        return parts
    if not {"images", "labels"} <= set(heads):
        raise DataError(
            f"{name}: wanted x_train, y_train, x_test and y_test, or "
            "train_images and so on, or images and labels; it holds "
            f"{', '.join(sorted(heads)) or 'nothing'}"
        )
    if split is None:
        return {"train": _Part("images", "labels")}
    return _parted(name, heads, split)


def _parted(
    name: str, heads: Mapping[str, npz_files.Head], split: np.ndarray
) -> dict[str, _Part]:
    """Parts images by the name of each one's split."""
    lengths = [
        next(iter(heads[key].shape), 0) for key in ("images", "labels", "split")
    ]
    if split.ndim != 1 or split.dtype.kind not in "US" or len(set(lengths)) > 1:
        raise DataError(
            f"{name}: wanted in split the name of each image's split, got "
            f"{split.dtype} {list(split.shape)} of {lengths[0]} "
            f"images and {lengths[1]} labels"
        )
    words = split.astype(str)
    unknown = sorted(set(words.tolist()) - set(own.SPLITS))
    if unknown:
        raise DataError(
            f"{name}: wanted splits of the names {', '.join(own.SPLITS)}, got "
            f"{unknown[0]}"
        )
    bases = np.array([own.SPLITS[word] for word in words.tolist()])
    return {
        base: _Part("images", "labels", np.flatnonzero(bases == base))
        for base in dict.fromkeys(own.SPLITS.values())
        if (bases == base).any()
    }


def _check_form(
    where: str, dtype: np.dtype[Any], shape: tuple[int, ...], hint: str = ""
) -> None:
    """Refuses what are no images, or have their channels first."""
    if dtype != np.uint8 or len(shape) not in (3, 4):
        raise DataError(
            f"{where}: wanted images as uint8, 0 to 255, [N, H, W] or "
            f"[N, H, W, C], got {dtype} {list(shape)}{hint}"
        )
    if 0 in shape[1:]:
        raise DataError(f"{where}: wanted pixels, got {list(shape)}")
    if len(shape) == 4 and shape[1] in _COLOURS and shape[3] > _MOST_CHANNELS:
        raise DataError(
            f"{where}: wanted channels last, [N, H, W, C], got {list(shape)}; "
            "np.moveaxis(x, 1, 3) puts them there"
        )


def _images(where: str, image: np.ndarray) -> np.ndarray:
    """Gives images [N, H, W, C], grey ones with one channel."""
    hint = "" if image.dtype == np.uint8 else _made_so(image)
    _check_form(where, image.dtype, image.shape, hint)
    return image[..., np.newaxis] if image.ndim == 3 else image


def _made_so(image: np.ndarray) -> str:
    """What makes pixels of numbers of another kind; nothing if unsure."""
    if image.ndim not in (3, 4) or not image.size:
        return ""
    if image.dtype.kind not in "fiu" or not np.isfinite(image).all():
        return "; some are no numbers" if image.dtype.kind == "f" else ""
    low, high = image.min(), image.max()
    if low < 0 or high > 255:
        return f", {low:g} to {high:g}"
    if image.dtype.kind == "f" and high <= 1:
        return "; np.rint(255 * x).astype(np.uint8) makes them so"
    return "; np.rint(x).astype(np.uint8) makes them so"


def _names(name: str, arrays: Mapping[str, np.ndarray]) -> list[str] | None:
    names = arrays.get("class_names")
    if names is None:
        return None
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(
            f"{name}: wanted class_names as text, one for each class, got "
            f"{names.dtype} {list(names.shape)}"
        )
    return [str(word) for word in names.tolist()]
