"""A run directory: write it, read it, find it by its specification.

Files are whole or not there (``files``), and rows of ``metrics.csv`` count
from their end on, so that a kill at any instant leaves a readable record. Paths
go through ``etils.epath``: what works on a local disk works on ``gs://`` where
TensorFlow's file system does.
Field names and units are described in ``docs/run_record.md``.
"""

import contextlib
import errno
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from etils.epath import Path

from ls_tf.records import locks, metrics
from ls_tf.records.arrays import npz, open_npz
from ls_tf.records.files import (
    VERSION,
    RunError,
    now,
    read_json,
    write_bytes,
    write_json,
)
from ls_tf.records.locks import (
    HeldError,
    held,
    is_abandoned,
    locked,
    sweep,
)
from ls_tf.records.reading import reading
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


# Fields of ``run.json`` that only a run with an end has.
_OF_AN_END = ("reason", "eval_seconds", "steps_per_second")


def _measured(run: Mapping[str, Any]) -> list[str]:
    """The names of the measurements that a run's end makes."""
    evaluators = run["spec"]["evaluators"]
    return [f"{e['name']}_{e['role']}" for e in evaluators]


def _read_run(path: Path) -> dict[str, Any] | None:
    """Reads ``run.json``; None if the directory holds no record yet."""
    return read_json(path / "run.json", "run record")


@dataclass(frozen=True)
class Record:
    """A run as tables and figures read it."""

    path: Path
    run: dict[str, Any]

    def scalars(self, evaluator: str, role: str) -> dict[str, float]:
        """The numbers of one measurement.

        Raises:
            RunError: it was not measured; lists what was.
        """
        return dict(self.measurement(evaluator, role)["scalars"])

    def measurement(self, evaluator: str, role: str) -> dict[str, Any]:
        """One measurement whole: split, step, count, scalars.

        Raises:
            RunError: it was not measured; lists what was.
        """
        folder = self.path / "measurements"
        file = folder / f"{evaluator}_{role}.json"
        measurement = read_json(file, "measurement")
        if measurement is None:
            existing = sorted(
                p.name[: -len(".json")]
                for p in (folder.iterdir() if folder.exists() else ())
                if p.name.endswith(".json")
            )
            raise RunError(
                f"{self.path} has no measurement {evaluator}_{role}; "
                f"existing: {', '.join(existing) or 'none'}"
            )
        return measurement

    def arrays(self, evaluator: str, role: str) -> dict[str, np.ndarray]:
        """The arrays of one measurement.

        Raises:
            RunError: it was not measured, has no arrays or is damaged.
        """
        self.measurement(evaluator, role)
        file = self.path / "measurements" / f"{evaluator}_{role}.npz"
        try:
            return dict(open_npz(file))
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(f"{file} cannot be read: {error}") from None

    def metrics(self) -> list[dict[str, float]]:
        """The rows of ``metrics.csv``; a cell that is empty is left out.

        Raises:
            RunError: it is damaged, or not whole though the run is finished.
        """
        file = self.path / metrics.NAME
        with reading(file, "table of metrics", RunError):
            data = file.read_bytes() if file.exists() else b""
        if self.run.get("outcome") == "finished":
            metrics.check_end(file, data, self.run.get("steps"))
        return metrics.read(file, data)


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
    path = Path(runs_dir) / identity.folder
    run = _read_run(path)
    if run is None or run.get("outcome") != "finished":
        return None
    return Record(path, run) if run.get("digest") == identity.digest else None


def checkpoint_folder(runs_dir: str, identity: RunIdentity) -> Path:
    """Where the checkpoints of a run lie, whether or not there are any."""
    return Path(runs_dir) / identity.folder / "checkpoints"


class RunDirectory:
    """A run directory being written, by one process."""

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        """Takes an opened directory; use ``opened``."""
        self.path = path
        self.run = run
        file = path / metrics.NAME
        self._metrics = metrics.Metrics(
            file, lambda data: write_bytes(file, data), file.unlink
        )

    @property
    def tensorboard(self) -> Path:
        """Where the TensorBoard files lie."""
        return self.path / "tensorboard"

    @property
    def finished(self) -> bool:
        """Whether the training has reached its last step."""
        return self.run.get("outcome") == "finished"

    def update(self, **fields: Any) -> None:
        """Changes fields of ``run.json``, after the open row is written."""
        self.flush()
        self.run.update(fields)
        write_json(self.path / "run.json", self.run)

    def rewind(self, step: int) -> None:
        """Drops what the run makes again as it goes on from a step.

        That is the rows of later steps, the measurements if these were made
        at a later step, and what ``run.json`` says of an end.
        """
        self._metrics.rewind(step)
        if step < int(self.run.get("steps", 0)):
            for name in _measured(self.run):
                for kind in (".json", ".npz"):
                    file = self.path / "measurements" / f"{name}{kind}"
                    file.unlink(missing_ok=True)
        for field in _OF_AN_END:
            self.run.pop(field, None)
        self.run["ended"] = None

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Adds values to the row of a step, which is open until ``flush``."""
        self._metrics.log(step, values)

    def flush(self) -> None:
        """Writes the open row of ``metrics.csv``."""
        self._metrics.flush()

    def measure(
        self,
        evaluator: str,
        role: str,
        *,
        split: str,
        step: int,
        count: int,
        scalars: Mapping[str, float],
        arrays: Mapping[str, np.ndarray],
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Writes one measurement."""
        stem = self.path / "measurements"
        if arrays:
            write_bytes(stem / f"{evaluator}_{role}.npz", npz(arrays))
        write_json(
            stem / f"{evaluator}_{role}.json",
            {
                "version": VERSION,
                "evaluator": evaluator,
                "role": role,
                "split": split,
                "step": step,
                "count": count,
                "digest": self.run["digest"],
                "measured": now(),
                "git": self.run["history"][-1].get("git"),
                "scalars": {k: float(v) for k, v in scalars.items()},
                **({"notes": dict(notes)} if notes else {}),
            },
        )


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
        RunError: another digest, another process, a newer version, or a
            directory that cannot be written; nothing is changed then.
    """
    path = Path(runs_dir) / identity.folder
    with contextlib.ExitStack() as stack:
        with _refusals(path):
            _refuse_other(path, identity)
            stack.enter_context(locked(path))
            sweep(path)
            # Read again: it may have changed before the lock was ours.
            run = _refuse_other(path, identity)
            if run is None:
                run = _new_run(identity, facts)
            directory = RunDirectory(path, run)
            history = list(run.get("history", []))
            history.append({"started": now(), **facts})
            directory.update(history=history)
        try:
            yield directory
            directory.flush()
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                with _refusals(path, below_only=True):
                    raise
            raise


@contextlib.contextmanager
def _refusals(path: Path, *, below_only: bool = False) -> Iterator[None]:
    """Says in one line that a directory cannot be used."""
    try:
        yield
    except OSError as error:
        is_below = str(error.filename).startswith(str(path))
        if error.errno not in _REFUSED or (below_only and not is_below):
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
            where a directory should be; nothing is written.
    """
    root = Path(runs_dir)
    path = root / identity.folder
    with _refusals(path):
        for folder in (root, path.parent.parent, path.parent, path):
            if folder.exists() and not folder.is_dir():
                raise RunError(
                    f"run directory {path} cannot be made: {folder} is not "
                    "a directory"
                )
        _refuse_other(path, identity)
        lock = path / "lock"
        if is_writer and lock.exists() and not is_abandoned(lock):
            raise HeldError(held(lock))


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


def _refuse_other(path: Path, identity: RunIdentity) -> dict[str, Any] | None:
    run = _read_run(path)
    if run is not None and run.get("digest") != identity.digest:
        raise RunError(
            f"run directory {path} holds another specification (digest "
            f"{str(run.get('digest'))[:12]}, wanted {identity.digest[:12]}); "
            "use another --runs_dir or move it away"
        )
    return run
