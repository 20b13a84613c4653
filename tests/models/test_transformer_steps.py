"""The Transformer one position at a time, as a search has it."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_transformer import SOURCE, TINY, build, by_path, outputs


def grown(model, beams, length, max_length, seed):
    """Random hypotheses of SOURCE, with random parents at every step.

    Returns ids [B, beams, length] and the logits [B, beams, length, V] that
    the steps gave to each one's own prefixes.
    """
    rng = np.random.default_rng(seed)
    batch = len(SOURCE)
    cache = model.start(model.encode(SOURCE), beams, max_length)
    ids = np.zeros((batch, beams, 0), np.int32)
    logits = np.zeros((batch, beams, 0, TINY["vocabulary_size"]), np.float32)
    last = np.zeros((batch, beams), np.int32)
    for position in range(length):
        found, cache = model.step(
            ops.convert_to_tensor(last.reshape(-1)),
            ops.convert_to_tensor(position, dtype="int32"),
            cache,
        )
        found = ops.convert_to_numpy(found).reshape(batch, beams, 1, -1)
        logits = np.concatenate([logits, found], axis=2)
        parent = rng.integers(0, beams, (batch, beams))
        last = rng.integers(1, 11, (batch, beams)).astype(np.int32)
        rows = np.arange(batch)[:, None]
        ids = np.concatenate([ids[rows, parent], last[..., None]], axis=2)
        logits = logits[rows, parent]
        flat = (rows * beams + parent).reshape(-1)
        cache["reordered"] = keras.tree.map_structure(
            lambda v, flat=flat: ops.take(v, flat, axis=0), cache["reordered"]
        )
    return ids, logits


@pytest.mark.parametrize(("beams", "max_length"), [(1, 6), (3, 6), (3, 9)])
def test_steps_equal_the_whole_pass(model, beams, max_length):
    ids, logits = grown(model, beams, 6, max_length, seed=beams)
    assert len({tuple(row) for row in ids[0]}) == beams
    for k in range(beams):
        whole = outputs(model, target=ids[:, k])["logits"]
        np.testing.assert_allclose(logits[:, k], whole, atol=2e-5)


def test_steps_with_a_divisor_divide_all_but_the_bias(replication):
    ids, plain = grown(replication, 2, 4, 4, seed=1)
    whole = outputs(replication, target=ids[:, 1])["logits"]
    np.testing.assert_allclose(plain[:, 1], whole, atol=2e-5)
    bias = ops.convert_to_numpy(replication.output_bias)
    assert np.abs(bias).max() > 0.1
    found, divided = (
        ops.convert_to_numpy(
            replication.step(
                ops.zeros(2, "int32"),
                ops.convert_to_tensor(0, dtype="int32"),
                replication.start(replication.encode(SOURCE), 1, 3),
                divisor,
            )[0]
        )
        for divisor in (None, ops.convert_to_tensor(2.0))
    )
    np.testing.assert_allclose(divided, (found - bias) / 2 + bias, atol=1e-5)


def test_only_a_table_follows_the_hypotheses(model):
    cache = model.start(model.encode(SOURCE), 3, 5)
    ids = ops.zeros(6, "int32")
    _, after = model.step(ids, ops.convert_to_tensor(2, dtype="int32"), cache)
    (paths,) = keras.tree.flatten(after["reordered"])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(paths), [[0, 0, k, 0, 0] for k in (0, 1, 2) * 2]
    )
    # Keys and values of the source are made once, whatever the beams.
    for layer in cache["constant"]["layers"]:
        assert tuple(layer["keys"].shape) == (2, 2, 4, 4)


def test_the_table_is_turned_once_and_not_by_every_step(model):
    cache = model.start(model.encode(SOURCE), 1, 3)
    columns = ops.convert_to_numpy(cache["constant"]["columns"])
    np.testing.assert_array_equal(columns, by_path(model)["embedding/table"].T)

    def logits(factor):
        cache["constant"]["columns"] = ops.convert_to_tensor(factor * columns)
        at = ops.convert_to_tensor(0, dtype="int32")
        found, _ = model.step(ops.zeros(2, "int32"), at, cache)
        return ops.convert_to_numpy(found)

    # The step's own product is with these: a power of two is exact.
    np.testing.assert_array_equal(logits(2), 2 * logits(1))


def test_steps_work_under_a_mixed_policy(mixed):
    model = build()
    ids, logits = grown(model, beams=2, length=3, max_length=4, seed=0)
    assert logits.dtype == np.float32
    whole = outputs(model, target=ids[:, 1])["logits"]
    np.testing.assert_allclose(logits[:, 1], whole, atol=0.1)
