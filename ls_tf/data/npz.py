"""Images of the user's own in a NumPy file, ``*.npz``.

``data.source`` names it. It holds, for each split, one of

* ``x_train`` and ``y_train``, as Keras writes its data sets,
* ``train_images`` and ``train_labels``,

with ``test``, ``val`` or ``validation`` in the place of ``train``; or
``images`` and ``labels`` of all, with ``split``, the name of each one's split,
or without: then ``data.held_out`` says how much of it is to be ``test``.
``class_names`` may stand beside them. Nothing is unpickled.
"""

import functools
from collections.abc import Mapping
from types import ModuleType

import numpy as np
from etils import epath

from ls_tf.pipeline import npz_files, own
from ls_tf.pipeline.contract import Arrays, DataError, DatasetInfo

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
    return _opened(npz_files.state(source), how)


@functools.lru_cache(maxsize=2)
def _opened(state: npz_files.State, how: own.Reading) -> ModuleType:
    arrays = npz_files.read(epath.Path(state[0]), own.MOST_BYTES)
    name = own.title("npz", state[0])
    stored: dict[str, Arrays] = {}
    for base, split in _splits(name, arrays).items():
        where = f"{name}/{base}"
        image = _images(where, split["image"])
        if how.image_size or how.channels:
            from ls_tf.pipeline import alike  # wants Pillow

            image = alike.fit(image, where, how.image_size, how.channels)
        stored[base] = {"image": image, "label": split["label"]}
    return own.in_memory(name, stored, _names(name, arrays), how)


def _splits(name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
    """Finds images and labels by split."""
    pairs: dict[str, tuple[str, str]] = {}
    for word, base in own.SPLITS.items():
        for form in _FORMS:
            image, label = (part.format(word) for part in form)
            there = [key for key in (image, label) if key in arrays]
            if len(there) == 1:
                raise DataError(
                    f"{name}: wanted {image} and {label}, got {there[0]} alone"
                )
            if there and base in pairs:
                raise DataError(
                    f"{name}: wanted one array of images of {base}, got "
                    f"{pairs[base][0]} and {image}"
                )
            if there:
                pairs[base] = image, label
    if pairs:
        return {
            base: {"image": arrays[image], "label": arrays[label]}
            for base, (image, label) in pairs.items()
        }
    if not {"images", "labels"} <= set(arrays):
        raise DataError(
            f"{name}: wanted x_train, y_train, x_test and y_test, or "
            "train_images and so on, or images and labels; it holds "
            f"{', '.join(sorted(arrays)) or 'nothing'}"
        )
    whole = {"image": arrays["images"], "label": arrays["labels"]}
    return _parted(name, whole, arrays.get("split"))


def _parted(
    name: str, whole: Arrays, split: np.ndarray | None
) -> dict[str, Arrays]:
    """Parts images by the name of each one's split."""
    if split is None:
        return {"train": whole}
    lengths = {len(v) if v.ndim else 0 for v in (*whole.values(), split)}
    if split.ndim != 1 or split.dtype.kind not in "US" or len(lengths) > 1:
        raise DataError(
            f"{name}: wanted in split the name of each image's split, got "
            f"{split.dtype} {list(split.shape)} of {len(whole['image'])} "
            f"images and {len(whole['label'])} labels"
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
        str(base): {key: v[bases == base] for key, v in whole.items()}
        for base in dict.fromkeys([*own.SPLITS.values()])
        if (bases == base).any()
    }


def _images(where: str, image: np.ndarray) -> np.ndarray:
    """Gives images [N, H, W, C], grey ones with one channel."""
    if image.dtype != np.uint8 or image.ndim not in (3, 4):
        raise DataError(
            f"{where}: wanted images as uint8, 0 to 255, [N, H, W] or "
            f"[N, H, W, C], got {image.dtype} {list(image.shape)}"
            + _made_so(image)
        )
    if image.ndim == 3:
        image = image[..., np.newaxis]
    if 0 in image.shape[1:]:
        raise DataError(f"{where}: wanted pixels, got {list(image.shape)}")
    if image.shape[1] in _COLOURS and image.shape[3] > _MOST_CHANNELS:
        raise DataError(
            f"{where}: wanted channels last, [N, H, W, C], got "
            f"{list(image.shape)}; np.moveaxis(x, 1, 3) puts them there"
        )
    return image


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
