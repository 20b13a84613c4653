"""Variables and gradients that the tests of optimizers step with."""

import keras
import numpy as np

NAMES = ["hidden/kernel", "logits/kernel", "logits/bias"]
SHAPES = [(2, 3), (3, 2), (2,)]


def variables(*shapes, names=None, seed=0):
    """Makes variables with paths such as "hidden/kernel"."""
    rng = np.random.default_rng(seed)
    result = []
    for number, shape in enumerate(shapes):
        layer, name = (names[number] if names else f"l{number}/kernel").split(
            "/"
        )
        with keras.name_scope(layer):
            result.append(
                keras.Variable(
                    rng.standard_normal(shape).astype("float32"), name=name
                )
            )
    return result


def gradients(shapes, steps, seed=1):
    rng = np.random.default_rng(seed)
    return [
        [rng.standard_normal(shape).astype("float32") for shape in shapes]
        for _ in range(steps)
    ]
