"""The devices of a run: a tf.distribute strategy by name.

One strategy a process: a second one with other tensor shapes can break the
first one's collectives.
"""

import os
from typing import Any

from etils import epath

from ls_tf.spec import SpecError, nearest

_TPUS = ("/dev/accel0", "/dev/vfio/0")  # where a TPU VM has its chips
NAMES = ("default", "mirrored", "multi_worker", "tpu")


def check(name: str) -> None:
    """Refuses an unknown strategy, without TensorFlow.

    Raises:
        SpecError: one line.
    """
    if name not in NAMES:
        raise SpecError(f"no strategy '{name}'; {nearest(name, NAMES)}")


def make(name: str, *, logical_devices: int = 1, tpu: str | None = None) -> Any:
    """Makes the strategy; must come before any other TensorFlow work.

    Args:
        name: "default" (one device), "mirrored" (all local GPUs, or the
            logical CPU devices), "multi_worker" (as TF_CONFIG says) or "tpu"
            (not run on one).
        logical_devices: how many devices to make of one CPU; for tests and
            rehearsals of many devices.
        tpu: "local" (this host's) or a name; default: TPU_NAME, else local.

    Returns:
        tf.distribute.Strategy.

    Raises:
        SpecError: unknown name, or no TPU.
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
        return _tpu(tf, tpu or os.environ.get("TPU_NAME") or "local")
    tf.config.list_logical_devices()  # starts the devices here, not later
    return tf.distribute.get_strategy()


def _tpu(tf: Any, name: str) -> Any:
    wanted = (
        "--strategy=tpu found no TPU; it wants a Cloud TPU VM and the package "
        "tensorflow-tpu, see docs/accelerators.md"
    )
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
