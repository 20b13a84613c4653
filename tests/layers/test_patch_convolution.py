"""The convolution that is one matrix product, against Keras's own."""

import keras
import numpy as np
import pytest
from both import BACKEND, compiled, gradient

from ls_tf.layers.patch_convolution import PatchConv2D


def layers():
    """Ours and Keras's with the same weights."""
    ours = PatchConv2D(6, 3, activation="relu", name="ours")
    theirs = keras.layers.Conv2D(
        6, 3, activation="relu", data_format="channels_last", name="theirs"
    )
    for layer in (ours, theirs):
        layer.build((None, 7, 5, 4))
    draw = np.random.default_rng(0)
    values = [draw.standard_normal(v.shape) for v in ours.variables]
    for layer in (ours, theirs):
        layer.set_weights(values)
    return ours, theirs


def images(count=2):
    draw = np.random.default_rng(1)
    return draw.standard_normal((count, 7, 5, 4)).astype("float32")


@pytest.mark.parametrize("wrap", [lambda f: f, compiled])
def test_values_and_gradients_are_those_of_keras(wrap):
    ours, theirs = layers()
    x = images()
    expected = np.asarray(theirs(x))
    assert expected.shape == (2, 5, 3, 6)
    np.testing.assert_allclose(wrap(ours)(x), expected, rtol=1e-5, atol=1e-5)
    weights = np.arange(expected.size, dtype="float32").reshape(expected.shape)
    np.testing.assert_allclose(
        gradient(lambda x: ours(x) * weights, x),
        gradient(lambda x: theirs(x) * weights, x),
        rtol=1e-5,
        atol=1e-3,
    )


@pytest.mark.skipif(BACKEND != "jax", reason="of JAX")
def test_a_stack_convolves_nowhere():
    import jax

    ours, _ = layers()
    kernels = np.stack([np.asarray(ours.kernel.value)] * 3)
    bias = np.asarray(ours.bias.value)

    def one(kernel, x):
        mapping = [(ours.kernel, kernel), (ours.bias, bias)]
        with keras.StatelessScope(state_mapping=mapping):
            return ours(x)

    x = np.stack([images() + i for i in range(3)])
    stacked = jax.jit(jax.vmap(one))
    assert "convolution" not in stacked.lower(kernels, x).as_text()
    np.testing.assert_allclose(
        stacked(kernels, x), [ours(a) for a in x], rtol=1e-5, atol=1e-5
    )
