"""What Slurm and Cloud TPU say of the processes that they have started.

JAX finds the same by itself, but only as it starts; the processes meet before.
So hosts and ports are chosen by JAX's rules.
"""

import os
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ls_tf.spec import SpecError

# Of a job's number JAX makes a port: the last 4096 ones.
_SLURM_PORTS = 2**12
_TPU_PORT = 8482
_TPUS = ("/dev/accel0", "/dev/vfio/0")  # where a TPU VM has its chips
_METADATA_SECONDS = 10.0


@dataclass(frozen=True)
class Job:
    """This process among those of a cluster's job.

    Attributes:
        index: of this one.
        count: how many there are.
        address: ``host:port`` of process 0.
        source: what says so.
    """

    index: int
    count: int
    address: str
    source: str


def job() -> Job | None:
    """The job of this process; None where no cluster is known.

    Raises:
        SpecError: what the cluster says makes no sense; one line.

    Source: the rules of jax._src.clusters, JAX 0.10.
    """
    environment = os.environ
    for name, read in (("Slurm", _slurm), ("Cloud TPU", _tpu)):
        try:
            found = read(environment)
        except (ValueError, KeyError, IndexError, OSError) as error:
            line = " ".join(str(error).split())[:200]
            raise SpecError(
                f"{name} does not say which process this is "
                f"({type(error).__name__}: {line}); wanted --coordinator, "
                "--processes and --process"
            ) from None
        if found is not None:
            return found
    return None


def _job(index: int, count: int, address: str, source: str) -> Job:
    if not 0 <= index < count:
        raise ValueError(f"wanted process 0 to {count - 1}, got {index}")
    return Job(index, count, address, source)


def _slurm(environment: Mapping[str, str]) -> Job | None:
    parts = ("JOB_ID", "STEP_NODELIST", "NTASKS", "PROCID", "LOCALID")
    names = [f"SLURM_{part}" for part in parts]
    if not all(name in environment for name in names):
        return None  # a shell of a job, but no step of it
    number, nodes, count, index, _ = (environment[name] for name in names)
    # The first host of ``node001``, ``node001,other`` or ``node[001-015,2]``.
    first = re.match(r"([^,\[]+)(?:\[([^,\-\]]+))?", nodes)
    if first is None:
        raise ValueError(f"SLURM_STEP_NODELIST: wanted hosts, got '{nodes}'")
    port = 65536 - _SLURM_PORTS + int(number) % _SLURM_PORTS
    address = f"{first[1]}{first[2] or ''}:{port}"
    return _job(int(index), int(count), address, "Slurm")


def _tpu(environment: Mapping[str, str]) -> Job | None:
    hosts = environment.get("TPU_PROCESS_ADDRESSES") or environment.get(
        "TPU_WORKER_HOSTNAMES"
    )
    if hosts is not None:  # Kubernetes
        number = environment["TPU_WORKER_ID"]
    elif any(pathlib.Path(path).exists() for path in _TPUS):
        hosts = _metadata("worker-network-endpoints")
        number = _metadata("agent-worker-number")
    else:
        return None
    # A host by itself, or number:name:address.
    parts = [host.split(":") for host in hosts.split(",")]
    names = [part[2] if len(part) == 3 else part[0] for part in parts]
    slices = int(environment.get("MEGASCALE_NUM_SLICES", "1"))
    place = int(environment.get("MEGASCALE_SLICE_ID", "0"))
    first = environment.get("MEGASCALE_COORDINATOR_ADDRESS", names[0])
    return _job(
        int(number) + place * len(names),
        len(names) * slices,
        f"{first.split(':')[0]}:{_TPU_PORT}",
        "Cloud TPU",
    )


def _metadata(name: str) -> str:
    """An attribute of this virtual machine, from its metadata server."""
    import urllib.request  # takes long to load

    server = os.environ.get("GCE_METADATA_IP", "metadata.google.internal")
    request = urllib.request.Request(
        f"http://{server}/computeMetadata/v1/instance/attributes/{name}",
        headers={"Metadata-Flavor": "Google"},
    )
    with urllib.request.urlopen(request, timeout=_METADATA_SECONDS) as answer:
        return str(answer.read().decode()).strip()
