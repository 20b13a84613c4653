"""Which form layers take, and that it can be chosen."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from both import compiled, gradient
from keras import ops

from ls_tf.layers import kernels

JAX = keras.backend.backend() == "jax"


def test_a_cpu_keeps_keras_own_forms():
    assert not kernels.fused()


def test_a_form_is_chosen_for_a_while():
    with kernels.using("fused"):
        assert kernels.fused() == JAX
        with kernels.using("keras"):
            assert not kernels.fused()
        assert kernels.fused() == JAX
    assert not kernels.fused()


def test_a_choice_ends_with_an_error():
    with pytest.raises(KeyError), kernels.using("fused"):
        raise KeyError
    assert not kernels.fused()


@pytest.mark.skipif(not JAX, reason="JAX alone has fused forms")
def test_a_gpu_takes_the_fused_forms(monkeypatch):
    import jax

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert kernels.fused()
    with kernels.using("keras"):
        assert not kernels.fused()


@pytest.mark.skipif(not JAX, reason="JAX alone has fused forms")
def test_a_layer_says_where_its_fused_form_is_quicker(monkeypatch):
    import jax

    assert kernels.fused(on=("cpu",))
    with kernels.using("keras"):
        assert not kernels.fused(on=("cpu",))
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert kernels.fused(on=("gpu", "tpu"))
    assert not kernels.fused()


@pytest.mark.parametrize("kind", ["gpu", "tpu"])
def test_an_accelerator_is_told_from_a_cpu(monkeypatch, kind):
    assert kernels.on_cpu()
    names = [f"{kind}:0"]
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: names)
    assert not kernels.on_cpu()


def test_another_form_is_refused():
    with (
        pytest.raises(ValueError, match="wanted a form of keras, fused, got"),
        kernels.using("quick"),
    ):
        pass
    assert not kernels.fused()


def test_a_form_is_that_of_a_thread():
    with kernels.using("fused"), ThreadPoolExecutor(1) as pool:
        assert not pool.submit(kernels.fused).result()


def test_what_is_stored_keeps_its_value_and_its_gradient():
    x = np.array([[0.5, -2.0], [3.0, 0.0]], np.float32)

    def cubes(x):
        return kernels.stored(x * x) * x

    np.testing.assert_array_equal(
        ops.convert_to_numpy(compiled(kernels.stored)(x)), x
    )
    np.testing.assert_allclose(gradient(cubes, x), 3 * x**2, rtol=1e-6)


@pytest.mark.skipif(not JAX, reason="TensorFlow's programs cannot be asked")
def test_a_stack_stores_as_well():
    import jax

    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(jax.vmap(kernels.stored)(x), x)


@pytest.mark.parametrize("kind", ["gpu", "tpu"])
def test_an_accelerator_is_asked_to_store_nothing(monkeypatch, kind):
    names = [f"{kind}:0"]
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: names)
    x = ops.ones(3)
    assert kernels.stored(x) is x


def _operands(*leading):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*leading, 5)).astype(np.float32)
    return x, rng.normal(size=(5, 4)).astype(np.float32)


@pytest.mark.parametrize("leading", [(3,), (3, 2), (2, 3, 1)])
def test_a_product_is_that_of_the_last_axis(leading):
    x, kernel = _operands(*leading)
    weights = np.random.default_rng(1).normal(size=(*leading, 4))
    weights = weights.astype(np.float32)
    np.testing.assert_allclose(
        ops.convert_to_numpy(compiled(kernels.product)(x, kernel)),
        x @ kernel,
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        gradient(lambda k: weights * kernels.product(x, k), kernel),
        np.einsum("nd,ne->de", x.reshape(-1, 5), weights.reshape(-1, 4)),
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        gradient(lambda x: weights * kernels.product(x, kernel), x),
        weights @ kernel.T,
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.skipif(JAX, reason="JAX's shapes are known")
def test_a_product_of_an_unknown_length():
    import tensorflow as tf

    x, kernel = _operands(3, 2)
    unknown = tf.function(
        kernels.product,
        input_signature=[
            tf.TensorSpec((None, None, 5)),
            tf.TensorSpec((5, 4)),
        ],
    )
    np.testing.assert_allclose(unknown(x, kernel), x @ kernel, rtol=1e-5)


@pytest.mark.skipif(not JAX, reason="of JAX's gradient")
def test_a_matrix_has_a_gradient_that_sums_over_one_axis():
    import jax

    x, kernel = _operands(3, 2)

    def axes(product):
        graph = jax.make_jaxpr(jax.grad(lambda k: product(x, k).sum()))(kernel)
        sums = [
            equation.params["dimension_numbers"][0][0]
            for equation in graph.jaxpr.eqns
            if equation.primitive.name == "dot_general"
        ]
        return max(map(len, sums))

    assert axes(kernels.product) == 1
    assert axes(ops.matmul) == 2
