"""What the replication's code measures of a translation, errors included."""

import keras
import numpy as np
import pytest
from keras import ops
from small_translation import CHANGES

from ls_tf.analysis import bleu
from ls_tf.evaluators import replication_sweep
from ls_tf.protocols import Decoding
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import resolve
from ls_tf.tasks import translation as task_module

GRID = (0.5, 1.0, 2.0)


class Computed:
    """A network that computes step by step, uncompiled."""

    def compute(self, function, batches):
        return [
            keras.tree.map_structure(
                ops.convert_to_numpy,
                function({k: ops.convert_to_tensor(v) for k, v in b.items()}),
            )
            for b in batches
        ]


@pytest.fixture(scope="module")
def task():
    """With a bias of the logits that is no zero."""
    changed = {
        **CHANGES,
        "data.report": "test[:4]",
        "model.options.norm_first": False,
        "model.options.output_bias": True,
    }
    spec = resolve("transformer_numbers", changed=changed).spec
    made = task_module.build(spec, data_dir=None)
    bias = np.random.default_rng(0).standard_normal(made._vocabulary_size)
    made.model.output_bias.assign(0.5 * bias)
    return made


@pytest.fixture(scope="module")
def translator(task):
    return task.view(Computed())


def test_probabilities_by_hand(task, translator):
    found = translator.as_replicated("report", 3, GRID)
    tokens = task.tokens("report")
    place = 0
    for first, stop in ((0, 3), (3, 4)):
        width = int(tokens.target.lengths[first:stop].max())
        for i in range(first, stop):
            target = np.zeros(width, int)
            row = tokens.target.row(i)
            target[: len(row)] = row
            logits = ops.convert_to_numpy(
                task.next_token_logits(
                    {
                        "source": tokens.source.row(i)[None],
                        "target": target[None].astype(np.int32),
                    }
                )["logits"]
            )[0].astype(np.float64)
            for t in range(width):
                right = logits[:, target[t]]
                for r, temperature in enumerate(GRID):
                    over = np.exp(right / temperature)
                    nll = -np.log(over[t] / over.sum())
                    assert found["nll_over_positions"][
                        place, r
                    ] == pytest.approx(nll, abs=1e-3)
                    p = np.exp(logits[t] / temperature)
                    assert found["confidence"][place, r] == pytest.approx(
                        p.max() / p.sum(), abs=1e-4
                    )
                assert found["correct"][place] == (
                    logits[t].argmax() == target[t]
                )
                assert found["is_padding"][place] == (target[t] == 0)
                place += 1
    assert place == len(found["correct"])


def greedy(translator, temperature, divides):
    how = Decoding(1, 0.0, temperature, 4, divides)
    return translator.translate_role("report", how).ids


def test_a_temperature_moves_greedy_translations_through_the_bias_alone(
    task, translator
):
    at_one = greedy(translator, 1.0, "logits")
    # Of activations that are all but 0 the bias is left.
    flat = greedy(translator, 1e6, "activations")
    best = int(ops.convert_to_numpy(task.model.output_bias).argmax())
    assert {i for ids in flat for i in ids} == {best}
    assert flat != at_one
    kept = ops.convert_to_numpy(task.model.output_bias)
    task.model.output_bias.assign(0 * kept)
    try:
        fresh = task.view(Computed())
        without = greedy(fresh, 1.0, "activations")
        assert greedy(fresh, 50.0, "activations") == without
    finally:
        task.model.output_bias.assign(kept)


def test_the_sweep_measures(task, translator):
    evaluator = replication_sweep.Evaluator("report", GRID, 3, extra_length=4)
    found = evaluator(translator)
    assert found.count == 4
    seen = translator.as_replicated("report", 3, GRID)
    real = ~seen["is_padding"]
    assert real.sum() == task.tokens("report").target.lengths.sum() < len(real)
    np.testing.assert_allclose(
        found.arrays["nll"], seen["nll_over_positions"][real].mean(0), rtol=1e-5
    )
    # One bin: the distance of the mean confidence to the accuracy.
    one = replication_sweep.Evaluator("report", GRID, 3, 4, num_bins=1)
    expected = np.abs(seen["confidence"].mean(0) - seen["correct"].mean())
    np.testing.assert_allclose(
        one(translator).arrays["ece"], expected, rtol=1e-5
    )
    texts = [
        translator.decode(greedy(translator, t, "activations")) for t in GRID
    ]
    changed = [len(set(of)) > 1 for of in zip(*texts, strict=True)]
    assert found.scalars["changed_by_temperature"] == np.mean(changed)
    assert len(found.arrays["bleu"]) == len(found.arrays["temperatures"]) == 3


def test_words_that_punctuation_sticks_to_by_hand():
    text = ["a b c d e f."]
    # Of 7 tokens 5 are words of the reference, of 6 pairs 4, of 5 triples 3,
    # of 4 quadruples 2: the fourth root of 1 / 7.
    assert bleu.against_raw_words(text, text) == pytest.approx(
        100 * 7**-0.25, abs=1e-6
    )
    plain = ["a b c d e f"]
    assert bleu.against_raw_words(plain, plain) == pytest.approx(100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperatures": (1.0, 0.5)}, "replication_sweep: temperatures"),
        ({"batch_size": 0}, "batch_size: wanted 1 or more"),
        ({"extra_length": 0}, "extra_length: wanted 1 or more"),
        ({"num_bins": 0}, "num_bins: wanted 1 or more"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(SpecError, match=message):
        replication_sweep.Evaluator("report", **options)
