"""The variables of the JAX engine's networks, on the devices and the host."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from ls_tf.training.jax_steps import State


class States:
    """The state that all networks train in, and what waits to join it.

    Attributes:
        present: on the devices; each step makes another. None before the
            first one.
    """

    def __init__(
        self, initial: Sequence[State], put: Callable[[np.ndarray], Any]
    ) -> None:
        """Takes what the networks begin with.

        Args:
            initial: of each, on the host.
            put: puts an array of all networks on the devices.
        """
        self._size, self._put = len(initial), put
        self.present: State | None = None
        # Networks whose variables wait on the host to be put on the devices.
        self._waiting = dict(enumerate(initial))
        self._host: State | None = None  # the present state

    def place(self) -> None:
        """Puts what waits on the host on the devices."""
        if not self._waiting:
            return
        whole: State = {}
        for part in ("trainable", "rest", "optimizer"):
            if self._size == 1:
                whole[part] = self._waiting[0][part]
                continue
            rows = [
                (self._waiting.get(i) or self.of_network(i))[part]
                for i in range(self._size)
            ]
            whole[part] = [np.stack(v) for v in zip(*rows, strict=True)]
        self._waiting = {}
        self._host = None
        self.present = jax.tree.map(self._put, whole)

    def begin(self) -> None:
        """Gets ready for steps; a copy on the host is of before them."""
        self.place()
        self._host = None

    def of_network(self, i: int) -> State:
        """One network's variables, on the host."""
        if i in self._waiting:
            return self._waiting[i]
        if self._host is None:
            # One transfer of everything, however many networks ask.
            self._host = jax.tree.map(np.asarray, self.present)
        if self._size == 1:
            return self._host
        return {k: [a[i] for a in v] for k, v in self._host.items()}

    def replace(self, i: int, state: State) -> None:
        """Lets another state of one network wait to be put on the devices."""
        self._waiting[i] = state
