"""Tests of ls_tf.models.fully_connected."""

import inspect
import math

import keras
import numpy as np
import pytest

from ls_tf.layers.dropout import Dropout
from ls_tf.models import fully_connected

SMALL = {
    "num_classes": 3,
    "image_shape": (4, 4, 1),
    "hidden": (6, 5),
    "dropout_rate": 0.0,
    "input_dropout_rate": 0.0,
    "init_std": 0.03,
    "init_is_variance": False,
    "seed": 0,
}


def build(**changes):
    return fully_connected.build(**{**SMALL, **changes})


def weights(model):
    return [np.asarray(v) for v in model.trainable_variables]


def images(count=2, shape=(4, 4, 1), seed=0):
    return np.random.default_rng(seed).random((count, *shape), "float32")


@pytest.mark.parametrize(
    ("width", "count"),
    [
        (1200, 784 * 1200 + 1200 + 1200 * 1200 + 1200 + 1200 * 10 + 10),
        (800, 784 * 800 + 800 + 800 * 800 + 800 + 800 * 10 + 10),
    ],
)
def test_reference_counts_are_the_networks_of_the_paper(width, count):
    (reference,) = (
        r
        for r in fully_connected.REFERENCE
        if r.options["hidden"] == (width, width)
    )
    assert reference.parameters == count
    model = fully_connected.build(**reference.options, seed=0)
    assert sum(math.prod(v.shape) for v in model.trainable_variables) == count


def test_counts_as_printed():
    counts = {r.parameters for r in fully_connected.REFERENCE}
    assert counts == {2_395_210, 1_276_810}


def test_layers_and_paths():
    model = build()
    assert model.name == "fully_connected"
    assert [v.path for v in model.trainable_variables] == [
        "hidden_1/kernel",
        "hidden_1/bias",
        "hidden_2/kernel",
        "hidden_2/bias",
        "logits/kernel",
        "logits/bias",
    ]
    shapes = [tuple(v.shape) for v in model.trainable_variables]
    assert shapes == [(16, 6), (6,), (6, 5), (5,), (5, 3), (3,)]


@pytest.mark.parametrize(
    ("rate", "input_rate", "names"),
    [
        (0.0, 0.0, []),
        (0.5, 0.0, ["dropout_1", "dropout_2"]),
        (0.0, 0.2, ["dropout_0"]),
        (0.5, 0.2, ["dropout_0", "dropout_1", "dropout_2"]),
    ],
)
def test_dropout_layers_are_there_only_if_asked_for(rate, input_rate, names):
    model = build(dropout_rate=rate, input_dropout_rate=input_rate)
    found = [layer for layer in model.layers if isinstance(layer, Dropout)]
    assert [layer.name for layer in found] == names
    rates = [input_rate if n == "dropout_0" else rate for n in names]
    assert [layer.rate for layer in found] == rates


def test_forward_pass_equals_numpy():
    model = build(init_std=0.5)
    x = images()
    w1, b1, w2, b2, w3, b3 = (v.astype("float64") for v in weights(model))
    h = np.maximum(x.reshape(2, 16) @ w1 + b1, 0)
    h = np.maximum(h @ w2 + b2, 0)
    out = model(x)
    np.testing.assert_allclose(out["penultimate"], h, atol=1e-6)
    np.testing.assert_allclose(out["logits"], h @ w3 + b3, atol=1e-6)


def test_penultimate_is_what_the_last_layer_multiplies_in_training_too():
    model = build(init_std=0.5, dropout_rate=0.5)
    out = model(images(), training=True)
    kernel, bias = weights(model.get_layer("logits"))
    np.testing.assert_allclose(
        out["logits"], np.asarray(out["penultimate"]) @ kernel + bias, atol=1e-6
    )


def test_initial_weights_are_gaussian_with_the_given_deviation():
    model = build(image_shape=(28, 28, 1), hidden=(400, 400), init_std=0.03)
    kernels = [v for v in model.trainable_variables if v.ndim == 2]
    for kernel in kernels[:2]:
        values = np.asarray(kernel).ravel()
        # Standard error of a deviation: std / sqrt(2 n).
        assert abs(values.std() - 0.03) < 5 * 0.03 / (2 * values.size) ** 0.5
        # Not truncated at two deviations: 4.55 % of a Gaussian is outside.
        assert abs(np.mean(np.abs(values) > 0.06) - 0.0455) < 0.003
    for bias in (v for v in model.trainable_variables if v.ndim == 1):
        assert not np.any(np.asarray(bias))


def test_variance_means_the_square():
    as_variance = build(init_std=0.09, init_is_variance=True)
    as_deviation = build(init_std=0.3)
    for a, b in zip(weights(as_variance), weights(as_deviation), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_the_seed_fixes_the_weights_and_every_layer_has_its_own():
    first, same, other = (weights(build(seed=s)) for s in (0, 0, 1))
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.allclose(first[0], other[0])
    square = weights(build(hidden=(16, 16, 16)))
    assert not np.allclose(square[0], square[2])
    assert not np.allclose(square[2], square[4])


def test_dropout_draws_differ_between_layers_and_repeat_with_the_seed():
    def masks(seed):
        model = build(hidden=(64, 64), dropout_rate=0.5, seed=seed)
        ones = np.ones((1, 64), "float32")
        return [
            np.asarray(model.get_layer(f"dropout_{n}")(ones, training=True))
            for n in (1, 2)
        ]

    first, again, other = masks(0), masks(0), masks(1)
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])


def test_logits_stay_float32_under_a_mixed_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy(before)
    logits = model(images())["logits"]
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_no_hidden_layer_is_logistic_regression():
    model = build(hidden=())
    x = images()
    np.testing.assert_array_equal(model(x)["penultimate"], x.reshape(2, 16))
    assert model.count_params() == 16 * 3 + 3


def test_the_arguments_are_keyword_only_and_have_no_default():
    for parameter in inspect.signature(
        fully_connected.build
    ).parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default is parameter.empty


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 1}, "num_classes"),
        ({"image_shape": ()}, "image_shape"),
        ({"image_shape": (0, 4, 1)}, "image_shape"),
        ({"hidden": (6, 0)}, "hidden"),
        ({"dropout_rate": 1.0}, "dropout_rate"),
        ({"dropout_rate": -0.1}, "dropout_rate"),
        ({"input_dropout_rate": 1.5}, "input_dropout_rate"),
        ({"init_std": 0.0}, "init_std"),
        ({"init_std": math.nan}, "init_std"),
    ],
)
def test_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        build(**changes)
    assert "\n" not in str(error.value)
