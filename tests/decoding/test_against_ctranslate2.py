"""CTranslate2 with our weights says what our search says.

So its Transformer is ours, and what ``benchmarks/beam_search.py`` times beside
each other is the same work.
"""

import pathlib
import runpy
import sys

import numpy as np
import pytest
from keras import ops

from ls_tf.decoding.search import beam_search
from ls_tf.models import transformer

pytest.importorskip("ctranslate2")
FILE = pathlib.Path(__file__).parents[2] / "benchmarks/_ctranslate2_peer.py"
SHAPE = {
    "hidden_size": 16,
    "filter_size": 24,
    "num_heads": 2,
    "num_layers": 2,
    "vocabulary_size": 40,
}
LENGTH = 6
END = 4.0  # of the end's logit; so that sentences end here and there


@pytest.fixture(scope="module")
def peer():
    sys.path.insert(0, str(FILE.parent))
    try:
        return runpy.run_path(str(FILE))
    finally:
        del sys.path[0]


@pytest.fixture(scope="module")
def model():
    """None of its variables has its initial value."""
    sizes = {k: v for k, v in SHAPE.items() if k != "num_layers"}
    made = transformer.build(
        **sizes,
        num_encoder_layers=2,
        num_decoder_layers=2,
        layer_dropout=0.1,
        attention_dropout=0.1,
        relu_dropout=0.1,
        output_bias=True,
        seed=0,
    )
    draw = np.random.default_rng(2)
    for variable in made.trainable_variables:
        noise = draw.standard_normal(variable.shape).astype(np.float32)
        variable.assign(ops.convert_to_numpy(variable) + 0.3 * noise)
    bias = ops.convert_to_numpy(made.output_bias).copy()
    bias[0] = -50.0  # padding is never said
    bias[1] = END
    made.output_bias.assign(bias)
    return made


@pytest.fixture(scope="module")
def translator(peer, model):
    found = {v.path: ops.convert_to_numpy(v) for v in model.trainable_variables}

    def weights(name, shape):
        value = found.pop(name)
        assert value.shape == shape
        return value

    spec = peer["specification"](SHAPE, weights)
    assert not found  # every variable has its place there
    return peer["translator"](spec, "float32", 1)


@pytest.fixture(scope="module")
def source():
    ids = np.random.default_rng(0).integers(2, 40, (12, 7)).astype(np.int32)
    for row, length in enumerate(np.arange(12) % 6 + 2):
        ids[row, length - 1] = 1
        ids[row, length:] = 0
    return ids


def ours(model, source, beams, **options):
    found = beam_search(
        model.step,
        model.start(model.encode(source), beams, LENGTH),
        max_lengths=np.full(len(source), LENGTH, np.int32),
        max_length=LENGTH,
        beams=beams,
        alpha=0.0,
        **options,
    )
    return {k: ops.convert_to_numpy(v)[:, 0] for k, v in found.items()}


def test_the_most_likely_words_one_by_one(peer, model, translator, source):
    found = ours(model, source, 1)
    theirs = translator.translate_batch(
        peer["words"](source),
        beam_size=1,
        min_decoding_length=0,
        max_decoding_length=LENGTH,
    )
    said = [
        [word for word in row if word != "</s>"]
        for row in peer["words"](found["ids"])
    ]
    assert said == [result.hypotheses[0] for result in theirs]
    # Some end at once, some later, some not at all.
    assert len(set(found["lengths"].tolist())) > 2


def test_beams_of_a_length(peer, model, translator, source):
    before = ops.convert_to_numpy(model.output_bias)
    never = before.copy()
    never[1] = -50.0  # no hypothesis ends, on neither side
    model.output_bias.assign(never)
    try:
        found = ours(model, source, 4, eos=-1)
    finally:
        model.output_bias.assign(before)
    theirs = translator.translate_batch(
        peer["words"](source),
        beam_size=4,
        length_penalty=0,
        min_decoding_length=LENGTH,
        max_decoding_length=LENGTH,
        return_scores=True,
    )
    assert peer["words"](found["ids"]) == [r.hypotheses[0] for r in theirs]
    np.testing.assert_allclose(
        found["scores"], [r.scores[0] for r in theirs], atol=1e-4
    )
