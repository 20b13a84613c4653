"""Maximum pooling: its fused form against Keras's layer, and by hand."""

import keras
import numpy as np
import pytest
from both import BACKEND

from ls_tf import kernels
from ls_tf.layers.max_pool import MaxPool

jax_only = pytest.mark.skipif(BACKEND != "jax", reason="JAX has the fused form")

# Height and width, window, strides: AlexNet's first; odd sizes; windows that
# overlap in many ways, not at all, with gaps, and unlike along the axes.
CASES = [
    ((32, 32), 3, 2, "same"),
    ((7, 9), 3, 2, "same"),
    ((9, 7), 3, 2, "valid"),
    ((7, 5), 2, 2, "valid"),
    ((5, 6), 3, 1, "same"),
    ((7, 10), (2, 5), (3, 2), "same"),
    ((9, 8), (5, 1), (2, 3), "valid"),
]


def draws(size, seed=0):
    """Few values below zero, so that most windows have ties."""
    draw = np.random.default_rng(seed)
    return draw.integers(-6, 0, (2, *size, 3))


def value_and_gradient(layer, form, x, weights):
    """Of the sum of outputs by their weights, which may be too many."""
    import jax

    with kernels.using(form):

        def run(x, weights):
            y, pull = jax.vjp(layer, x)
            rows, columns = y.shape[-3:-1]
            return y, pull(weights[..., :rows, :columns, :])[0]

        both = jax.jit(run)(x, weights)
    return [np.asarray(keras.ops.cast(v, "float32")) for v in both]


@jax_only
@pytest.mark.parametrize(
    ("size", "window", "strides", "padding", "kind"),
    [(*case, "float32") for case in CASES]
    + [(*case, "bfloat16") for case in (*CASES[:2], CASES[3])],
)
def test_forms_are_equal_to_the_bit(size, window, strides, padding, kind):
    layer = MaxPool(window, strides, padding=padding, dtype=kind)
    x = keras.ops.cast(draws(size), kind)
    # Sums of several windows' numbers, exact in both types.
    weights = keras.ops.cast(draws(size, seed=1) + 3, kind)
    keras_y, keras_dx = value_and_gradient(layer, "keras", x, weights)
    y, dx = value_and_gradient(layer, "fused", x, weights)
    np.testing.assert_array_equal(y, keras_y)
    np.testing.assert_array_equal(dx, keras_dx)
    assert np.count_nonzero(dx) > 0


@jax_only
@pytest.mark.parametrize(
    ("kind", "close"), [("float32", 0), ("bfloat16", 0.02)]
)
def test_sums_differ_by_their_rounding_alone(kind, close):
    draw = np.random.default_rng(2)
    x, weights = (
        keras.ops.cast(draw.standard_normal((2, 9, 9, 4)), kind) for _ in "xw"
    )
    layer = MaxPool(3, 1, padding="same", dtype=kind)
    keras_y, keras_dx = value_and_gradient(layer, "keras", x, weights)
    y, dx = value_and_gradient(layer, "fused", x, weights)
    np.testing.assert_array_equal(y, keras_y)
    # Up to nine terms of about 1; bfloat16 is rounded once, not at each.
    np.testing.assert_allclose(dx, keras_dx, rtol=close, atol=close)


def test_gives_the_gradient_of_a_tie_to_the_first():
    #  1 3 3 0    windows of 2 x 2: the maxima 3 of the first row,
    #  3 2 0 3    each first where the row above has it
    x = np.array([[1, 3, 3, 0], [3, 2, 0, 3]], "float32").reshape(1, 2, 4, 1)
    layer = MaxPool(2, 2)
    np.testing.assert_array_equal(np.asarray(layer(x)).ravel(), [3, 3])
    if BACKEND != "jax":
        return
    weights = np.array([5, 7], "float32").reshape(1, 1, 2, 1)
    _, dx = value_and_gradient(layer, "fused", x, weights)
    np.testing.assert_array_equal(
        dx.reshape(2, 4), [[0, 5, 7, 0], [0, 0, 0, 0]]
    )


@jax_only
def test_stacks_and_scans_are_equal_to_the_bit():
    import jax

    layer = MaxPool(3, 2, padding="same")
    x = draws((3, 7, 8)).astype("float32").swapaxes(0, 1)
    weights = draws((3, 7, 8), seed=1).astype("float32").swapaxes(0, 1)

    def scanned(x):
        return jax.lax.scan(lambda _, x: (None, layer(x)), None, x)[1]

    alone = [
        np.stack(parts)
        for parts in zip(
            *(
                value_and_gradient(layer, "keras", a, w)
                for a, w in zip(x, weights, strict=True)
            ),
            strict=True,
        )
    ]
    for function in (jax.vmap(layer), scanned):
        found = value_and_gradient(function, "fused", x, weights)
        for a, b in zip(found, alone, strict=True):
            np.testing.assert_array_equal(a, b)


@jax_only
def test_nothing_is_scattered_and_one_byte_kept_for_a_window():
    import jax

    layer = MaxPool(3, 2, padding="same")
    x = draws((32, 32)).astype("float32")

    def program(form):
        with kernels.using(form):
            step = jax.grad(lambda x: layer(x).sum())
            return jax.jit(step).lower(x).compile().as_text()

    scattered = ("scatter(", "select-and-scatter", "while(")
    assert any(name in program("keras") for name in scattered)
    assert not any(name in program("fused") for name in scattered)
    with kernels.using("fused"):
        _, pull = jax.vjp(layer, x)
    (kept,) = jax.tree.leaves(pull)
    assert (kept.shape, kept.dtype) == ((2, 16, 16, 3), np.uint8)


@jax_only
def test_a_value_that_is_no_number_stays():
    x = np.zeros((1, 4, 4, 1), "float32")
    x[0, 1, 1] = np.nan
    y, _ = value_and_gradient(MaxPool(2, 2), "fused", x, x)
    assert np.isnan(y[0, 0, 0, 0])
    assert np.isnan(y).sum() == 1


def test_has_the_configuration_of_keras_layer():
    layer = MaxPool(3, 2, padding="same", name="pool")
    theirs = keras.layers.MaxPooling2D(3, 2, padding="same", name="pool")
    assert layer.get_config() == theirs.get_config()
    assert layer.compute_output_shape((None, 7, 8, 5)) == (None, 4, 4, 5)
    again = MaxPool.from_config(layer.get_config())
    assert again.strides == (2, 2)


@jax_only
@pytest.mark.parametrize(
    ("window", "strides", "scatters"),
    [(2, 2, False), (2, (3, 2), False), (2, (1, 2), True), (3, 2, True)],
)
def test_a_cpu_scatters_only_what_windows_share(window, strides, scatters):
    import jax

    layer = MaxPool(window, strides)
    x = draws((8, 8)).astype("float32")
    text = jax.jit(jax.grad(lambda x: layer(x).sum())).lower(x).as_text()
    assert ("select_and_scatter" in text) == scatters
