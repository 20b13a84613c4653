"""Tests of ls_tf.models.lenet."""

import math

import numpy as np
import pytest

from ls_tf.models import lenet

SMALL = {
    "num_classes": 3,
    "image_shape": (17, 20, 2),
    "filters": (4, 5),
    "hidden": 6,
    "seed": 0,
}


def build(**changes):
    return lenet.build(**{**SMALL, **changes})


def count(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def test_the_layers_of_mnist_and_their_count():
    (reference,) = lenet.REFERENCE
    model = lenet.build(**reference.options, seed=0)
    found = [(x.name, x.output.shape[1:]) for x in model.layers[1:]]
    assert found == [
        ("conv_1", (24, 24, 20)),
        ("pool_1", (12, 12, 20)),
        ("conv_2", (8, 8, 50)),
        ("pool_2", (4, 4, 50)),
        ("flatten", (800,)),
        ("hidden", (500,)),
        ("logits", (10,)),
    ]
    by_layer = (26 * 20, 501 * 50, 801 * 500, 501 * 10)
    assert count(model) == sum(by_layer) == reference.parameters == 431_080


def conv(x, layer):
    """ReLU of a 5 x 5 correlation without padding, and a 2 x 2 max pool."""
    kernel, bias = (np.asarray(v, np.float64) for v in layer.variables)
    view = np.lib.stride_tricks.sliding_window_view(x, (5, 5), (1, 2))
    y = np.maximum(np.einsum("bhwcij,ijco->bhwo", view, kernel) + bias, 0)
    height, width = y.shape[1] // 2, y.shape[2] // 2
    y = y[:, : 2 * height, : 2 * width]
    return y.reshape(len(y), height, 2, width, 2, -1).max(axis=(2, 4))


def dense(x, layer):
    kernel, bias = (np.asarray(v, np.float64) for v in layer.variables)
    return x @ kernel + bias


def test_forward_pass_equals_numpy():
    model = build()
    x = np.random.default_rng(0).random((3, 17, 20, 2)).astype("float32")
    layer = model.get_layer
    y = conv(conv(x, layer("conv_1")), layer("conv_2")).reshape(3, -1)
    y = np.maximum(dense(y, layer("hidden")), 0)
    out = model(x)
    np.testing.assert_allclose(np.asarray(out["penultimate"]), y, atol=1e-5)
    np.testing.assert_allclose(
        np.asarray(out["logits"]), dense(y, layer("logits")), atol=1e-5
    )


def test_initial_weights_are_uniform_within_one_over_the_root_of_inputs():
    model = lenet.build(**lenet.REFERENCE[0].options, seed=0)
    for name, inputs in (("conv_1", 25), ("conv_2", 500), ("hidden", 800)):
        kernel = np.asarray(model.get_layer(name).kernel)
        bound = 1 / math.sqrt(inputs)
        assert np.abs(kernel).max() <= bound
        assert np.abs(kernel).max() > 0.97 * bound
        assert kernel.std() == pytest.approx(bound / math.sqrt(3), rel=0.1)
        assert not np.asarray(model.get_layer(name).bias).any()


def test_the_seed_fixes_the_weights():
    first, same, other = (
        [np.asarray(v) for v in build(seed=s).trainable_variables]
        for s in (0, 0, 1)
    )
    for a, b, c in zip(first, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or not np.any(a == c)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"num_classes": 1}, "num_classes of 2 or more, got 1"),
        ({"image_shape": (8, 8, 1)}, "16 or more and channels, got (8, 8, 1)"),
        ({"image_shape": (28, 28)}, "got (28, 28)"),
        ({"filters": (4,)}, "two numbers of filters, got (4,)"),
        ({"filters": (4, 0)}, "two numbers of filters, got (4, 0)"),
        ({"hidden": 0}, "hidden of 1 or more, got 0"),
    ],
)
def test_bad_sizes_are_refused(changes, says):
    with pytest.raises(ValueError) as caught:
        build(**changes)
    assert says in str(caught.value)
