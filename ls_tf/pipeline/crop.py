"""Crop, flip, contrast and standardization of CIFAR images on the device.

A batch takes two looks at the images. The first takes the rows under each
crop and finds the mean and the variance of every channel; it counts in
integers, so that they are the same on every backend and device. The second
picks single pixels, straight to their place, and standardizes them.

One look would do, but XLA makes slow code for a CPU where several results are
made of one gather of pixels. Rows it gathers quickly.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from ls_tf.pipeline import contract
from ls_tf.pipeline.contract import DataError

Tensor = Any

_GRAIN_BITS = 24  # float32 has all integers of this size.


@dataclasses.dataclass(frozen=True)
class StandardizedCrop:
    """Crops at random, flips half of the images, and standardizes.

    The image is padded with zeros (black), cropped, mirrored left to right
    with probability 1/2, and its contrast is changed. Then comes
    ``(x - mean) / max(std, 1 / sqrt(n))`` over the n values of the result,
    zeros of the padding included. For evaluation there is the central crop,
    standardized.

    All places of the crop are equally likely. Nothing is clipped, and a value
    is one of 0 to 255 before standardization.

    Attributes:
        side: height and width of the images, in pixels.
        padding: zeros on each side, in pixels.
        size: height and width of the crop, in pixels.
        contrast: lowest and highest factor by which the distance of a value
            from the mean of its channel is multiplied, uniformly drawn; None
            for no change.

    Source: tensor2tensor's ``cifar_image_augmentation``; the input of
    TensorFlow's CIFAR-10 tutorial, whose change of brightness is left out: it
    adds a constant to the image, which standardization takes away again.
    """

    side: int
    padding: int
    size: int
    contrast: tuple[float, float] | None = None

    @property
    def views(self) -> int | None:
        """Places times two, for the mirror; see ``Augmentation``."""
        return None if self.contrast else 2 * self._places**2

    @property
    def central(self) -> int:
        """The middle, not mirrored; see ``Augmentation``."""
        self._counted()
        middle = (self.side - self.size) // 2 + self.padding
        return 2 * (middle * self._places + middle)

    @property
    def _places(self) -> int:
        """How many rows the crop can begin in."""
        return self.side + 2 * self.padding - self.size + 1

    def view_of(self, draws: Mapping[str, Tensor]) -> Tensor:
        """Counts rows, then columns, then flips; see ``Augmentation``."""
        self._counted()
        place = draws["crop"] + self.padding
        return (place[:, 0] * self._places + place[:, 1]) * 2 + draws["flip"]

    def draws_of(self, view: np.ndarray) -> dict[str, np.ndarray]:
        """Gives crop and flip; see ``Augmentation``."""
        return self._parted(contract.check_views(view, self._counted()))

    def _counted(self) -> int:
        """Gives the number of views, or refuses to."""
        if self.views is None:
            raise ValueError(
                "wanted an augmentation whose views can be counted, got one "
                "that changes the contrast continuously"
            )
        return self.views

    def _parted(self, cell: np.ndarray) -> dict[str, np.ndarray]:
        """Parts the numbers of crop and flip into both, int32."""
        place, flip = np.divmod(cell.astype(np.int32), np.int32(2))
        crop = np.stack(np.divmod(place, np.int32(self._places)), axis=-1)
        return {"crop": crop - np.int32(self.padding), "flip": flip}

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Gives the images themselves, without padding; see ``Augmentation``.

        Raises:
            DataError: if the images are of another size.
            ValueError: if their pixels are too many to be counted in int32.
        """
        contract.check_images(images)
        self.output_shape(images.shape[1:])
        if images.size >= 2**31:
            raise ValueError(
                "wanted fewer than 2**31 pixels for a crop on the device, got "
                f"{images.size}"
            )
        return np.ascontiguousarray(images)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Draws crops and what else there is; see ``Augmentation``.

        Returns:
            ``crop`` int32 [n, 2]: row and column of the image where the crop
            begins, ``-padding`` or more; ``flip`` int32 [n]: 1 to mirror;
            with contrast, ``contrast`` int32 [n] in 0 .. 2**24 - 1.
        """
        # The upper half of a raw word, scaled to 0 .. 2 * places**2 - 1, is
        # crop and flip: no choice is favored by more than one in 2**32. The
        # lower half is free for the contrast.
        words = rng.bit_generator.random_raw(n)
        upper, lower = words >> np.uint64(32), words & np.uint64(2**32 - 1)
        cell = (upper * np.uint64(2 * self._places**2)) >> np.uint64(32)
        draws = self._parted(cell)
        if self.contrast is not None:
            grain = lower >> np.uint64(32 - _GRAIN_BITS)
            draws["contrast"] = grain.astype(np.int32)
        return draws

    def apply(
        self, resident: Tensor, index: Tensor, draws: Mapping[str, Tensor]
    ) -> Tensor:
        """Gathers, augments and standardizes; see ``Augmentation``."""
        side, size, crop = self.side, self.size, draws["crop"]
        flip = ops.expand_dims(draws["flip"], 1)
        line = ops.arange(size, dtype="int32")
        # [B, size]: the image's row and column that come to each place. One
        # beyond the edge is read from the edge and then set to zero.
        y = crop[:, :1] + line
        x = crop[:, 1:] + line + flip * (size - 1 - 2 * line)
        near_y, near_x = ops.clip(y, 0, side - 1), ops.clip(x, 0, side - 1)
        inside_y, inside_x = ops.equal(y, near_y), ops.equal(x, near_x)
        row = ops.expand_dims(index * side, 1) + near_y

        lines = _lines(resident, row) * _as_int(ops.expand_dims(inside_y, -1))
        column = ops.arange(side, dtype="int32")
        under = ops.logical_and(
            column >= crop[:, 1:], column < crop[:, 1:] + size
        )
        scaling = self._scaling(lines, under, self._factor(draws))

        pixels = _pixels(resident, row, near_x)
        # Products, for XLA makes slower code of `where`.
        pixels = pixels * _as_float(ops.reshape(inside_x, (-1, 1, size, 1)))
        pixels = pixels * _as_float(ops.reshape(inside_y, (-1, size, 1, 1)))
        return _scaled(pixels, scaling)

    def evaluate(self, images: Tensor) -> Tensor:
        """Cuts out the middle and standardizes it; see ``Augmentation``."""
        channels, size = images.shape[-1], self.size
        self.output_shape(tuple(images.shape[1:]))
        if size < self.side:
            first = (self.side - size) // 2
            last = first + size
            images = images[:, first:last, first:last]
        lines = ops.reshape(images, (-1, size, size * channels))
        every = ops.ones((1, size), "bool")
        scaling = self._scaling(_as_int(lines), every, 1.0)
        return _scaled(_as_float(images), scaling)

    def output_shape(
        self, image_shape: tuple[int, int, int]
    ) -> tuple[int, int, int]:
        """Gives the shape of the crop; see ``Augmentation``."""
        height, width, channels = image_shape
        if height != self.side or width != self.side:
            raise DataError(
                f"wanted images of {self.side} x {self.side} pixels to crop, "
                f"got {height} x {width}"
            )
        return (self.size, self.size, channels)

    def _scaling(
        self, lines: Tensor, under: Tensor, contrast: Tensor | float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gives middle, factor and offset of each image; see ``_scaling``."""
        return _scaling(lines, under, self.size, contrast)

    def _factor(self, draws: Mapping[str, Tensor]) -> Tensor | float:
        """Gives the contrast: float32 [B, 1], or 1."""
        if self.contrast is None:
            return 1.0
        low, high = self.contrast
        grain = _as_float(ops.expand_dims(draws["contrast"], 1))
        return low + grain * ((high - low) / 2**_GRAIN_BITS)


@dataclasses.dataclass(frozen=True)
class NormalizedCrop(StandardizedCrop):
    """The same with one mean and deviation for all images, by channel.

    Attributes:
        mean: what is taken from each channel, of pixels in [0, 1].
        std: what it is then divided by.

    Source: Wagner et al. 2023, whose code has the numbers.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def _scaling(
        self, lines: Tensor, under: Tensor, contrast: Tensor | float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Is the same for all images: float32 [1, C], three of them."""
        del lines, under, contrast
        mean, std = np.array([self.mean]), np.array([self.std])
        parts = (255 * mean, 1 / (255 * std), 0 * mean)
        middle, factor, offset = (p.astype(np.float32) for p in parts)
        return middle, factor, offset


def _as_float(x: Tensor) -> Tensor:
    return ops.cast(x, "float32")


def _as_int(x: Tensor) -> Tensor:
    return ops.cast(x, "int32")


def _lines(resident: Tensor, row: Tensor) -> Tensor:
    """Gathers rows of images, counted through: int32 [B, size, W * C]."""
    _, _, width, channels = resident.shape
    every = ops.reshape(resident, (-1, width * channels))
    return _as_int(ops.take(every, row, axis=0))


def _pixels(resident: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Gathers pixels where [B, size] rows and columns of an image meet.

    Returns:
        float32 [B, size, size, C].
    """
    _, _, width, channels = resident.shape
    size = column.shape[1]
    # Where each value lies: [B, size * C] from the row's begin ...
    within = ops.expand_dims(column * channels, -1)
    within = within + ops.arange(channels, dtype="int32")
    within = ops.reshape(within, (-1, 1, size * channels))
    # ... and [B, size, size * C] among all.
    at = ops.expand_dims(row * (width * channels), -1) + within
    values = ops.take(
        ops.reshape(resident, (-1,)), ops.reshape(at, (-1,)), axis=0
    )
    return _as_float(ops.reshape(values, (-1, size, size, channels)))


def _scaling(
    lines: Tensor, under: Tensor, size: int, contrast: Tensor | float
) -> tuple[Tensor, Tensor, Tensor]:
    """Finds what changes the contrast of images and standardizes them.

    Args:
        lines: int32 [B, size, W * C], the rows under the crop.
        under: bool [B, W], the columns under it; as many as lack to ``size``
            are taken for zeros.
        size: height and width of the crop.
        contrast: float32 [B, 1] or a number.

    Returns:
        (middle, factor, offset), float32 [B, C], [B, 1], [B, C], such that
        ``(x - middle) * factor + offset`` is the result. The middle is an
        integer, so that the difference is exact.
    """
    under = _as_int(ops.expand_dims(under, -1))
    width, count = under.shape[1], size * size
    channels = lines.shape[-1] // width

    def total(values: Tensor) -> Tensor:
        # Rows first: their sum runs over whole lines at once.
        columns = ops.reshape(ops.sum(values, axis=1), (-1, width, channels))
        return ops.sum(columns * under, axis=1)

    # Integers as far as they go: the sums are exact, and a low variance is no
    # small difference of large numbers.
    sums = total(lines)
    middle = (sums + count // 2) // count
    distance = lines - ops.expand_dims(ops.tile(middle, (1, width)), 1)
    lacking = size * (size - ops.sum(under, axis=1))
    squares = total(distance * distance) + lacking * middle * middle

    rest = _as_float(sums - middle * count) * (1 / count)
    within = _as_float(squares) * (1 / count) - rest * rest
    # The mean of the channel less that of the image.
    between = channels * sums - ops.sum(sums, axis=1, keepdims=True)
    between = _as_float(between) * (1 / (channels * count))

    # Contrast moves the values of a channel about its mean, which stays.
    variance = ops.mean(
        contrast * contrast * within + between * between, axis=1, keepdims=True
    )
    least = 1 / (channels * count)
    factor = 1 / ops.sqrt(ops.maximum(variance, least))
    offset = (between - contrast * rest) * factor
    return _as_float(middle), contrast * factor, offset


def _scaled(pixels: Tensor, scaling: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    middle, factor, offset = (x[:, None, None, :] for x in scaling)
    return (pixels - middle) * factor + offset
