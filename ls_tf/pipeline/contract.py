"""What a data set promises, and the small language of splits."""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np

from ls_tf.records.reading import line as line  # data sets say it too

Arrays = dict[str, np.ndarray]

_SPLIT = re.compile(
    r"(?P<base>\w+)(\[(?P<start>\d+%?)?:(?P<stop>\d+%?)?\])?", re.ASCII
)


class DataError(ValueError):
    """A data set that is missing, unreadable or not what it should be."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """The contract of one data set.

    Attributes:
        name: the module's name.
        sizes: number of examples of each split.
        image_shape: (height, width, channels).
        num_classes: K; labels are 0 .. K - 1.
        class_names: K names, in the order of the labels.
        licence: under which terms the data is given away.
        source: how to get it and what to cite.
        tfds: name in TensorFlow Datasets, or None if it does not come from
            there.
        builder: module whose import registers the set with TFDS; None where
            TFDS has it.
        is_own: whether it was read from the user's own data, which may be
            other data the next time: runs record more of it.
    """

    name: str
    sizes: Mapping[str, int]
    image_shape: tuple[int, int, int]
    num_classes: int
    class_names: tuple[str, ...]
    licence: str
    source: str
    tfds: str | None = None
    builder: str | None = None
    is_own: bool = False


@dataclasses.dataclass(frozen=True)
class Archive:
    """A file that a person must fetch.

    Attributes:
        name: of the file.
        size: in bytes.
        md5: its sum, 32 hexadecimal digits.
        source: the page that has it.
    """

    name: str
    size: int
    md5: str
    source: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordInfo(DatasetInfo):
    """The contract of a set of encoded photographs, which is streamed.

    Its pictures are of any size: the augmentation makes them alike.

    Attributes:
        archives: what a person must fetch before TFDS can prepare the set.
    """

    image_shape: tuple[int, int, int] = (0, 0, 3)
    archives: tuple[Archive, ...] = ()


def parse_split(split: str, sizes: Mapping[str, int]) -> tuple[str, int, int]:
    """Reads the name of a split or of a part of one.

    Args:
        split: ``"train"``, ``"train[:50000]"``, ``"train[50000:]"``,
            ``"test[10%:50%]"``; bounds are numbers of examples or whole
            percentages, rounded to the nearest example.
        sizes: number of examples of each split that exists.

    Returns:
        (base, start, stop): the examples start .. stop - 1 of ``base``.

    Raises:
        DataError: if the text is malformed, names no split, leaves the
            split's range or selects nothing.

    Source: ours; the notation is that of TensorFlow Datasets.
    """
    exist = ", ".join(f"{name} ({size})" for name, size in sizes.items())
    match = _SPLIT.fullmatch(split)
    if match is None:
        raise DataError(
            f"malformed split {split!r}: wanted a form like 'train', "
            f"'train[:100]' or 'train[50%:]' of one of: {exist}"
        )
    base = match["base"]
    if base not in sizes:
        raise DataError(f"no split {base!r} (in {split!r}); exist: {exist}")
    size = sizes[base]

    def position(text: str | None, default: int) -> int:
        if text is None:
            return default
        if text.endswith("%"):
            # Half an example rounds up; integers keep this exact.
            return (int(text[:-1]) * size * 2 + 100) // 200
        return int(text)

    start = position(match["start"], 0)
    stop = position(match["stop"], size)
    if max(start, stop) > size:
        raise DataError(
            f"split {split!r} wants examples {start}:{stop}, out of range; "
            f"exist: {exist}"
        )
    if start >= stop:
        raise DataError(
            f"split {split!r} is empty (examples {start}:{stop}); "
            f"exist: {exist}"
        )
    return base, start, stop


def check(info: DatasetInfo, base: str, arrays: Arrays) -> None:
    """Compares a whole split with what its data set promises.

    Args:
        info: the promise.
        base: name of the split.
        arrays: ``image`` [N, H, W, C] and ``label`` [N].

    Raises:
        DataError: at the first difference: dtype, count, shape, label range.
    """
    image, label = arrays["image"], arrays["label"]
    size = info.sizes[base]
    where = f"{info.name}/{base}"
    if image.dtype != np.uint8 or label.dtype != np.int32:
        raise DataError(
            f"{where}: wanted uint8 images and int32 labels, got "
            f"{image.dtype} and {label.dtype}"
        )
    if len(image) != size or len(label) != size:
        raise DataError(
            f"{where}: wanted {size} examples, got {len(image)} images and "
            f"{len(label)} labels"
        )
    if image.shape[1:] != info.image_shape or label.ndim != 1:
        raise DataError(
            f"{where}: wanted images of shape {info.image_shape} and one "
            f"label each, got {image.shape[1:]} and {label.shape[1:]}"
        )
    check_labels(info, base, label)


def check_labels(info: DatasetInfo, split: str, label: np.ndarray) -> None:
    """Refuses labels that are no classes of a data set.

    Args:
        info: the promise.
        split: for the message.
        label: int [N], N of 1 or more.

    Raises:
        DataError: if one is out of range.
    """
    low, high = int(label.min()), int(label.max())
    if low < 0 or high >= info.num_classes:
        raise DataError(
            f"{info.name}/{split}: wanted labels 0 to {info.num_classes - 1}, "
            f"got {low} to {high}"
        )


def check_images(images: np.ndarray) -> None:
    """Refuses what is not a batch of images.

    Args:
        images: wanted as uint8 [N, H, W, C].

    Raises:
        ValueError: if they are of another dtype or rank.
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(
            "wanted uint8 images [N, H, W, C], got "
            f"{images.dtype} {list(images.shape)}"
        )


def check_views(view: np.ndarray, views: int) -> np.ndarray:
    """Refuses views that an augmentation does not have.

    Args:
        view: int [n], wanted from 0 to ``views - 1``.
        views: how many there are.

    Returns:
        The same, as an array.

    Raises:
        ValueError: if they are of another type or out of range.
    """
    view = np.asarray(view)
    if view.ndim != 1 or not np.issubdtype(view.dtype, np.integer):
        raise ValueError(
            f"wanted integer views [n], got {view.dtype} {list(view.shape)}"
        )
    if view.size and (view.min() < 0 or view.max() >= views):
        raise ValueError(
            f"wanted views from 0 to {views - 1}, got {view.min()} to "
            f"{view.max()}"
        )
    return view
