"""Encoded pictures, one at a time, on the host: JPEG, PNG and WEBP."""

import contextlib
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, features

from ls_tf.pipeline import jpeg

_PNG = b"\x89PNG"
_RIFF, _WEBP, _FORM = b"RIFF", b"WEBP", slice(8, 12)
_PLACE, _DEPTH = slice(16, 24), 24  # of width and height, of bits a channel


def kind(encoded: bytes) -> str:
    """Says what a file is by its first bytes: PNG or WEBP, or else JPEG."""
    if encoded.startswith(_PNG):
        return "PNG"
    is_webp = encoded.startswith(_RIFF) and encoded[_FORM] == _WEBP
    return "WEBP" if is_webp else "JPEG"


def formats() -> tuple[str, ...]:
    """The kinds of pictures that this machine's Pillow decodes.

    Source: ours.
    """
    has_webp = features.check("webp")
    return ("PNG", "JPEG", "WEBP") if has_webp else ("PNG", "JPEG")


def is_deep(encoded: bytes) -> bool:
    """Says whether a file is a PNG of 16 bits a channel.

    Of its colours Pillow would drop half of the bits without a word.

    Args:
        encoded: the file's bytes, a header at least.

    Source: ours.
    """
    return kind(encoded) == "PNG" and encoded[_DEPTH] == 16


def size(encoded: bytes) -> tuple[int, int]:
    """Reads height and width from the header.

    Args:
        encoded: the file's bytes.

    Returns:
        (height, width), in pixels, as they are stored.

    Raises:
        jpeg.DamagedImageError: there is no header.

    Source: ours.
    """
    form = kind(encoded)
    if form == "JPEG":
        return jpeg.size(encoded)
    if form == "WEBP":
        with _opened(encoded, form) as image:
            return image.height, image.width
    place = encoded[_PLACE]
    if len(place) < 8:
        raise jpeg.DamagedImageError("its header is cut short")
    return int.from_bytes(place[4:]), int.from_bytes(place[:4])


def decode(encoded: bytes, least: tuple[float, float] = (0, 0)) -> np.ndarray:
    """Decodes a picture, grey ones as colours; as it is stored, not turned.

    Args:
        encoded: the file's bytes.
        least: of a JPEG, see ``jpeg.decode``; others are decoded as a whole.

    Returns:
        uint8 [H, W, 3], RGB; what is transparent has the colour behind that.

    Raises:
        jpeg.DamagedImageError: it is cut short, altered or neither, or a PNG
            of 16 bits a channel.

    Source: ours.
    """
    form = kind(encoded)
    if form == "JPEG":
        return jpeg.decode(encoded, least)
    with _opened(encoded, form) as image:
        pixels = np.asarray(image.convert("RGB"))
    if is_deep(encoded):
        raise jpeg.DamagedImageError("it has 16 bits a channel, wanted 8")
    return pixels


@contextlib.contextmanager
def _opened(encoded: bytes, form: str) -> Iterator[Image.Image]:
    """Opens a picture; what goes wrong until it is closed is damage."""
    try:
        with Image.open(io.BytesIO(encoded), formats=(form,)) as image:
            yield image
    except Exception as error:  # Pillow raises nearly anything.
        said = " ".join(str(error).split())
        raise jpeg.DamagedImageError(said) from error


def png(image: np.ndarray) -> bytes:
    """Encodes a picture without loss.

    Args:
        image: uint8 [H, W, C], C of 1 or 3.

    Returns:
        The bytes of a PNG file.

    Source: ours.
    """
    buffer = io.BytesIO()
    grey = image.shape[-1] == 1
    made = Image.fromarray(image[..., 0] if grey else image)
    made.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
