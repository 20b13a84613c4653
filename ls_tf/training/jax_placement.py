"""Where arrays lie: on the devices of one process, or of several."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

AXIS = "devices"


class Placement:
    """The devices of a run in one row, and how arrays lie on them.

    Attributes:
        devices: of all processes.
        mine: those of this process.
        mesh: the devices with their axis named, ``AXIS``.
        num_workers: how many processes there are.
    """

    def __init__(self, devices: Sequence[Any]) -> None:
        """Takes the devices, those of one process side by side."""
        self.devices = list(devices)
        here = jax.process_index()
        self.mine = [d for d in self.devices if d.process_index == here]
        self.num_workers = len({d.process_index for d in self.devices})
        self.mesh = jax.sharding.Mesh(np.array(self.devices), (AXIS,))
        self._agreed: Any = None

    def sharding(self, *axes: str | None) -> NamedSharding:
        """How an array lies; without axes every device has the whole."""
        spec: Any = PartitionSpec
        return NamedSharding(self.mesh, spec(*axes))

    def put(self, value: Any, sharding: NamedSharding) -> Any:
        """Puts an array of the host on the devices.

        Of several processes each has the whole on its host, and gives its own
        devices their parts of it.
        """
        if self.num_workers == 1:
            return jax.device_put(value, sharding)
        value = np.asarray(value)
        return jax.make_array_from_callback(
            value.shape, sharding, lambda place: value[place]
        )

    @property
    def part(self) -> tuple[int, int]:
        """(Which, of how many) equal parts of a batch this process has."""
        first = self.devices.index(self.mine[0])
        return first // len(self.mine), self.num_workers

    def put_part(self, value: np.ndarray, sharding: NamedSharding) -> Any:
        """Puts an array on the devices of which each process has a part.

        The parts follow each other along the axis that is divided.
        """
        make: Any = jax.make_array_from_process_local_data
        return make(sharding, value)

    def largest(self, numbers: Sequence[int]) -> list[int]:
        """The largest of what the processes say, number by number.

        All of them must ask.
        """
        if self.num_workers == 1:
            return list(numbers)
        if self._agreed is None:
            self._agreed = jax.jit(
                lambda rows: jnp.max(rows, axis=0),
                out_shardings=self.sharding(),
            )
        # [devices, numbers], a row of this process for each of its devices.
        row = np.array([numbers], np.int32)
        rows = jax.make_array_from_callback(
            (len(self.devices), len(numbers)),
            self.sharding(AXIS),
            lambda place: row,
        )
        return [int(v) for v in np.asarray(self._agreed(rows))]
