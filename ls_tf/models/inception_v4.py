"""Inception-v4, the network of the study on ImageNet.

Szegedy et al. 2017, "Inception-v4, Inception-ResNet and the impact of residual
connections on learning", arXiv 1602.07261, as tensorflow/models writes it:
research/slim/nets/inception_v4.py and inception_utils.py. Every convolution is
without bias and has a batch normalization and a ReLU behind it; it pads like
TensorFlow's "SAME", or not at all ("VALID") where the stem and the reductions
shrink the image.

Mueller et al. 2019, App. A.4, add batch normalization's scale to it and say
neither whether there was dropout nor an auxiliary head. Both are off here, as
in the settings of Kornblith et al. 2019, "Do better ImageNet models transfer
better?", arXiv 1805.08974, whose optimizer and choice of steps App. A.4 repeats
nearly word by word. That both were off there is from memory: their appendix
was not read again. The other numbers were read in slim's source.

Each block has one tensor for input and one for output; the layers that give the
outputs are ``stem_3_relu`` and ``mixed_3a`` to ``mixed_7d``.
"""

import math
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from ls_tf import seeds
from ls_tf.layers.batch_norm import BatchNorm
from ls_tf.layers.dropout import Dropout
from ls_tf.layers.initializers import (
    PhiloxTruncatedNormal,
    PhiloxVarianceScaling,
)
from ls_tf.layers.max_pool import MaxPool
from ls_tf.layers.reference import Reference

Tensor = Any

# Smaller images leave nothing after the reductions; with an auxiliary head,
# nothing of its pool of 5 x 5.
_SMALLEST = 75
_SMALLEST_AUXILIARY = 107

_SLIM = "tensorflow/models, research/slim/nets/inception_v4.py; count derived"
# The count does not depend on the size of the images, but for the auxiliary
# head, whose second kernel is as large as what its pool leaves.
_SMALL = {"num_classes": 10, "image_shape": (75, 75, 3)}
_IMAGENET = {"num_classes": 1000, "image_shape": (_SMALLEST, _SMALLEST, 3)}

REFERENCE = (
    Reference(
        {**_SMALL, "width_multiplier": 0.125},
        651_790,
        f"{_SLIM}, an eighth of the width",
    ),
    Reference(
        _IMAGENET,
        42_679_816,
        f"{_SLIM}, with the scale of Mueller et al. 2019, App. A.4",
    ),
    Reference({**_IMAGENET, "batch_norm_scale": False}, 42_648_232, _SLIM),
    Reference(
        {
            "num_classes": 1000,
            "image_shape": (299, 299, 3),
            "auxiliary_head": True,
        },
        # 1024 * 128 + 2 * 128, 25 * 128 * 768 + 2 * 768, 769 * 1000 more
        46_039_280,
        f"{_SLIM}, with the auxiliary head and the scale",
    ),
)


@dataclass(frozen=True)
class _Style:
    """What all layers of a network share."""

    width_multiplier: float
    momentum: float
    has_scale: bool
    seed: int

    def filters(self, number: int) -> int:
        """How many of a full network's filters there are."""
        return max(1, round(number * self.width_multiplier))

    def norm_relu(self, x: Tensor, name: str) -> Tensor:
        """Batch normalization and ReLU."""
        x = BatchNorm(
            momentum=self.momentum,
            epsilon=0.001,
            scale=self.has_scale,
            name=f"{name}_norm",
        )(x)
        return layers.Activation("relu", name=f"{name}_relu")(x)


@dataclass(frozen=True)
class _Conv:
    """A convolution with what stands behind it: height x width, filters."""

    height: int
    width: int
    filters: int
    stride: int = 1
    padding: str = "same"

    def __call__(self, style: _Style, x: Tensor, name: str) -> Tensor:
        inputs = self.height * self.width * x.shape[-1]
        x = layers.Conv2D(
            style.filters(self.filters),
            (self.height, self.width),
            strides=self.stride,
            padding=self.padding,
            use_bias=False,
            data_format="channels_last",
            # Slim widens the normal before its cut by 1.3, not by what the
            # cut takes away, which is 1.2925.
            kernel_initializer=PhiloxTruncatedNormal(
                stddev=math.sqrt(1.3 * 2 / inputs),
                seed=seeds.derive(style.seed, "init", name),
            ),
            name=f"{name}_conv",
        )(x)
        return style.norm_relu(x, name)


@dataclass(frozen=True)
class _Pool:
    """A pool of 3 x 3: the largest at stride 2, or the mean at stride 1."""

    takes_mean: bool

    def __call__(self, style: _Style, x: Tensor, name: str) -> Tensor:
        if self.takes_mean:
            # Of the pixels that are there: "SAME" counts no padding.
            return layers.AveragePooling2D(
                3,
                1,
                padding="same",
                data_format="channels_last",
                name=f"{name}_mean",
            )(x)
        return MaxPool(3, 2, data_format="channels_last", name=f"{name}_max")(x)


@dataclass(frozen=True)
class _Branches:
    """Sequences side by side, their channels in this order."""

    branches: tuple[tuple[Any, ...], ...]

    def __call__(self, style: _Style, x: Tensor, name: str) -> Tensor:
        return layers.Concatenate(name=name)(
            [
                _sequence(style, x, f"{name}_branch_{number}", steps)
                for number, steps in enumerate(self.branches)
            ]
        )


def _sequence(
    style: _Style, x: Tensor, name: str, steps: Sequence[Any]
) -> Tensor:
    for number, step in enumerate(steps, start=1):
        x = step(style, x, f"{name}_{number}")
    return x


def _valid(height: int, width: int, filters: int, stride: int = 1) -> _Conv:
    return _Conv(height, width, filters, stride, "valid")


_MAX, _MEAN = _Pool(takes_mean=False), _Pool(takes_mean=True)

_STEM = (_valid(3, 3, 32, 2), _valid(3, 3, 32), _Conv(3, 3, 64))
_MIXED_3A = _Branches(((_MAX,), (_valid(3, 3, 96, 2),)))
_MIXED_4A = _Branches(
    (
        (_Conv(1, 1, 64), _valid(3, 3, 96)),
        (
            *(_Conv(1, 1, 64), _Conv(1, 7, 64), _Conv(7, 1, 64)),
            _valid(3, 3, 96),
        ),
    )
)
_MIXED_5A = _Branches(((_valid(3, 3, 192, 2),), (_MAX,)))
_INCEPTION_A = _Branches(
    (
        (_Conv(1, 1, 96),),
        (_Conv(1, 1, 64), _Conv(3, 3, 96)),
        (_Conv(1, 1, 64), _Conv(3, 3, 96), _Conv(3, 3, 96)),
        (_MEAN, _Conv(1, 1, 96)),
    )
)
_REDUCTION_A = _Branches(
    (
        (_valid(3, 3, 384, 2),),
        (_Conv(1, 1, 192), _Conv(3, 3, 224), _valid(3, 3, 256, 2)),
        (_MAX,),
    )
)
_INCEPTION_B = _Branches(
    (
        (_Conv(1, 1, 384),),
        (_Conv(1, 1, 192), _Conv(1, 7, 224), _Conv(7, 1, 256)),
        (
            *(_Conv(1, 1, 192), _Conv(7, 1, 192), _Conv(1, 7, 224)),
            *(_Conv(7, 1, 224), _Conv(1, 7, 256)),
        ),
        (_MEAN, _Conv(1, 1, 128)),
    )
)
_REDUCTION_B = _Branches(
    (
        (_Conv(1, 1, 192), _valid(3, 3, 192, 2)),
        (
            *(_Conv(1, 1, 256), _Conv(1, 7, 256), _Conv(7, 1, 320)),
            _valid(3, 3, 320, 2),
        ),
        (_MAX,),
    )
)
_FORK = _Branches(((_Conv(1, 3, 256),), (_Conv(3, 1, 256),)))
_INCEPTION_C = _Branches(
    (
        (_Conv(1, 1, 256),),
        (_Conv(1, 1, 384), _FORK),
        (_Conv(1, 1, 384), _Conv(3, 1, 448), _Conv(1, 3, 512), _FORK),
        (_MEAN, _Conv(1, 1, 256)),
    )
)
_LETTERS = string.ascii_lowercase[1:]  # a reduction is "a"


def _blocks(repeats: Sequence[int]) -> Iterator[tuple[str, _Branches]]:
    yield from (("3a", _MIXED_3A), ("4a", _MIXED_4A), ("5a", _MIXED_5A))
    for letter in _LETTERS[: repeats[0]]:
        yield f"5{letter}", _INCEPTION_A
    yield "6a", _REDUCTION_A
    for letter in _LETTERS[: repeats[1]]:
        yield f"6{letter}", _INCEPTION_B
    yield "7a", _REDUCTION_B
    for letter in _LETTERS[: repeats[2]]:
        yield f"7{letter}", _INCEPTION_C


def _check(
    num_classes: int,
    image_shape: Sequence[int],
    auxiliary_head: bool,
    dropout_rate: float,
    width_multiplier: float,
    repeats: Sequence[int],
) -> None:
    if len(repeats) != 3 or not all(1 <= n <= 25 for n in repeats):
        raise ValueError(
            "wanted repeats of three numbers from 1 to 25 (blocks A, B and C),"
            f" got {tuple(repeats)}"
        )
    if num_classes < 2:
        raise ValueError(f"wanted num_classes of 2 or more, got {num_classes}")
    least = _SMALLEST_AUXILIARY if auxiliary_head else _SMALLEST
    if (
        len(image_shape) != 3
        or min(image_shape[:2]) < least
        or image_shape[2] < 1
    ):
        also = " with an auxiliary head" if auxiliary_head else ""
        raise ValueError(
            f"wanted image_shape of height and width from {least} on{also}, "
            f"and channels, got {tuple(image_shape)}"
        )
    if not 0 <= dropout_rate < 1:
        raise ValueError(f"wanted dropout_rate in [0, 1), got {dropout_rate}")
    if not 0 < width_multiplier <= 1:
        raise ValueError(
            f"wanted width_multiplier above 0, up to 1, got {width_multiplier}"
        )


def _dense(x: Tensor, units: int, name: str, seed: int) -> Tensor:
    """A last layer, in slim's default: Glorot's uniform weights, bias 0."""
    # float32 whatever the policy: the losses need the logits' full precision.
    return layers.Dense(
        units,
        kernel_initializer=PhiloxVarianceScaling(
            scale=1.0,
            mode="fan_avg",
            distribution="uniform",
            seed=seeds.derive(seed, "init", name),
        ),
        bias_initializer="zeros",
        dtype="float32",
        name=name,
    )(x)


def _auxiliary(style: _Style, x: Tensor, num_classes: int) -> Tensor:
    """The second classifier, which pulls at the middle of the network."""
    name = "auxiliary"
    x = layers.AveragePooling2D(
        5, 3, data_format="channels_last", name=f"{name}_mean"
    )(x)
    x = _Conv(1, 1, 128)(style, x, f"{name}_1")
    _, height, width, _ = x.shape  # 5 x 5 of images of 299 x 299
    x = _valid(height, width, 768)(style, x, f"{name}_2")
    x = layers.Flatten(name=f"{name}_flatten")(x)
    return _dense(x, num_classes, f"{name}_logits", style.seed)


def build(
    *,
    num_classes: int,
    image_shape: tuple[int, ...],
    auxiliary_head: bool = False,
    dropout_rate: float = 0.0,
    batch_norm_scale: bool = True,
    batch_norm_momentum: float = 0.9997,
    width_multiplier: float = 1.0,
    repeats: tuple[int, ...] = (4, 7, 3),
    seed: int,
) -> keras.Model:
    """Builds the network.

    The model decays no weights. Slim decays kernels alone, which is to leave
    out ``bias``, ``gamma`` and ``beta``.

    Args:
        num_classes: K, 2 or more. Slim has 1001, the first of them unused.
        image_shape: (H, W, C) of one image: (299, 299, 3) on ImageNet, 75 x 75
            or more; 107 x 107 or more with an auxiliary head.
        auxiliary_head: adds a second classifier before ``mixed_7a``, whose
            loss ``train.auxiliary_weight`` weighs. Off, as Kornblith et al.
            have it (see the module); on in slim.
        dropout_rate: fraction of the pooled activations that is dropped in
            training. 0 for the same reason; 0.2 in slim.
        batch_norm_scale: whether batch normalizations have a gamma. Mueller
            et al. 2019, App. A.4, add it; slim has only beta.
        batch_norm_momentum: share of the old moving average, slim's 0.9997;
            a run of fewer than some ten thousand steps wants less.
        width_multiplier: the share of all filters that is kept, for tests and
            machines without an accelerator; 1 is the network.
        repeats: how many blocks there are of the kinds A, B and C, 1 to 25
            each; (4, 7, 3) is the network.
        seed: the run's seed, for the initial weights and the dropout.

    Returns:
        A model from float [B, H, W, C], in [-1, 1] in slim, to ``{"logits":
        float32 [B, K], "penultimate": float32 [B, 1536]}``, where
        ``penultimate`` is what the last layer multiplies; with an auxiliary
        head also ``"auxiliary"``, float32 [B, K], that head's logits.

    Raises:
        ValueError: if a size or a rate is out of range.

    Source: see the module.
    """
    _check(
        num_classes,
        image_shape,
        auxiliary_head,
        dropout_rate,
        width_multiplier,
        repeats,
    )
    style = _Style(
        width_multiplier, batch_norm_momentum, batch_norm_scale, seed
    )
    images = keras.Input(shape=tuple(image_shape), name="image")
    x = _sequence(style, images, "stem", _STEM)
    outputs = {}
    auxiliary_at = f"6{_LETTERS[repeats[1] - 1]}"  # the last before 7a
    for name, block in _blocks(repeats):
        x = block(style, x, f"mixed_{name}")
        if auxiliary_head and name == auxiliary_at:
            outputs["auxiliary"] = _auxiliary(style, x, num_classes)
    pooled = layers.GlobalAveragePooling2D(
        data_format="channels_last", dtype="float32", name="pool"
    )(x)
    if dropout_rate > 0:
        dropout = Dropout(
            dropout_rate,
            seed=seeds.derive(seed, "dropout", "dropout"),
            name="dropout",
        )
        dropout.dtype_policy = "float32"
        pooled = dropout(pooled)
    outputs["logits"] = _dense(pooled, num_classes, "logits", seed)
    outputs["penultimate"] = pooled
    return keras.Model(images, outputs, name="inception_v4")
