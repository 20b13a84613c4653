"""Tests of ls_tf.models.alexnet."""

import inspect
import math

import keras
import numpy as np
import pytest

from ls_tf import optimizers
from ls_tf.models import alexnet

SMALL = {"num_classes": 3, "image_shape": (5, 6, 2), "seed": 0}


def build(**changes):
    return alexnet.build(**{**SMALL, **changes})


def images(count=2, shape=(5, 6, 2), seed=0):
    draw = np.random.default_rng(seed)
    return draw.standard_normal((count, *shape)).astype("float32")


def count(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


@pytest.mark.parametrize(
    ("size", "side", "printed"), [(24, 6, 1_068_298), (32, 8, 1_756_426)]
)
def test_reference_counts(size, side, printed):
    (reference,) = (
        r
        for r in alexnet.REFERENCE
        if r.options["image_shape"] == (size, size, 3)
    )
    layers = (
        (25 * 3 + 1) * 64,
        (25 * 64 + 1) * 64,
        (side * side * 64 + 1) * 384,
        (384 + 1) * 192,
        (192 + 1) * 10,
    )
    assert reference.parameters == sum(layers) == printed
    model = alexnet.build(**reference.options, seed=0)
    assert count(model) == printed
    assert len(model.non_trainable_variables) == 0


@pytest.mark.parametrize(
    ("size", "half", "quarter"), [(24, 12, 6), (32, 16, 8), (31, 16, 8)]
)
def test_the_layers_in_their_order_and_their_shapes(size, half, quarter):
    model = build(num_classes=10, image_shape=(size, size, 3))
    found = [(x.name, x.output.shape[1:]) for x in model.layers[1:]]
    assert found == [
        ("conv1", (size, size, 64)),
        ("pool1", (half, half, 64)),
        ("norm1", (half, half, 64)),
        ("conv2", (half, half, 64)),
        ("norm2", (half, half, 64)),
        ("pool2", (quarter, quarter, 64)),
        ("flatten", (quarter * quarter * 64,)),
        ("local3", (384,)),
        ("local4", (192,)),
        ("logits", (10,)),
    ]


@pytest.mark.parametrize(
    ("name", "std", "bias"),
    [
        ("conv1", 0.05, 0.0),
        ("conv2", 0.05, 0.1),
        ("local3", 0.04, 0.1),
        ("local4", 0.04, 0.1),
        ("logits", 1 / 192, 0.0),
    ],
)
def test_initial_weights(name, std, bias):
    model = build(num_classes=10, image_shape=(24, 24, 3))
    layer = model.get_layer(name)
    kernel = np.asarray(layer.kernel)
    # Cut at two deviations, not rescaled.
    assert np.abs(kernel).max() <= 2 * std * (1 + 1e-6)
    tolerance = 5 / math.sqrt(2 * kernel.size)
    assert abs(kernel.std() / (0.87962566 * std) - 1) < tolerance
    np.testing.assert_array_equal(np.asarray(layer.bias), np.float32(bias))


def test_normalization_is_the_tutorials():
    model = build()
    for name in ("norm1", "norm2"):
        assert model.get_layer(name).get_config() == {
            "name": name,
            "depth_radius": 4,
            "bias": 1.0,
            "alpha": 0.001 / 9.0,
            "beta": 0.75,
        }


# --- the forward pass once more, in NumPy


def same(size, kernel, stride):
    """TensorFlow's "SAME": the odd zero is after the data."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def windows(x, kernel, stride, fill):
    """[B, H', W', kernel, kernel, C] of the padded images."""
    pad = [same(x.shape[axis], kernel, stride) for axis in (1, 2)]
    x = np.pad(x, [(0, 0), *pad, (0, 0)], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (1, 2))
    return np.moveaxis(view[:, ::stride, ::stride], 3, -1)


def conv(x, layer):
    kernel, bias = (np.asarray(v, np.float64) for v in layer.variables)
    y = np.einsum("bhwijc,ijco->bhwo", windows(x, 5, 1, 0.0), kernel)
    return np.maximum(y + bias, 0)


def pool(x):
    return windows(x, 3, 2, -np.inf).max(axis=(3, 4))


def norm(x):
    near = np.abs(np.subtract.outer(np.arange(64), np.arange(64))) <= 4
    return x / (1.0 + 0.001 / 9.0 * (x**2 @ near)) ** 0.75


def dense(x, layer):
    kernel, bias = (np.asarray(v, np.float64) for v in layer.variables)
    return x @ kernel + bias


@pytest.mark.parametrize("shape", [(5, 6, 2), (8, 8, 3)])
def test_forward_pass_equals_numpy(shape):
    model = build(image_shape=shape)
    # Of a size at which the normalization shows.
    x = 30 * images(shape=shape)
    layer = model.get_layer
    y = norm(pool(conv(x, layer("conv1"))))
    y = pool(norm(conv(y, layer("conv2"))))
    y = y.reshape(len(y), -1)
    y = np.maximum(dense(y, layer("local3")), 0)
    y = np.maximum(dense(y, layer("local4")), 0)
    out = model(x)
    np.testing.assert_allclose(
        np.asarray(out["penultimate"]), y, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        np.asarray(out["logits"]), dense(y, layer("logits")), atol=1e-4
    )


def test_penultimate_is_what_the_last_layer_multiplies():
    model = build()
    out = model(images(), training=True)
    kernel, bias = (np.asarray(v) for v in model.get_layer("logits").variables)
    assert out["penultimate"].shape == (2, 192)
    np.testing.assert_allclose(
        np.asarray(out["logits"]),
        np.asarray(out["penultimate"]) @ kernel + bias,
        atol=1e-6,
    )


def test_weight_decay_can_be_told_to_act_on_the_two_dense_layers():
    model = build()
    variables = model.trainable_variables
    zeros = [np.zeros(v.shape, "float32") for v in variables]
    found = optimizers.decayed(
        zeros,
        variables,
        weight_decay=1.0,
        exclude=("conv1", "conv2", "logits", "bias"),
    )
    decayed = [
        v.path
        for v, g in zip(variables, found, strict=True)
        if np.any(np.asarray(g))
    ]
    assert decayed == ["local3/kernel", "local4/kernel"]


def test_the_seed_fixes_the_weights():
    first, same_seed, other = (
        [np.asarray(v) for v in build(seed=s).trainable_variables]
        for s in (0, 0, 1)
    )
    for a, b, c in zip(first, same_seed, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or not np.any(a == c)


def test_logits_stay_float32_under_a_mixed_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy(before)
    logits = model(images())["logits"]
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_the_arguments_are_keyword_only_and_only_later_ones_have_a_default():
    later = {"norm_alpha": 0.001 / 9, "constant_logits": False}
    for parameter in inspect.signature(alexnet.build).parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY
        default = later.get(parameter.name, parameter.empty)
        assert parameter.default is default or parameter.default == default


def test_the_replications_norm_and_last_layer():
    model = build(norm_alpha=0.001 / 72, constant_logits=True)
    for name in ("norm1", "norm2"):
        assert model.get_layer(name).alpha == 0.001 / 72
    kernel = np.asarray(model.get_layer("logits").kernel)
    np.testing.assert_array_equal(kernel, np.float32(-1 / 96))
    logits = np.asarray(model(images())["logits"])
    assert np.ptp(logits, axis=1).max() == 0 < np.ptp(logits[:, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 1}, "num_classes"),
        ({"image_shape": (24, 24)}, "image_shape"),
        ({"image_shape": (0, 24, 3)}, "image_shape"),
    ],
)
def test_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        build(**changes)
    assert "\n" not in str(error.value)
