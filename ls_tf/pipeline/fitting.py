"""Images of one data set in the shape of another's."""

from types import ModuleType

import numpy as np

from ls_tf.pipeline import loading, own, prepared
from ls_tf.pipeline.contract import Arrays, DataError, DatasetInfo, RecordInfo
from ls_tf.spec import DataSpec, SpecError, registry

_GREY = np.array([0.299, 0.587, 0.114])  # of red, green, blue: ITU-R BT.601


def named(name: str) -> ModuleType:
    """Finds a data set whose images can be fitted, and reads none of it.

    Args:
        name: as ``load`` takes it.

    Returns:
        Its module.

    Raises:
        SpecError: no such data set, or one of another kind; a source that is
            missing, or that it has no use for.

    Source: ours.
    """
    called, _, source = name.partition(":")
    module = registry.get("ls_tf.data", called, "data set")
    if hasattr(module, "opened"):
        if not source:
            raise SpecError(
                f"{name}: wanted its source behind a colon, as {called}:SOURCE"
            )
        return module
    if source:
        raise SpecError(f"{name}: wanted {called} alone, it has no source")
    info = module.INFO
    if not isinstance(info, DatasetInfo) or isinstance(info, RecordInfo):
        raise SpecError(
            f"{name}: wanted a data set of images that fit in memory"
        )
    return module


def load(
    name: str, split: str, shape: tuple[int, ...], *, data_dir: str | None
) -> Arrays:
    """Loads another data set, its images scaled to a shape.

    Args:
        name: of the data set; of the user's own with its source behind a
            colon: ``npz:mine.npz``.
        split: as in ``loading.load``; of the user's own see ``own.Reading``.
        shape: (H, W, C) of the images to give.
        data_dir: see ``loading.load``; not looked at for a set that comes
            with a package, so that a prepared file may hold the other one.

    Returns:
        ``image`` uint8 [N, H, W, C] and ``label`` int32 [N].

    Raises:
        SpecError: no such data set, split or data, or one of another kind.

    Source: ours.
    """
    module = named(name)
    if hasattr(module, "opened"):
        return _own(name, split, shape, data_dir)
    if module.INFO.tfds is None:
        data_dir = None
    try:
        arrays = loading.load(module, split, data_dir=data_dir)
    except DataError as error:
        raise SpecError(str(error)) from error
    return {"image": fitted(arrays["image"], shape), "label": arrays["label"]}


def _own(
    name: str, split: str, shape: tuple[int, ...], data_dir: str | None
) -> Arrays:
    """The user's own images, made alike as ``data.image_size`` makes them."""
    called, _, source = name.partition(":")
    data = DataSpec(
        called,
        *("train", "test", "test"),
        source=source,
        image_size=shape[:2],
        channels=shape[2] if shape[2] in (1, 3) else 0,
    )
    if data_dir is not None and prepared.is_prepared(data_dir):
        data_dir = None  # It holds the run's own data.
    try:
        module = own.of(data, data_dir, is_foreign=True)
        base = "validation" if split == "test" else split
        if split in module.INFO.sizes:
            base = split
        arrays = loading.load(module, base, data_dir=data_dir)
    except DataError as error:
        raise SpecError(str(error)) from error
    return {"image": fitted(arrays["image"], shape), "label": arrays["label"]}


def fitted(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Scales images to a size, and to grey or from it.

    Args:
        images: uint8 [N, h, w, c], c of 1 or 3.
        shape: (H, W, C), C of 1 or 3.

    Returns:
        uint8 [N, H, W, C], interpolated linearly between the centres of
        pixels; unchanged where the shape is the same.

    Raises:
        SpecError: other numbers of channels.

    Source: ours.
    """
    if images.shape[1:] == tuple(shape):
        return images
    height, width, channels = shape
    if channels not in (1, 3) or images.shape[-1] not in (1, 3):
        raise SpecError(
            f"wanted images of 1 or 3 channels, got {images.shape[-1]} and "
            f"{channels}"
        )
    rows = _weights(images.shape[1], height).astype(np.float32)  # [H, h]
    columns = _weights(images.shape[2], width).astype(np.float32)  # [W, w]
    scaled = np.einsum(
        "Hh,nhwc,Ww->nHWc",
        rows,
        images.astype(np.float32),
        columns,
        optimize=True,
    )
    if channels < images.shape[-1]:
        scaled = (scaled @ _GREY)[..., None]
    pixels = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:-1], channels)).copy()


def _weights(old: int, new: int) -> np.ndarray:
    """How much of each old place a new one is made of: float64 [new, old]."""
    places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    apart = np.abs(places[:, None] - np.arange(old))
    weights: np.ndarray = np.maximum(0, 1 - apart)
    return weights
