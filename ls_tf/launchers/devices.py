"""The devices of this machine, and how a process is given one of them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from etils.epath import Path

from ls_tf import stopping
from ls_tf.running.machine import Machine
from ls_tf.running.session import Session
from ls_tf.spec import SpecError

# Without one of these files there is nothing but CPUs, and no engine need be
# started to say so.
_DRIVERS = (
    *("/dev/nvidiactl", "/dev/dxg", "/dev/kfd"),
    *("/dev/accel0", "/dev/vfio/0"),
)
_ASK = "from ls_tf.launchers import devices; devices.tell({!r})"


@dataclass(frozen=True)
class Device:
    """A device, as a process is given it.

    Attributes:
        environment: variables that show it this one alone.
    """

    environment: Mapping[str, str] = field(default_factory=dict)


def all_of(machine: Machine) -> list[Device]:
    """The devices of this machine that an engine can use, each for one run.

    Args:
        machine: with a strategy that takes several devices, all are one.

    Returns:
        list, of at least one; of CPUs there is one.

    Raises:
        SpecError: the engine does not say; one line.
        StoppedError: a signal came.

    Source: ours.
    """
    is_cpu = not any(Path(driver).exists() for driver in _DRIVERS)
    if machine.strategy != "default" or is_cpu:
        return [Device()]
    asked = stopping.aside(
        lambda: subprocess.run(
            [sys.executable, "-c", _ASK.format(machine.engine)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    )
    lines = asked.stdout.splitlines()
    if asked.returncode or not lines:
        said = (asked.stderr.splitlines() or ["nothing"])[-1]
        raise SpecError(
            f"--launcher=local: {machine.engine} does not say which devices "
            f"there are: {said}"
        )
    kind, count = json.loads(lines[-1])
    return of_kind(kind, count)


def of_kind(kind: str, count: int) -> list[Device]:
    """The devices of a kind, one by one.

    Args:
        kind: CPU, GPU or TPU.
        count: how many an engine sees.
    """
    if kind == "TPU":
        # Not run on one.
        bounds = {
            "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1",
            "TPU_PROCESS_BOUNDS": "1,1,1",
        }
        return [
            Device({**bounds, "TPU_VISIBLE_CHIPS": str(i)})
            for i in range(count)
        ]
    if kind != "GPU":
        return [Device()]
    # A number, or the name that a user or a batch system has chosen.
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in shown.split(",") if name.strip()]
    names = names or [str(i) for i in range(count)]
    return [Device({"CUDA_VISIBLE_DEVICES": name}) for name in names[:count]]


def tell(engine: str) -> None:
    """Prints the kind and the number of devices that an engine sees.

    It is for a process of its own: an engine keeps devices to its process.
    """
    session = Session(Machine(engine=engine, strategy="mirrored"))
    if engine == "jax":
        devices = session.jax_devices
        kind = str(devices[0].platform).upper()
        # Of a TPU, chips; some have two cores.
        count = len({getattr(device, "coords", device) for device in devices})
        kind = kind if kind in ("CPU", "TPU") else "GPU"
    else:
        names = session.strategy.extended.worker_devices
        kind = "GPU" if "GPU" in names[0].upper() else "CPU"
        count = len(names)
    print(json.dumps([kind, count]))
