"""JPEG decoding, one picture at a time, on the host."""

import math

import numpy as np
import simplejpeg

# Bytes between two markers: harmless, and some of ImageNet's files have them.
_HARMLESS = "extraneous bytes"


class DamagedImageError(ValueError):
    """Bytes that are no whole JPEG; the message says why, in one line."""


def size(encoded: bytes) -> tuple[int, int]:
    """Reads height and width from the header.

    Args:
        encoded: the file's bytes.

    Returns:
        (height, width), in pixels.

    Raises:
        DamagedImageError: there is no header.

    Source: ours.
    """
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(encoded, strict=False)
    except (ValueError, KeyError) as error:  # KeyError: no colours are told
        raise DamagedImageError(_line(error)) from error
    return height, width


def decode(encoded: bytes, least: tuple[float, float] = (0, 0)) -> np.ndarray:
    """Decodes a picture, grey ones as colours.

    Where the picture may be smaller, whole blocks of pixels are averaged in
    the frequencies, which costs less than to decode all.

    Args:
        encoded: the file's bytes.
        least: the height and the width that the result must have at least,
            unless the picture is smaller; (0, 0) for all of it.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        DamagedImageError: it is cut short, altered or no JPEG.

    Source: ours.
    """
    how = {}
    if any(least):
        how["min_height"] = math.ceil(least[0])
        how["min_width"] = math.ceil(least[1])
        # libjpeg shrinks by eighths; only halves and less pay.
        how["min_factor"] = 2
    try:
        image = simplejpeg.decode_jpeg(encoded, "RGB", **how)
    except (ValueError, KeyError) as error:
        if _HARMLESS not in str(error):
            raise DamagedImageError(_line(error)) from error
        image = simplejpeg.decode_jpeg(encoded, "RGB", strict=False, **how)
    pixels: np.ndarray = image
    return pixels


def encode(image: np.ndarray, quality: int) -> bytes:
    """Encodes a picture.

    Args:
        image: uint8 [H, W, 3], RGB.
        quality: 1 to 100.

    Returns:
        The bytes of a JPEG file.

    Source: ours.
    """
    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality, "RGB", "420"
    )
    return encoded


def _line(error: Exception) -> str:
    text = "" if isinstance(error, KeyError) else str(error)
    return " ".join(text.split()) or "its header is cut short"
