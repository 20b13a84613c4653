"""A Transformer that is small enough for tests."""

import numpy as np
from keras import ops

from ls_tf.models import transformer

TINY = {
    "hidden_size": 8,
    "filter_size": 12,
    "num_heads": 2,
    "num_encoder_layers": 2,
    "num_decoder_layers": 2,
    "layer_dropout": 0.0,
    "attention_dropout": 0.0,
    "relu_dropout": 0.0,
    "vocabulary_size": 11,
    "seed": 0,
}
SOURCE = np.array([[5, 9, 2, 1], [7, 1, 0, 0]], np.int32)
TARGET = np.array([[3, 8, 10, 6, 1], [4, 1, 0, 0, 0]], np.int32)


def build(**changes):
    return transformer.build(**{**TINY, **changes})


def moved(**changes):
    """A tiny model of which no variable has its initial value."""
    made = build(**changes)
    rng = np.random.default_rng(1)
    for variable in made.trainable_variables:
        noise = rng.standard_normal(variable.shape).astype("float32")
        variable.assign(ops.convert_to_numpy(variable) + 0.2 * noise)
    return made


def outputs(model, source=SOURCE, target=TARGET, **options):
    found = model({"source": source, "target": target}, **options)
    return {k: ops.convert_to_numpy(v) for k, v in found.items()}


def by_path(model):
    return {v.path: ops.convert_to_numpy(v) for v in model.trainable_variables}
