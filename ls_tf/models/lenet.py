"""Two convolutions and two dense layers, as LeNet in Caffe's example.

Source: Chen et al. 2020, App. C: "2 conv + 2 linear" on MNIST, whose widths are
not said. 20 and 50 filters of 5 x 5 and 500 units are those of Caffe's
``examples/mnist/lenet.prototxt``; initial weights as PyTorch draws them, within
1 / sqrt(inputs), and biases of 0 are ours.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from ls_tf import seeds
from ls_tf.layers.initializers import PhiloxVarianceScaling
from ls_tf.layers.max_pool import MaxPool
from ls_tf.layers.patch_convolution import PatchConv2D
from ls_tf.layers.reference import Reference

_KERNEL = 5

REFERENCE = (
    Reference(
        options={
            "num_classes": 10,
            "image_shape": (28, 28, 1),
            "filters": (20, 50),
            "hidden": 500,
        },
        # (25 + 1) * 20, (25 * 20 + 1) * 50, (4 * 4 * 50 + 1) * 500,
        # (500 + 1) * 10
        parameters=431_080,
        source="Caffe, examples/mnist/lenet.prototxt; count derived",
    ),
)


def _check(
    num_classes: int,
    image_shape: Sequence[int],
    filters: Sequence[int],
    hidden: int,
) -> None:
    if num_classes < 2:
        raise ValueError(f"wanted num_classes of 2 or more, got {num_classes}")
    # 16 pixels are 12, 6, 2 and 1.
    if len(image_shape) != 3 or min(image_shape[:2]) < 16:
        raise ValueError(
            "wanted image_shape of height and width of 16 or more and "
            f"channels, got {tuple(image_shape)}"
        )
    if len(filters) != 2 or min(filters) < 1:
        raise ValueError(f"wanted two numbers of filters, got {tuple(filters)}")
    if hidden < 1:
        raise ValueError(f"wanted hidden of 1 or more, got {hidden}")


def _weights(name: str, seed: int) -> dict[str, Any]:
    return {
        "kernel_initializer": PhiloxVarianceScaling(
            scale=1 / 3,
            mode="fan_in",
            distribution="uniform",
            seed=seeds.derive(seed, "init", name),
        ),
        "bias_initializer": "zeros",
        "name": name,
    }


def build(
    *,
    num_classes: int,
    image_shape: tuple[int, ...],
    filters: tuple[int, ...],
    hidden: int,
    seed: int,
) -> keras.Model:
    """Builds the network.

    Args:
        num_classes: K, 2 or more.
        image_shape: (H, W, C) of one image, 16 pixels or more each way.
        filters: of the two convolutions, 5 x 5 without padding, each followed
            by ReLU and a 2 x 2 max pool.
        hidden: units of the dense layer between them and the logits, ReLU.
        seed: the run's seed, for the initial weights.

    Returns:
        A model from float [B, H, W, C] with pixels in [0, 1] to ``{"logits":
        float32 [B, K], "penultimate": float [B, hidden]}``, where
        ``penultimate`` is the vector that the last layer multiplies.

    Raises:
        ValueError: if a size is out of range.

    Source: see the module.
    """
    _check(num_classes, image_shape, filters, hidden)
    images = keras.Input(shape=tuple(image_shape), name="image")
    x = images
    for number, count in enumerate(filters, start=1):
        x = PatchConv2D(
            count,
            _KERNEL,
            activation="relu",
            **_weights(f"conv_{number}", seed),
        )(x)
        x = MaxPool(2, 2, data_format="channels_last", name=f"pool_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(hidden, activation="relu", **_weights("hidden", seed))(x)
    # float32 whatever the policy: the losses need the logits' full precision.
    logits = layers.Dense(
        num_classes, dtype="float32", **_weights("logits", seed)
    )(x)
    return keras.Model(
        images, {"logits": logits, "penultimate": x}, name="lenet"
    )
