"""The devices of a run: a tf.distribute strategy by name.

One strategy a process: a second one with other tensor shapes can break the
first one's collectives.
"""

import json
import os
from typing import Any

from etils import epath

from ls_tf.spec import SpecError, nearest

_TPUS = ("/dev/accel0", "/dev/vfio/0")  # where a TPU VM has its chips
NAMES = ("default", "mirrored", "multi_worker", "tpu")


def check(name: str, environment: dict[str, str] | None = None) -> None:
    """Refuses an unknown strategy or a malformed TF_CONFIG, without TF.

    Raises:
        SpecError: one line.
    """
    if name not in NAMES:
        raise SpecError(f"no strategy '{name}'; {nearest(name, NAMES)}")
    if name == "multi_worker":
        place(environment)


def place(
    environment: dict[str, str] | None = None,
) -> tuple[int, tuple[str, ...]]:
    """Reads this worker's place from TF_CONFIG.

    Args:
        environment: default: the process's own.

    Returns:
        (index, addresses ``host:port`` of all workers).

    Raises:
        SpecError: one line that says what is wrong with TF_CONFIG.
    """
    environment = dict(os.environ) if environment is None else environment
    text = environment.get("TF_CONFIG", "")
    shape = (
        'wanted {"cluster": {"worker": ["host:port", ...]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    if not text:
        raise SpecError(f"TF_CONFIG is not set; {shape}")
    try:
        config = json.loads(text)
        workers = config["cluster"]["worker"]
        kind, index = config["task"]["type"], config["task"]["index"]
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(
            f"TF_CONFIG is malformed ({type(error).__name__}: {error}); {shape}"
        ) from None
    if set(config["cluster"]) != {"worker"} or kind != "worker":
        raise SpecError(f"TF_CONFIG: only workers are supported; {shape}")
    if not isinstance(workers, list) or not all(map(_is_address, workers)):
        raise SpecError(f"TF_CONFIG: worker addresses are malformed; {shape}")
    if len(set(workers)) < len(workers):
        raise SpecError(f"TF_CONFIG: two workers have one address; {shape}")
    if type(index) is not int or not 0 <= index < len(workers):
        raise SpecError(
            f"TF_CONFIG: wanted a task index of 0 to {len(workers) - 1}, "
            f"got {index!r}"
        )
    return index, tuple(workers)


def _is_address(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    host, _, port = text.rpartition(":")
    is_number = port.isascii() and port.isdecimal() and len(port) < 6
    return bool(host) and is_number and 0 < int(port) < 65536


def worker(name: str) -> tuple[int, tuple[str, ...]]:
    """This process's index and the addresses of all; the first writes.

    Raises:
        SpecError: TF_CONFIG malformed.
    """
    return place() if name == "multi_worker" else (0, ("",))


def make(name: str, *, logical_devices: int = 1) -> Any:
    """Makes the strategy; must come before any other TensorFlow work.

    Args:
        name: "default" (one device), "mirrored" (all local GPUs, or the
            logical CPU devices), "multi_worker" (as TF_CONFIG says) or "tpu"
            (the one that TPU_NAME names, else this host's; not run on one).
        logical_devices: how many devices to make of one CPU; for tests and
            rehearsals of many devices.

    Returns:
        tf.distribute.Strategy.

    Raises:
        SpecError: unknown name, TF_CONFIG malformed, or no TPU.
    """
    check(name)
    import tensorflow as tf

    if logical_devices > 1:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * logical_devices,
        )
    if name == "mirrored":
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        devices = [d.name for d in tf.config.list_logical_devices(kind)]
        return tf.distribute.MirroredStrategy(devices)
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "tpu":
        return _tpu(tf)
    tf.config.list_logical_devices()  # starts the devices here, not later
    return tf.distribute.get_strategy()


def _tpu(tf: Any) -> Any:
    wanted = (
        "--strategy=tpu found no TPU; it wants a Cloud TPU VM and the package "
        "tensorflow-tpu, see docs/tpu.md"
    )
    name = os.environ.get("TPU_NAME", "local")
    # The resolver asks the cloud for a minute before it gives up.
    if name == "local" and not any(epath.Path(p).exists() for p in _TPUS):
        raise SpecError(f"{wanted}: no {' or '.join(_TPUS)}")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (tf.errors.OpError, ValueError) as error:
        line = " ".join(str(error).split())[:200]
        raise SpecError(f"{wanted}: {line}") from None
    return tf.distribute.TPUStrategy(resolver)
