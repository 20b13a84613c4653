"""What a trained network answers on JAX.

Of several processes each infers by itself, on its own devices: what one of them
measures, or leaves out, no other waits for.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import keras
import numpy as np
from jax.sharding import NamedSharding

from ls_tf import stopping
from ls_tf.protocols import Batches, Computation, Task
from ls_tf.training import engine as shared
from ls_tf.training import jax_programs
from ls_tf.training.jax_placement import AXIS, Placement

Arrays = Mapping[str, Any]


class JaxInference:
    """Runs functions of a network's weights, as they are in its model."""

    def __init__(
        self, task: Task, devices: Sequence[Any], precision: str
    ) -> None:
        """Takes the devices of this process.

        Args:
            task: of the first network; its program serves all, with each
                one's values.
            devices: of this process, of one kind.
            precision: of products; see ``jax.default_matmul_precision``.
        """
        self._task = task
        self._placement = Placement(devices)
        self._precision = precision
        self._computations: dict[Any, Any] = {}

    def predict(
        self, model: keras.Model, examples: Arrays | Batches
    ) -> dict[str, np.ndarray]:
        """See ``Inference.predict``: each device takes a part of a batch."""
        values, split = self._values_of(model), self._placement.sharding(AXIS)
        in_turn = jax_programs.InTurn()
        return shared.in_batches(
            lambda batch: self._computed(
                self._task.predict,
                self._task.model,
                values,
                _placed(batch, split),
                in_turn,
            ),
            examples,
            multiple_of=len(self._placement.devices),
        )

    def compute(
        self,
        model: keras.Model,
        function: Computation,
        batches: Sequence[Arrays],
    ) -> list[dict[str, np.ndarray]]:
        """See ``Inference.compute``: every device does the whole of it."""
        values, whole = self._values_of(model), self._placement.sharding()

        def coming() -> Iterator[tuple[Any, jax_programs.Begin]]:
            shapes = set()
            for batch in batches:
                shape = shared.shapes(batch)
                if shape not in shapes:
                    shapes.add(shape)
                    placed = _placed(batch, whole)
                    yield (
                        _key(function, placed),
                        self._beginning(function, model, values, placed),
                    )

        in_turn = jax_programs.InTurn(coming())
        computed = []
        for batch in batches:
            stopping.look()
            computed.append(
                self._computed(
                    function, model, values, _placed(batch, whole), in_turn
                )
            )
        return computed

    def _values_of(self, model: keras.Model) -> Any:
        return jax.device_put(
            [v.value for v in model.variables], self._placement.sharding()
        )

    def _computed(
        self,
        function: Computation,
        model: keras.Model,
        values: Any,
        placed: Arrays,
        in_turn: jax_programs.InTurn,
    ) -> dict[str, np.ndarray]:
        key = _key(function, placed)
        if key not in self._computations:
            self._computations[key] = in_turn.program(
                key, self._beginning(function, model, values, placed)
            )
        outputs = self._computations[key](values, placed)
        return {k: np.asarray(v) for k, v in outputs.items()}

    def _beginning(
        self,
        function: Computation,
        model: keras.Model,
        values: Any,
        placed: Arrays,
    ) -> jax_programs.Begin:
        """What begins the program of a function of batches of a shape."""

        def computation(values: list[Any], batch: Arrays) -> Any:
            mapping = list(zip(model.variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return function(batch)

        def begin(ahead: bool) -> jax_programs.Compilation:
            with jax.default_matmul_precision(self._precision):
                return jax_programs.begin(
                    computation, values, placed, ahead=ahead
                )

        return begin


def _placed(batch: Arrays, sharding: NamedSharding) -> dict[str, Any]:
    return {k: jax.device_put(v, sharding) for k, v in batch.items()}


def _key(function: Computation, placed: Arrays) -> Any:
    return function, shared.shapes(placed)
