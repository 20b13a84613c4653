"""A run directory: write it, read it, find it by its specification.

Files are whole or not there (``files``), and rows of ``metrics.csv`` count
from their end on, so that a kill at any instant leaves a readable record. Paths
go through ``etils.epath``: what works on a local disk works on ``gs://`` where
TensorFlow's file system does.
Field names and units are described in ``docs/run_record.md``.
"""

import contextlib
import errno
from collections.abc import Iterator, Mapping
from typing import Any

from etils.epath import Path

from ls_tf.records import digests, locks, metrics
from ls_tf.records.directory import RunDirectory, measured
from ls_tf.records.files import VERSION, RunError, give_back, now
from ls_tf.records.local import is_there, kind_of, may_write, number_of
from ls_tf.records.locks import (
    HeldError,
    held,
    is_abandoned,
    locked,
    sweep,
)
from ls_tf.records.record import (
    MEASUREMENTS,
    RUN,
    Record,
    read_record,
)
from ls_tf.spec import as_dict
from ls_tf.spec.resolve import RunIdentity

__all__ = [
    "HeldError",
    "Path",
    "Record",
    "RunDirectory",
    "RunError",
    "checkpoint_folder",
    "find",
    "holder",
    "now",
    "opened",
    "refusals",
    "refuse",
    "tidy",
]

# A directory that cannot be used, rather than a full disk or a bug.
_REFUSED = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)


def find(runs_dir: str, identity: RunIdentity) -> Record | None:
    """Finds the finished record of a run.

    Args:
        runs_dir: where records lie.
        identity: the run.

    Returns:
        The record; None if the run is missing, unfinished or of another
        digest.

    Raises:
        RunError: the record cannot be read, or is of a newer version.
    """
    record = read_record(Path(runs_dir) / identity.folder)
    if record is None or not record.is_finished:
        return None
    return record if record.run["digest"] == identity.digest else None


def everything(runs_dir: str) -> list[Record]:
    """Reads the finished records of a folder.

    Args:
        runs_dir: where records lie.

    Returns:
        list: by their paths; none of a folder that is not there.

    Raises:
        RunError: a record is damaged; one line.
    """
    # EXPERIMENT/CHANGES/seed=K
    files = sorted(Path(runs_dir).glob("*/*/*/run.json"))
    records = [read_record(file.parent) for file in files]
    return [r for r in records if r is not None and r.is_finished]


def checkpoint_folder(runs_dir: str, identity: RunIdentity) -> Path:
    """Where the checkpoints of a run lie, whether or not there are any."""
    return Path(runs_dir) / identity.folder / "checkpoints"


@contextlib.contextmanager
def opened(
    runs_dir: str, identity: RunIdentity, **facts: Any
) -> Iterator[RunDirectory]:
    """Opens a run directory for writing, making it where it is missing.

    Args:
        runs_dir: where records go.
        identity: the run.
        **facts: fields of ``run.json`` about this process: command, git,
            versions, devices...

    Yields:
        RunDirectory, locked to this process.

    Raises:
        RunError: another digest, other weights to start from, another process,
            a newer version, or a directory that cannot be written; nothing is
            changed then.
    """
    path = Path(runs_dir) / identity.folder
    with contextlib.ExitStack() as stack:
        with refusals(path):
            _refuse_other_weights(_refuse_other(path, identity), facts)
            _refuse_odd(path, identity)
            stack.enter_context(locked(path))
            sweep(path)
            # Read again: it may have changed before the lock was ours.
            record = _refuse_other(path, identity)
            _refuse_other_weights(record, facts)
            run = _new_run(identity, facts) if record is None else record.run
            known = None if record is None else record.digests
            directory = RunDirectory(path, run, known)
            history = list(run.get("history", []))
            history.append({"started": now(), **facts})
            directory.update(history=history)
        try:
            yield directory
            directory.close()
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                with refusals(path, below_only=True):
                    raise
            raise


@contextlib.contextmanager
def refusals(path: Path, *, below_only: bool = False) -> Iterator[None]:
    """Says in one line that a directory cannot be used.

    Args:
        path: a run directory.
        below_only: only where a file below it is named.

    Raises:
        RunError: one line.
    """
    try:
        yield
    except OSError as error:
        is_below = str(error.filename).startswith(str(path))
        if number_of(error) not in _REFUSED or (below_only and not is_below):
            raise
        raise RunError(
            f"run directory {path} cannot be written: {error.strerror or error}"
        ) from None


def refuse(
    runs_dir: str, identity: RunIdentity, *, is_writer: bool = True
) -> None:
    """Refuses a run directory that cannot be used, before any work.

    Args:
        runs_dir: where records go.
        identity: the run.
        is_writer: whether this process will write the record; of several
            workers one does, and its lock is no obstacle to the others.

    Raises:
        RunError: another digest, a living process, a newer version, or a file
            where a directory should be; nothing is written, but a record
            that was killed while it was replaced has its name again. Whether
            a process of another host or container lives may take ten minutes
            to see.
        StoppedError: the process was asked to stop meanwhile.
    """
    root = Path(runs_dir)
    path = root / identity.folder
    with refusals(path):
        for folder in (root, path.parent.parent, path.parent, path):
            if is_there(folder) and not folder.is_dir():
                raise RunError(
                    f"run directory {path} cannot be made: {folder} is not "
                    "a directory"
                )
        if is_writer:
            give_back(path.parent)
        _refuse_other(path, identity)
        _refuse_odd(path, identity)
        if is_writer:
            locks.await_sign(path)


def tidy(runs_dir: str, identity: RunIdentity) -> None:
    """Removes what a process left that was killed behind the record's end."""
    locks.tidy(Path(runs_dir) / identity.folder)


def holder(runs_dir: str, identity: RunIdentity) -> str | None:
    """Says which living process works on a run; None if none does."""
    lock = Path(runs_dir) / identity.folder / "lock"
    if not lock.exists() or is_abandoned(lock):
        return None
    return held(lock)


def _new_run(identity: RunIdentity, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "experiment": identity.experiment,
        "changes": as_dict(identity.changes),
        "smoke": identity.smoke,
        "seed": identity.seed,
        "digest": identity.digest,
        "spec": as_dict(identity.spec),
        **facts,
        "started": now(),
        "ended": None,
        "outcome": "running",
        "step": 0,
    }


def _refuse_other(path: Path, identity: RunIdentity) -> Record | None:
    """The record that the run goes on with; None if it begins."""
    record = read_record(path)
    if record is None:
        return None
    digest = record.run["digest"]
    if digest != identity.digest:
        raise RunError(
            f"run directory {path} holds another specification (digest "
            f"{digest[:12]}, wanted {identity.digest[:12]}); "
            "use another --runs_dir or move it away"
        )
    record.table()  # measurements can be made again, rows cannot
    return record


def _refuse_other_weights(
    record: Record | None, facts: Mapping[str, Any]
) -> None:
    """Refuses a file of weights that was another when the run began.

    A run is named by the file's name. Its content is not known to who looks for
    the run, a report on another machine say, which need not have the file.
    """
    began = {} if record is None else record.run.get("weights", {})
    now = facts.get("weights", began)
    if record is not None and now != began:
        raise RunError(
            f"run directory {record.path} began from other weights: "
            f"{began.get('file')} had SHA-256 {began.get('sha256', '')[:12]}, "
            f"has {now['sha256'][:12]} now; use another --runs_dir, or give "
            "the file another name"
        )


def _refuse_odd(path: Path, identity: RunIdentity) -> None:
    """Refuses what has the name of a file or folder that will be written.

    Further entries are nobody's business and are passed over.

    Raises:
        RunError: it is something else, is not of this run, or may not be
            written to: now, and not after the work.
    """
    names = measured({"spec": as_dict(identity.spec)})
    for name in (RUN, digests.NAME, metrics.NAME, *names):
        entry = path / name
        if is_there(entry) and (kind := kind_of(entry)) != "a file":
            raise RunError(
                f"run directory {path} cannot be used: {entry} is {kind}, "
                "wanted a file; move it away"
            )
    for name in (MEASUREMENTS, "checkpoints", "tensorboard"):
        entry = path / name
        if not is_there(entry):
            continue
        if not entry.is_dir():
            raise RunError(
                f"run directory {path} cannot be used: {entry} is "
                f"{kind_of(entry)}, wanted a directory; move it away"
            )
        if not may_write(entry):
            raise RunError(
                f"run directory {path} cannot be written: {entry}: Permission "
                "denied"
            )
    if not is_there(path / RUN) and _has_checkpoints(path):
        raise RunError(
            f"run directory {path} has checkpoints and no {RUN} that says of "
            "what; put it back, or move the run directory away"
        )


def _has_checkpoints(path: Path) -> bool:
    folder = path / "checkpoints"
    return folder.is_dir() and any(
        entry.name.startswith("step-") for entry in folder.iterdir()
    )
