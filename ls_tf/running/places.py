"""Which of the processes of a run this one is, and how it knows.

TensorFlow's workers are told by TF_CONFIG. JAX's are told by flags, by
TF_CONFIG too, or by the cluster that has started them.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

from ls_tf.running import clusters
from ls_tf.running.machine import Machine
from ls_tf.spec import SpecError

_FLAGS = "--coordinator, --processes and --process"
_TOGETHER = "multi_worker"
_SHAPE = (
    'wanted {"cluster": {"worker": ["host:port", ...]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Place:
    """One process among those of a run.

    Attributes:
        index: of this one; 0 writes the record.
        addresses: ``host:port`` of each; empty where only that of process 0
            is known.
        source: what says so: a variable, a flag or a cluster.
        by_cluster: a cluster does, and knows whose the devices are.
    """

    index: int = 0
    addresses: tuple[str, ...] = ("",)
    source: str = "TF_CONFIG"
    by_cluster: bool = False

    @property
    def count(self) -> int:
        """How many processes there are."""
        return len(self.addresses)


def of(machine: Machine) -> Place:
    """This process's place.

    Args:
        machine: as the flags say.

    Raises:
        SpecError: the settings are missing, malformed or contradict each
            other; one line.

    Source: ours.
    """
    flags = _of_flags(machine)
    name = machine.strategy
    if machine.engine != "jax":
        if flags is not None:
            raise SpecError(
                f"{_FLAGS} are for --engine=jax; the processes of "
                f"--engine={machine.engine} are told by TF_CONFIG"
            )
        return of_config() if name == _TOGETHER else Place()
    if name not in (_TOGETHER, "tpu"):
        if flags is not None:
            raise SpecError(
                f"{_FLAGS} go with --strategy={_TOGETHER}, got "
                f"--strategy={name}"
            )
        return Place()
    config = of_config() if os.environ.get("TF_CONFIG") else None
    if flags is not None and config is not None:
        _refuse_other(flags, config)
    return flags or config or _of_cluster(name)


def _of_flags(machine: Machine) -> Place | None:
    """What the flags say; None if they say nothing."""
    given = (machine.coordinator, machine.processes, machine.process)
    if all(value is None for value in given):
        return None
    address, count, index = given
    if address is None or count is None or index is None:
        raise SpecError(f"{_FLAGS}: wanted all three or none")
    if not _is_address(address):
        raise SpecError(f"--coordinator: wanted HOST:PORT, got '{address}'")
    if index >= count:
        raise SpecError(
            f"--process: wanted 0 to {count - 1} of --processes={count}, got "
            f"{index}"
        )
    return Place(index, _known(address, count), "--coordinator")


def _known(address: str, count: int) -> tuple[str, ...]:
    return (address, *[""] * (count - 1))


def _refuse_other(flags: Place, config: Place) -> None:
    """Refuses flags and a TF_CONFIG that do not say the same."""
    for what, flag, other in (
        ("--processes", flags.count, config.count),
        ("--process", flags.index, config.index),
        ("--coordinator", flags.addresses[0], config.addresses[0]),
    ):
        if flag != other:
            raise SpecError(
                f"{what}={flag} does not fit TF_CONFIG, which says {other}; "
                "give one of the two"
            )


def _of_cluster(name: str) -> Place:
    job = clusters.job()
    if job is not None:
        addresses = _known(job.address, job.count)
        return Place(job.index, addresses, job.source, by_cluster=True)
    if name == _TOGETHER:
        raise SpecError(
            f"--strategy={_TOGETHER}: wanted {_FLAGS}, a TF_CONFIG, or a job "
            "of Slurm or of several Cloud TPU hosts; there is none"
        )
    return Place()


def of_config() -> Place:
    """Reads this worker's place from TF_CONFIG.

    Raises:
        SpecError: one line that says what is wrong with TF_CONFIG.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        raise SpecError(f"TF_CONFIG is not set; {_SHAPE}")
    try:
        config = json.loads(text)
        workers = config["cluster"]["worker"]
        kind, index = config["task"]["type"], config["task"]["index"]
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(
            f"TF_CONFIG is malformed ({type(error).__name__}: {error}); "
            f"{_SHAPE}"
        ) from None
    if set(config["cluster"]) != {"worker"} or kind != "worker":
        raise SpecError(f"TF_CONFIG: only workers are supported; {_SHAPE}")
    if not isinstance(workers, list) or not all(map(_is_address, workers)):
        raise SpecError(f"TF_CONFIG: worker addresses are malformed; {_SHAPE}")
    if len(set(workers)) < len(workers):
        raise SpecError(f"TF_CONFIG: two workers have one address; {_SHAPE}")
    if type(index) is not int or not 0 <= index < len(workers):
        raise SpecError(
            f"TF_CONFIG: wanted a task index of 0 to {len(workers) - 1}, "
            f"got {index!r}"
        )
    return Place(index, tuple(workers))


def _is_address(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    host, _, port = text.rpartition(":")
    is_number = port.isascii() and port.isdecimal() and len(port) < 6
    return bool(host) and is_number and 0 < int(port) < 65536
