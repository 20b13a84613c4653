"""Fully connected ReLU network: the teacher and student of the MNIST study.

Source: Mueller et al. 2019, App. A.5: two hidden layers of 1200 units in the
teacher and of 800 in the student, Gaussian initial weights. The paper names
neither the activation nor the biases: ReLU and zero biases are ours, as in
Hinton et al. 2015, whose networks these are.
"""

import math
from collections.abc import Sequence

import keras

from ls_tf import seeds
from ls_tf.layers.dropout import Dropout
from ls_tf.layers.initializers import PhiloxNormal
from ls_tf.layers.reference import Reference

# A.5 says "variance 0.03". Read literally it gives initial logits of standard
# deviation near 29 instead of about 0.15, and trains worse: deviations.md.
_MNIST = {
    "num_classes": 10,
    "image_shape": (28, 28, 1),
    "init_std": 0.03,
    "init_is_variance": False,
}

REFERENCE = (
    Reference(
        options={
            **_MNIST,
            "hidden": (1200, 1200),
            "dropout_rate": 0.0,
            "input_dropout_rate": 0.0,
        },
        # (784 + 1) * 1200 + (1200 + 1) * 1200 + (1200 + 1) * 10
        parameters=2_395_210,
        source="Mueller et al. 2019, App. A.5, teacher; count derived",
    ),
    Reference(
        options={
            **_MNIST,
            "hidden": (800, 800),
            "dropout_rate": 0.0,
            "input_dropout_rate": 0.0,
        },
        # (784 + 1) * 800 + (800 + 1) * 800 + (800 + 1) * 10
        parameters=1_276_810,
        source="Mueller et al. 2019, App. A.5, student; count derived",
    ),
)


def _check(
    num_classes: int,
    image_shape: Sequence[int],
    hidden: Sequence[int],
    rates: dict[str, float],
    init_std: float,
) -> None:
    if num_classes < 2:
        raise ValueError(f"wanted num_classes of 2 or more, got {num_classes}")
    if not image_shape or any(size < 1 for size in image_shape):
        raise ValueError(
            f"wanted image_shape of positive sizes, got {tuple(image_shape)}"
        )
    if any(width < 1 for width in hidden):
        raise ValueError(
            f"wanted hidden widths of 1 or more, got {tuple(hidden)}"
        )
    for name, rate in rates.items():
        if not 0 <= rate < 1:
            raise ValueError(f"wanted {name} in [0, 1), got {rate}")
    if not (init_std > 0 and math.isfinite(init_std)):
        raise ValueError(f"wanted a positive init_std, got {init_std}")


def _dense(
    name: str, units: int, std: float, seed: int, **options: str
) -> keras.layers.Dense:
    return keras.layers.Dense(
        units,
        use_bias=True,
        kernel_initializer=PhiloxNormal(
            stddev=std, seed=seeds.derive(seed, "init", name)
        ),
        bias_initializer="zeros",
        name=name,
        **options,
    )


def _dropout(name: str, rate: float, seed: int) -> Dropout:
    return Dropout(rate, seed=seeds.derive(seed, "dropout", name), name=name)


def build(
    *,
    num_classes: int,
    image_shape: tuple[int, ...],
    hidden: tuple[int, ...],
    dropout_rate: float,
    input_dropout_rate: float,
    init_std: float,
    init_is_variance: bool,
    seed: int,
) -> keras.Model:
    """Builds the network.

    Args:
        num_classes: K, 2 or more.
        image_shape: shape of one image, e.g. ``(28, 28, 1)``.
        hidden: width of each hidden layer, first to last.
        dropout_rate: fraction of each hidden layer's outputs that is dropped
            in training, in [0, 1); 0 adds no dropout layer.
        input_dropout_rate: the same for the pixels.
        init_std: standard deviation of the initial weights of every layer.
        init_is_variance: reads ``init_std`` as the variance instead.
        seed: the run's seed, for the initial weights and the dropout.

    Returns:
        A model from float [B, *image_shape] with pixels in [0, 1] to
        ``{"logits": float32 [B, K], "penultimate": float [B, D]}``, where
        ``penultimate`` is the vector that the last layer multiplies (D is
        the last hidden width).

    Raises:
        ValueError: if a size or rate is out of range.

    Source: Mueller et al. 2019, App. A.5; dropout in the teacher: section 4.
    """
    rates = {
        "dropout_rate": dropout_rate,
        "input_dropout_rate": input_dropout_rate,
    }
    _check(num_classes, image_shape, hidden, rates, init_std)
    std = math.sqrt(init_std) if init_is_variance else init_std

    images = keras.Input(shape=tuple(image_shape), name="image")
    x = keras.layers.Flatten(name="flatten")(images)
    if input_dropout_rate > 0:
        x = _dropout("dropout_0", input_dropout_rate, seed)(x)
    for number, width in enumerate(hidden, start=1):
        x = _dense(f"hidden_{number}", width, std, seed, activation="relu")(x)
        if dropout_rate > 0:
            x = _dropout(f"dropout_{number}", dropout_rate, seed)(x)
    # float32 whatever the policy: the losses need the logits' full precision.
    logits = _dense("logits", num_classes, std, seed, dtype="float32")(x)
    return keras.Model(
        images, {"logits": logits, "penultimate": x}, name="fully_connected"
    )
