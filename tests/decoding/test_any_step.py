"""Tests of ls_tf.decoding.beam_search: a step of any framework."""

import numpy as np
import pytest
from keras import ops

import ls_tf
from ls_tf.decoding import search

EOS, SIZE = 1, 6


def tables(seed, sources):
    """Logits by source and last two tokens."""
    generator = np.random.default_rng(seed)
    return 2 * generator.normal(size=(sources, SIZE, SIZE, SIZE))


@pytest.mark.parametrize("beams", [1, 2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_it_finds_what_the_compiled_search_finds(beams, seed):
    limits, alpha = np.array([5, 0, 3, 7]), 0.6
    table = tables(seed, len(limits)).astype(np.float32)
    source = np.repeat(np.arange(len(limits)), beams)

    def step(ids, position, state):
        before, source = state
        return table[source, before, ids], (ids, source)

    n_best = max(1, beams - 1)
    found = ls_tf.decoding.beam_search(
        step,
        (np.zeros(len(source), int), source),
        max_lengths=limits,
        beams=beams,
        alpha=alpha,
        temperature=1.3,
        n_best=n_best,
    )

    def compiled_step(ids, position, cache):
        before = cache["reordered"]
        flat = ops.convert_to_tensor(table.reshape(-1, SIZE))
        row = (
            ops.convert_to_tensor(source, "int32") * SIZE + before
        ) * SIZE + ids
        return ops.take(flat, row, axis=0), {**cache, "reordered": ids}

    wanted = search.beam_search(
        compiled_step,
        {
            "constant": [],
            "written": [],
            "reordered": ops.zeros(len(source), "int32"),
        },
        max_lengths=limits.astype(np.int32),
        max_length=7,
        beams=beams,
        alpha=alpha,
        temperature=1.3,
        n_best=n_best,
    )
    for name in ("ids", "lengths"):
        np.testing.assert_array_equal(
            found[name], ops.convert_to_numpy(wanted[name])
        )
    np.testing.assert_allclose(
        found["scores"], ops.convert_to_numpy(wanted["scores"]), rtol=1e-5
    )


def test_a_beam_finds_what_greedy_misses():
    # Greedy takes token 2 (.6) and then has .5 at most; 3 ends at once.
    first = np.log([1e-9, 1e-9, 0.6, 0.4])
    after = np.log(
        [
            [1, 1, 1, 1],
            [1, 1, 1, 1],
            [0.3, 0.1, 0.3, 0.3],
            [1e-9, 1, 1e-9, 1e-9],
        ]
    )

    def step(ids, position, state):
        return (
            first + np.zeros((len(ids), 1)) if position == 0 else after[ids]
        ), None

    wide = ls_tf.decoding.beam_search(step, max_lengths=[2], beams=2, alpha=0.0)
    assert wide["ids"].tolist() == [[[3, EOS]]]
    assert wide["scores"][0, 0] == pytest.approx(np.log(0.4), abs=1e-6)
    assert wide["lengths"].tolist() == [[2]]


def test_rows_of_every_array_of_a_state_follow_the_hypotheses():
    from ls_tf.decoding.any_step import take_rows

    state = {"a": [np.arange(3), None], "b": (np.eye(3),)}
    found = take_rows(state, np.array([2, 2, 0]))
    assert found["a"][0].tolist() == [2, 2, 0]
    assert found["a"][1] is None
    np.testing.assert_array_equal(found["b"][0], np.eye(3)[[2, 2, 0]])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beams": 0}, "beams of 1"),
        ({"n_best": 5}, "n_best of 1 to 4"),
        ({"alpha": -1}, "alpha of 0 or more"),
        ({"temperature": 0}, "temperature"),
        ({"max_lengths": [1.5]}, "max_lengths"),
        ({}, r"logits \[4, V\]"),
    ],
)
def test_bad_input_is_one_line(options, said):
    with pytest.raises(ValueError, match=said):
        ls_tf.decoding.beam_search(
            lambda ids, position, state: (np.zeros((2, 3)), state),
            **{"max_lengths": [2], **options},
        )


@pytest.mark.parametrize(
    ("answer", "options", "said"),
    [
        (None, {"alpha": "a"}, "alpha as real numbers"),
        (None, {"alpha": np.inf}, "alpha of 0 or more"),
        (None, {"eos": None}, "eos as whole numbers"),
        (None, {"eos": -1}, "eos of 0 or more"),
        (None, {"eos": 3}, "eos from 0 to 2, got 3"),
        (None, {"state": np.zeros((2, 3))}, "arrays of 4 rows.*reorder="),
        (None, {"state": ["abc"]}, "arrays of 4 rows.*got str"),
        (np.zeros((4, 3)), {}, "logits and a state of the step, got ndarray"),
        ((np.full((4, 3), np.nan), None), {}, "without NaN"),
        ((np.full((4, 3), -np.inf), None), {}, "one above -inf"),
        ((np.full((4, 3), np.inf), None), {}, "without NaN and infinity"),
    ],
)
def test_a_step_or_a_state_that_cannot_be_meant_is_one_line(
    answer, options, said
):
    def step(ids, position, state):
        return (np.zeros((4, 3)), state) if answer is None else answer

    with pytest.raises(ValueError, match=said) as error:
        ls_tf.decoding.beam_search(step, max_lengths=[2], **options)
    assert "\n" not in str(error.value)


def test_a_token_of_minus_infinity_never_comes():
    table = tables(1, 1)[0, 0]
    closed = table.copy()
    closed[:, 2] = -np.inf
    found, wanted = (
        ls_tf.decoding.beam_search(
            lambda ids, position, state, rows=rows: (rows[ids], state),
            max_lengths=[6],
            n_best=4,
        )
        for rows in (closed, np.where(np.isinf(closed), -1e9, closed))
    )
    assert 2 not in found["ids"]
    np.testing.assert_array_equal(found["ids"], wanted["ids"])
    np.testing.assert_allclose(found["scores"], wanted["scores"])


def test_probabilities_of_a_step_are_noticed():
    rows = np.full((4, 4), 0.25)
    with pytest.warns(ls_tf.calibration.ProbabilityWarning, match="step's"):
        ls_tf.decoding.beam_search(
            lambda ids, position, state: (rows, state), max_lengths=[2]
        )


def test_a_state_of_tensorflow_follows_its_hypotheses():
    from ls_tf.decoding.any_step import take_rows

    tf = pytest.importorskip("tensorflow")
    table = tables(2, 1)[0]

    def step(ids, position, before):
        before = np.asarray(before)
        return tf.constant(table[before, ids]), tf.constant(ids)

    found, wanted = (
        ls_tf.decoding.beam_search(
            step, make(np.zeros(4, int)), max_lengths=[6], reorder=reorder
        )
        for make, reorder in (
            (tf.constant, take_rows),
            (np.asarray, lambda state, rows: np.asarray(state)[rows]),
        )
    )
    np.testing.assert_array_equal(found["ids"], wanted["ids"])
