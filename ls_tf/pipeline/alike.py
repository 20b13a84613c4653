"""Images of many sizes made alike, and read from PNG, JPEG and WEBP files."""

import io
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ls_tf import stopping
from ls_tf.pipeline import encoded as files
from ls_tf.pipeline import own
from ls_tf.pipeline.contract import Arrays, DataError, line

# Of Pillow: how pixels lie, and what they are read as.
_GREY = {"L": "L", "1": "L", "LA": "L"}
_COLOURS = {m: "RGB" for m in ("RGB", "RGBA", "P", "CMYK", "YCbCr")}
_CHANNELS = {1: "L", 3: "RGB"}


def decode(
    encoded: bytes, where: str, size: Sequence[int] = (), channels: int = 0
) -> np.ndarray:
    """Decodes a PNG, a JPEG or a WEBP.

    Args:
        encoded: the file's bytes.
        where: of the file, for the message.
        size: (height, width) to scale and cut to; empty: as it is.
        channels: 1 or 3; 0: as it is, without transparency.

    Returns:
        uint8 [H, W, C], turned upright where the file says how (EXIF).

    Raises:
        DataError: it is damaged, of another format, or of 16 bits.

    Source: ours.
    """
    try:
        with _opened(encoded) as image:
            mode = (_GREY | _COLOURS).get(image.mode)
            image.load()
            picture = _upright(image)
            picture = picture if mode is None else _as(picture, mode)
    except Exception as error:  # Pillow raises nearly anything.
        raise _no_picture(where, encoded, error) from None
    is_deep = files.is_deep(encoded)
    if mode is None or is_deep:
        came = "16" if is_deep else f"Pillow's mode {picture.mode}"
        raise DataError(
            f"{where}: wanted 8 bits a channel, grey or colours, got {came}; "
            "scale the values to 0 to 255 and save the picture again"
        )
    return _fitted(picture, size, channels)


def _opened(encoded: bytes) -> Image.Image:
    return Image.open(io.BytesIO(encoded), formats=files.formats())


def _no_picture(where: str, encoded: bytes, error: Exception) -> DataError:
    form = files.kind(encoded)
    if form not in files.formats():
        return DataError(
            f"{where} is a {form}, which the installed Pillow cannot read; "
            "wanted PNG or JPEG, or a Pillow with it"
        )
    # Pillow would name the object that the bytes are in.
    said = (
        "its first bytes are of none"
        if isinstance(error, UnidentifiedImageError)
        else line(error)
    )
    return DataError(f"{where} is damaged, or no PNG, JPEG or WEBP: {said}")


def upright(encoded: bytes, where: str) -> bytes:
    """Gives a picture that is streamed as it is seen, without loss.

    Args:
        encoded: bytes of a PNG, a JPEG or a WEBP.
        where: of the file, for the message.

    Returns:
        The same; where the file says how the camera was held (EXIF), a PNG of
        the turned picture.

    Raises:
        DataError: it is none of these, or a turned one is damaged.

    Source: ours.
    """
    try:
        with _opened(encoded) as image:
            direction = _direction(image)
    except Exception as error:  # Pillow raises nearly anything.
        raise _no_picture(where, encoded, error) from None
    if direction in (0, 1):
        return encoded
    return files.png(decode(encoded, where))


def _direction(image: Image.Image) -> int:
    """How the camera was held, 1 upright; 0 where that is not told."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 0))
    except Exception:  # What cannot be read of it says nothing of the pixels.
        return 0


def _upright(image: Image.Image) -> Image.Image:
    """Turns a picture as a camera says that it was held."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # What cannot be read of it says nothing of the pixels.
        return image


def _as(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _fitted(
    picture: Image.Image, size: Sequence[int], channels: int
) -> np.ndarray:
    if channels:
        picture = _as(picture, _CHANNELS[channels])
    if size and picture.size != (size[1], size[0]):
        picture = ImageOps.fit(
            picture, (size[1], size[0]), Image.Resampling.BICUBIC
        )
    pixels = np.asarray(picture)
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def fit(
    images: np.ndarray,
    where: str,
    size: Sequence[int],
    channels: int,
    total: int = 0,
) -> np.ndarray:
    """Scales and cuts images of one size to another, and to grey or from it.

    The smallest picture of the wanted proportions that covers the new size is
    what is scaled, with antialiasing; what juts out on two sides is cut off.

    Args:
        images: uint8 [N, h, w, c], c of 1 or 3.
        where: set and split, for the message.
        size: (height, width); empty: as they are.
        channels: 1 or 3; 0: as they are.
        total: images of all splits, which have to fit in memory; 0: these.

    Returns:
        uint8 [N, H, W, C]; the same array where nothing changes.

    Raises:
        DataError: other numbers of channels, or too many for memory.

    Source: ours.
    """
    shape = (*(size or images.shape[1:3]), channels or images.shape[3])
    if shape == images.shape[1:]:
        return images
    if images.shape[3] not in (1, 3):
        raise DataError(
            f"{where}: wanted images of 1 or 3 channels to be changed, got "
            f"{images.shape[3]}"
        )
    own.check_bytes(where, total or len(images), shape)
    made = np.empty((len(images), *shape), np.uint8)
    for i, image in enumerate(images):
        stopping.look()
        pixels = image[..., 0] if image.shape[-1] == 1 else image
        made[i] = _fitted(Image.fromarray(pixels), size, channels)
    return made


def of_many(
    images: Iterable[tuple[np.ndarray, int]],
    where: str,
    count: int,
    size: Sequence[int],
    channels: int,
    total: int,
) -> Arrays:
    """Scales and cuts decoded images of many sizes, one by one.

    Args:
        images: uint8 [h, w, c], c of 1 or 3, and the class id of each.
        where: set and split, for messages.
        count: how many there are.
        size: see ``fit``.
        channels: likewise.
        total: likewise.

    Returns:
        ``image`` uint8 [N, H, W, C] and ``label`` int64 [N].

    Raises:
        DataError: they are too many for memory, or not alike in channels.

    Source: ours.
    """
    label: list[int] = []

    def fitted() -> Iterator[tuple[str, np.ndarray]]:
        for i, (image, kind) in enumerate(images):
            label.append(kind)
            called = f"image {i}"
            yield called, fit(image[np.newaxis], called, size, channels)[0]

    stacked = together(fitted(), where, count, total)
    return {"image": stacked, "label": np.array(label)}


def together(
    images: Iterable[tuple[str, np.ndarray]], name: str, count: int, total: int
) -> np.ndarray:
    """Stacks images that are alike.

    Args:
        images: where each is from, and uint8 [H, W, C].
        name: set and split, for messages.
        count: how many there are, 1 or more.
        total: images of all splits, which have to fit in memory.

    Returns:
        uint8 [N, H, W, C].

    Raises:
        DataError: they are not alike, or too many for memory.

    Source: ours.
    """
    made: np.ndarray | None = None
    first = ""
    for i, (where, image) in enumerate(images):
        stopping.look()
        if made is None:
            own.check_bytes(name, total, image.shape)
            made, first = np.empty((count, *image.shape), np.uint8), where
        if image.shape != made.shape[1:]:
            raise DataError(
                f"{name}: wanted images of one size, {first} is "
                f"{' x '.join(map(str, made.shape[1:]))} and {where} is "
                f"{' x '.join(map(str, image.shape))}; say "
                "--set=data.image_size=HEIGHT,WIDTH and --set=data.channels=3 "
                "or 1, and they are made so"
            )
        made[i] = image
    if made is None:
        raise DataError(f"{name}: wanted examples, got none")
    return made
