"""The devices of a run on JAX."""

import os
from typing import Any

from ls_tf import extras
from ls_tf.spec import SpecError
from ls_tf.training import device_errors, jax_processes

# Options of JAX that change numbers or programs, at JAX's own defaults: a
# program that has loaded JAX before us may have set them. What a user's
# environment says of them is taken away before, see ``running.surroundings``.
_OPTIONS: dict[str, Any] = {
    "jax_enable_x64": False,
    "jax_default_matmul_precision": None,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_disable_jit": False,
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_transfer_guard": None,
}


def make(
    strategy: str,
    *,
    logical_devices: int = 1,
    deterministic: bool = False,
    process: tuple[int, int] = (0, 1),
    coordinator: str = "",
    by_cluster: bool = False,
) -> list[Any]:
    """Finds the devices; must come before any other JAX work.

    Args:
        strategy: "default" (the first device), "mirrored" (all local ones),
            "multi_worker" (those of all processes), or "tpu" (all, and they
            must be TPUs).
        logical_devices: how many devices to make of one CPU.
        deterministic: the same result from run to run on a GPU too.
        process: this one's index and how many there are.
        coordinator: of several processes: see ``jax_processes.start``.
        by_cluster: likewise.

    Returns:
        list of jax.Device, of one kind; those of several processes in the
        order of the processes.

    Raises:
        SpecError: there is no device, or JAX has started with other ones.

    Source: ours.
    """
    if deterministic:
        flags = os.environ.get("XLA_FLAGS", "")
        wanted = "--xla_gpu_deterministic_ops=true"
        os.environ["XLA_FLAGS"] = f"{flags} {wanted}".strip()
    import jax

    update: Any = jax.config.update
    for name, value in _OPTIONS.items():
        update(name, value)
    try:
        if logical_devices > 1:
            update("jax_num_cpu_devices", logical_devices)
        if process[1] > 1:
            jax_processes.start(*process, coordinator, by_cluster=by_cluster)
        devices: list[Any] = jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        # JAX asserts that JAX_PLATFORMS names no platform without a device.
        platforms = os.environ.get("JAX_PLATFORMS")
        among = f" (JAX_PLATFORMS={platforms})" if platforms else ""
        said = " ".join(str(error).split()) or "it has none"
        todo = device_errors.reason(said) or (
            "name one that is there, such as cpu, or none; GPUs want "
            f"{extras.install('jax-cuda')}, TPUs {extras.install('jax-tpu')}"
        )
        raise SpecError(
            f"--engine=jax found no device{among}: {said}; {todo}"
        ) from None
    if logical_devices > 1 and len(devices) != logical_devices:
        raise SpecError(
            f"--logical_devices={logical_devices} is for CPUs, got "
            f"{len(devices)} of {devices[0].device_kind}"
        )
    if strategy == "tpu" and devices[0].platform != "tpu":
        raise SpecError(
            "--strategy=tpu found no TPU; it wants a Cloud TPU VM and "
            f"{extras.install('jax-tpu')}, see docs/accelerators.md; JAX "
            f"found {devices[0].device_kind}"
        )
    if process[1] > 1:
        return jax_processes.together()
    return devices[:1] if strategy == "default" else devices
