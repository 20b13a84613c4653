"""What every engine offers the training loop."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from ls_tf.spec import ExperimentSpec
from ls_tf.tasks._protocol import Task


class Engine(Protocol):
    """Runs a task's steps; holds its variables on its devices."""

    name: str
    num_replicas: int
    is_chief: bool  # the one process that writes the record

    def build(
        self,
        make_task: Callable[[], Task],
        make_optimizer: Callable[[Task], Any],
    ) -> Task:
        """Makes task and optimizer where their variables belong.

        Raises:
            SpecError: the batch does not split evenly over the replicas.
        """

    def run(self, start: int, count: int) -> dict[str, np.ndarray]:
        """Runs steps start..start+count-1 in one compiled call.

        It stops early after a step whose loss is not finite.

        Returns:
            dict of float32 [steps run]: each sum of ``Task.loss`` divided by
            the weight, both over all replicas.
        """

    def state(self) -> dict[str, np.ndarray]:
        """Every model and optimizer variable by name, on the host."""

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Assigns every variable from ``state`` of any engine."""

    def predict(
        self, examples: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """``Task.predict`` over stored examples, every one once."""

    def averaged_weights(self) -> AbstractContextManager[None]:
        """Within it the model holds its weight average, if it keeps one."""

    def agree(self, stop: bool, count: int) -> tuple[bool, int]:
        """Lets all processes take the chief's count and stop together."""

    def devices(self) -> list[str]:
        """The devices that train, in words."""


def max_chunk(spec: ExperimentSpec) -> int:
    """The most steps that one compiled call may run: its static size."""
    return min(spec.train.log_every_steps, 500)
