"""Cells, tables as text, means over seeds, and claims that are yes or no."""

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ls_tf.pages import escaping
from ls_tf.pages.blocks import Need, Table
from ls_tf.records.runs import Record
from ls_tf.spec import Value


class AsPrinted(float):
    """A number of a paper, shown with the digits that the paper prints."""

    text: str

    def __new__(cls, text: str) -> "AsPrinted":
        """Takes the number as it is printed."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def cell(value: Any, form: str = "") -> str:
    """Shows one value; see ``Table``."""
    if value is None:
        return "–"
    if isinstance(value, AsPrinted):
        return value.text
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "not defined"
    shown = format(value, form or ".4g")
    return "−" + shown[1:] if shown.startswith("-") else shown


def is_number(value: Any) -> bool:
    """Whether a cell holds a number, for its alignment."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def cells(table: Table) -> list[list[str]]:
    """Shows all rows of a table as text."""
    return [
        [cell(v, form) for v, form in zip(row, table.formats, strict=True)]
        for row in table.rows
    ]


def aligned_right(table: Table) -> list[bool]:
    """Which columns hold numbers."""
    columns = range(len(table.headings))
    return [any(is_number(row[i]) for row in table.rows) for i in columns]


def markdown(table: Table) -> str:
    """Writes a table and its caption as Markdown."""

    def line(words: Iterable[str]) -> str:
        return "| " + " | ".join(escaping.cell(w) for w in words) + " |"

    rules = ["---:" if right else "---" for right in aligned_right(table)]
    lines = [line(table.headings), line(rules)]
    lines += [line(row) for row in cells(table)]
    return "\n".join([*lines, "", escaping.paragraph(table.caption), ""])


def comma_separated(table: Table) -> str:
    """Writes a table as CSV with all digits; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(escaping.comma_separated, table.headings))
    for row in table.rows:
        values = ("" if v is None else v for v in row)
        writer.writerow(
            escaping.comma_separated(v) if isinstance(v, str) else v
            for v in values
        )
    return text.getvalue()


def by_seed(
    records: Mapping[Need, Record],
    experiment: str,
    changes: Mapping[str, Value],
) -> dict[int, Record]:
    """Picks the records of one network: seed -> record, in order."""
    found = {
        need.seed: record
        for need, record in records.items()
        if need.experiment == experiment and dict(need.changes) == dict(changes)
    }
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Spread:
    """A number over seeds."""

    mean: float
    low: float
    high: float
    count: int


def spread(values: Iterable[float]) -> Spread | None:
    """Summarises values over seeds; None if there is none."""
    numbers = list(values)
    if not numbers:
        return None
    return Spread(
        statistics.fmean(numbers), min(numbers), max(numbers), len(numbers)
    )


def mean(values: Iterable[float]) -> float | None:
    """The mean over seeds; None if there is none."""
    over = spread(values)
    return None if over is None else over.mean


def yes_no(holds: bool | None) -> str:
    """Says whether a claim holds; None means that it cannot be said."""
    return "cannot be said" if holds is None else "yes" if holds else "no"


def is_less(left: float, right: float) -> bool | None:
    """Whether left < right; None if one of them is not defined."""
    if math.isnan(left) or math.isnan(right):
        return None
    return left < right


def is_more(left: float, right: float) -> bool | None:
    """Whether left > right; None if one of them is not defined."""
    return is_less(right, left)
