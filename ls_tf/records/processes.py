"""What the system says of processes: which they are, and whether they live.

A process is named by its number only within a PID namespace of one boot of one
machine. Containers have namespaces of their own, often under one host name.
"""

import functools
import os
import socket
from collections.abc import Mapping
from typing import Any

from etils.epath import Path

# The inode of the namespace that a machine starts with: PROC_PID_INIT_INO of
# include/linux/proc_ns.h. Linux gives it to no other.
_OF_THE_MACHINE = "pid:[4026531836]"


def _text(path: str) -> str:
    try:
        return str(Path(path).read_text()).strip()
    except (OSError, ValueError):
        return ""


def boot() -> str:
    """The id of the system's start; empty where it does not say."""
    return _text("/proc/sys/kernel/random/boot_id")


def namespace() -> str:
    """The PID namespace of this process; empty where there are none."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


@functools.cache
def machine() -> str:
    """The id of the machine; empty in containers, which may share one."""
    return _text("/etc/machine-id") if namespace() == _OF_THE_MACHINE else ""


def _words(pid: int | str) -> list[str]:
    """The fields of a process from its state on; empty if unknown."""
    head, _, tail = _text(f"/proc/{pid}/stat").rpartition(")")
    return tail.split() if head else []


def _shows_this_namespace() -> bool:
    """Whether /proc numbers processes as this namespace does."""
    return _text("/proc/self/stat").partition(" ")[0] == str(os.getpid())


def state(pid: int) -> tuple[str, str]:
    """A process's state and its start in clock ticks since which boot.

    The start tells a lock's owner from a later process with the same number.

    Returns:
        (state letter, start); empty where the system does not say.
    """
    words, of = _words(pid), boot()
    if len(words) < 20 or not of or not _shows_this_namespace():
        return "", ""
    return words[0], f"{of}:{words[19]}"


def this() -> dict[str, Any]:
    """What tells this process from all others, on this machine or another."""
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "process": state(os.getpid())[1],
        "boot": boot(),
        "namespace": namespace(),
        "machine": machine(),
    }


def is_near(process: Mapping[str, Any]) -> bool:
    """Whether a process is of this boot and this PID namespace.

    Args:
        process: of ``this``, there and then.
    """
    return _same(process, this(), "boot", "namespace")


def is_dead(process: Mapping[str, Any]) -> bool:
    """Whether a process has provably ended.

    That can be known of one that is near, and of one of this machine before
    it was started again. What does not say its namespace, as on a system
    that has none, is judged by host name and number; not from within a
    container, where others may have the same ones.

    Args:
        process: of ``this``, there and then.
    """
    here = this()
    if not process.get("namespace"):
        is_outside = here["namespace"] in ("", _OF_THE_MACHINE)
        return is_outside and _same(process, here, "host") and _ended(process)
    if is_near(process):
        return _ended(process)
    return (
        _same(process, here, "machine", "host")
        and bool(process.get("boot") and here["boot"])
        and process["boot"] != here["boot"]
    )


def _same(
    process: Mapping[str, Any], here: Mapping[str, Any], *names: str
) -> bool:
    """Whether fields are known and equal."""
    return all(here[n] and process.get(n) == here[n] for n in names)


def _ended(process: Mapping[str, Any]) -> bool:
    """Whether a process of this namespace has ended."""
    pid, started = process.get("pid"), process.get("process")
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass  # somebody else's process
    letter, since = state(pid)
    # A zombie has ended, though its parent has not asked how.
    if letter in ("Z", "X"):
        return True
    return bool(started and since) and since != started
