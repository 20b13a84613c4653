"""Augmentation of whole batches on the device.

The images stay there as one uint8 array; a step sends only the integers of
its plan, and gather, augmentation and scaling are part of the compiled step.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from ls_tf import kernels
from ls_tf.pipeline import contract, crop

Tensor = Any
# `Augmentation.apply`: (resident, index, draws) -> images.
Apply = Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]


class Augmentation(Protocol):
    """What an augmentation offers; it holds settings and no state.

    Where it draws from a finite set, what it makes of an image are the views
    of that image, numbered from 0 and all equally likely.
    """

    @property
    def views(self) -> int | None:
        """The number of views of an image; None where they are continuous."""

    @property
    def central(self) -> int:
        """The number of the view that ``evaluate`` gives.

        Raises:
            ValueError: if views cannot be counted.
        """

    def view_of(self, draws: Mapping[str, Tensor]) -> Tensor | int:
        """Finds the view that each draw means.

        Args:
            draws: of ``draw`` or rows of it, int32 [B, ...]; NumPy's arrays
                or a backend's tensors.

        Returns:
            int32 [B]; the number 0 where there is one view.

        Raises:
            ValueError: if views cannot be counted.
        """

    def draws_of(self, view: np.ndarray) -> dict[str, np.ndarray]:
        """Gives the draws that mean some views: what ``view_of`` undoes.

        Args:
            view: int [n], from 0 to ``views - 1``.

        Returns:
            Named int32 arrays [n, ...].

        Raises:
            ValueError: if there is no such view, or they cannot be counted.
        """

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Lays out the images, once, on the host.

        Args:
            images: uint8 [N, H, W, C].

        Returns:
            uint8 [N, ...]: what ``apply`` takes as ``resident``.
        """

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Draws the augmentation of n examples.

        Args:
            rng: the generator; only its raw words are used.
            n: number of examples.

        Returns:
            Named int32 arrays [n, ...].
        """

    def apply(
        self, resident: Tensor, index: Tensor, draws: Mapping[str, Tensor]
    ) -> Tensor:
        """Gathers, augments and scales a batch, with ``keras.ops`` only.

        Args:
            resident: what ``prepare`` gave, as a tensor.
            index: int32 [B], positions in the split.
            draws: rows of what ``draw`` gave, int32 [B, ...].

        Returns:
            float32 [B, *output_shape]: what a model is trained on.
        """

    def evaluate(self, images: Tensor) -> Tensor:
        """Gives what a model sees when it is evaluated: nothing at random.

        Args:
            images: uint8 [B, H, W, C].

        Returns:
            float32 [B, *output_shape].
        """

    def output_shape(
        self, image_shape: tuple[int, int, int]
    ) -> tuple[int, int, int]:
        """Gives the shape of one image as a model sees it.

        Args:
            image_shape: (H, W, C) of the data.

        Returns:
            (height, width, channels), alike in training and evaluation.

        Raises:
            DataError: if it cannot augment images of that shape.
        """


def augmentation(name: str) -> Augmentation:
    """Finds an augmentation by its name.

    Args:
        name: one of

            * ``"none"``: pixels in [0, 1].
            * ``"shift2"``: moved by up to two pixels; pixels in [0, 1].
            * ``"t2t_cifar"``: padded by four pixels, cropped to 32 x 32,
              flipped, standardized.
            * ``"tutorial_24"``: cropped to 24 x 24, flipped, contrast
              changed, standardized.
            * ``"tutorial_24_plain"``: the same, with the contrast as it is.
            * ``"replication_cifar10"``, ``"replication_cifar100"``: cropped
              to 24 x 24, or as ``"t2t_cifar"``, flipped, standardized by
              channel with the means of the data set.

            Of photographs that are streamed:

            * ``"inception"``: a distorted box, resized to 299 x 299, flipped,
              brightness and saturation changed; pixels in [-1, 1]. The
              central 7/8 for evaluation.
            * ``"inception_full"``: hue and contrast too, in one of four
              orders, and one of four ways to resize.
            * ``"inception_75"``: as ``"inception"``, at 75 x 75.
            * ``"imagenet_224"``: a random part, resized to 224 x 224,
              flipped, standardized with ImageNet's means. Resized to 256,
              the central 224 x 224 for evaluation.
            * ``"imagenet_32"``: the same at 36 and 32.
            * ``"replication_cub"``, ``"replication_tiny"``: turned, moved up
              or down, scaled, resized to 256 x 256 or 64 x 64, flipped;
              pixels in [0, 1]. Resized for evaluation.

    Returns:
        The augmentation.

    Raises:
        ValueError: if there is none of that name.

    Source: Mueller et al. 2019, appendix A, and the code that it names.
    """
    known: dict[str, Augmentation] = {
        "none": NoAugmentation(),
        "shift2": Shift(radius=2),
        "t2t_cifar": crop.StandardizedCrop(side=32, padding=4, size=32),
        "tutorial_24": crop.StandardizedCrop(
            side=32, padding=0, size=24, contrast=(0.2, 1.8)
        ),
        "tutorial_24_plain": crop.StandardizedCrop(side=32, padding=0, size=24),
        "replication_cifar10": crop.NormalizedCrop(
            side=32,
            padding=0,
            size=24,
            mean=(0.4923172, 0.48307145, 0.4474483),
            std=(0.24041407, 0.23696952, 0.25565723),
        ),
        "replication_cifar100": crop.NormalizedCrop(
            side=32,
            padding=4,
            size=32,
            mean=(0.5071, 0.4865, 0.4409),
            std=(0.2673, 0.2564, 0.2761),
        ),
    }
    if name in known:
        return known[name]
    # They need libraries that no other augmentation does.
    from ls_tf.pipeline import photographs

    if name not in photographs.RECIPES:
        exist = ", ".join(sorted([*known, *photographs.RECIPES]))
        raise ValueError(f"no augmentation {name!r}; exist: {exist}")
    recipe = photographs.recipe(name)
    return Photographs(recipe.size, recipe.mean, recipe.std)


def compiled(apply: Apply) -> Apply:
    """Gives an augmentation's ``apply`` as one program, also without XLA.

    An engine leaves XLA out where it makes slow code of convolutions. Run
    operation by operation, the augmentation of CIFAR takes ten times as long
    on a CPU as it does under XLA, so it keeps XLA for itself. JAX compiles
    the whole step.

    Args:
        apply: see ``Augmentation``.

    Returns:
        A function of the same arguments; its results differ from those of
        ``apply`` by rounding.

    Source: ours.
    """
    if keras.backend.backend() != "tensorflow":
        return apply
    return kernels.merged(apply)


def evaluation_images(images: Tensor) -> Tensor:
    """Scales images to what a model takes, without augmentation.

    Args:
        images: uint8 [..., H, W, C].

    Returns:
        float32 [..., H, W, C] in [0, 1]: the value times 1/255.

    Source: ours.
    """
    return ops.multiply(ops.cast(images, "float32"), 1 / 255)


class _Scaled:
    """What the augmentations to [0, 1] have in common."""

    def evaluate(self, images: Tensor) -> Tensor:
        """Scales the images; see ``Augmentation``."""
        return evaluation_images(images)

    def output_shape(
        self, image_shape: tuple[int, int, int]
    ) -> tuple[int, int, int]:
        """Gives the shape of the images; see ``Augmentation``."""
        return image_shape


@dataclasses.dataclass(frozen=True)
class NoAugmentation(_Scaled):
    """Takes the images as they are."""

    views = 1
    central = 0

    def view_of(self, draws: Mapping[str, Tensor]) -> int:
        """Knows one view; see ``Augmentation``."""
        del draws
        return 0

    def draws_of(self, view: np.ndarray) -> dict[str, np.ndarray]:
        """Draws nothing; see ``Augmentation``."""
        contract.check_views(view, self.views)
        return {}

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Gives the images themselves; see ``Augmentation``."""
        contract.check_images(images)
        return np.ascontiguousarray(images)

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Draws nothing; see ``Augmentation``."""
        del rng, n
        return {}

    def apply(
        self, resident: Tensor, index: Tensor, draws: Mapping[str, Tensor]
    ) -> Tensor:
        """Gathers and scales; see ``Augmentation``."""
        del draws
        return evaluation_images(
            ops.reshape(_gather(resident, index), (-1, *resident.shape[1:]))
        )


@dataclasses.dataclass(frozen=True)
class Photographs:
    """Scales what other processes have cut out, resized and distorted.

    Attributes:
        size: height and width of the images.
        mean: what is taken from each channel, of pixels in [0, 1].
        std: what it is then divided by.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    views = None

    @property
    def central(self) -> int:
        """Cannot be counted; see ``Augmentation``."""
        raise _not_counted()

    def view_of(self, draws: Mapping[str, Tensor]) -> int:
        """Cannot be counted; see ``Augmentation``."""
        raise _not_counted()

    def draws_of(self, view: np.ndarray) -> dict[str, np.ndarray]:
        """Cannot be counted; see ``Augmentation``."""
        raise _not_counted()

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Has nothing resident; see ``Augmentation``."""
        raise _not_counted()

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Draws nothing here; see ``Augmentation``."""
        raise _not_counted()

    def apply(
        self, resident: Tensor, index: Tensor, draws: Mapping[str, Tensor]
    ) -> Tensor:
        """Has nothing resident; see ``Augmentation``."""
        raise _not_counted()

    def evaluate(self, images: Tensor) -> Tensor:
        """Scales the images; see ``Augmentation``.

        The same in training, whose images are distorted already.
        """
        scale = np.divide(1 / 255, self.std).astype(np.float32)
        offset = np.divide(self.mean, self.std).astype(np.float32)
        return ops.cast(images, "float32") * scale - offset

    def output_shape(
        self, image_shape: tuple[int, int, int]
    ) -> tuple[int, int, int]:
        """Gives the shape of the images; see ``Augmentation``."""
        return (self.size, self.size, image_shape[-1])


def _not_counted() -> ValueError:
    return ValueError(
        "wanted an augmentation on the device, whose views can be asked for; "
        "got one of photographs, which are streamed"
    )


@dataclasses.dataclass(frozen=True)
class Shift(_Scaled):
    """Moves each image by whole pixels in y and x; zeros come in.

    All ``(2 * radius + 1) ** 2`` offsets are equally likely. An offset
    (dy, dx) means ``out[y, x] = image[y + dy, x + dx]``.

    Attributes:
        radius: greatest offset in pixels, 1 or more.
    """

    radius: int

    @property
    def views(self) -> int:
        """The number of offsets; see ``Augmentation``."""
        return (2 * self.radius + 1) ** 2

    @property
    def central(self) -> int:
        """No offset; see ``Augmentation``."""
        return self.views // 2

    def view_of(self, draws: Mapping[str, Tensor]) -> Tensor:
        """Counts the offsets row by row; see ``Augmentation``."""
        offset = draws["shift"] + self.radius
        return offset[:, 0] * (2 * self.radius + 1) + offset[:, 1]

    def draws_of(self, view: np.ndarray) -> dict[str, np.ndarray]:
        """Gives the offsets; see ``Augmentation``."""
        cell = contract.check_views(view, self.views)
        return {"shift": self._offsets(cell)}

    def _offsets(self, cell: np.ndarray) -> np.ndarray:
        """Parts the numbers of offsets into (dy, dx), int32 [n, 2]."""
        parts = np.divmod(cell.astype(np.int32), 2 * self.radius + 1)
        return np.stack(parts, axis=-1) - np.int32(self.radius)

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Pads by ``radius`` zeros all round; see ``Augmentation``.

        Args:
            images: uint8 [N, H, W, C].

        Returns:
            uint8 [N, H + 2 * radius, W + 2 * radius, C].

        Raises:
            ValueError: if the pixels are too many to be counted in int32.
        """
        contract.check_images(images)
        count, height, width, channels = images.shape
        margin = self.radius
        shape = (count, height + 2 * margin, width + 2 * margin, channels)
        if (pixels := math.prod(shape)) >= 2**31:
            raise ValueError(
                "wanted fewer than 2**31 pixels for a shift on the device, "
                f"got {pixels}"
            )
        # In half the time of NumPy's pad, which fills the margins by itself.
        padded = np.zeros(shape, np.uint8)
        inside = np.s_[margin : margin + height, margin : margin + width]
        padded[:, *inside] = images
        return padded

    def draw(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Draws ``shift`` int32 [n, 2], (dy, dx); see ``Augmentation``."""
        # The upper half of a raw word, scaled to 0 .. views - 1: no choice
        # is favoured by more than one in 2**32.
        words = rng.bit_generator.random_raw(n) >> np.uint64(32)
        cell = (words * np.uint64(self.views)) >> np.uint64(32)
        return {"shift": self._offsets(cell)}

    def apply(
        self, resident: Tensor, index: Tensor, draws: Mapping[str, Tensor]
    ) -> Tensor:
        """Gathers, shifts and scales; see ``Augmentation``.

        One gather of single pixels does all three. XLA compiles it to a third
        of the time that gathers of rows take; without XLA it is the slower of
        the two, but there the step itself costs far more.
        """
        _, padded_height, padded_width, channels = resident.shape
        side = 2 * self.radius + 1
        height = padded_height - side + 1
        width = padded_width - side + 1
        row = padded_width * channels
        offset = ops.cast(draws["shift"], "int32") + self.radius
        # [B]: where each shifted image begins among all pixels
        first = (index * padded_height + offset[:, 0]) * row
        first = first + offset[:, 1] * channels
        # [height, width * channels]: where its pixels lie from there
        within = ops.expand_dims(row * ops.arange(height, dtype="int32"), 1)
        within = within + ops.arange(width * channels, dtype="int32")
        at = ops.reshape(first, (-1, 1, 1)) + within
        pixels = ops.take(
            ops.reshape(resident, (-1,)), ops.reshape(at, (-1,)), axis=0
        )
        return evaluation_images(
            ops.reshape(pixels, (-1, height, width, channels))
        )


def _gather(resident: Tensor, index: Tensor) -> Tensor:
    """Gathers images as flat rows [B, H * W * C], quicker than as boxes."""
    size = math.prod(resident.shape[1:])
    return ops.take(ops.reshape(resident, (-1, size)), index, axis=0)
