"""Recorded runs for programs of one's own: as a table, or as a network."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_tf import extras
from ls_tf.records.record import Record, read_record
from ls_tf.records.runs import Path, RunError, everything
from ls_tf.spec.resolve import RunIdentity, resolve

if TYPE_CHECKING:
    import keras
    import pandas as pd

__all__ = ["Network", "frame", "network", "records"]

# Of every run, and of an empty folder too.
_COLUMNS = [
    "folder",
    "experiment",
    "seed",
    "smoke",
    "engine",
    "steps",
    "train_seconds",
    "digest",
]


def records(runs_dir: str | os.PathLike[str] = "runs") -> list[Record]:
    """Reads the finished records of a folder.

    Args:
        runs_dir: where records lie.

    Returns:
        list: by their paths.

    Raises:
        ValueError: no such folder, or a record that is damaged; one line.

    Source: ours.
    """
    root = Path(os.fspath(runs_dir))
    if not root.is_dir():
        raise RunError(f"{root}: wanted a folder of runs, there is none")
    return everything(str(root))


def frame(runs_dir: str | os.PathLike[str] = "runs") -> "pd.DataFrame":
    """Lays all finished records of a folder out as a pandas frame.

    Args:
        runs_dir: where records lie.

    Returns:
        DataFrame, a row a run: folder, experiment, seed, smoke, engine,
        steps, train_seconds, digest; what was changed as ``set/PATH``; and
        each number that was measured as ``EVALUATOR/ROLE/NAME``. What a run
        does not have is missing.

    Raises:
        ImportError: pandas is not installed; one line.
        ValueError: no such folder, or a record that is damaged; one line.

    Source: ours.
    """
    with extras.needed("ls_tf.runs.frame"):
        import pandas as pd
    rows = [_row(record) for record in records(runs_dir)]
    return pd.DataFrame(rows, columns=None if rows else _COLUMNS)


def _row(record: Record) -> dict[str, Any]:
    run = record.run
    row: dict[str, Any] = {"folder": str(record.path)}
    row |= {name: run.get(name) for name in _COLUMNS[1:]}
    row |= {f"set/{path}": value for path, value in run["changes"].items()}
    for stem in record.existing():
        evaluator, _, role = stem.rpartition("_")
        for name, value in record.scalars(evaluator, role).items():
            row[f"{evaluator}/{role}/{name}"] = value
    return row


@dataclass(frozen=True)
class Network:
    """The network of a finished run, ready to be used.

    Attributes:
        model: Keras's, with the weights that were measured.
        class_names: of the data set.
    """

    model: "keras.Model"
    class_names: tuple[str, ...]
    _view: Any

    def labels(self, role: str = "report") -> np.ndarray:
        """The labels of a split: int [N], of "train", "calibrate", "report"."""
        return np.asarray(self._view.labels(role))

    def logits(self, role: str = "report") -> np.ndarray:
        """The logits of a split: float32 [N, K], each example once."""
        return np.asarray(self._view.outputs(role)["logits"])


@contextlib.contextmanager
def network(
    folder: str | os.PathLike[str],
    *,
    data_dir: str | None = None,
    engine: str | None = None,
) -> Iterator[Network]:
    """Opens a finished run of a classifier as a Keras model.

    Within the ``with`` the model has the weights that were measured, such as
    an average over steps. The record must have its checkpoint, and the data
    must be there.

    Args:
        folder: of the run: RUNS/EXPERIMENT/CHANGES/seed=K.
        data_dir: where the data lies, as the flag.
        engine: "tensorflow" or "jax"; None for the one that Keras runs on, or
            else the run's.

    Yields:
        Network.

    Raises:
        ValueError: no finished record, none of this version of its
            experiment, no checkpoint, no data, or no classifier; one line.

    Source: ours.
    """
    path = Path(os.fspath(folder))
    record = read_record(path)
    if record is None or not record.is_finished:
        raise RunError(f"{path}: wanted the folder of a finished run")
    identity = _identity(record)
    if identity.spec.task == "translation":
        raise RunError(f"{path}: wanted a classifier, it is a translation")
    from ls_tf.running import execute
    from ls_tf.running.machine import Machine
    from ls_tf.running.session import Session

    machine = Machine(
        runs_dir=str(path.parents[2]),
        data_dir=data_dir,
        engine=engine or _engine(record),
    )
    with execute.trained(identity, Session(machine)) as view:
        # What is no translation has the view of a classifier.
        found: Any = view
        yield Network(found.model, found.class_names, found)


def _identity(record: Record) -> RunIdentity:
    run = record.run
    identity = resolve(
        run["experiment"],
        changed=run["changes"],
        seed=run["seed"],
        smoke=run["smoke"],
    )
    is_there = str(record.path).endswith(identity.folder)
    if identity.digest != run["digest"] or not is_there:
        raise RunError(
            f"{record.path} is not the run {identity.folder} as this version "
            "has it"
        )
    return identity


def _engine(record: Record) -> str:
    """The engine that Keras runs on already, or else the run's."""
    loaded = sys.modules.get("keras")
    return str(loaded.backend.backend() if loaded else record.run["engine"])
