"""A run's record as tables and figures read it: whole, checked, or one line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from etils.epath import Path

from ls_tf.records import digests, metrics, schema
from ls_tf.records.arrays import Form, decode_npz, unlike
from ls_tf.records.digests import Digests
from ls_tf.records.files import RunError, parse_json, read
from ls_tf.records.reading import reading

RUN = "run.json"
MEASUREMENTS = "measurements"

Value = TypeVar("Value")


class _Named(dict[str, Value]):
    """What a measurement holds by name; says what there is for a wrong one."""

    def __init__(self, values: dict[str, Value], whose: str) -> None:
        super().__init__(values)
        self._whose = whose

    def __missing__(self, name: str) -> Value:
        raise RunError(
            f"{self._whose} '{name}'; existing: {', '.join(self) or 'none'}"
        )


def _present(
    folder: Path,
    name: str,
    what: str,
    known: Digests | None,
    *,
    is_growing: bool = False,
) -> tuple[bytes | None, Digests | None]:
    """Reads a file in a state that its digests name, and these.

    Another process may be writing the record: what does not go together is
    damaged only if it stays as it is.

    Raises:
        RunError: altered, cut, or not there though it must be.
    """
    before = None
    while True:
        data = read(folder / name, what)
        if known is None:
            return data, None
        try:
            known.found(name, data, is_growing=is_growing)
            return data, known
        except LookupError as error:
            now = (data, known.encoded())
            if now == before:
                if data is not None and name.endswith(".json"):
                    parse_json(data, folder / name, what)  # may say more
                raise RunError(f"{folder / name} {error}") from None
            before = now
        known = Digests.read(folder)


@dataclass(frozen=True)
class Record:
    """A run as tables and figures read it.

    ``digests`` are those of its files; None in a record from before there
    were any, which is believed unchecked.
    """

    path: Path
    run: dict[str, Any]
    digests: Digests | None = None
    _measured: dict[str, dict[str, Any]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def checked(self) -> bool:
        """Whether its files have digests, so that damage is seen."""
        return self.digests is not None

    @property
    def is_finished(self) -> bool:
        """Whether it is whole: trained to the last step and measured."""
        return bool(self.run.get("outcome") == "finished")

    def check(self) -> None:
        """Reads all files that have a digest.

        Raises:
            RunError: one is altered, cut or missing; one line names it.
        """
        for name in self.digests.names if self.digests is not None else ():
            self._data(name, "file of a record")

    def _data(self, name: str, what: str) -> bytes | None:
        is_growing = name == metrics.NAME and not self.is_finished
        data, _ = _present(
            self.path, name, what, self.digests, is_growing=is_growing
        )
        return data

    def scalars(self, evaluator: str, role: str) -> dict[str, float]:
        """The numbers of one measurement.

        Raises:
            RunError: it was not measured; lists what was. Also for a name that
                is not among them.
        """
        values = self.measurement(evaluator, role)["scalars"]
        return _Named(
            {name: float(value) for name, value in values.items()},
            f"{self.path}: measurement {evaluator}_{role} has no scalar",
        )

    def measurement(self, evaluator: str, role: str) -> dict[str, Any]:
        """One measurement whole: split, step, count, scalars.

        Raises:
            RunError: it was not measured; lists what was.
        """
        stem = f"{evaluator}_{role}"
        if stem not in self._measured:
            self._measured[stem] = self._read_measurement(evaluator, role)
        return self._measured[stem]

    def _read_measurement(self, evaluator: str, role: str) -> dict[str, Any]:
        name = f"{MEASUREMENTS}/{evaluator}_{role}.json"
        file = self.path / name
        data = self._data(name, "measurement")
        if data is None:
            raise RunError(
                f"{self.path} has no measurement {evaluator}_{role}; "
                f"existing: {', '.join(self.existing()) or 'none'}"
            )
        content = parse_json(data, file, "measurement")
        schema.check(content, schema.MEASUREMENT, file, "measurement")
        wanted = {
            "evaluator": evaluator,
            "role": role,
            "digest": self.run.get("digest", content["digest"]),
        }
        for name, value in wanted.items():
            if content[name] != value:
                raise RunError(
                    f"{file} is not of this run: {name}: wanted {value}, got "
                    f"{schema.shown(content[name])}"
                )
        return content

    def existing(self) -> list[str]:
        """What was measured: EVALUATOR_ROLE, in order."""
        try:
            names = [p.name for p in (self.path / MEASUREMENTS).iterdir()]
        except OSError:
            return []
        return sorted(
            name.removesuffix(".json")
            for name in names
            if name.endswith(".json") and not name.startswith(".")
        )

    def arrays(
        self,
        evaluator: str,
        role: str,
        forms: Mapping[str, Form] | None = None,
    ) -> dict[str, np.ndarray]:
        """The arrays of one measurement.

        Args:
            evaluator: which measured it.
            role: of the split it is measured on.
            forms: of the arrays that must be there; others may be.

        Raises:
            RunError: it was not measured, has no arrays or is damaged, or an
                array is not of its form. Also for a name that is not among
                them.
        """
        self.measurement(evaluator, role)
        name = f"{MEASUREMENTS}/{evaluator}_{role}.npz"
        file = self.path / name
        data = self._data(name, "archive of arrays")
        if data is None:
            raise RunError(f"{file} cannot be read: it is not there")
        with reading(file, "archive of arrays", RunError):
            arrays = dict(decode_npz(data))
        named = _Named(
            arrays, f"{self.path}: measurement {evaluator}_{role} has no array"
        )
        if fault := unlike(named, forms or {}):
            raise RunError(f"{file} is not what is read: {fault}")
        return named

    def metrics(self) -> list[dict[str, float]]:
        """The rows of ``metrics.csv``; a cell that is empty is left out.

        Raises:
            RunError: it is damaged, or not whole though the run is finished.
        """
        return metrics.read(self.path / metrics.NAME, self.table())

    def curve(self, name: str) -> dict[int, float]:
        """A number of ``metrics.csv`` over the training.

        Args:
            name: its column, such as ``report/accuracy``.

        Returns:
            step -> value, in the order of the steps, of the rows that have it:
            what is logged and what is measured stand in rows of their own.

        Raises:
            RunError: as ``metrics``.
        """
        return {
            int(row["step"]): row[name] for row in self.metrics() if name in row
        }

    def table(self) -> bytes:
        """``metrics.csv`` as it is, empty where it is missing.

        Raises:
            RunError: altered, or not whole though the run is finished.
        """
        data = self._data(metrics.NAME, "table of metrics") or b""
        if self.is_finished and not self.checked:
            file = self.path / metrics.NAME
            metrics.check_end(file, data, self.run.get("steps"))
        return data


def read_record(path: Path) -> Record | None:
    """Reads a run directory, whatever became of the run.

    Returns:
        The record; None if there is none yet.

    Raises:
        RunError: it cannot be read, is damaged, or is of a newer version.
    """
    what = "run record"
    data, entries = _present(path, RUN, what, Digests.read(path))
    if data is None:
        return None
    file = path / RUN
    run = parse_json(data, file, what)
    schema.check(run, schema.RUN, file, what)
    # Read after the run: they are there before the run says so.
    entries = entries or Digests.read(path)
    if entries is None and run.get("indexed"):
        raise RunError(
            f"{path / digests.NAME} is missing, though {RUN} says that there "
            f"is one; {digests.remedy(digests.NAME)}"
        )
    return Record(path, run, entries)
