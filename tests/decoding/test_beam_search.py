"""Tests of ls_tf.decoding.search."""

import itertools
import math

import numpy as np
import pytest
from both import compiled, tensorflow_only
from keras import ops

from ls_tf.decoding.search import beam_search

EOS = 1
SIZE = 4  # PAD, EOS and two words
WORDS = 5  # a prefix is a number in base 5: its ids + 1


# Models that are tables


def nothing(count):
    """The cache of a model without memory."""
    del count
    return {"constant": [], "written": [], "reordered": []}


def by_last_token(table):
    """A step whose log-probabilities [V, V] depend on the last token."""

    def step(ids, position, cache):
        return ops.take(ops.convert_to_tensor(table), ids, axis=0), cache

    return step


def by_prefix(logits):
    """A step and its cache: logits [B, prefixes, V] of a number of prefix."""
    sources = len(logits)

    def step(ids, position, cache):
        table = cache["constant"]
        rows = ops.shape(ids)[0]
        prefix = cache["reordered"]
        started = ops.greater(position, 0)
        prefix = ops.where(started, prefix * WORDS + ids + 1, prefix)
        source = ops.arange(rows, dtype="int32") // (rows // sources)
        flat = source * table.shape[1] + prefix
        found = ops.take(ops.reshape(table, (-1, SIZE)), flat, axis=0)
        return found, {**cache, "reordered": prefix}

    def cache(beams):
        return {
            "constant": ops.convert_to_tensor(logits),
            "written": [],
            "reordered": ops.zeros(sources * beams, "int32"),
        }

    return step, cache


def random_logits(sources, length, seed, scale=2.0):
    shape = (sources, WORDS**length, SIZE)
    draw = np.random.default_rng(seed).standard_normal(shape)
    return (scale * draw).astype(np.float32)


def search(logits, beams, length, max_lengths=None, **options):
    """Searches the tables; arrays on the host."""
    step, cache = by_prefix(logits)
    if max_lengths is None:
        max_lengths = [length] * len(logits)
    found = beam_search(
        step,
        cache(beams),
        max_lengths=np.array(max_lengths, np.int32),
        max_length=length,
        beams=beams,
        **{"alpha": 0.6, **options},
    )
    return {k: ops.convert_to_numpy(v) for k, v in found.items()}


def hypotheses(found, source):
    """[(score, ids), ...] of one source, as long as there are any."""
    return [
        (float(score), tuple(ids[:length].tolist()))
        for ids, score, length in zip(
            found["ids"][source],
            found["scores"][source],
            found["lengths"][source],
            strict=True,
        )
        if np.isfinite(score)
    ]


def same(found, expected):
    assert [ids for _, ids in found] == [ids for _, ids in expected]
    np.testing.assert_allclose(
        [score for score, _ in found],
        [score for score, _ in expected],
        rtol=1e-5,
        atol=1e-5,
    )


# The same, slowly


def log_softmax(x):
    x = np.asarray(x, np.float64)
    return x - x.max() - np.log(np.exp(x - x.max()).sum())


def penalty(length, alpha):
    return ((5 + length) / 6) ** alpha


def of_prefix(table, ids):
    prefix = 0
    for i in ids:
        prefix = prefix * WORDS + i + 1
    return table[prefix]


def exhaustive(table, length, alpha, temperature=1.0):
    """Every sentence that ends within the length, best first."""
    found = []
    for size in range(1, length + 1):
        words = [i for i in range(SIZE) if i != EOS]
        for body in itertools.product(words, repeat=size - 1):
            ids = (*body, EOS)
            total = sum(
                log_softmax(of_prefix(table, ids[:t]) / temperature)[i]
                for t, i in enumerate(ids)
            )
            found.append((total / penalty(size, alpha), ids))
    return sorted(found, reverse=True)


def slow(table, beams, length, alpha, temperature=1.0):
    """The algorithm on lists, to the full length; all that it finds."""
    alive, finished = [(0.0, ())], []
    for size in range(1, length + 1):
        grown = [
            (total + log_p, (*ids, i))
            for total, ids in alive
            for i, log_p in enumerate(
                log_softmax(of_prefix(table, ids) / temperature)
            )
        ]
        grown = sorted(grown, reverse=True)[: 2 * beams]
        finished += [
            (total / penalty(size, alpha), ids)
            for total, ids in grown
            if ids[-1] == EOS
        ]
        finished = sorted(finished, reverse=True)[:beams]
        alive = [one for one in grown if one[1][-1] != EOS][:beams]
    return finished or alive


def greedy(table, length, temperature=1.0):
    ids, total = (), 0.0
    while len(ids) < length and ids[-1:] != (EOS,):
        log_p = log_softmax(of_prefix(table, ids) / temperature)
        ids = (*ids, int(log_p.argmax()))
        total += log_p[ids[-1]]
    return total, ids


# By hand

# After each token the probabilities of 0 (never), of the end, of a = 2 and of
# b = 3. The tree of sentences, with the probability of each prefix:
#
#   start --.6--> a .6 --.40--> END .24
#     |            |----.35--> a a .21 --.40--> END .084
#     |            '----.25--> a b .15 --.90--> END .135
#     '----.4--> b .4 --.90--> END .36
#                  '----.10--> b a .04 ...
TREE = np.log(
    np.array(
        [
            [1e-30, 1e-30, 0.6, 0.4],
            [1e-30, 1.0, 1e-30, 1e-30],
            [1e-30, 0.4, 0.35, 0.25],
            [1e-30, 0.9, 0.1, 1e-30],
        ],
        np.float32,
    )
)


def tree(beams, alpha, length=3, **options):
    found = beam_search(
        by_last_token(options.pop("table", TREE)),
        nothing(beams),
        max_lengths=np.array([length], np.int32),
        max_length=length,
        beams=beams,
        alpha=alpha,
        **options,
    )
    found = {k: ops.convert_to_numpy(v) for k, v in found.items()}
    return hypotheses(found, 0)


def test_two_beams_find_what_the_greedy_search_misses():
    # Without penalty b END, .36, beats a END, .24.
    same(
        tree(2, alpha=0.0, n_best=2),
        [(math.log(0.36), (3, 1)), (math.log(0.24), (2, 1))],
    )
    # One beam takes a, the likelier word, and ends it.
    same(tree(1, alpha=0.0), [(math.log(0.24), (2, 1))])


def test_the_length_penalty_by_hand():
    # ((5 + 2) / 6) ** alpha for two tokens, ((5 + 3) / 6) ** alpha for three:
    # with a large alpha the longer a b END, .135, wins:
    # log .135 / (8 / 6) ** 6 = -.356 > log .36 / (7 / 6) ** 6 = -.405.
    expected = [
        (math.log(0.135) / (8 / 6) ** 6, (2, 3, 1)),
        (math.log(0.36) / (7 / 6) ** 6, (3, 1)),
    ]
    same(tree(4, alpha=6.0, n_best=4)[:2], expected)
    # alpha = .6 is too little for that.
    same(
        tree(4, alpha=0.6, n_best=1),
        [(math.log(0.36) / (7 / 6) ** 0.6, (3, 1))],
    )


def test_the_temperature_by_hand():
    # T = 1 / 2 squares the probabilities: start .36 / (.36 + .16), and so on.
    # What was second is first.
    a, b = 0.36 / 0.52, 0.16 / 0.52
    a_end = 0.16 / (0.16 + 0.35**2 + 0.25**2)
    b_end = 0.81 / (0.81 + 0.01)
    same(
        tree(2, alpha=0.0, n_best=2, temperature=0.5),
        [(math.log(a * a_end), (2, 1)), (math.log(b * b_end), (3, 1))],
    )
    # T = 2 takes their roots.
    a = math.sqrt(0.6) / (math.sqrt(0.6) + math.sqrt(0.4))
    a_end = math.sqrt(0.4) / sum(map(math.sqrt, (0.4, 0.35, 0.25)))
    b_end = math.sqrt(0.9) / (math.sqrt(0.9) + math.sqrt(0.1))
    same(
        tree(2, alpha=0.0, n_best=2, temperature=2.0),
        [
            (math.log((1 - a) * b_end), (3, 1)),
            (math.log(a * a_end), (2, 1)),
        ],
    )


def test_what_never_ends_is_returned_as_it_stands():
    # Two steps, and nothing can end: the alive ones, their scores not divided
    # by anything.
    table = TREE.copy()
    table[:, EOS] = -math.inf
    p = np.exp(table.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    # a a: .6 * .35 / .6, and b a: .4 * 1.
    expected = [(p[0, 3] * p[3, 2], (3, 2)), (p[0, 2] * p[2, 2], (2, 2))]
    same(
        tree(2, alpha=0.6, length=2, n_best=2, table=table),
        [(math.log(value), ids) for value, ids in expected],
    )


# Against other searches


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_enough_beams_are_exhaustive(alpha):
    length = 4
    logits = random_logits(3, length, seed=1)
    # 3, 9 and 27 prefixes do not end; 27 * 4 are all their continuations.
    found = search(logits, beams=54, length=length, alpha=alpha, n_best=12)
    for source in range(3):
        expected = exhaustive(logits[source], length, alpha)[:12]
        same(hypotheses(found, source), expected)


@pytest.mark.parametrize(
    ("beams", "alpha", "temperature"),
    [(2, 0.6, 1.0), (2, 0.0, 1.0), (2, 0.6, 0.7), (3, 2.0, 1.5)],
)
def test_few_beams_are_those_of_the_algorithm(beams, alpha, temperature):
    length = 5
    logits = random_logits(20, length, seed=beams)
    found = search(logits, beams, length, alpha=alpha, temperature=temperature)
    differs = 0
    for source in range(20):
        table = logits[source]
        expected = slow(table, beams, length, alpha, temperature)[:1]
        same(hypotheses(found, source), expected)
        best = exhaustive(table, length, alpha, temperature)[0]
        differs += best[1] != expected[0][1]
    # Otherwise any search would pass.
    assert differs > 0


def test_all_hypotheses_are_those_of_the_algorithm():
    length, beams = 5, 3
    logits = random_logits(12, length, seed=7)
    found = search(logits, beams, length, n_best=beams)
    for source in range(12):
        expected = slow(logits[source], beams, length, 0.6)
        same(hypotheses(found, source), expected)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_one_beam_is_greedy(temperature):
    length = 5
    logits = random_logits(20, length, seed=3)
    found = search(logits, 1, length, alpha=0.6, temperature=temperature)
    ended = 0
    for source in range(20):
        total, ids = greedy(logits[source], length, temperature)
        if ids[-1] == EOS:
            total /= penalty(len(ids), 0.6)
            ended += 1
        same(hypotheses(found, source), [(total, ids)])
    assert 0 < ended < 20


# Invariances


def test_a_source_alone_is_a_source_in_a_batch():
    length, beams = 5, 3
    logits = random_logits(8, length, seed=11)
    limits = [5, 3, 1, 4, 5, 2, 5, 3]
    whole = search(logits, beams, length, limits, n_best=3)
    order = [3, 7, 0, 1, 6, 2, 5, 4]
    mixed = search(
        logits[order], beams, length, [limits[i] for i in order], n_best=3
    )
    for name, values in whole.items():
        # Sums over other vectors of a register round differently.
        np.testing.assert_allclose(mixed[name], values[order], rtol=1e-6)
    for i in (1, 2, 4):
        alone = search(
            logits[i : i + 1], beams, length, limits[i : i + 1], n_best=3
        )
        for name, values in whole.items():
            np.testing.assert_allclose(alone[name][0], values[i], rtol=1e-6)


def test_limits_are_those_of_each_source():
    length, beams = 5, 3
    logits = random_logits(6, length, seed=13)
    limits = [1, 2, 3, 4, 5, 9]  # the last one is cut
    found = search(logits, beams, length, limits)
    for source, limit in enumerate(limits):
        expected = slow(logits[source], beams, min(limit, length), 0.6)[:1]
        same(hypotheses(found, source), expected)
        ids = found["ids"][source, 0]
        assert not ids[found["lengths"][source, 0] :].any()


def test_a_source_of_no_length_is_skipped():
    logits = random_logits(2, 3, seed=17)
    found = search(logits, 2, 3, [0, 3])
    assert found["lengths"][0, 0] == 0
    assert not found["ids"][0].any()
    assert found["lengths"][1, 0] > 0
    # If there is no other, no step is made at all.
    found = search(logits, 2, 3, [0, 0])
    np.testing.assert_array_equal(found["lengths"], 0)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
@pytest.mark.parametrize("n_best", [1, 3])
def test_stopping_early_changes_nothing(alpha, n_best):
    length, beams = 5, 3
    logits = random_logits(24, length, seed=19, scale=3.0)
    options = {"alpha": alpha, "n_best": n_best}
    early = search(logits, beams, length, **options)
    late = search(logits, beams, length, early_stop=False, **options)
    for name, values in early.items():
        np.testing.assert_array_equal(values, late[name])


def test_it_does_stop_early():
    # After a the end is all but certain, and nothing can overtake it.
    table = np.log(
        np.array(
            [
                [1e-3, 1e-3, 0.997, 1e-3],
                [0.25, 0.25, 0.25, 0.25],
                [1e-3, 0.997, 1e-3, 1e-3],
                [0.25, 0.25, 0.25, 0.25],
            ],
            np.float32,
        )
    )
    plain = by_last_token(table)

    def counting(ids, position, cache):
        logits, cache = plain(ids, position, cache)
        # Poison: a step that should not be made ruins everything.
        late = ops.greater_equal(position, 2)
        return ops.where(late, float("nan"), logits), cache

    found = beam_search(
        counting,
        nothing(2),
        max_lengths=np.array([50], np.int32),
        max_length=50,
        beams=2,
        alpha=0.6,
    )
    assert int(found["lengths"][0, 0]) == 2
    assert math.isfinite(float(found["scores"][0, 0]))


def test_hypotheses_fall_and_differ():
    logits = random_logits(10, 5, seed=23)
    found = search(logits, 4, 5, n_best=4)
    assert (np.diff(found["scores"], axis=1) <= 0).all()
    for source in range(10):
        ids = [h[1] for h in hypotheses(found, source)]
        assert len(set(ids)) == len(ids)


def test_fewer_sentences_than_asked_for():
    # Within one token there is but one sentence that ends.
    found = search(random_logits(1, 1, seed=29), 4, 1, n_best=4)
    np.testing.assert_array_equal(found["lengths"], [[1, 0, 0, 0]])
    np.testing.assert_array_equal(found["ids"][0, :, 0], [1, 0, 0, 0])
    assert np.isneginf(found["scores"][0, 1:]).all()


# Compiled


def test_compiled_as_not_compiled():
    length, beams = 4, 3
    logits = random_logits(5, length, seed=31)
    step, cache = by_prefix(logits)
    traces = []

    def run(limits, temperature, alpha):
        traces.append(1)
        return beam_search(
            step,
            cache(beams),
            max_lengths=limits,
            max_length=length,
            beams=beams,
            alpha=alpha,
            temperature=temperature,
            n_best=2,
        )

    program = compiled(run)
    limits = np.array([4, 2, 4, 3, 4], np.int32)
    for temperature, alpha in ((1.0, 0.6), (2.0, 0.6), (0.5, 0.0)):
        found = program(
            ops.convert_to_tensor(limits),
            ops.convert_to_tensor(temperature),
            ops.convert_to_tensor(alpha),
        )
        plain = search(
            logits,
            beams,
            length,
            limits,
            temperature=temperature,
            alpha=alpha,
            n_best=2,
        )
        np.testing.assert_array_equal(found["ids"], plain["ids"])
        np.testing.assert_array_equal(found["lengths"], plain["lengths"])
        np.testing.assert_allclose(found["scores"], plain["scores"], rtol=1e-5)
    # One program serves all temperatures and penalties.
    assert len(traces) == 1


@tensorflow_only
def test_a_graph_without_xla():
    import tensorflow as tf

    logits = random_logits(4, 4, seed=37)
    step, cache = by_prefix(logits)

    @tf.function(autograph=False)
    def program(limits):
        return beam_search(
            step,
            cache(3),
            max_lengths=limits,
            max_length=4,
            beams=3,
            alpha=0.6,
        )

    found = program(tf.constant([4, 3, 4, 2]))
    plain = search(logits, 3, 4, [4, 3, 4, 2])
    np.testing.assert_array_equal(found["ids"], plain["ids"])


# Refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_length": 0}, "max_length of 1 or more, got 0"),
        ({"beams": 0}, "beams of 1 or more, got 0"),
        ({"n_best": 3}, "n_best of 1 to 2 beams, got 3"),
        ({"n_best": 0}, "n_best of 1 to 2 beams, got 0"),
        ({"alpha": -0.1}, "alpha of 0 or more, got -0.1"),
        ({"temperature": 0.0}, "positive temperature, got 0.0"),
        ({"temperature": math.nan}, "positive temperature, got nan"),
    ],
)
def test_refuses_in_one_line(changes, message):
    options = {"max_length": 3, "beams": 2, "alpha": 0.6, **changes}
    with pytest.raises(ValueError, match=message) as error:
        beam_search(
            by_last_token(TREE),
            nothing(2),
            max_lengths=np.array([3], np.int32),
            **options,
        )
    assert "\n" not in str(error.value)
