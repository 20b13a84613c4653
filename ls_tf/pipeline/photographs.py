"""From the bytes of a photograph to the pixels that a network is given.

What is made here is uint8, on the host, image by image, in a process that
does nothing else. The device makes floats of it (``augment.Photographs``).
"""

import dataclasses
import math
from typing import ClassVar, Protocol

import cv2
import numpy as np
from PIL import Image

from ls_tf.pipeline import colour
from ls_tf.pipeline import encoded as files
from ls_tf.pipeline.draws import Draws

Box = tuple[int, int, int, int]  # top, left, height, width
Colour = tuple[float, float, float]

# One picture in each process: threads of its own would only wait.
cv2.setNumThreads(0)

_ATTEMPTS = 100


class Recipe(Protocol):
    """How pictures are prepared; it holds settings and no state.

    What the device makes of the levels x is (x / 255 - mean) / std.
    """

    mean: ClassVar[Colour]
    std: ClassVar[Colour]

    @property
    def size(self) -> int:
        """Height and width of what it makes."""

    def train(self, encoded: bytes, draws: Draws) -> np.ndarray:
        """Decodes and augments.

        Args:
            encoded: the bytes of a JPEG, PNG or WEBP file.
            draws: the chance of this example in this epoch.

        Returns:
            uint8 [size, size, 3].

        Raises:
            jpeg.DamagedImageError: the bytes are no whole picture.
        """

    def evaluate(self, encoded: bytes) -> np.ndarray:
        """Decodes and prepares without chance; see ``train``."""


def recipe(name: str) -> Recipe:
    """Finds a recipe by the name of its augmentation.

    Args:
        name: see ``augment.augmentation``.

    Returns:
        The recipe.

    Raises:
        KeyError: there is none of that name.

    Source: Mueller et al. 2019, App. A.4; the replication's notebooks.
    """
    return RECIPES[name]


# --- Inception --------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Inception:
    """Distorted box, flip and colours; the central 7/8 for evaluation.

    Attributes:
        size: height and width of the result.
        full: four colour distortions in one of four orders, and one of four
            ways to resize; else brightness and saturation, bilinear.

    Source: TensorFlow's ``inception_preprocessing``.
    """

    size: int = 299
    full: bool = False
    mean: ClassVar[Colour] = (0.5, 0.5, 0.5)  # to [-1, 1]
    std: ClassVar[Colour] = (0.5, 0.5, 0.5)

    def train(self, encoded: bytes, draws: Draws) -> np.ndarray:
        """See ``Recipe.train``."""
        height, width = files.size(encoded)
        box = distorted_box(height, width, draws)
        methods = (
            (cv2.INTER_LINEAR, cv2.INTER_NEAREST)
            + (cv2.INTER_CUBIC, cv2.INTER_AREA)
            if self.full
            else (cv2.INTER_LINEAR,)
        )
        method = methods[draws.integer(len(methods))]
        image = self._resized(encoded, (height, width), box, method)
        if draws.integer(2):
            image = cv2.flip(image, 1)
        return colour.distorted(image, draws, full=self.full)

    def evaluate(self, encoded: bytes) -> np.ndarray:
        """See ``Recipe.evaluate``."""
        height, width = files.size(encoded)
        top, left = height // 16, width // 16  # half of an eighth, cut
        box = (top, left, height - 2 * top, width - 2 * left)
        return self._resized(encoded, (height, width), box, cv2.INTER_LINEAR)

    def _resized(
        self, encoded: bytes, whole: tuple[int, int], box: Box, method: int
    ) -> np.ndarray:
        """Cuts a box out and makes it the size of the result."""
        top, left, height, width = box
        least = (whole[0] * self.size / height, whole[1] * self.size / width)
        # The picture may be shrunk as far as the box has pixels to spare; not
        # where the way to resize is to make a difference.
        image = files.decode(encoded, (0, 0) if self.full else least)
        shrunk = image.shape[0] / whole[0]
        if shrunk != 1:
            last = (top + height, left + width)
            top, left = round(top * shrunk), round(left * shrunk)
            height = max(1, round(last[0] * shrunk) - top)
            width = max(1, round(last[1] * shrunk) - left)
        cut = image[top : top + height, left : left + width]
        return cv2.resize(cut, (self.size, self.size), interpolation=method)


def distorted_box(height: int, width: int, draws: Draws) -> Box:
    """Draws a part of a picture: a shape first, then a size, then a place.

    Its width over its height is 0.75 to 1.33; it has 0.05 to 1 of the area,
    and, since the whole picture is the object that must be seen, a tenth of
    it at least.

    Args:
        height: of the picture.
        width: of the picture.
        draws: where chance comes from.

    Returns:
        (top, left, height, width); the whole picture where 100 tries fail.

    Source: TensorFlow's ``inception_preprocessing`` and
    ``sample_distorted_bounding_box``.
    """
    area = height * width
    for _ in range(_ATTEMPTS):
        aspect = draws.uniform(0.75, 1.33)
        least = round(math.sqrt(0.05 * area / aspect))
        most = round(math.sqrt(area / aspect))
        if round(most * aspect) > width:
            most = int((width + 0.5 - 1e-7) / aspect)
        most = min(most, height)
        least = min(least, most)
        high = least + draws.integer(most - least + 1)
        wide = round(high * aspect)
        top = draws.integer(height - high + 1)
        left = draws.integer(max(width - wide, 0) + 1)
        if 1 <= wide <= width and high >= 1 and high * wide >= 0.1 * area:
            return top, left, high, wide
    return 0, 0, height, width


# --- As torchvision ---------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class ResizedCrop:
    """A part of any size and shape, resized, and flipped.

    For evaluation the shorter side is resized, and the middle cut out.

    Attributes:
        size: height and width of the result.
        shorter: the shorter side before the middle is cut out.

    Source: torchvision's ``RandomResizedCrop``, ``Resize``, ``CenterCrop``,
    as PyTorch's ImageNet example has them.
    """

    size: int = 224
    shorter: int = 256
    mean: ClassVar[Colour] = (0.485, 0.456, 0.406)
    std: ClassVar[Colour] = (0.229, 0.224, 0.225)

    def train(self, encoded: bytes, draws: Draws) -> np.ndarray:
        """See ``Recipe.train``."""
        picture = Image.fromarray(files.decode(encoded))
        top, left, height, width = resized_crop_box(
            picture.height, picture.width, draws
        )
        cut = picture.crop((left, top, left + width, top + height))
        image = _bilinear(cut, self.size, self.size)
        return np.asarray(_flipped(image, draws))

    def evaluate(self, encoded: bytes) -> np.ndarray:
        """See ``Recipe.evaluate``."""
        picture = Image.fromarray(files.decode(encoded))
        short = min(picture.height, picture.width)
        height, width = (
            int(self.shorter * side / short)
            for side in (picture.height, picture.width)
        )
        image = _bilinear(picture, height, width)
        top = round((height - self.size) / 2)
        left = round((width - self.size) / 2)
        return np.asarray(
            image.crop((left, top, left + self.size, top + self.size))
        )


def resized_crop_box(height: int, width: int, draws: Draws) -> Box:
    """Draws a part of 0.08 to 1 of the area, 3 : 4 to 4 : 3.

    Args:
        height: of the picture.
        width: of the picture.
        draws: where chance comes from.

    Returns:
        (top, left, height, width); after ten tries the largest middle part
        of an allowed shape.

    Source: torchvision's ``RandomResizedCrop``.
    """
    for _ in range(10):
        area = height * width * draws.uniform(0.08, 1.0)
        aspect = math.exp(draws.uniform(math.log(3 / 4), math.log(4 / 3)))
        wide = round(math.sqrt(area * aspect))
        high = round(math.sqrt(area / aspect))
        if 0 < wide <= width and 0 < high <= height:
            top = draws.integer(height - high + 1)
            left = draws.integer(width - wide + 1)
            return top, left, high, wide
    wide = min(width, round(height * 4 / 3))
    high = min(height, round(width / (3 / 4)))
    return (height - high) // 2, (width - wide) // 2, high, wide


@dataclasses.dataclass(frozen=True)
class Affine:
    """Turned, moved up or down and scaled, then resized, then flipped.

    Black comes in from outside. For evaluation the picture is resized.

    Attributes:
        size: height and width of the result; proportions are not kept.
        degrees: turned by so much at most, either way.
        translate: moved by so much of the height at most, either way, and
            not at all to the sides.
        scale: least and largest factor.

    Source: the replication's notebooks: torchvision's ``RandomAffine`` and
    ``Resize``, whose ``translate`` names the horizontal share first.
    """

    size: int
    degrees: float
    translate: float
    scale: tuple[float, float]
    mean: ClassVar[Colour] = (0.0, 0.0, 0.0)
    std: ClassVar[Colour] = (1.0, 1.0, 1.0)

    def train(self, encoded: bytes, draws: Draws) -> np.ndarray:
        """See ``Recipe.train``."""
        picture = Image.fromarray(files.decode(encoded))
        angle = draws.uniform(-self.degrees, self.degrees)
        most = self.translate * picture.height
        down = round(draws.uniform(-most, most))
        scale = draws.uniform(*self.scale)
        moved = picture.transform(
            picture.size,
            Image.Transform.AFFINE,
            affine_matrix(picture.height, picture.width, angle, down, scale),
            Image.Resampling.NEAREST,
        )
        image = _bilinear(moved, self.size, self.size)
        return np.asarray(_flipped(image, draws))

    def evaluate(self, encoded: bytes) -> np.ndarray:
        """See ``Recipe.evaluate``."""
        picture = Image.fromarray(files.decode(encoded))
        return np.asarray(_bilinear(picture, self.size, self.size))


def affine_matrix(
    height: int, width: int, angle: float, down: float, scale: float
) -> tuple[float, ...]:
    """Gives where each place of a turned picture is read from.

    Args:
        height: of the picture.
        width: of the picture.
        angle: degrees, clockwise about the middle.
        down: pixels that it is moved down, after the turn.
        scale: larger than 1 enlarges.

    Returns:
        (a, b, c, d, e, f): place (x, y) is read from (a x + b y + c,
        d x + e y + f), as Pillow wants it.

    Source: ours; the inverse of turn, scale and shift.
    """
    turn = math.radians(angle)
    cos, sin = math.cos(turn) / scale, math.sin(turn) / scale
    x, y = width / 2, height / 2
    return (
        *(cos, sin, x - cos * x - sin * (y + down)),
        *(-sin, cos, y + sin * x - cos * (y + down)),
    )


def _bilinear(picture: Image.Image, height: int, width: int) -> Image.Image:
    """Resizes; each new pixel is a mean over all that it covers."""
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), Image.Resampling.BILINEAR)


def _flipped(picture: Image.Image, draws: Draws) -> Image.Image:
    if not draws.integer(2):
        return picture
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


RECIPES: dict[str, Recipe] = {
    "inception": Inception(),
    "inception_full": Inception(full=True),
    "inception_75": Inception(size=75),
    "imagenet_224": ResizedCrop(),
    "imagenet_32": ResizedCrop(size=32, shorter=36),
    "replication_cub": Affine(256, 45.0, 0.35, (0.65, 1.35)),
    "replication_tiny": Affine(64, 7.5, 0.1, (0.925, 1.075)),
}
