"""Colour distortions of one picture, on the host.

They work on three planes of float32, in units of the 256 levels, and clip
nothing before the end, so that an order of several is the original's.
"""

import cv2
import numpy as np

from ls_tf.pipeline.draws import Draws

Planes = list[np.ndarray]  # red, green and blue, float32 [H, W]

_BRIGHTNESS = 32.0  # levels
_SATURATION = (0.5, 1.5)
_CONTRAST = (0.5, 1.5)
_HUE = 0.2  # turns
# Which distortion comes when, for each of the four orders.
_ORDERS = (
    ("brightness", "saturation", "hue", "contrast"),
    ("saturation", "brightness", "contrast", "hue"),
    ("contrast", "hue", "brightness", "saturation"),
    ("hue", "saturation", "contrast", "brightness"),
)


def distorted(image: np.ndarray, draws: Draws, *, full: bool) -> np.ndarray:
    """Changes the colours of a picture at random.

    Args:
        image: uint8 [H, W, 3].
        draws: where chance comes from.
        full: all four distortions in one of four orders; else brightness,
            then saturation.

    Returns:
        uint8 [H, W, 3]: clipped, and rounded once.

    Source: TensorFlow's ``inception_preprocessing``, ``distort_color``.
    """
    planes = list(cv2.split(image.astype(np.float32)))
    order = _ORDERS[draws.integer(len(_ORDERS))] if full else _ORDERS[0][:2]
    for name in order:
        if name == "brightness":
            planes = brighter(planes, draws.uniform(-_BRIGHTNESS, _BRIGHTNESS))
        elif name == "saturation":
            planes = saturated(planes, draws.uniform(*_SATURATION))
        elif name == "hue":
            planes = turned(planes, draws.uniform(-_HUE, _HUE))
        else:
            planes = contrasted(planes, draws.uniform(*_CONTRAST))
    nothing = np.zeros_like(planes[0])
    # OpenCV rounds to the nearest number and stays within 0 to 255.
    return cv2.merge([cv2.add(p, nothing, dtype=cv2.CV_8U) for p in planes])


def brighter(planes: Planes, levels: float) -> Planes:
    """Adds the same number of levels to all values.

    Args:
        planes: float32 [H, W] each.
        levels: what to add; 255 is the whole range.

    Returns:
        The planes.

    Source: ours, as ``tf.image.adjust_brightness``.
    """
    return [plane + np.float32(levels) for plane in planes]


def contrasted(planes: Planes, factor: float) -> Planes:
    """Multiplies each value's distance from the mean of its plane.

    Args:
        planes: float32 [H, W] each.
        factor: 1 changes nothing.

    Returns:
        The planes.

    Source: ours, as ``tf.image.adjust_contrast``.
    """
    return [
        plane * np.float32(factor)
        + np.float32((1 - factor) * cv2.mean(plane)[0])
        for plane in planes
    ]


def saturated(planes: Planes, factor: float) -> Planes:
    """Multiplies the saturation, which stays in [0, 1]; keeps hue and value.

    The saturation of a pixel is (V - m) / V of its largest and its least
    value. With another one, x becomes V - (V - x) * q, where q is the ratio
    of the two: the factor, or V / (V - m) where that is less.

    Args:
        planes: float32 [H, W] each.
        factor: 0 or more; 1 changes nothing.

    Returns:
        The planes.

    Source: ours, as ``tf.image.adjust_saturation``.
    """
    top, least = _extremes(planes)
    span = top - least
    # Where all three are equal, the ratio does not matter.
    ratio = cv2.divide(top, np.maximum(span, np.float32(1e-6)))
    ratio = np.clip(ratio, np.float32(0), np.float32(factor))
    return [
        cv2.subtract(top, cv2.multiply(cv2.subtract(top, plane), ratio))
        for plane in planes
    ]


def turned(planes: Planes, turns: float) -> Planes:
    """Turns the hue; keeps the largest and the least value of each pixel.

    Args:
        planes: float32 [H, W] each.
        turns: by how much of the circle of colours.

    Returns:
        The planes.

    Source: ours, as ``tf.image.adjust_hue``.
    """
    red, green, blue = planes
    top, least = _extremes(planes)
    span = top - least
    safe = np.maximum(span, np.float32(1e-6))
    # Sixths of the circle, from red by way of green to blue.
    hue = np.where(
        top == red,
        (green - blue) / safe,
        np.where(
            top == green, 2 + (blue - red) / safe, 4 + (red - green) / safe
        ),
    ) + np.float32(6 * turns)
    turned = []
    for centre in (0, 2, 4):  # where red, green and blue are the largest
        place = hue + np.float32(3 - centre)
        away = np.abs(place - 6 * np.floor(place / 6) - 3)
        share = np.clip(2 - away, np.float32(0), np.float32(1))
        turned.append(least + span * share)
    return turned


def _extremes(planes: Planes) -> tuple[np.ndarray, np.ndarray]:
    red, green, blue = planes
    top = cv2.max(cv2.max(red, green), blue)
    return top, cv2.min(cv2.min(red, green), blue)
