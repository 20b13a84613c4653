"""The noise of dropout: its rate, its independence, its repetition."""

import keras
import numpy as np
import pytest
from both import compiled, gradient, tensorflow_only
from keras import ops

from ls_tf import kernels
from ls_tf.layers.dropout import Dropout, random_words


def words(seed, counter, count=200_000):
    return np.asarray(
        random_words(ops.convert_to_tensor([seed, counter]), count)
    )


def by_hand(seed, counter, count):
    """The hash with Python integers, word by word."""
    mask = 2**32 - 1

    def mix(x):
        x ^= x >> 16
        x = x * 0x7FEB352D & mask
        x ^= x >> 15
        x = x * 0x846CA68B & mask
        return x ^ x >> 16

    first = mix((mix(seed) + counter * 0x9E3779B9) & mask)
    second = mix(first ^ 0x9E3779B9)
    return [mix(mix((i + first) & mask) ^ second) for i in range(count)]


def test_words_are_those_of_the_hash():
    for seed, counter in ((0, 0), (5, 20), (2**31 - 1, 60_000)):
        assert words(seed, counter, 50).tolist() == by_hand(seed, counter, 50)


def test_words_are_uniform():
    found = words(3, 7)
    # 256 cells of the highest and of the lowest byte: chi-square with 255
    # degrees of freedom lies within 255 +- 5 sqrt(510).
    for byte in (found >> 24, found & 255):
        counts = np.bincount(byte, minlength=256)
        expected = len(found) / 256
        chi2 = ((counts - expected) ** 2 / expected).sum()
        assert abs(chi2 - 255) < 5 * np.sqrt(510)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((1, 0), (1, 1)),
        ((1, 5), (2, 5)),
        ((0, 0), (0, 1)),
        ((7, 100), (7, 228)),
    ],
)
@pytest.mark.parametrize("shift", [0, 1, 784])
def test_steps_and_layers_are_independent(a, b, shift):
    x = words(*a)[shift:] < 2**31
    y = words(*b)[: len(x)] < 2**31
    # Two independent fair coins agree in half of n cases +- 5 sqrt(n) / 2.
    n = len(x)
    assert abs((x == y).sum() - n / 2) < 5 * np.sqrt(n) / 2


def test_neighbours_are_independent():
    x = words(11, 3) < 2**31
    for lag in (1, 2, 16, 1200):
        n = len(x) - lag
        agree = (x[lag:] == x[:-lag]).sum()
        assert abs(agree - n / 2) < 5 * np.sqrt(n) / 2


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.9])
def test_the_rate_and_the_scale(rate):
    layer = Dropout(rate, seed=1, name="drop")
    found = np.asarray(layer(np.ones((400, 500), np.float32), training=True))
    n = found.size
    dropped = (found == 0).sum()
    assert abs(dropped - rate * n) < 5 * np.sqrt(n * rate * (1 - rate))
    np.testing.assert_allclose(found[found > 0], 1 / (1 - rate), rtol=1e-6)


def test_inference_changes_nothing():
    layer = Dropout(0.5, seed=1, name="drop")
    x = np.random.default_rng(0).random((4, 5), np.float32)
    np.testing.assert_array_equal(np.asarray(layer(x)), x)
    np.testing.assert_array_equal(np.asarray(layer(x, training=False)), x)


def test_each_call_draws_anew_and_the_state_repeats_it():
    layer = Dropout(0.5, seed=1, name="drop")
    x = np.ones((40, 50), np.float32)
    state = layer.seed_generator.state
    before = state.numpy()
    first = np.asarray(layer(x, training=True))
    assert not np.array_equal(state.numpy(), before)
    second = np.asarray(layer(x, training=True))
    assert not np.array_equal(first, second)
    state.assign(before)
    np.testing.assert_array_equal(np.asarray(layer(x, training=True)), first)


def test_the_gradient_is_the_mask():
    x = np.ones((20, 30), np.float32)
    layer, again = (Dropout(0.5, seed=1, name="drop") for _ in range(2))

    def drop(x):
        # A trace may keep no state of JAX's; the key is what counts.
        with keras.StatelessScope():
            return layer(x, training=True)

    mask = np.asarray(again(x, training=True))
    np.testing.assert_array_equal(gradient(drop, x), mask)


def test_compiled_and_not_draw_the_same():
    x = np.ones((20, 30), np.float32)
    layer, again = (Dropout(0.3, seed=9, name="drop") for _ in range(2))

    @compiled
    def drop(x):
        with keras.StatelessScope():
            return layer(x, training=True)

    np.testing.assert_array_equal(
        np.asarray(drop(x)), np.asarray(again(x, training=True))
    )


def test_a_batch_of_unknown_size():
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, Dropout(0.5, seed=1, name="drop")(inputs))
    assert model(np.ones((2, 7, 3)), training=True).shape == (2, 7, 3)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2])
def test_a_rate_out_of_range(rate):
    with pytest.raises(ValueError, match="dropout rate"):
        Dropout(rate, seed=1, name="drop")


@tensorflow_only
@pytest.mark.parametrize("known", [True, False])
def test_a_program_by_operation_drops_the_same(known):
    import tensorflow as tf

    def program(shape, *, by_operation):
        layer = Dropout(0.3, seed=4, name="drop")
        layer.build(shape)
        with kernels.tracing(by_operation=by_operation):
            return tf.function(
                lambda x: layer(x, training=True),
                input_signature=[
                    tf.TensorSpec(shape if known else [None] * len(shape))
                ],
            ).get_concrete_function()

    # At and on both sides of the lengths that are compiled, and nothing.
    for shape in ((2, 2048), (4097,), (3, 2, 1024), (6145,), (7,), (0, 4)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        plain = program(shape, by_operation=False)
        quick = program(shape, by_operation=True)
        for _ in range(2):  # each draws on
            np.testing.assert_array_equal(quick(x), plain(x))
        names = {op.type for op in quick.graph.get_operations()}
        assert "RightShift" not in names
