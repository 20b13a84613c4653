"""One process at a time in a run directory."""

import contextlib
import errno
import json
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from etils.epath import Path

from ls_tf.records.files import RunError, leftovers, now, write_json


class HeldError(RunError):
    """Another process works in the run directory."""


def _alive(pid: int, started: str) -> bool:
    """Whether the process that took a lock on this host still runs."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's process
    state, since = _process(pid)
    # A zombie has ended, though its parent has not asked how.
    if state in ("Z", "X"):
        return False
    return not started or since in ("", started)


def _process(pid: int) -> tuple[str, str]:
    """A process's state and its start in clock ticks since which boot.

    The start tells a lock's owner from a later process with the same number.

    Returns:
        (state letter, start); empty where the system does not say.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return "", ""
    words = stat.rpartition(")")[2].split()
    return words[0], f"{boot.strip()}:{words[19]}"


def _grave(path: Path, token: str) -> Path:
    return path / f".lock.{token}.tmp"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a run directory for this process alone.

    The lock is a directory that names its owner. It is made whole under
    another name and renamed, which has one winner and leaves no instant
    without an owner. A lock whose owner died on this host is taken over.

    Raises:
        HeldError: another process does; the message names pid and host.
    """
    token = uuid.uuid4().hex
    owner = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "process": _process(os.getpid())[1],
        "since": now(),
        "token": token,
    }
    _take(path, owner)
    try:
        yield
    finally:
        lock, grave = path / "lock", _grave(path, token)
        with contextlib.suppress(OSError):
            if owner_of(lock).get("token") == token:
                sweep(path, graves=True)
                lock.rename(grave)
                grave.rmtree()


def _take(path: Path, owner: dict[str, Any]) -> None:
    """Makes the lock, or says who has it."""
    lock, own = path / "lock", _grave(path, owner["token"])
    for attempt in range(5):
        try:
            write_json(own / "owner.json", owner)
            own.rename(lock)
            return
        except FileNotFoundError:
            # Whoever lets go of the lock sweeps; else it cannot be made here.
            if attempt == 4:
                raise
            continue
        except OSError as error:
            if error.errno not in (None, errno.EEXIST, errno.ENOTEMPTY):
                raise
        holder = owner_of(lock)
        if is_abandoned(holder):
            _bury(path, holder)
        elif lock.exists():
            break
    with contextlib.suppress(OSError):
        own.rmtree()
    raise HeldError(held(lock))


def _bury(path: Path, dead: dict[str, Any]) -> None:
    """Removes a dead owner's lock, and no other.

    Of processes that take over at once, one renames the lock; a late one
    finds the grave taken, or has to give back the lock that it finds in it.
    """
    lock, grave = path / "lock", _grave(path, str(dead.get("token")))
    with contextlib.suppress(OSError):
        lock.rename(grave)
        if owner_of(grave).get("token") != dead.get("token"):
            grave.rename(lock)


def sweep(path: Path, *, graves: bool = False) -> None:
    """Removes what killed processes left half-written; only for the owner.

    Args:
        path: the run directory.
        graves: also the locks of the dead; kept as long as another process
            may be about to bury the same one.
    """
    for left in leftovers(path) + leftovers(path / "measurements"):
        if graves or not left.name.startswith(".lock."):
            with contextlib.suppress(OSError):
                left.rmtree()


def owner_of(lock: Path) -> dict[str, Any]:
    """Who made a lock; empty if that cannot be read."""
    try:
        owner = json.loads((lock / "owner.json").read_text())
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def is_abandoned(owner: Mapping[str, Any]) -> bool:
    """Whether a lock's owner has died; only this host's are known to."""
    pid = owner.get("pid")
    if owner.get("host") != socket.gethostname():
        return False
    if not isinstance(pid, int) or pid <= 0:
        return False
    return not _alive(pid, str(owner.get("process", "")))


def held(lock: Path) -> str:
    """Says who holds a lock, in one line."""
    owner = owner_of(lock)
    if not owner:
        return (
            f"run directory {lock.parent} is locked by an unknown process; "
            f"remove {lock} if no process works there"
        )
    return (
        f"run directory {lock.parent} is in use by pid {owner.get('pid')} on "
        f"{owner.get('host')} since {owner.get('since')}; "
        f"if that process is gone, remove {lock}"
    )
