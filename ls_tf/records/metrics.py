"""``metrics.csv``: a row for each step, appended as the run goes on.

A row costs the same however many there are, and none but the last is kept in
memory. A kill may leave a part of the last line: a line counts from its end on.
"""

import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from etils.epath import Path

from ls_tf.records.digests import State
from ls_tf.records.files import RunError, append
from ls_tf.records.files import read as read_file
from ls_tf.records.reading import reading

NAME = "metrics.csv"
Row = dict[str, float]


def _line(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _row(names: Sequence[str], values: Mapping[str, float]) -> bytes:
    """Encodes a row: numbers have all their digits, a gap is empty."""
    cells = (
        # float: NumPy's scalars write their type's name too.
        "" if name not in values else repr(float(values[name]))
        for name in names[1:]
    )
    return _line([int(values["step"]), *cells])


def whole_lines(data: bytes) -> bytes:
    """What is before the part of a line that a kill may have left."""
    return data[: data.rfind(b"\n") + 1]


# float alone takes 1_0 and blanks too.
_NUMBER = re.compile(r"-?(\d+(\.\d*)?(e[-+]?\d+)?|inf)|nan", re.ASCII)


def _parsed(file: Path, data: bytes) -> tuple[list[str], Iterator[Row]]:
    """The columns, and the rows one by one; a cell that is empty is left out.

    Raises:
        RunError: no such table, also while rows are taken; says in which line.
    """
    with reading(file, "table of metrics", RunError):
        # strict: a quote that is not closed is damage.
        lines = csv.reader(io.StringIO(data.decode()), strict=True)
        names = next(lines, [])
        if names and (names[0] != "step" or len(set(names)) < len(names)):
            raise ValueError(f"wanted columns step and others, got {names}")

    def rows() -> Iterator[Row]:
        before = -1.0
        with reading(file, "table of metrics", RunError):
            for number, cells in enumerate(lines, 2):
                try:
                    row = _read_row(names, cells, before)
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from None
                before = row["step"]
                yield row

    return names, rows()


def _read_row(names: list[str], cells: list[str], before: float) -> Row:
    if len(cells) != len(names):
        raise ValueError(f"wanted {len(names)} cells, got {len(cells)}")
    row = {}
    for name, cell in zip(names, cells, strict=True):
        if cell and not _NUMBER.fullmatch(cell):
            raise ValueError(f"column {name}: wanted a number, got '{cell}'")
        if cell:
            row[name] = float(cell)
    step = row.get("step", -1.0)
    if not before < step < math.inf or step != int(step):
        raise ValueError(f"wanted a step behind {before:.0f}, got '{cells[0]}'")
    return row


def read(file: Path, data: bytes) -> list[Row]:
    """Reads rows; a cell that is empty is left out.

    Args:
        file: for messages.
        data: what is in it.

    Returns:
        list: column -> value, of each row; without what is behind the last
            end of a line.

    Raises:
        RunError: damaged; one line that says where.

    Source: ours.
    """
    return list(_parsed(file, whole_lines(data))[1])


def check_end(file: Path, data: bytes, step: int | None) -> None:
    """Refuses the table of a finished run that does not reach its end.

    Args:
        file: for messages.
        data: what is in it; empty where it is missing.
        step: the run's last one; None if that is not known.

    Raises:
        RunError: missing, or cut; one line.

    Source: ours.
    """
    line = data[data.rfind(b"\n", 0, -1) + 1 :]
    if step is None and not data:
        return
    if not data:
        raise RunError(f"{file} is missing or empty; the run has {step} steps")
    if not line.endswith(b"\n"):
        raise RunError(f"{file} is cut: its last line has no end")
    if step is not None and line.split(b",")[0].strip() != b"%d" % step:
        raise RunError(
            f"{file} is cut: its last row is not that of step {step}, the last"
        )


class Metrics:
    """The table of a run that goes on; only its last row is kept."""

    def __init__(
        self,
        file: Path,
        replace: Callable[[bytes], None],
        remove: Callable[[], None],
    ) -> None:
        """Takes what there is; writes nothing.

        Args:
            file: the table; missing before the first row.
            replace: writes the whole of it anew, or leaves the old one.
            remove: removes it.

        Raises:
            RunError: it cannot be read.
        """
        self._file, self._replace, self._remove = file, replace, remove
        self._names: list[str] = []
        self._last: Row = {}  # of the last row, be it written or not
        self._start = 0  # where the last row begins
        self._is_written = True
        # Bytes behind the rows that were not meant to be there.
        self._is_torn = False
        data = self._data()
        whole = whole_lines(data)
        self._take(whole)
        self._is_torn = len(whole) < len(data)

    def _data(self) -> bytes:
        return read_file(self._file, "table of metrics") or b""

    def _take(self, data: bytes) -> None:
        """Goes on behind rows that are on the disk."""
        self._size, self._hash = len(data), hashlib.sha256(data)
        self._names, rows = _parsed(self._file, data)
        self._last = {}
        for row in rows:
            self._last = row
        # The header stays when the last row is written again.
        self._start = data.rfind(b"\n", 0, -1) + 1 if self._last else len(data)
        self._is_written, self._is_torn = True, False

    @property
    def state(self) -> State:
        """What the rows on the disk are, without any that is open."""
        return State(self._hash.hexdigest(), self._size)

    def rewind(self, step: int) -> None:
        """Drops the rows of later steps, and columns that only these had.

        Raises:
            RunError: what is there is damaged.
            OSError: the file system refused; what was there is there.
        """
        data = self._data()
        names, every = _parsed(self._file, whole_lines(data))
        rows = [row for row in every if row["step"] <= step]
        used = dict.fromkeys(name for row in rows for name in row)
        names = [name for name in names if name in used]
        kept = [_line(names), *(_row(names, row) for row in rows)]
        whole = b"".join(kept) if rows else b""
        if whole != data:
            if rows:
                self._replace(whole)
            elif self._file.exists():
                self._remove()
        self._take(whole)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Adds values to the row of a step, which is the last one or a new one.

        Raises:
            OSError: the file system refused the row before.
        """
        if self._last.get("step") != step:
            self.flush()
            self._start = self._size
            self._last = {"step": step}
        self._last.update(values)
        self._is_written = False

    def flush(self) -> None:
        """Writes the row that is open.

        Raises:
            OSError: the file system refused; a part of the row may be there.
        """
        if self._is_written:
            return
        more = [name for name in self._last if name not in self._names]
        names = [*self._names, *more]
        row = _row(names, self._last)
        if self._names and not more and self._size == self._start:
            self._append(row)
        else:
            self._rewrite(names, row)
        self._is_written = True

    def _append(self, row: bytes) -> None:
        if self._is_torn:
            self._rewrite(self._names, row)
            return
        self._is_torn = True
        append(self._file, row)
        self._is_torn = False
        self._size += len(row)
        self._hash.update(row)

    def _rewrite(self, names: list[str], row: bytes) -> None:
        """Writes all rows again: with more columns, or another last row."""
        lines = self._data()[: self._start].split(b"\n")[1:-1]
        gap = b"," * (len(names) - len(self._names)) + b"\n"
        before = b"".join(line + gap for line in lines)
        whole = _line(names) + before + row
        self._replace(whole)
        self._names, self._size = names, len(whole)
        self._hash = hashlib.sha256(whole)
        self._start = len(whole) - len(row)
        self._is_torn = False
