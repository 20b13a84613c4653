"""The small convolutional network of TensorFlow's CIFAR-10 tutorial.

It is called AlexNet for its likeness to the network of 2012: two
convolutions, local response normalization, two dense layers, no dropout.

Source: tensorflow/models, tutorials/image/cifar10/cifar10.py, ``inference``;
Mueller et al. 2019, section 4, name it as the student on CIFAR-10.
"""

from collections.abc import Sequence

import keras

from ls_tf import seeds
from ls_tf.layers.initializers import PhiloxTruncatedNormal
from ls_tf.layers.local_response_norm import LocalResponseNormalization
from ls_tf.layers.max_pool import MaxPool
from ls_tf.layers.reference import Reference

_TUTORIAL = (
    "tensorflow/models, tutorials/image/cifar10/cifar10.py; count derived"
)

REFERENCE = (
    Reference(
        options={"num_classes": 10, "image_shape": (24, 24, 3)},
        # conv1 (25 * 3 + 1) * 64, conv2 (25 * 64 + 1) * 64,
        # local3 (6 * 6 * 64 + 1) * 384, local4 (384 + 1) * 192,
        # logits (192 + 1) * 10
        parameters=1_068_298,
        source=_TUTORIAL,
    ),
    Reference(
        options={"num_classes": 10, "image_shape": (32, 32, 3)},
        # the same with local3 (8 * 8 * 64 + 1) * 384
        parameters=1_756_426,
        source=f"{_TUTORIAL} for images that are not cropped",
    ),
)

_LAST_HIDDEN = 192
_NORM_ALPHA = 0.001 / 9.0


def _check(num_classes: int, image_shape: Sequence[int]) -> None:
    if num_classes < 2:
        raise ValueError(f"wanted num_classes of 2 or more, got {num_classes}")
    if len(image_shape) != 3 or any(size < 1 for size in image_shape):
        raise ValueError(
            "wanted image_shape of height, width and channels, "
            f"got {tuple(image_shape)}"
        )


def _weights(name: str, std: float, seed: int) -> PhiloxTruncatedNormal:
    return PhiloxTruncatedNormal(
        stddev=std, seed=seeds.derive(seed, "init", name)
    )


def _conv(name: str, bias: float, seed: int) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        64,
        5,
        padding="same",
        activation="relu",
        data_format="channels_last",
        kernel_initializer=_weights(name, 0.05, seed),
        bias_initializer=keras.initializers.Constant(bias),
        name=name,
    )


def _pool(name: str) -> MaxPool:
    return MaxPool(3, 2, padding="same", data_format="channels_last", name=name)


def _norm(name: str, alpha: float) -> LocalResponseNormalization:
    return LocalResponseNormalization(
        depth_radius=4, bias=1.0, alpha=alpha, beta=0.75, name=name
    )


def _dense(name: str, units: int, seed: int) -> keras.layers.Dense:
    return keras.layers.Dense(
        units,
        activation="relu",
        kernel_initializer=_weights(name, 0.04, seed),
        bias_initializer=keras.initializers.Constant(0.1),
        name=name,
    )


def build(
    *,
    num_classes: int,
    image_shape: tuple[int, ...],
    seed: int,
    norm_alpha: float = _NORM_ALPHA,
    constant_logits: bool = False,
) -> keras.Model:
    """Builds the network.

    The layers have the tutorial's names. Its weight decay acts on the kernels
    of ``local3`` and ``local4`` alone, which is to leave out ``conv1``,
    ``conv2``, ``logits`` and ``bias``; the model itself decays nothing.

    Args:
        num_classes: K, 2 or more.
        image_shape: (H, W, C) of one image: (24, 24, 3) as cropped by the
            tutorial, (32, 32, 3) for whole CIFAR images, or another.
        seed: the run's seed, for the initial weights.
        norm_alpha: what the energy of neighbouring channels is multiplied
            with; PyTorch divides it by the size of the window, 8 in Wagner et
            al. 2023.
        constant_logits: whether the last layer starts with all weights at
            -1/96, as there, instead of a Gaussian.

    Returns:
        A model from float [B, H, W, C], standardized image by image in the
        tutorial, to ``{"logits": float32 [B, K], "penultimate": float
        [B, 192]}``, where ``penultimate`` is the vector that the last layer
        multiplies. Convolutions and pools pad like TensorFlow's "SAME".

    Raises:
        ValueError: if a size is out of range.

    Source: tensorflow/models, tutorials/image/cifar10/cifar10.py; the last
    layer is ``softmax_linear`` there.
    """
    _check(num_classes, image_shape)
    images = keras.Input(shape=tuple(image_shape), name="image")
    x = _conv("conv1", 0.0, seed)(images)
    # Pool, then normalize; after the second convolution the other way round.
    x = _norm("norm1", norm_alpha)(_pool("pool1")(x))
    x = _conv("conv2", 0.1, seed)(x)
    x = _pool("pool2")(_norm("norm2", norm_alpha)(x))
    x = keras.layers.Flatten(name="flatten")(x)
    x = _dense("local3", 384, seed)(x)
    x = _dense("local4", _LAST_HIDDEN, seed)(x)
    # float32 whatever the policy: the losses need the logits' full precision.
    logits = keras.layers.Dense(
        num_classes,
        kernel_initializer=(
            keras.initializers.Constant(-2 / _LAST_HIDDEN)
            if constant_logits
            else _weights("logits", 1 / _LAST_HIDDEN, seed)
        ),
        bias_initializer="zeros",
        dtype="float32",
        name="logits",
    )(x)
    return keras.Model(
        images, {"logits": logits, "penultimate": x}, name="alexnet"
    )
