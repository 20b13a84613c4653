"""The devices of a run on JAX."""

import os
from typing import Any

from ls_tf.spec import SpecError


def make(
    strategy: str, *, logical_devices: int = 1, deterministic: bool = False
) -> list[Any]:
    """Finds the devices; must come before any other JAX work.

    Args:
        strategy: "default" (the first device) or "mirrored" (all local ones).
        logical_devices: how many devices to make of one CPU.
        deterministic: the same result from run to run on a GPU too.

    Returns:
        list of jax.Device, of one kind.

    Raises:
        SpecError: there is no device, or JAX has started with other ones.

    Source: ours.
    """
    if deterministic:
        flags = os.environ.get("XLA_FLAGS", "")
        wanted = "--xla_gpu_deterministic_ops=true"
        os.environ["XLA_FLAGS"] = f"{flags} {wanted}".strip()
    import jax

    try:
        if logical_devices > 1:
            update: Any = jax.config.update
            update("jax_num_cpu_devices", logical_devices)
        devices: list[Any] = jax.local_devices()
    except RuntimeError as error:
        line = " ".join(str(error).split())
        raise SpecError(f"--engine=jax found no device: {line}") from None
    if logical_devices > 1 and len(devices) != logical_devices:
        raise SpecError(
            f"--logical_devices={logical_devices} is for CPUs, got "
            f"{len(devices)} of {devices[0].device_kind}"
        )
    return devices if strategy == "mirrored" else devices[:1]
