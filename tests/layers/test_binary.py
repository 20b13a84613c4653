"""Tests of ls_tf.layers.binary: values and gradients, against NumPy."""

import keras
import numpy as np
import pytest
from both import compiled, gradient
from keras import ops

from ls_tf.layers import binary

X = np.array([-2, -1, -0.75, -0.25, 0, 0.25, 0.75, 1, 2], np.float32)
SIGNS = np.array([-1, -1, -1, -1, 1, 1, 1, 1, 1], np.float32)
# By hand: 2 + 2x on [-1, 0), 2 - 2x on [0, 1).
POLYNOMIAL = np.array([0, 0, 0.5, 1.5, 2, 1.5, 0.5, 0, 0], np.float32)
CLIPPED = np.array([0, 1, 1, 1, 1, 1, 1, 1, 0], np.float32)


def draws(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize(
    ("derivative", "slopes"),
    [("polynomial", POLYNOMIAL), ("clipped", CLIPPED)],
)
def test_a_sign_and_what_stands_for_its_derivative(derivative, slopes):
    def call(x):
        return binary.sign(x, derivative)

    for function in (call, compiled(call)):
        found = numpy(function(ops.convert_to_tensor(X)))
        np.testing.assert_array_equal(found, SIGNS)
    # By the chain rule: the derivative of w * sign(x)
    weights = draws(len(X))
    found = gradient(lambda x: weights * call(x), X)
    np.testing.assert_array_equal(found, weights * slopes)


def test_the_polynomial_is_the_derivative_of_two_parabolas():
    def curve(x):
        parabola = np.where(x < 0, 2 * x + x * x, 2 * x - x * x)
        return np.where(np.abs(x) < 1, parabola, np.sign(x))

    x, step = draws(200).astype(np.float64), 1e-6
    slopes = (curve(x + step) - curve(x - step)) / (2 * step)
    found = gradient(binary.sign, x.astype("float32"))
    np.testing.assert_allclose(found, slopes, atol=1e-5)


def test_values_are_signs_to_the_bit_whatever_their_size():
    x = draws(1000) * 10 ** np.linspace(-30, 30, 1000, dtype=np.float32)
    for dtype in ("float32", "bfloat16"):
        found = binary.sign(ops.cast(x, dtype))
        assert set(numpy(ops.cast(found, "float32"))) == {-1.0, 1.0}


def test_weights_are_signs_times_the_mean_size_of_each_output():
    kernel = draws(3, 3, 4, 5)
    kernel[0, 0, 0, 0] = 0
    sizes = np.abs(kernel).sum((0, 1, 2)) / (3 * 3 * 4)
    expected = sizes * np.where(kernel >= 0, 1, -1)
    found = numpy(binary.binary_weights(ops.convert_to_tensor(kernel)))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # Two values for each output, and no more.
    for output in range(5):
        assert len(np.unique(found[..., output])) == 2
    # Straight through, but not beyond 1, and none through the scale.
    weights = draws(*kernel.shape, seed=1)
    found = gradient(lambda w: weights * binary.binary_weights(w), kernel)
    assert 0 < (np.abs(kernel) > 1).sum() < kernel.size
    np.testing.assert_array_equal(found, weights * (np.abs(kernel) <= 1))


def correlation(x, kernel, stride):
    """With as many zeros around as the kernel's half."""
    border = len(kernel) // 2
    x = np.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (1, 2))
    view = view[:, ::stride, ::stride]
    return np.einsum("bhwcij,ijco->bhwo", view, kernel)


def conv(**changes):
    options = {"filters": 5, "kernel_size": 3, "name": "conv", **changes}
    return binary.BinaryConv2D(
        kernel_initializer=keras.initializers.RandomNormal(seed=0), **options
    )


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_of_signs(size, stride):
    layer, x = conv(kernel_size=size, strides=stride), draws(2, 6, 8, 4)
    found = numpy(layer(x))
    kernel = numpy(layer.kernel)
    assert kernel.shape == (size, size, 4, 5)
    scaled = np.abs(kernel).mean((0, 1, 2)) * np.where(kernel >= 0, 1, -1)
    np.testing.assert_allclose(
        found, correlation(x, scaled, stride), rtol=1e-4, atol=1e-6
    )
    assert layer.compute_output_shape((2, 6, 8, 4)) == found.shape
    # The gradient by the trained weights is that by the signs.
    (by_kernel,) = of_variables(layer, x)
    ones = np.ones(found.shape[:3])
    border = size // 2
    padded = np.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(
        padded, (size, size), (1, 2)
    )[:, ::stride, ::stride]
    expected = np.einsum("bhwcij,bhw->ijc", view, ones)
    np.testing.assert_allclose(
        by_kernel, np.broadcast_to(expected[..., None], kernel.shape), atol=1e-4
    )


def test_the_first_step_of_two_has_real_weights():
    layer, x = conv(is_binary=False), draws(2, 6, 8, 4)
    found = numpy(layer(x))
    np.testing.assert_allclose(
        found, correlation(x, numpy(layer.kernel), 1), rtol=1e-4, atol=1e-6
    )


def test_weights_keep_their_signs_and_sizes_in_bfloat16():
    layer = conv()
    mixed = conv(dtype="mixed_bfloat16")
    x = np.sign(draws(2, 6, 8, 4))
    plain = numpy(layer(x))
    mixed.build(x.shape)
    mixed.kernel.assign(layer.kernel)
    found = mixed(x)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    np.testing.assert_allclose(
        numpy(ops.cast(found, "float32")), plain, rtol=0.02, atol=1e-3
    )
    assert mixed.kernel.dtype == "float32"


@pytest.mark.parametrize("derivative", binary.DERIVATIVES)
def test_a_shifted_sign(derivative):
    layer = binary.ShiftedSign(derivative=derivative, name="sign")
    x = draws(3, 2, 2, 4)
    np.testing.assert_array_equal(numpy(layer(x)), np.where(x >= 0, 1, -1))
    threshold = np.array([-0.5, 0, 0.5, 1], np.float32)
    layer.threshold.assign(threshold)
    moved = x - threshold
    np.testing.assert_array_equal(numpy(layer(x)), np.where(moved >= 0, 1, -1))
    slopes = np.maximum(0, 2 - 2 * np.abs(moved))
    if derivative == "clipped":
        slopes = (np.abs(moved) <= 1).astype("float32")
    np.testing.assert_allclose(gradient(layer, x), slopes, atol=1e-6)
    # A threshold is learnt: its gradient is less that of its channel.
    found = of_variables(layer, x)
    np.testing.assert_allclose(found[0], -slopes.sum((0, 1, 2)), rtol=1e-5)


def of_variables(layer, x):
    """Gradients of the sum of what a layer gives, by its variables."""
    values = [numpy(v) for v in layer.trainable_variables]

    def total(flat, place):
        given = [*map(ops.convert_to_tensor, values)]
        given[place] = flat
        return ops.sum(layer.stateless_call(given, [], x)[0])

    return [
        gradient(lambda v, place=place: total(v, place), value)
        for place, value in enumerate(values)
    ]


def test_a_shifted_prelu():
    layer, x = binary.ShiftedPReLU(name="prelu"), draws(3, 2, 2, 4)
    np.testing.assert_allclose(
        numpy(layer(x)), np.where(x > 0, x, 0.25 * x), rtol=1e-6
    )
    kink, slope, rise = (draws(4, seed=seed) for seed in (1, 2, 3))
    for variable, value in zip(
        (layer.kink, layer.slope, layer.rise), (kink, slope, rise), strict=True
    ):
        variable.assign(value)
    moved = x - kink
    above = moved > 0
    np.testing.assert_allclose(
        numpy(layer(x)),
        np.where(above, moved + rise, slope * moved + rise),
        rtol=1e-5,
        atol=1e-6,
    )
    slopes = np.where(above, 1, slope)
    np.testing.assert_allclose(gradient(layer, x), slopes, rtol=1e-6)
    found = dict(
        zip(
            (v.name for v in layer.trainable_variables),
            of_variables(layer, x),
            strict=True,
        )
    )
    axes = (0, 1, 2)
    np.testing.assert_allclose(found["kink"], -slopes.sum(axes), rtol=1e-5)
    np.testing.assert_allclose(
        found["slope"], np.where(above, 0, moved).sum(axes), rtol=1e-5
    )
    np.testing.assert_allclose(found["rise"], np.full(4, 12), rtol=1e-6)


def test_an_unknown_derivative_is_refused():
    says = "wanted a derivative of polynomial, clipped, got 'tanh'"
    with pytest.raises(ValueError, match=says):
        binary.ShiftedSign(derivative="tanh", name="sign")
    with pytest.raises(ValueError, match=says):
        binary.sign(ops.ones(1), "tanh")
