"""The convolution in its two forms, against Keras's own."""

import keras
import numpy as np
import pytest
from both import BACKEND, compiled, gradient

from ls_tf import kernels
from ls_tf.layers.patch_convolution import PatchConv2D

jax_only = pytest.mark.skipif(BACKEND != "jax", reason="of JAX")


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


@pytest.mark.parametrize("form", kernels.FORMS)
@pytest.mark.parametrize("wrap", [lambda f: f, compiled])
def test_values_and_gradients_are_those_of_keras(wrap, form):
    ours, theirs = layers()
    x = images()
    expected = np.asarray(theirs(x))
    assert expected.shape == (2, 5, 3, 6)
    weights = np.arange(expected.size, dtype="float32").reshape(expected.shape)
    with kernels.using(form):
        np.testing.assert_allclose(
            wrap(ours)(x), expected, rtol=1e-5, atol=1e-5
        )
        mine = gradient(lambda x: ours(x) * weights, x)
    np.testing.assert_allclose(
        mine,
        gradient(lambda x: theirs(x) * weights, x),
        rtol=1e-5,
        atol=1e-3,
    )


def of_weights(layer):
    """The layer as a function of kernel, bias and inputs."""

    def function(kernel, bias, x):
        mapping = [(layer.kernel, kernel), (layer.bias, bias)]
        with keras.StatelessScope(state_mapping=mapping):
            return layer(x)

    return function


def stack():
    """Kernels, biases and images of three networks."""
    ours, _ = layers()
    draw = np.random.default_rng(2)
    kernel, bias = (np.asarray(v.value) for v in ours.variables)
    return (
        kernel + draw.standard_normal((3, *kernel.shape)).astype("float32"),
        bias + draw.standard_normal((3, *bias.shape)).astype("float32"),
        np.stack([images() + i for i in range(3)]),
    )


@jax_only
@pytest.mark.parametrize("form", kernels.FORMS)
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_a_stack_is_its_networks(form, shared):
    import jax

    ours, theirs = layers()
    kernel, bias, x = stack()
    # Networks that see the same images have them once.
    axes = (0, 0, None if shared else 0)
    x = x[0] if shared else x

    def differences(layer):
        def loss(*arrays):
            y = of_weights(layer)(*arrays)
            return (y * np.arange(y.size).reshape(y.shape)).sum()

        return jax.value_and_grad(loss, argnums=(0, 1, 2))

    with kernels.using(form):
        many = jax.jit(jax.vmap(differences(ours), in_axes=axes))
        got = many(kernel, bias, x)
    for i in range(3):
        alone = differences(theirs)(kernel[i], bias[i], x if shared else x[i])
        jax.tree.map(
            lambda a, b, i=i: np.testing.assert_allclose(
                a[i], b, rtol=1e-5, atol=2e-2
            ),
            got,
            alone,
        )


@jax_only
def test_a_stack_convolves_nowhere_on_a_gpu(monkeypatch):
    import jax

    ours, _ = layers()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    stacked = jax.jit(jax.vmap(of_weights(ours)))
    assert "convolution" not in stacked.lower(*stack()).as_text()


@jax_only
def test_on_a_cpu_each_network_of_a_stack_convolves():
    import jax

    ours, _ = layers()

    def back(*arrays):
        function = of_weights(ours)
        return jax.grad(lambda *a: function(*a).sum(), (0, 1, 2))(*arrays)

    text = jax.jit(jax.vmap(back)).lower(*stack()).as_text()
    convolutions = [
        line for line in text.splitlines() if "stablehlo.convolution" in line
    ]
    # Of three networks one forward and one back, none of many groups.
    assert len(convolutions) == 6
    assert all("feature_group_count = 1" in line for line in convolutions)
    assert all("batch_group_count = 1" in line for line in convolutions)
