"""Names for the variables of a model and of an optimizer.

Keras numbers some automatic names by how many it has made in the process, so
a name is the variable's place in its list and its last word: the same in
every process and on every backend.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ls_tf.training import checkpoints


def named(prefix: str, variables: Sequence[Any]) -> dict[str, Any]:
    """Gives each variable its engine-neutral name, in order."""
    return {
        f"{prefix}/{i:04d}/{_last_words(v)}": v for i, v in enumerate(variables)
    }


def _last_words(variable: Any) -> str:
    # "hidden_1/kernel"; a seed generator's owner is numbered by process.
    words = variable.path.split("/")[-2:]
    if "seed_generator" in words[0]:
        words = words[1:]
    return "/".join(words)


def assign_model(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a model the weights of a checkpoint.

    Args:
        model: the network, built.
        arrays: a checkpoint's arrays.

    Raises:
        SpecError: the checkpoint is of another network.
    """
    variables = named("model", model.variables)
    checkpoints.match({k: v.shape for k, v in variables.items()}, arrays)
    for name, variable in variables.items():
        variable.assign(arrays[name])
