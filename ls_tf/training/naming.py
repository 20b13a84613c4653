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


def canonical(value: Any) -> np.ndarray:
    """A value as checkpoints hold it: integers are int64.

    Backends count steps and seeds in integers of different widths.
    """
    value = np.array(value)
    wide = np.dtype(np.int64) if value.dtype.kind in "iu" else value.dtype
    return np.asarray(value, wide)


def fitting(
    variables: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The values of a checkpoint, in the types of named variables.

    Args:
        variables: of ``named``.
        arrays: a checkpoint's arrays, of any engine.

    Returns:
        name -> value.

    Raises:
        SpecError: the checkpoint is of another network.
    """
    checkpoints.match({k: tuple(v.shape) for k, v in variables.items()}, arrays)
    return {k: arrays[k].astype(v.dtype) for k, v in variables.items()}


def assign(
    variables: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Gives named variables the values of a checkpoint; see ``fitting``."""
    for name, value in fitting(variables, arrays).items():
        variables[name].assign(value)


def assign_model(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a model the weights of a checkpoint; see ``assign``."""
    assign(named("model", model.variables), arrays)
