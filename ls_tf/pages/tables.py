"""Cells, tables as text, means over seeds, and claims that are yes or no."""

import csv
import io
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ls_tf.pages.blocks import NO_RUN, Need, Table
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


def frame(
    columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> pd.DataFrame:
    """Makes a data frame whose cells stay what they are: None is not NaN."""
    return pd.DataFrame(list(rows), columns=list(columns), dtype=object)


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
    forms = [table.formats.get(name, "") for name in table.data.columns]
    return [
        [cell(v, form) for v, form in zip(row, forms, strict=True)]
        for row in table.data.itertuples(index=False, name=None)
    ]


def aligned_right(table: Table) -> list[bool]:
    """Which columns hold numbers."""
    return [
        any(is_number(v) for v in table.data[name])
        for name in table.data.columns
    ]


def markdown(table: Table) -> str:
    """Writes a table and its caption as Markdown."""

    def line(words: Iterable[str]) -> str:
        return "| " + " | ".join(w.replace("|", "\\|") for w in words) + " |"

    rules = ["---:" if right else "---" for right in aligned_right(table)]
    lines = [line(table.data.columns), line(rules)]
    lines += [line(row) for row in cells(table)]
    return "\n".join([*lines, "", table.caption, ""])


def comma_separated(table: Table) -> str:
    """Writes a table as CSV with all digits; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.data.columns)
    for row in table.data.itertuples(index=False, name=None):
        writer.writerow(["" if v is None else v for v in row])
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


def record_of(
    records: Mapping[Need, Record],
    experiment: str,
    changes: Mapping[str, Value],
    seed: int = 0,
) -> Record:
    """Picks the record of one run, one that the report cannot do without."""
    return by_seed(records, experiment, changes)[seed]


def scalar(
    found: Mapping[int, Record], name: str, evaluator: str = "reliability"
) -> dict[int, float]:
    """Reads one number of the reported split: seed -> value."""
    return {
        seed: record.scalars(evaluator, "report")[name]
        for seed, record in found.items()
    }


def percent(
    found: Mapping[int, Record], name: str = "accuracy"
) -> dict[int, float]:
    """Reads the accuracy, or the error, in percent: seed -> value."""
    values = scalar(found, name, "classification")
    return {seed: 100 * value for seed, value in values.items()}


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


def verdict(found: "Paired") -> str:
    """Says whether a comparison holds, or that there is no pair of runs."""
    return yes_no(found.holds) if found.seeds else NO_RUN


@dataclass(frozen=True)
class Paired:
    """One number of two networks, compared over the seeds both have."""

    left: float
    right: float
    holds: bool | None
    seeds_for: int
    seeds: int


def less_over_seeds(
    left: Mapping[int, float],
    right: Mapping[int, float],
    less: Callable[[float, float], bool | None] = is_less,
) -> Paired:
    """Compares the means of two networks over the seeds that both have.

    Args:
        left: seed -> value of the network claimed to have the lower one.
        right: seed -> value of the other network.
        less: the comparison.

    Returns:
        Paired: the means, whether the claim holds for them, and for how many
        single seeds it does.

    Source: ours.
    """
    shared = sorted(set(left) & set(right))
    if not shared:
        return Paired(math.nan, math.nan, None, 0, 0)
    lows = statistics.fmean(left[s] for s in shared)
    highs = statistics.fmean(right[s] for s in shared)
    count = sum(bool(less(left[s], right[s])) for s in shared)
    return Paired(lows, highs, less(lows, highs), count, len(shared))
