"""Encoded pictures, one at a time, on the host: JPEG and PNG."""

import io

import numpy as np
from PIL import Image

from ls_tf.pipeline import jpeg

_PNG = b"\x89PNG"
_PLACE, _DEPTH = slice(16, 24), 24  # of width and height, of bits a channel


def kind(encoded: bytes) -> str:
    """Says what a file is by its first bytes: PNG, or else JPEG."""
    return "PNG" if encoded.startswith(_PNG) else "JPEG"


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
    if kind(encoded) != "PNG":
        return jpeg.size(encoded)
    place = encoded[_PLACE]
    if len(place) < 8:
        raise jpeg.DamagedImageError("its header is cut short")
    return int.from_bytes(place[4:]), int.from_bytes(place[:4])


def decode(encoded: bytes, least: tuple[float, float] = (0, 0)) -> np.ndarray:
    """Decodes a picture, grey ones as colours; as it is stored, not turned.

    Args:
        encoded: the file's bytes.
        least: of a JPEG, see ``jpeg.decode``; a PNG is decoded as a whole.

    Returns:
        uint8 [H, W, 3], RGB; what is transparent has the colour behind that.

    Raises:
        jpeg.DamagedImageError: it is cut short, altered or neither, or a PNG
            of 16 bits a channel.

    Source: ours.
    """
    if kind(encoded) != "PNG":
        return jpeg.decode(encoded, least)
    try:
        with Image.open(io.BytesIO(encoded), formats=("PNG",)) as image:
            pixels = np.asarray(image.convert("RGB"))
    except Exception as error:  # Pillow raises nearly anything.
        said = " ".join(str(error).split())
        raise jpeg.DamagedImageError(said) from error
    if is_deep(encoded):
        raise jpeg.DamagedImageError("it has 16 bits a channel, wanted 8")
    return pixels


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
