"""The variables of a network as arrays in Keras's order, and by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ls_tf.training import naming
from ls_tf.training.jax_steps import State
from ls_tf.training.naming import named


class Variables:
    """Which variables the arrays of a state are of."""

    def __init__(self, model: keras.Model, optimizer: Any) -> None:
        """Takes them from the first network; all have the same.

        Args:
            model: built.
            optimizer: of Keras, built.
        """
        self._model, self._optimizer = model, optimizer

    def _parts(self) -> dict[str, list[Any]]:
        """The Keras variables of each part of the state."""
        return {
            "trainable": self._model.trainable_variables,
            "rest": self._model.non_trainable_variables,
            "optimizer": self._optimizer.variables,
        }

    def _names(self) -> dict[str, Any]:
        return {
            **named("model", self._model.variables),
            **named("optimizer", self._optimizer.variables),
        }

    def initial(self, models: Sequence[keras.Model]) -> list[State]:
        """What each network begins with, on the host."""
        optimizer = _host_copies(self._optimizer.variables)
        return [
            {
                "trainable": _host_copies(model.trainable_variables),
                "rest": _host_copies(model.non_trainable_variables),
                "optimizer": optimizer,
            }
            for model in models
        ]

    def named(self, state: State) -> dict[str, np.ndarray]:
        """A state on the host by name, as checkpoints hold it."""
        values = {
            id(variable): value
            for part, variables in self._parts().items()
            for variable, value in zip(variables, state[part], strict=True)
        }
        return {
            name: naming.canonical(values[id(variable)])
            for name, variable in self._names().items()
        }

    def state_of(self, arrays: Mapping[str, np.ndarray]) -> State:
        """The state that a checkpoint holds.

        Raises:
            SpecError: it is of another network.
        """
        names = self._names()
        fitting = naming.fitting(names, arrays)
        values = {id(v): fitting[name] for name, v in names.items()}
        return {
            part: [values[id(v)] for v in variables]
            for part, variables in self._parts().items()
        }

    def lend(self, state: State, model: keras.Model, *, average: bool) -> None:
        """Gives a network's Keras model its weights.

        Args:
            state: on the host.
            model: of the network.
            average: the weights that the optimizer has averaged.
        """
        for part, variables in (
            ("trainable", model.trainable_variables),
            ("rest", model.non_trainable_variables),
        ):
            for variable, value in zip(variables, state[part], strict=True):
                variable.assign(value)
        if average:
            for variable, value in zip(
                self._optimizer.variables, state["optimizer"], strict=True
            ):
                variable.assign(value)
            self._optimizer.finalize_variable_values(model.trainable_variables)


def _host_copies(variables: Sequence[Any]) -> list[np.ndarray]:
    """Copies of variables on the host: donation takes their own buffers."""
    return [np.array(v.value) for v in variables]
