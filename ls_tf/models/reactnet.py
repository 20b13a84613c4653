"""ReActNet: residual networks whose inner weights and activations are signs.

Source: Liu et al. 2020, "ReActNet: towards precise binary neural network with
generalized activation functions", arXiv 2003.03488, and its authors' code.
``block="resnet"`` is their ResNet-18, after Bi-Real Net: a shortcut around
every 3 x 3 convolution; where the shape changes it is an average pool, a 1 x 1
convolution of real weights and a normalization. ``"mobilenet"`` is ReActNet-A,
after MobileNet: a 3 x 3 and a 1 x 1 convolution, each with a shortcut; where
the width doubles there are two of the latter, side by side, whose shortcut is
the same input. The first convolution and the last layer are real.

Batch normalization has momentum 0.9 and epsilon 1e-5. Initial weights are He's,
as in ``resnet``: theirs come from a first training with real weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from ls_tf import seeds
from ls_tf.layers import binary, stages
from ls_tf.layers.batch_norm import BatchNorm
from ls_tf.layers.initializers import PhiloxVarianceScaling
from ls_tf.layers.max_pool import MaxPool
from ls_tf.layers.reference import Reference

Tensor = Any

_IMAGENET = {
    "num_classes": 1000,
    "image_shape": (224, 224, 3),
    "stem_downsampling": True,
}

REFERENCE = (
    Reference(
        {
            "num_classes": 10,
            "image_shape": (32, 32, 3),
            "block": "resnet",
            "blocks": (2, 2, 2),
            "widths": (32, 64, 128),
            "stem_width": 32,
            "stem_kernel": 3,
            "stem_downsampling": False,
        },
        # Stem 928; a block of width b on a: 9ab + a + 5b, and ab + 2b of a
        # shortcut that changes the shape; 18,816, 58,208, 231,104; last 1,290
        310_346,
        "ours; count derived",
    ),
    Reference(
        {
            **_IMAGENET,
            "block": "resnet",
            "blocks": (4, 4, 4, 4),
            "widths": (64, 128, 256, 512),
            "stem_width": 64,
            "stem_kernel": 7,
        },
        # 9,536 + 148,992 + 527,552 + 2,103,680 + 8,401,664 + 513,000
        11_704_424,
        "Liu et al. 2020, ResNet-18; count derived",
    ),
    Reference(
        {
            **_IMAGENET,
            "block": "mobilenet",
            "blocks": (1, 2, 2, 6, 2),
            "widths": (64, 128, 256, 512, 1024),
            "stem_width": 32,
            "stem_kernel": 3,
        },
        # Stem 928; a block of width p that doubles 11pp + 17p, else
        # 10pp + 12p: 3,857,888 and 24,459,776; last 1,025,000
        29_343_592,
        "Liu et al. 2020, ReActNet-A; count derived",
    ),
)

_BLOCKS = ("resnet", "mobilenet")


def _check_path(
    image_shape: Sequence[int],
    block: str,
    stem_width: int,
    widths: Sequence[int],
    stem_downsampling: bool,
) -> None:
    """Shortcuts have no padding, and MobileNet's copy all channels."""
    halvings = len(widths) - 1
    if stem_downsampling:
        halvings += 2 if block == "resnet" else 1
    if any(size < 1 or size % 2**halvings for size in image_shape[:2]):
        raise ValueError(
            f"wanted a height and width that can be halved {halvings} times, "
            f"got {tuple(image_shape)}"
        )
    pairs = zip((stem_width, *widths), widths, strict=False)
    if block == "mobilenet" and any(b not in (a, 2 * a) for a, b in pairs):
        raise ValueError(
            "wanted widths that stay or double with block 'mobilenet', got "
            f"{stem_width} and {tuple(widths)}"
        )


@dataclass(frozen=True)
class _Style:
    """What all blocks of a network share."""

    seed: int
    derivative: str
    is_binary: bool

    def kernel(self, name: str) -> PhiloxVarianceScaling:
        return PhiloxVarianceScaling(
            scale=2.0,
            mode="fan_out",
            distribution="normal",
            seed=seeds.derive(self.seed, "init", name),
        )

    def real(
        self, x: Tensor, name: str, filters: int, size: int, stride: int = 1
    ) -> Tensor:
        """A convolution of real weights and its normalization."""
        if size > 1:
            x = layers.ZeroPadding2D(
                size // 2, data_format="channels_last", name=f"{name}_padding"
            )(x)
        x = layers.Conv2D(
            filters,
            size,
            strides=stride,
            use_bias=False,
            data_format="channels_last",
            kernel_initializer=self.kernel(name),
            name=f"{name}_conv",
        )(x)
        return BatchNorm(name=f"{name}_norm")(x)

    def signs(self, x: Tensor, name: str) -> Tensor:
        return binary.ShiftedSign(derivative=self.derivative, name=name)(x)

    def binary(
        self, x: Tensor, name: str, filters: int, size: int, stride: int = 1
    ) -> Tensor:
        """A convolution of signs and its normalization."""
        x = binary.BinaryConv2D(
            filters=filters,
            kernel_size=size,
            strides=stride,
            kernel_initializer=self.kernel(name),
            is_binary=self.is_binary,
            name=f"{name}_conv",
        )(x)
        return BatchNorm(name=f"{name}_norm")(x)


def _bent(x: Tensor, skip: Tensor, name: str) -> Tensor:
    x = layers.Add(name=f"{name}_add")([x, skip])
    return binary.ShiftedPReLU(name=f"{name}_prelu")(x)


def _halved(x: Tensor, name: str, stride: int) -> Tensor:
    if stride == 1:
        return x
    return layers.AveragePooling2D(
        stride, data_format="channels_last", name=f"{name}_shortcut_pool"
    )(x)


def _resnet(
    style: _Style, x: Tensor, name: str, width: int, stride: int
) -> Tensor:
    y = style.signs(x, f"{name}_sign")
    y = style.binary(y, name, width, 3, stride)
    skip = _halved(x, name, stride)
    if stride > 1 or x.shape[-1] != width:
        skip = style.real(skip, f"{name}_shortcut", width, 1)
    return _bent(y, skip, name)


def _mobilenet(
    style: _Style, x: Tensor, name: str, width: int, stride: int
) -> Tensor:
    channels = x.shape[-1]
    y = style.signs(x, f"{name}_sign_1")
    y = style.binary(y, f"{name}_3x3", channels, 3, stride)
    y = _bent(y, _halved(x, name, stride), f"{name}_3x3")
    signs = style.signs(y, f"{name}_sign_2")
    if width == channels:
        z = style.binary(signs, f"{name}_1x1", width, 1)
        return _bent(z, y, f"{name}_1x1")
    halves = [
        style.binary(signs, f"{name}_1x1_{half}", channels, 1)
        for half in (1, 2)
    ]
    skips = layers.Concatenate(name=f"{name}_twice")([y, y])
    z = layers.Concatenate(name=f"{name}_halves")(halves)
    return _bent(z, skips, f"{name}_1x1")


def _pooled(x: Tensor) -> Tensor:
    """The 3 x 3 max pool of ImageNet's ResNets, padded alike on all sides."""
    # Not with zeros: what comes in has both signs.
    around = ((0, 0), (1, 1), (1, 1), (0, 0))
    x = ops.pad(x, around, constant_values=float("-inf"))
    return MaxPool(3, 2, data_format="channels_last", name="stem_pool")(x)


def build(
    *,
    num_classes: int,
    image_shape: tuple[int, ...],
    block: str,
    blocks: tuple[int, ...],
    widths: tuple[int, ...],
    stem_width: int,
    stem_kernel: int,
    stem_downsampling: bool,
    derivative: str = "polynomial",
    binary_weights: bool = True,
    seed: int,
) -> keras.Model:
    """Builds the network.

    Args:
        num_classes: K, 2 or more.
        image_shape: (H, W, C) of one image; H and W can be halved as often as
            the network does.
        block: ``"resnet"`` or ``"mobilenet"``, see the module.
        blocks: number of blocks in each group. Each group after the first
            halves height and width.
        widths: number of filters in each group; with ``"mobilenet"`` that of
            the group or stem before, or twice that.
        stem_width: number of filters of the first convolution.
        stem_kernel: its height and width in pixels, odd.
        stem_downsampling: the first convolution has stride 2, and, with
            ``"resnet"``, a 3 x 3 max pool of stride 2 follows.
        derivative: what stands for that of the sign of activations,
            ``"polynomial"`` or ``"clipped"``; see ``layers.binary.sign``.
        binary_weights: False trains real weights on binary activations, the
            first of the two steps of ReActNet's training.
        seed: the run's seed, for the initial weights.

    Returns:
        A model from float [B, H, W, C], standardized, to ``{"logits":
        float32 [B, K], "penultimate": float32 [B, D]}``, where
        ``penultimate`` is the mean over height and width of the last group's
        output, D its width, which the last layer multiplies; it has both
        signs.

    Raises:
        ValueError: if a size is out of range or a name unknown.

    Source: see the module.
    """
    stages.check_choice("block", block, _BLOCKS)
    stages.check_stages(
        *(num_classes, image_shape, blocks, widths),
        *(stem_width, stem_kernel),
    )
    _check_path(image_shape, block, stem_width, widths, stem_downsampling)
    style = _Style(seed, derivative, binary_weights)
    make: Callable[..., Tensor] = _resnet if block == "resnet" else _mobilenet
    images = keras.Input(shape=tuple(image_shape), name="image")
    stride = 2 if stem_downsampling else 1
    x = style.real(images, "stem", stem_width, stem_kernel, stride)
    if stem_downsampling and block == "resnet":
        x = _pooled(x)
    for group, (count, width) in enumerate(
        zip(blocks, widths, strict=True), start=1
    ):
        for number in range(1, count + 1):
            stride = 2 if number == 1 and group > 1 else 1
            name = f"group_{group}_block_{number}"
            x = make(style, x, name, width, stride)
    x = layers.GlobalAveragePooling2D(
        data_format="channels_last", dtype="float32", name="pool"
    )(x)
    # float32 whatever the policy: the losses need the logits' full precision.
    logits = layers.Dense(
        num_classes,
        kernel_initializer=PhiloxVarianceScaling(
            scale=1 / 3,
            mode="fan_in",
            distribution="uniform",
            seed=seeds.derive(seed, "init", "logits"),
        ),
        bias_initializer="zeros",
        dtype="float32",
        name="logits",
    )(x)
    return keras.Model(
        images, {"logits": logits, "penultimate": x}, name="reactnet"
    )
