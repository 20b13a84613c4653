"""Local response normalization against its formula and TensorFlow's own."""

import keras
import numpy as np
import pytest
from both import BACKEND, compiled, gradient, tensorflow_only

from ls_tf import kernels
from ls_tf.layers.local_response_norm import LocalResponseNormalization

TUTORIAL = {"depth_radius": 4, "bias": 1.0, "alpha": 0.001 / 9, "beta": 0.75}
STRONG = {"depth_radius": 2, "bias": 0.7, "alpha": 0.3, "beta": 0.75}
CASES = [
    TUTORIAL,
    STRONG,
    {**STRONG, "depth_radius": 0},
    {**STRONG, "depth_radius": 1, "beta": 0.5},
    {**STRONG, "depth_radius": 20, "beta": 1.3},
]


# TensorFlow has one form.
@pytest.fixture(
    autouse=True, params=kernels.FORMS if BACKEND == "jax" else ["keras"]
)
def form(request):
    with kernels.using(request.param):
        yield request.param


def layer(**options):
    return LocalResponseNormalization(**options, name="norm")


def images(channels=11, scale=3.0):
    draw = np.random.default_rng(0)
    return (scale * draw.standard_normal((2, 3, 4, channels))).astype("float32")


def energy(x, depth_radius, bias, alpha, beta):
    """The formula, channel by channel, in float64."""
    x = x.astype("float64")
    found = np.empty_like(x)
    for i in range(x.shape[-1]):
        near = x[..., max(0, i - depth_radius) : i + depth_radius + 1]
        found[..., i] = bias + alpha * (near**2).sum(axis=-1)
    return found


@pytest.mark.parametrize("options", CASES)
def test_is_the_formula(options):
    x = images()
    expected = x / energy(x, **options) ** options["beta"]
    np.testing.assert_allclose(
        np.asarray(layer(**options)(x)), expected, rtol=2e-6, atol=1e-7
    )


@tensorflow_only
@pytest.mark.parametrize("options", CASES)
def test_values_and_gradients_are_those_of_tensorflow(options):
    import tensorflow as tf

    x = images()
    weights = np.cos(np.arange(x.size)).reshape(x.shape).astype("float32")
    ours = layer(**options)

    def theirs(x):
        return tf.nn.local_response_normalization(x, **options)

    np.testing.assert_allclose(ours(x), theirs(x), rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(
        gradient(lambda x: ours(x) * weights, x),
        gradient(lambda x: theirs(x) * weights, x),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("options", CASES)
def test_the_gradient_is_that_of_the_formula(options):
    x = images()
    radius, beta = options["depth_radius"], options["beta"]
    s = energy(x, **options)
    # d sum(y) / dx_i = s_i ** -beta
    #   - 2 alpha beta x_i sum_j near i of x_j s_j ** (-beta - 1)
    parts = x * s ** (-beta - 1)
    near = np.stack(
        [
            parts[..., max(0, i - radius) : i + radius + 1].sum(axis=-1)
            for i in range(x.shape[-1])
        ],
        axis=-1,
    )
    expected = s**-beta - 2 * options["alpha"] * beta * x * near
    np.testing.assert_allclose(
        gradient(layer(**options), x), expected, rtol=1e-4, atol=1e-6
    )


def test_the_cheap_power_is_the_general_one():
    x = images(channels=64)
    cheap = np.asarray(layer(**STRONG)(x))
    # Next to 0.75, so that the general form is taken.
    general = np.asarray(layer(**{**STRONG, "beta": 0.75 + 1e-12})(x))
    np.testing.assert_allclose(cheap, general, rtol=2e-6, atol=1e-7)


def test_compiled_and_not_are_equal():
    x = images()
    norm = layer(**TUTORIAL)
    np.testing.assert_allclose(
        np.asarray(compiled(norm)(x)), np.asarray(norm(x)), rtol=1e-6
    )


def test_a_mixed_policy_computes_in_float32():
    x = images()
    norm = LocalResponseNormalization(**STRONG, name="norm")
    norm.dtype_policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    found = norm(x)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    rounded = np.asarray(keras.ops.cast(keras.ops.cast(x, "bfloat16"), float))
    expected = rounded / energy(rounded, **STRONG) ** 0.75
    # The one rounding of the result: 8 bits.
    np.testing.assert_allclose(
        np.asarray(keras.ops.cast(found, "float32")), expected, rtol=2**-8
    )


def test_forms_differ_by_rounding_also_in_a_stack_and_in_bfloat16(form):
    if form == "keras":
        pytest.skip("both are taken, once")
    import jax

    x = keras.ops.cast(images(channels=64), "bfloat16")
    weights = keras.ops.cast(np.cos(images(channels=64)), "bfloat16")
    norm = LocalResponseNormalization(**STRONG, name="norm")
    norm.dtype_policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    found = {}
    for form in kernels.FORMS:
        with kernels.using(form):
            y, pull = jax.vjp(jax.vmap(norm), x)
            found[form] = [y, *pull(weights)]
            if form == "fused":
                # Of the forward pass the input is kept, and nothing else.
                (kept,) = jax.tree.leaves(pull)
                np.testing.assert_array_equal(kept, x)
    for fused, own in zip(found["fused"], found["keras"], strict=True):
        assert fused.dtype == own.dtype == "bfloat16"
        np.testing.assert_allclose(
            np.asarray(fused, "float32"),
            np.asarray(own, "float32"),
            rtol=2**-7,
            atol=2**-8,
        )


def test_no_matrix_is_multiplied_in_the_fused_form(form):
    if BACKEND != "jax":
        pytest.skip("of JAX")
    import jax

    norm = layer(**TUTORIAL)
    step = jax.grad(lambda x: keras.ops.sum(norm(x)))
    program = str(jax.make_jaxpr(step)(images()))
    assert ("dot_general" in program) == (form == "keras")


def test_a_batch_of_unknown_size_and_the_configuration():
    inputs = keras.Input((5, 6, 11))
    norm = layer(**TUTORIAL)
    model = keras.Model(inputs, norm(inputs))
    assert model.output.shape == (None, 5, 6, 11)
    assert model(np.ones((2, 5, 6, 11))).shape == (2, 5, 6, 11)
    again = LocalResponseNormalization.from_config(norm.get_config())
    x = images()
    np.testing.assert_array_equal(np.asarray(norm(x)), np.asarray(again(x)))


@pytest.mark.parametrize(
    "changes",
    [
        {"depth_radius": -1},
        {"bias": 0.0},
        {"bias": float("inf")},
        {"alpha": -0.1},
        {"beta": float("nan")},
    ],
)
def test_refuses_in_one_line(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=name) as error:
        layer(**{**TUTORIAL, **changes})
    assert "\n" not in str(error.value)
