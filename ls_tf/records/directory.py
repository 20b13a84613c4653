"""A run directory as the one process that may write it has it."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from etils.epath import Path

from ls_tf.records import digests, metrics
from ls_tf.records.arrays import npz
from ls_tf.records.digests import Digests, State
from ls_tf.records.files import (
    VERSION,
    json_bytes,
    keep,
    now,
    read,
    write_files,
)
from ls_tf.records.locks import LostError
from ls_tf.records.record import MEASUREMENTS, RUN

# Fields of ``run.json`` that only a run with an end has.
_OF_AN_END = ("reason", "eval_seconds", "steps_per_second")


def measured(run: Mapping[str, Any]) -> list[str]:
    """The files that the measurements at a run's end make."""
    return [
        f"{MEASUREMENTS}/{e['name']}_{e['role']}{kind}"
        for e in run["spec"]["evaluators"]
        for kind in (".json", ".npz")
    ]


class RunDirectory:
    """A run directory being written, by one process."""

    def __init__(
        self, path: Path, run: dict[str, Any], known: Digests | None
    ) -> None:
        """Takes an opened directory; use ``opened``.

        Args:
            path: the directory.
            run: what ``run.json`` holds, or is to hold.
            known: the digests of its files; None if they have none yet.

        Raises:
            RunError: a file of it cannot be read.
        """
        self.path = path
        self.run = run
        run["indexed"] = True
        self._digests = self._taken(known)
        self._metrics = metrics.Metrics(
            path / metrics.NAME,
            lambda data: self._write({metrics.NAME: data}),
            lambda: self._remove([metrics.NAME]),
        )

    def _taken(self, known: Digests | None) -> Digests:
        """The state that each file is in, after whatever a kill has left."""
        taken = Digests() if known is None else known
        if known is None:
            names = [RUN, metrics.NAME, *measured(self.run)]
        else:
            names = known.names
        for name in names:
            data = read(self.path / name, "file of a record")
            if known is None:
                state = None if data is None else State.of(data)
            else:
                try:
                    grows = name == metrics.NAME
                    state = known.found(name, data, is_growing=grows)
                except LookupError:
                    continue  # it is measured again, or never read again
            taken.settle({name: state})
        return taken

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
        self.keep()
        self.run.update(fields)
        self._write({RUN: json_bytes(self.run) + b"\n"})

    def begin(self, step: int, **fields: Any) -> None:
        """Goes on from a step: says so, then drops what is made again.

        Args:
            step: where the run stands; 0 at its first beginning.
            **fields: of ``run.json``, known by now: ``steps`` and others.
        """
        for field in _OF_AN_END:
            self.run.pop(field, None)
        self.update(outcome="running", ended=None, step=step, **fields)
        self.rewind(step)

    def rewind(self, step: int) -> None:
        """Drops what the run makes again as it goes on from a step.

        That is the rows of later steps, and the measurements if these were
        made at a later step.
        """
        self._metrics.rewind(step)
        if step < int(self.run.get("steps", 0)):
            self._remove(measured(self.run))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Adds values to the row of a step, which is open until ``flush``."""
        self._metrics.log(step, values)

    def flush(self) -> None:
        """Writes the open row of ``metrics.csv``."""
        self._metrics.flush()

    def keep(self) -> None:
        """Writes the open row, and waits until the disk has all of them."""
        self.flush()
        file = self.path / metrics.NAME
        if file.exists():
            keep(file)
            self._digests.settle({metrics.NAME: self._metrics.state})

    def seal(self) -> None:
        """As ``keep``, and enters the rows: from then on a cut one is missed.

        A checkpoint comes after it. A kill before ``update`` would else leave
        rows that no state names and that are not made again.
        """
        self.keep()
        self._write({})

    def close(self) -> None:
        """Leaves one state of each file in the digests, where that is possible.

        Two are no damage: a full disk, or a lock that was lost behind the last
        write, is no failure of the run.
        """
        self.keep()
        with contextlib.suppress(OSError, LostError):
            self._write({})

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
        """Writes one measurement; the arrays are there before the numbers."""
        stem = f"{MEASUREMENTS}/{evaluator}_{role}"
        content = {
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
        }
        archive = {f"{stem}.npz": npz(arrays)} if arrays else {}
        self._write({**archive, f"{stem}.json": json_bytes(content) + b"\n"})

    # --- Every change of a file is entered before it is made ----------------

    def _enter(
        self, states: Mapping[str, State | None], act: Callable[[bytes], None]
    ) -> None:
        self._digests.announce(states)
        act(self._digests.encoded())
        self._digests.settle(states)

    def _write(self, contents: Mapping[str, bytes]) -> None:
        """Writes files, by their path below the directory, in this order."""

        def write(entries: bytes) -> None:
            beside = {k: v for k, v in contents.items() if "/" not in k}
            write_files(self.path, {digests.NAME: entries, **beside})
            below = {
                name.removeprefix(f"{MEASUREMENTS}/"): data
                for name, data in contents.items()
                if "/" in name
            }
            if below:
                write_files(self.path / MEASUREMENTS, below)

        self._enter({k: State.of(v) for k, v in contents.items()}, write)

    def _remove(self, names: Iterable[str]) -> None:
        """Removes files, where they are there."""
        there = [name for name in names if (self.path / name).exists()]

        def remove(entries: bytes) -> None:
            write_files(self.path, {digests.NAME: entries})
            for name in there:
                (self.path / name).unlink(missing_ok=True)

        if there:
            self._enter(dict.fromkeys(there), remove)
