"""Residual networks: T2T's for CIFAR, He's for CIFAR, and those of ImageNet.

Source: tensor2tensor/models/resnet.py with the edits of Mueller et al. 2019,
App. A.2 (3 x 3 stem, 9 blocks in a group): ``block="pre_activation"``. He et
al. 2015, "Deep residual learning", arXiv 1512.03385: ``"basic"`` and
``"bottleneck"``, the latter with its stride in the 3 x 3 convolution, as
fb.resnet.torch and torchvision have it. Zagoruyko and Komodakis 2016, "Wide
residual networks", arXiv 1605.07146, and Xie et al. 2017, "Aggregated residual
transformations", arXiv 1611.05431: bottlenecks that are wider within, the
latter with a grouped convolution.

Everywhere: batch normalization with momentum 0.9 and epsilon 1e-5, no biases
but that of the last layer, and zero padding that is the same on both sides.
TensorFlow's "SAME" at stride 2 pads an even size on the far side alone, which
shifts the grid by one pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from ls_tf import seeds
from ls_tf.layers import stages
from ls_tf.layers.batch_norm import BatchNorm
from ls_tf.layers.initializers import PhiloxVarianceScaling
from ls_tf.layers.max_pool import MaxPool
from ls_tf.layers.reference import Reference

Tensor = Any

_T2T = {
    "image_shape": (32, 32, 3),
    "block": "pre_activation",
    "blocks": (9, 9, 9),
    # Twice those of He et al.: T2T's file has [16, 32, 64, 128], the first
    # for the stem, and the paper does not list widths among its changes.
    "widths": (32, 64, 128),
    "stem_width": 16,
    "stem_kernel": 3,
    "stem_downsampling": False,
    "shortcut": "projection",
    "init": "t2t",
}
_HE_CIFAR = {
    "num_classes": 10,
    "image_shape": (32, 32, 3),
    "block": "basic",
    "blocks": (9, 9, 9),
    "widths": (16, 32, 64),
    "stem_width": 16,
    "stem_kernel": 3,
    "stem_downsampling": False,
    "init": "he",
}
_IMAGENET = {
    "num_classes": 1000,
    "image_shape": (224, 224, 3),
    "widths": (64, 128, 256, 512),
    "stem_width": 64,
    "stem_kernel": 7,
    "stem_downsampling": True,
    "shortcut": "projection",
    "init": "he",
}
_HE = "He et al. 2015, table 1"
_MUELLER = "Mueller et al. 2019, App. A.2, on T2T's resnet.py; count derived"


def _imagenet(
    source: str,
    parameters: int,
    block: str,
    blocks: tuple[int, ...],
    **more: int,
) -> Reference:
    """One of torchvision's sizes."""
    return Reference(
        {**_IMAGENET, "block": block, "blocks": blocks, **more},
        parameters,
        f"{source}; count as torchvision's",
    )


REFERENCE = (
    Reference({**_T2T, "num_classes": 10}, 3_407_674, _MUELLER),
    Reference({**_T2T, "num_classes": 100}, 3_419_284, _MUELLER),
    Reference(
        {**_HE_CIFAR, "shortcut": "padding"},
        853_018,
        "He et al. 2015, table 6: ResNet-56, 0.85M; count derived",
    ),
    Reference(
        {**_HE_CIFAR, "shortcut": "projection"},
        # 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64 more
        855_770,
        "He et al. 2015, ResNet-56 with option B; count derived",
    ),
    _imagenet(f"{_HE}, ResNet-18", 11_689_512, "basic", (2, 2, 2, 2)),
    _imagenet(f"{_HE}, ResNet-34", 21_797_672, "basic", (3, 4, 6, 3)),
    _imagenet(f"{_HE}, ResNet-50", 25_557_032, "bottleneck", (3, 4, 6, 3)),
    _imagenet(f"{_HE}, ResNet-101", 44_549_160, "bottleneck", (3, 4, 23, 3)),
    _imagenet(
        "Zagoruyko and Komodakis 2016, WRN-50-2-bottleneck",
        *(68_883_240, "bottleneck", (3, 4, 6, 3)),
        group_width=128,
    ),
    _imagenet(
        "Xie et al. 2017, table 1, ResNeXt-50 32 x 4d",
        *(25_028_904, "bottleneck", (3, 4, 6, 3)),
        groups=32,
        group_width=4,
    ),
    _imagenet(
        "Xie et al. 2017, ResNeXt-101 32 x 8d",
        *(88_791_336, "bottleneck", (3, 4, 23, 3)),
        groups=32,
        group_width=8,
    ),
    Reference(
        {
            **_HE_CIFAR,
            "blocks": (2, 2, 2, 2),
            "widths": (20, 40, 80, 160),
            "stem_width": 20,
            "shortcut": "projection",
        },
        1_094_750,
        "Chen et al. 2020, App. C: ResNet18 of 1,000,000; count derived",
    ),
)

_BLOCKS = ("pre_activation", "basic", "bottleneck")
_SHORTCUTS = ("projection", "padding")
_INITS = ("t2t", "he")
_STRIDES = ("3x3", "1x1")
_EXPANSION = 4  # a bottleneck's last convolution is so many times as wide
_PLAIN_WIDTH = 64  # group_width of a bottleneck that is as wide as it is named


def _check_shortcut(
    shortcut: str, block: str, stem_width: int, widths: Sequence[int]
) -> None:
    """Channels of zeros cannot narrow, and T2T has no such shortcut."""
    if shortcut == "projection":
        return
    if block == "pre_activation":
        raise ValueError(
            "wanted shortcut 'projection' with block 'pre_activation', "
            f"got {shortcut!r}"
        )
    path = [stem_width, *(_channels(block, width) for width in widths)]
    if path != sorted(path):
        raise ValueError(
            "wanted widths that do not fall with shortcut 'padding', got "
            f"{' to '.join(str(width) for width in path)} channels"
        )


def _check_bottleneck(
    block: str, bottleneck_stride: str, groups: int, group_width: int
) -> None:
    """Options of bottlenecks, which other blocks would not read."""
    stages.check_choice("bottleneck_stride", bottleneck_stride, _STRIDES)
    if groups < 1 or group_width < 1:
        raise ValueError(
            "wanted groups and group_width of 1 or more, got "
            f"{groups} and {group_width}"
        )
    given = (bottleneck_stride, groups, group_width)
    if block != "bottleneck" and given != ("3x3", 1, _PLAIN_WIDTH):
        raise ValueError(
            "wanted bottleneck_stride, groups and group_width with block "
            f"'bottleneck' alone, got block {block!r}"
        )


def _channels(block: str, width: int) -> int:
    """How many channels a block of this width gives."""
    return width * _EXPANSION if block == "bottleneck" else width


@dataclass(frozen=True)
class _Style:
    """What all blocks of a network share."""

    block: str
    shortcut: str
    init: str
    seed: int
    bottleneck_stride: str = "3x3"
    groups: int = 1
    group_width: int = _PLAIN_WIDTH

    def kernel(self, name: str) -> PhiloxVarianceScaling:
        """The initial weights of a convolution.

        T2T's are TensorFlow 1's default: no factor 2 for the ReLU. He's
        factor counts outputs, as fb.resnet.torch and torchvision do.
        """
        seed = seeds.derive(self.seed, "init", name)
        if self.init == "t2t":
            return PhiloxVarianceScaling(
                scale=1.0,
                mode="fan_in",
                distribution="truncated_normal",
                seed=seed,
            )
        return PhiloxVarianceScaling(
            scale=2.0, mode="fan_out", distribution="normal", seed=seed
        )

    def last_kernel(self, name: str) -> PhiloxVarianceScaling:
        """The initial weights of the last layer.

        T2T's are its ``normal_unit_scaling`` of gain 2. The others are
        PyTorch's default, uniform within 1 / sqrt(inputs).
        """
        seed = seeds.derive(self.seed, "init", name)
        if self.init == "t2t":
            return PhiloxVarianceScaling(
                scale=2.0,
                mode="fan_avg",
                distribution="truncated_normal",
                seed=seed,
            )
        return PhiloxVarianceScaling(
            scale=1 / 3, mode="fan_in", distribution="uniform", seed=seed
        )

    def inner(self, width: int) -> int:
        """Channels within a bottleneck: those of all groups together."""
        return width * self.group_width // _PLAIN_WIDTH * self.groups

    def conv(
        self,
        x: Tensor,
        name: str,
        filters: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
    ) -> Tensor:
        """A convolution without bias, padded alike on both sides."""
        if stride > 1 and kernel > 1:
            x = _padding(f"{name}_padding", kernel // 2)(x)
        return layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            # At stride 1 "same" is (k - 1) / 2 on both sides.
            padding="same" if stride == 1 else "valid",
            groups=groups,
            use_bias=False,
            data_format="channels_last",
            kernel_initializer=self.kernel(name),
            name=name,
        )(x)


def _padding(name: str, size: int) -> layers.ZeroPadding2D:
    return layers.ZeroPadding2D(size, data_format="channels_last", name=name)


def _norm(x: Tensor, name: str, relu: bool = True) -> Tensor:
    x = BatchNorm(name=name)(x)
    return _relu(x, f"{name}_relu") if relu else x


def _relu(x: Tensor, name: str) -> Tensor:
    return layers.Activation("relu", name=name)(x)


def _add(x: Tensor, y: Tensor, name: str) -> Tensor:
    return layers.Add(name=f"{name}_add")([x, y])


def _projection(
    style: _Style, x: Tensor, name: str, filters: int, stride: int
) -> Tensor:
    x = style.conv(x, f"{name}_shortcut_conv", filters, 1, stride)
    return _norm(x, f"{name}_shortcut_norm", relu=False)


def _shortcut(
    style: _Style, x: Tensor, name: str, filters: int, stride: int
) -> Tensor:
    """The identity; where the shape changes, He's option B or A."""
    channels = x.shape[-1]
    if stride == 1 and channels == filters:
        return x
    if style.shortcut == "projection":
        return _projection(style, x, name, filters, stride)
    x = x[:, ::stride, ::stride, :]
    return ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, filters - channels)))


def _pre_activation(
    style: _Style, x: Tensor, name: str, width: int, stride: int, first: bool
) -> Tensor:
    """T2T's ``residual_block``: the first of a group projects what is active.

    It does so in the first group too, whatever the widths, and nothing
    follows the sum.
    """
    active = _norm(x, f"{name}_norm_1")
    skip = x
    if first:
        skip = _projection(style, active, name, width, stride)
    y = style.conv(active, f"{name}_conv_1", width, 3, stride)
    y = _norm(y, f"{name}_norm_2")
    y = style.conv(y, f"{name}_conv_2", width, 3)
    return _add(y, skip, name)


def _basic(
    style: _Style, x: Tensor, name: str, width: int, stride: int
) -> Tensor:
    y = style.conv(x, f"{name}_conv_1", width, 3, stride)
    y = _norm(y, f"{name}_norm_1")
    y = style.conv(y, f"{name}_conv_2", width, 3)
    y = _norm(y, f"{name}_norm_2", relu=False)
    y = _add(y, _shortcut(style, x, name, width, stride), name)
    return _relu(y, f"{name}_relu")


def _bottleneck(
    style: _Style, x: Tensor, name: str, width: int, stride: int
) -> Tensor:
    filters, inner = _channels("bottleneck", width), style.inner(width)
    early, late = (
        (stride, 1) if style.bottleneck_stride == "1x1" else (1, stride)
    )
    y = style.conv(x, f"{name}_conv_1", inner, 1, early)
    y = _norm(y, f"{name}_norm_1")
    y = style.conv(y, f"{name}_conv_2", inner, 3, late, style.groups)
    y = _norm(y, f"{name}_norm_2")
    y = style.conv(y, f"{name}_conv_3", filters, 1)
    y = _norm(y, f"{name}_norm_3", relu=False)
    y = _add(y, _shortcut(style, x, name, filters, stride), name)
    return _relu(y, f"{name}_relu")


def _stem(
    style: _Style, images: Tensor, width: int, kernel: int, downsampling: bool
) -> Tensor:
    stride = 2 if downsampling else 1
    x = style.conv(images, "stem_conv", width, kernel, stride)
    x = _norm(x, "stem_norm")
    if downsampling:
        # Zeros around are as good as minus infinity: a ReLU's are the least.
        x = _padding("stem_pool_padding", 1)(x)
        x = MaxPool(3, 2, data_format="channels_last", name="stem_pool")(x)
    return x


def _groups(
    style: _Style, x: Tensor, blocks: Sequence[int], widths: Sequence[int]
) -> Tensor:
    """All blocks; each group after the first halves height and width."""
    for group, (count, width) in enumerate(
        zip(blocks, widths, strict=True), start=1
    ):
        for number in range(1, count + 1):
            name = f"group_{group}_block_{number}"
            first = number == 1
            stride = 2 if first and group > 1 else 1
            if style.block == "pre_activation":
                x = _pre_activation(style, x, name, width, stride, first)
            elif style.block == "basic":
                x = _basic(style, x, name, width, stride)
            else:
                x = _bottleneck(style, x, name, width, stride)
    return x


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
    shortcut: str,
    init: str,
    bottleneck_stride: str = "3x3",
    groups: int = 1,
    group_width: int = 64,
    seed: int,
) -> keras.Model:
    """Builds the network.

    Args:
        num_classes: K, 2 or more.
        image_shape: (H, W, C) of one image.
        block: ``"pre_activation"``, T2T's two 3 x 3 convolutions after their
            normalization and ReLU, without a normalization after the last
            sum; ``"basic"``, He's two 3 x 3 convolutions; ``"bottleneck"``,
            1 x 1, 3 x 3 and 1 x 1 with four times the width.
        blocks: number of blocks in each group. Each group after the first
            halves height and width.
        widths: number of filters in each group.
        stem_width: number of filters of the first convolution.
        stem_kernel: its height and width in pixels, odd.
        stem_downsampling: the first convolution has stride 2, and a 3 x 3 max
            pool of stride 2 follows, as for ImageNet.
        shortcut: what stands where the shape changes: ``"projection"``, a
            1 x 1 convolution and its normalization (He's option B; with
            ``"pre_activation"`` in the first block of every group), or
            ``"padding"``, every second pixel and channels of zeros (option
            A, without parameters).
        init: ``"t2t"``, truncated normal of variance 1 / inputs; ``"he"``,
            normal of variance 2 / outputs.
        bottleneck_stride: the convolution of a bottleneck that halves height
            and width: ``"3x3"``, or ``"1x1"``, the first one, as He's own
            network and Keras's have it.
        groups: of a bottleneck's 3 x 3 convolution, each of which sees its
            own channels alone.
        group_width: channels of one group in a bottleneck of width 64; those
            of width w have w / 64 times as many. 128 in one group is Wide
            ResNet-50-2; 4 in 32 groups are ResNeXt's 32 x 4d.
        seed: the run's seed, for the initial weights.

    Returns:
        A model from float [B, H, W, C], standardized, to ``{"logits":
        float32 [B, K], "penultimate": float32 [B, D]}``, where
        ``penultimate`` is the mean over height and width of the last group's
        output, which the last layer multiplies. D is the last width, four
        times that with ``"bottleneck"``. After ``"pre_activation"`` it may be
        negative.

    Raises:
        ValueError: if a size is out of range, a choice is unknown, or a
            shortcut or an option does not go with the block or the widths.

    Source: see the module.
    """
    stages.check_choice("block", block, _BLOCKS)
    stages.check_choice("shortcut", shortcut, _SHORTCUTS)
    stages.check_choice("init", init, _INITS)
    stages.check_stages(
        num_classes, image_shape, blocks, widths, stem_width, stem_kernel
    )
    _check_shortcut(shortcut, block, stem_width, widths)
    _check_bottleneck(block, bottleneck_stride, groups, group_width)
    style = _Style(
        block, shortcut, init, seed, bottleneck_stride, groups, group_width
    )
    if any(style.inner(width) < 1 for width in widths):
        raise ValueError(
            f"wanted widths of {_PLAIN_WIDTH // group_width} or more with "
            f"group_width {group_width}, got {tuple(widths)}"
        )
    images = keras.Input(shape=tuple(image_shape), name="image")
    x = _stem(style, images, stem_width, stem_kernel, stem_downsampling)
    x = _groups(style, x, blocks, widths)
    # float32 whatever the policy: the losses need the logits' full precision.
    pooled = layers.GlobalAveragePooling2D(
        data_format="channels_last", dtype="float32", name="pool"
    )(x)
    logits = layers.Dense(
        num_classes,
        kernel_initializer=style.last_kernel("logits"),
        bias_initializer="zeros",
        dtype="float32",
        name="logits",
    )(pooled)
    return keras.Model(
        images, {"logits": logits, "penultimate": pooled}, name="resnet"
    )
