"""Beam search of the Transformer: with its cache, and in stretches."""

import numpy as np
import pytest
from both import BACKEND, compiled, tensorflow_only
from keras import ops

from ls_tf import kernels
from ls_tf.decoding.search import beam_search
from ls_tf.models import transformer

EOS = 1
SIZE = 4  # PAD, EOS and two words


def uncached(model, source, beams, length):
    """A step that runs the whole decoder over whole prefixes."""

    def step(ids, position, cache):
        prefixes = cache["reordered"]  # [N, length]: token t at t + 1
        here = ops.equal(ops.arange(length + 1, dtype="int32"), position)
        prefixes = ops.where(here, ops.expand_dims(ids, -1), prefixes)
        found = model({"source": cache["constant"], "target": prefixes[:, 1:]})
        logits = ops.where(
            ops.equal(ops.arange(length, dtype="int32"), position)[:, None],
            found["logits"],
            0.0,
        )
        return ops.sum(logits, axis=1), {**cache, "reordered": prefixes}

    rows = np.repeat(source, beams, axis=0)
    cache = {
        "constant": ops.convert_to_tensor(rows),
        "written": [],
        "reordered": ops.zeros((len(rows), length + 1), "int32"),
    }
    return step, cache


def noisy(**changes):
    """A small Transformer with random weights."""
    model = transformer.build(
        hidden_size=8,
        filter_size=12,
        num_heads=2,
        num_encoder_layers=1,
        layer_dropout=0.1,
        attention_dropout=0.1,
        relu_dropout=0.1,
        vocabulary_size=9,
        seed=3,
        **{"num_decoder_layers": 1, **changes},
    )
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        noise = rng.standard_normal(variable.shape).astype("float32")
        variable.assign(ops.convert_to_numpy(variable) + 0.3 * noise)
    return model


def test_the_cached_transformer_as_the_uncached():
    model = noisy()
    source = np.array([[5, 7, 2, 1], [4, 1, 0, 0], [8, 8, 1, 0]], np.int32)
    beams, length = 3, 5
    options = {
        "max_lengths": np.array([5, 4, 5], np.int32),
        "max_length": length,
        "beams": beams,
        "alpha": 0.6,
        "n_best": beams,
    }

    def cached(source):
        memory = model.encode(source)
        cache = model.start(memory, beams, length)
        return beam_search(model.step, cache, **options)

    step, cache = uncached(model, source, beams, length)
    expected = compiled(lambda: beam_search(step, cache, **options))()
    program = compiled(cached)
    found = program(ops.convert_to_tensor(source))
    np.testing.assert_array_equal(found["ids"], expected["ids"])
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-4)
    # Neither the order nor more padding of the sources matters.
    wider = np.pad(source[::-1], ((0, 0), (0, 2)))
    options["max_lengths"] = options["max_lengths"][::-1].copy()
    other = compiled(lambda s: cached(s))(ops.convert_to_tensor(wider))
    np.testing.assert_array_equal(
        ops.convert_to_numpy(other["ids"])[::-1], found["ids"]
    )


BEAMS, LONG = 3, 45


@pytest.fixture(scope="module")
def long_search():
    """A function of the number of stretches, of long and ragged sentences."""
    model = noisy(num_decoder_layers=2)
    rng = np.random.default_rng(4)
    source = rng.integers(2, 9, (10, 4)).astype(np.int32)
    limits = np.array([45, 45, 45, 45, 45, 45, 45, 31, 12, 0], np.int32)
    # Added to the logits, lest a sentence repeat one word for ever. An end is
    # likely at a place of each sentence.
    noise = 2 * rng.standard_normal((10, LONG, 9)).astype(np.float32)
    noise[..., EOS] -= 6
    noise[np.arange(7), 2 + 6 * np.arange(7), EOS] = 6

    def step(ids, position, cache):
        logits, cache = model.step(ids, position, cache)
        here = ops.take(ops.convert_to_tensor(noise), position, axis=1)
        return logits + ops.repeat(here, BEAMS, axis=0), cache

    def find(stretches, length=LONG):
        return beam_search(
            step,
            model.start(model.encode(source), BEAMS, length, stretches),
            max_lengths=limits,
            max_length=length,
            beams=BEAMS,
            alpha=0.6,
            n_best=BEAMS,
        )

    return find


def same_search(found, expected):
    for name in ("ids", "lengths"):
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=2e-5)


def test_long_searches_in_stretches_as_in_one(long_search):
    expected = compiled(lambda: long_search(1))()
    # Sentences end in early stretches of 6 tokens and in late ones.
    np.testing.assert_array_equal(
        ops.convert_to_numpy(expected["lengths"])[:, 0],
        [3, 9, 15, 21, 27, 33, 39, 31, 12, 0],
    )
    same_search(compiled(lambda: long_search(8))(), expected)


@tensorflow_only
def test_stretches_of_a_length_that_is_known_late(long_search):
    import tensorflow as tf

    program = tf.function(lambda length: long_search(8, length))
    expected = tf.function(lambda: long_search(1))()
    same_search(program(tf.constant(LONG)), expected)


def test_what_is_quickest_is_stretches_on_a_cpu_alone(monkeypatch):
    model = noisy()
    encoded = model.encode(np.array([[5, 1]], np.int32))

    def slots(length, **how):
        cache = model.start(encoded, 2, length, **how)
        (own,) = cache["written"]
        return len(cache["full"]), own["keys"].shape[-1]

    assert slots(160) == (0, 320)
    many = {"tensorflow": (7, 2 * 20), "jax": (3, 2 * 40)}
    assert slots(160, stretches=None) == many[BACKEND]
    monkeypatch.setattr(kernels, "on_cpu", lambda: False)
    assert slots(160, stretches=None) == (0, 320)


@pytest.mark.parametrize(
    ("length", "stretches"),
    [(1, 1), (24, 1), (31, 1), (32, 2), (63, 3), (64, 4), (127, 7), (400, 8)],
)
def test_no_stretch_is_shorter_than_16_positions(length, stretches):
    model = noisy()
    encoded = model.encode(np.array([[5, 1]], np.int32))
    cache = model.start(encoded, 1, length, None)
    most = {"tensorflow": 8, "jax": 4}[BACKEND]
    count = min(stretches, most)
    assert len(cache["full"]) == count - 1
    assert cache["stretch"] == -(-length // count)


@tensorflow_only
def test_positions_that_are_counted_late_have_most_stretches():
    import tensorflow as tf

    model = noisy()
    encoded = model.encode(np.array([[5, 1]], np.int32))
    counts = []

    @tf.function
    def start(length):
        cache = model.start(encoded, 1, length, None)
        counts.append(1 + len(cache["full"]))
        return cache["stretch"]

    assert start(tf.constant(24)) == 3
    assert counts == [8]


def test_what_a_stretch_wrote_is_kept_for_the_later_ones():
    def step(ids, position, cache):
        (own,) = cache["written"]
        # A stretch of two steps begins anew.
        own = ops.where(ops.equal(position % 2, 0), position, own + position)
        # It ends as soon as all that it sees adds up to 0 + 1 + ... + 6.
        seen = ops.stack([own, *(kept for (kept,) in cache["full"])])
        ends = ops.equal(ops.sum(seen), 21)
        logits = ops.where(ops.equal(ops.arange(SIZE), EOS), ends, ~ends)
        logits = ops.where(logits, 0.0, -9.0) * ops.ones((ids.shape[0], 1))
        return logits, {**cache, "written": [own]}

    zero = ops.convert_to_tensor(0, dtype="int32")
    found = beam_search(
        step,
        {
            "constant": [],
            "written": [zero],
            "full": [[zero] for _ in range(4)],
            "stretch": 2,
            "reordered": [],
        },
        max_lengths=np.array([9], np.int32),
        max_length=9,
        beams=1,
        alpha=0.0,
    )
    # Positions count from 0: that of 6 gives the seventh token.
    np.testing.assert_array_equal(found["lengths"], [[7]])
