"""Which form layers take, and that it can be chosen."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from both import compiled, gradient, tensorflow_only
from keras import ops

from ls_tf import kernels

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


def test_programs_run_by_operation_where_the_engine_says_so(monkeypatch):
    assert not kernels.by_operation()
    with kernels.tracing(by_operation=True):
        assert kernels.by_operation()
        with kernels.tracing(by_operation=False):
            assert not kernels.by_operation()
        monkeypatch.setattr(
            keras.distribution, "list_devices", lambda: ["gpu:0"]
        )
        assert not kernels.by_operation()
    assert not kernels.by_operation()


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 5)])
def test_the_value_of_each_row(shape):
    rng = np.random.default_rng(0)
    values = rng.normal(size=shape).astype(np.float32)
    ids = rng.integers(-shape[-1], shape[-1], shape[:-1]).astype(np.int32)
    found = compiled(kernels.pick)(values, ids)
    wanted = np.take_along_axis(values, ids[..., None], axis=-1)[..., 0]
    np.testing.assert_array_equal(ops.convert_to_numpy(found), wanted)


@tensorflow_only
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 5)])
def test_the_value_and_the_gradient_by_operation_are_the_same(shape, known):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    ids = rng.integers(-shape[-1], shape[-1], shape[:-1]).astype(np.int32)
    values = rng.normal(size=shape).astype(np.float32)

    def both(values, ids):
        with tf.GradientTape() as tape:
            tape.watch(values)
            picked = kernels.pick(values, ids)
        return picked, tape.gradient(picked, values, picked)

    lengths = shape[:-1] if known else [None] * (len(shape) - 1)
    signature = [
        tf.TensorSpec((*lengths, shape[-1])),
        tf.TensorSpec(lengths, tf.int32),
    ]
    plain = tf.function(both, input_signature=signature)(values, ids)
    with kernels.tracing(by_operation=True):
        program = tf.function(
            both, input_signature=signature
        ).get_concrete_function()
    operations = {op.type for op in program.graph.get_operations()}
    if len(shape) > 1:
        assert "UnsortedSegmentSum" not in operations
    for found, wanted in zip(program(values, ids), plain, strict=True):
        assert found.shape == wanted.shape
        np.testing.assert_array_equal(found, wanted)


ROWS = [
    [[0.5, 2.0, 1.0], [3.0, -1.0, 3.0]],
    [[-0.0, 0.0, -0.0], [1.0, 2.0, 0.0]],
    [[-1.0, -0.0, -2.0], [0.0, 0.0, -1.0]],
    [[-np.inf, -5.0, -np.inf], [np.inf, 0.0, np.inf]],
]


@pytest.mark.parametrize("rows", ROWS)
def test_where_the_highest_is(rows):
    rows = np.array(rows, np.float32)
    # The first of those that are highest, +0 above -0.
    order = np.where((rows == 0) & np.signbit(rows), -1e-30, rows)
    wanted = np.argmax(order, axis=-1)
    found = compiled(kernels.argmax)(rows)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), wanted)
    if not JAX:
        import tensorflow as tf

        with kernels.tracing(by_operation=True):
            found = tf.function(kernels.argmax)(rows)
        assert found.dtype == tf.int32
        np.testing.assert_array_equal(found, wanted)
