"""One process at a time in a run directory.

A lock is a folder that names its owner. It is taken over when its owner has
provably died (``processes.is_dead``), or, where that cannot be known, as of
another host or container, when it was not renewed while this process watched
for ten minutes. Nobody compares two clocks: an owner counts, every half minute,
and who watches measures with its own clock how long the count stands still.

An owner that was stopped for so long and wakes finds another's token in the
lock before it writes the next file, and ends.
"""

import contextlib
import errno
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from etils.epath import Path

from ls_tf import stopping, streams
from ls_tf.records import processes
from ls_tf.records.files import (
    RunError,
    guarded,
    leftovers,
    now,
    overwrite,
    remove,
    write_json,
)
from ls_tf.records.local import alone, is_there, plain

_OWNER, _BEAT = "owner.json", "beat.json"
_BEAT_SECONDS = 30.0
LEASE_SECONDS = 600.0
_JOIN_SECONDS = 5.0  # longer takes a beat only where a disk hangs
# Between two looks counts no more: who watches may have been stopped itself.
_LOOK_SECONDS = 60.0
_WATCH_SECONDS = 2.0  # between two looks of who has nothing else to do
_LONGEST = 65_536  # bytes of a lock's file
_SHOWN = 60  # characters of a field
_IN_USE, _LOCKED = " is in use", " is locked"


class HeldError(RunError):
    """Another process works in the run directory."""


class LostError(RunError):
    """Another process has taken this one's lock over, or removed it."""


# --- taking and letting go


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a run directory for this process alone.

    The lock is made whole under another name and renamed, which has one
    winner and leaves no instant without an owner. As long as it is held,
    nothing is written below the directory without a look at whose it is.

    Raises:
        HeldError: another process does; the message names pid and host.
        LostError: from ``files``, in the block: it is another's now.
    """
    token = uuid.uuid4().hex
    owner = {**processes.this(), "since": now(), "token": token}
    _take(path, owner)
    ended = threading.Event()
    beat = threading.Thread(
        target=_renew, args=(path, token, ended), daemon=True, name="lock"
    )
    beat.start()
    try:
        with guarded(path, lambda: _refuse_lost(path, token)):
            yield
    finally:
        ended.set()
        beat.join(_JOIN_SECONDS)
        lock, grave = path / "lock", _grave(path, token)
        with contextlib.suppress(OSError):
            if owner_of(lock).get("token") == token:
                sweep(path, graves=True)
            with alone(path):
                if owner_of(lock).get("token") == token:
                    lock.rename(grave)
            grave.rmtree()


def _take(path: Path, owner: dict[str, Any]) -> None:
    """Makes the lock, or says who has it."""
    lock, own = path / "lock", _grave(path, owner["token"])
    for attempt in range(5):
        try:
            with alone(path.parent):  # who replaces the directory is done
                write_json(own / _OWNER, owner)
            with alone(path):
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
        seen = _seen(lock)
        if is_abandoned(lock):
            _bury(path, seen)
        elif is_there(lock):
            break
    with contextlib.suppress(OSError):
        own.rmtree()
    raise HeldError(held(lock))


def _bury(path: Path, dead: tuple[str, bytes]) -> None:
    """Removes a dead owner's lock, and no other.

    Of processes that take over at once, one renames the lock; a late one
    finds another's in its place, and leaves it. Where no process can be alone,
    it may have to give back the lock that it finds in the grave.
    """
    lock, grave = path / "lock", _grave(path, dead[0])
    with contextlib.suppress(OSError), alone(path):
        if _seen(lock) != dead:
            return
        lock.rename(grave)
        if _seen(grave) != dead:
            grave.rename(lock)


def _grave(path: Path, token: str) -> Path:
    """Where a lock is made and buried, whatever its token says."""
    name = hashlib.sha256(token.encode(errors="replace")).hexdigest()[:32]
    return path / f".lock.{name}.tmp"


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
                remove(left)


def tidy(path: Path) -> None:
    """Removes what the dead left in a directory in which nobody will work."""
    lock = path / "lock"
    if is_abandoned(lock) if is_there(lock) else leftovers(path):
        with contextlib.suppress(OSError, RunError), locked(path):
            sweep(path)


# --- the lease


def _renew(path: Path, token: str, ended: threading.Event) -> None:
    """Counts in the lock until it ends or is another's."""
    lock, count = path / "lock", 0
    while not ended.wait(_BEAT_SECONDS):
        if owner_of(lock).get("token") != token:
            return
        count += 1
        beat = {"count": count, "renewed": now()}
        # A full disk, say, is no reason to give up; the next one may succeed.
        with contextlib.suppress(Exception):
            overwrite(lock / _BEAT, json.dumps(beat).encode())


def _refuse_lost(path: Path, token: str) -> None:
    """Refuses to write where another process may work by now.

    Raises:
        LostError: one line.
    """
    lock = path / "lock"
    if owner_of(lock).get("token") == token:
        return
    if is_there(lock):
        raise LostError(
            f"lost the lock of run directory {path} and wrote nothing more: "
            + "it is"
            + held(lock).partition(" is")[2]
        )
    raise LostError(
        f"the lock of run directory {path} was removed while this process "
        "worked there; it wrote nothing more"
    )


class _Watch:
    """How long locks have stood still before this process's own eyes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[str, bytes], float, float]] = {}
        self._clock = time.monotonic

    def still(self, lock: Path) -> float:
        """Looks at a lock; the seconds for which it has not changed."""
        seen, time_now = _seen(lock), self._clock()
        known, looked, still = self._known.get(str(lock), (None, 0.0, 0.0))
        still += min(time_now - looked, _LOOK_SECONDS)
        if seen != known:
            still = 0.0
        self._known[str(lock)] = (seen, time_now, still)
        return still


_watch = _Watch()


def _read(file: Path) -> bytes:
    """Reads what may be of any size and nature; empty if that fails."""
    try:
        with plain(file).open("rb") as opened:
            data: bytes = opened.read(_LONGEST + 1)
    except Exception:  # Cloud file systems raise errors of their own.
        return b""
    return data if len(data) <= _LONGEST else b""


def _fields(file: Path) -> dict[str, Any]:
    try:
        fields = json.loads(_read(file))
    except Exception:  # also of too deep a nesting
        return {}
    return fields if isinstance(fields, dict) else {}


def _seen(lock: Path) -> tuple[str, bytes]:
    """A lock's token and its owner's count, as they are now."""
    return str(owner_of(lock).get("token")), _read(lock / _BEAT)


def owner_of(lock: Path) -> dict[str, Any]:
    """Who made a lock; empty if that cannot be read."""
    return _fields(lock / _OWNER)


def is_abandoned(lock: Path) -> bool:
    """Whether a lock's owner has died, or is as good as dead.

    Of an owner elsewhere that takes looking again and again: as good as dead
    is who has not renewed its lock in ten minutes of looks of this process.
    """
    owner = owner_of(lock)
    if processes.is_dead(owner):
        return True
    return _is_watched(owner) and _watch.still(lock) >= LEASE_SECONDS


def _is_watched(owner: dict[str, Any]) -> bool:
    """Whether an owner is elsewhere and renews its lock as long as it lives."""
    # Older programs do not, nor does what is no lock of this program.
    if not owner.get("token") or "namespace" not in owner:
        return False
    return not processes.is_near(owner)


def await_sign(path: Path) -> None:
    """Waits until it is known whether the owner of a directory's lock lives.

    Of a process of this host and container that is known at once. Of another
    the lock is watched: if its owner renews it, it lives; if not for the time
    of the lease, the lock is free to be taken over, as by the command that is
    started again in a new container after the old one was killed.

    Raises:
        HeldError: the owner lives, or nobody can know.
        StoppedError: the process was asked to stop while it waited.
    """
    lock = path / "lock"
    first: tuple[str, bytes] | None = None
    while is_there(lock) and not is_abandoned(lock):
        if not _is_watched(owner_of(lock)) or first not in (None, _seen(lock)):
            raise HeldError(held(lock))
        if first is None:
            first = _seen(lock)
            streams.say(
                f"{held(lock)}; watching for a sign of life, for "
                f"{LEASE_SECONDS:g} s at most"
            )
        with stopping.doing("watching a lock"):
            stopping.wait(_WATCH_SECONDS)


def says_held(line: str) -> bool:
    """Whether a line of another process is what ``HeldError`` says."""
    _, is_held, rest = line.partition("run directory ")
    return bool(is_held) and (_IN_USE in rest or _LOCKED in rest)


def held(lock: Path) -> str:
    """Says who holds a lock, in one line."""
    owner, beat = owner_of(lock), _fields(lock / _BEAT)
    if not owner:
        return (
            f"run directory {lock.parent}{_LOCKED} by an unknown process; "
            f"remove {lock} if no process works there"
        )

    def shown(fields: dict[str, Any], name: str) -> str:
        return " ".join(str(fields.get(name)).split())[:_SHOWN]

    renewed = f", renewed {shown(beat, 'renewed')}" if beat else ""
    return (
        f"run directory {lock.parent}{_IN_USE} by pid {shown(owner, 'pid')} "
        f"on {shown(owner, 'host')} since {shown(owner, 'since')}{renewed}; "
        f"if that process is gone, remove {lock}"
    )
