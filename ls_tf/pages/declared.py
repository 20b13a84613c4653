"""What reports are declared with: numbers, tables and claims.

A number is named by evaluator, name and unit; a table is rows and columns,
each column a heading, a value of a row and a format; a claim is what is lower,
what is higher, and whose word that is.
"""

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from ls_tf.pages import tables
from ls_tf.pages.blocks import NO_RUN, Need, Table, Text
from ls_tf.pages.tables import Paired, Spread
from ls_tf.records.runs import Record

Records = Mapping[Need, Record]
Runs = Mapping[int, Record]  # seed -> record
Values = Mapping[int, float]  # seed -> value

Row = TypeVar("Row")
Subject = TypeVar("Subject")

# Heading, value of a row, format of its floats ("" for four digits).
Column = tuple[str, Callable[[Row], object], str]


def or_no_run(value: object) -> object:
    """Gives a cell that says so where there is no value."""
    return NO_RUN if value is None else value


@dataclass(frozen=True)
class Number:
    """A number of a run.

    Attributes:
        evaluator: which measured it.
        name: of its scalar.
        unit: in words; a number in "%" is a fraction in the record.
        role: of the split it is measured on.
    """

    evaluator: str
    name: str
    unit: str = ""
    role: str = "report"

    def of(self, runs: Runs) -> dict[int, float]:
        """Reads it: seed -> value."""
        values = {
            seed: record.scalars(self.evaluator, self.role)[self.name]
            for seed, record in runs.items()
        }
        if self.unit != "%":
            return values
        return {seed: 100 * value for seed, value in values.items()}

    def over(self, runs: Runs) -> Spread | None:
        """Its mean and range over the seeds; None without a run."""
        return tables.spread(self.of(runs).values())

    def mean(self, runs: Runs) -> float | None:
        """Its mean over the seeds; None without a run."""
        return tables.mean(self.of(runs).values())


ACCURACY = Number("classification", "accuracy", "%")


def table(
    name: str,
    caption: str,
    rows: Iterable[Row],
    columns: Sequence[Column[Row]],
) -> Table:
    """Makes a table.

    Args:
        name: of its files.
        caption: below it.
        rows: whatever the columns take.
        columns: from left to right.

    Returns:
        Table.
    """
    headings, values, formats = zip(*columns, strict=True)
    return Table(
        tables.frame(headings, ([value(r) for value in values] for r in rows)),
        name,
        caption,
        dict(zip(headings, formats, strict=True)),
    )


def over_seeds(
    over: Callable[[Row], Spread | None], form: str, *headings: str
) -> list[Column[Row]]:
    """Makes the columns of a number over seeds.

    Args:
        over: the number of a row.
        form: format of the number.
        headings: of its mean, lowest and highest value, and of the count of
            seeds.

    Returns:
        list: one column for each heading.
    """

    def value(field: str, without: object) -> Callable[[Row], object]:
        return lambda row: getattr(over(row), field, without)

    withouts = (("mean", NO_RUN), ("low", None), ("high", None), ("count", 0))
    return [
        (heading, value(*way), form)
        for heading, way in zip(headings, withouts, strict=True)
    ]


@dataclass(frozen=True)
class Claim(Generic[Subject]):
    """Two numbers of each seed, the first claimed to be the lower.

    Attributes:
        of: what it is about.
        lower: seed -> the number that is claimed to be the lower one.
        higher: seed -> the other.
        text: the claim.
        whose: who makes it.
        agrees: whether two numbers are as claimed; None if one of them is not
            defined.
        printed: the two numbers as the paper that makes it prints them.
    """

    of: Subject
    lower: Values
    higher: Values
    text: str = ""
    whose: str = ""
    agrees: Callable[[float, float], bool | None] = tables.is_less
    printed: tuple[float | None, float | None] = (None, None)

    @cached_property
    def compared(self) -> Paired:
        """The means over the seeds that both have."""
        return tables.less_over_seeds(self.lower, self.higher, self.agrees)

    @property
    def low(self) -> float | None:
        """The mean of what is claimed to be lower; None without a pair."""
        return self.compared.left if self.seeds else None

    @property
    def high(self) -> float | None:
        """The mean of what is claimed to be higher; None without a pair."""
        return self.compared.right if self.seeds else None

    @property
    def rise(self) -> float | None:
        """How much higher it is; None without a pair."""
        if self.low is None or self.high is None:
            return None
        return self.high - self.low

    @property
    def difference(self) -> float | None:
        """The first less the second, above 0 if it does not hold."""
        if self.low is None or self.high is None:
            return None
        return self.low - self.high

    @property
    def holds(self) -> str:
        """Whether it holds for the means."""
        return tables.verdict(self.compared)

    @property
    def holds_in_paper(self) -> str | None:
        """Whether it holds for the printed numbers; None if one is missing."""
        low, high = self.printed
        if low is None or high is None:
            return None
        return tables.yes_no(self.agrees(low, high))

    @property
    def seeds(self) -> int:
        """How many seeds have both numbers."""
        return self.compared.seeds

    @property
    def seeds_for(self) -> int:
        """For how many of them it holds."""
        return self.compared.seeds_for

    @property
    def count(self) -> str:
        """For how many of how many seeds it holds, in words."""
        return f"{self.seeds_for} of {self.seeds} seeds"


SEEDS: tuple[Column[Claim[Any]], ...] = (
    ("seeds for it", lambda claim: claim.seeds_for, ""),
    ("seeds", lambda claim: claim.seeds, ""),
)


def judged(form: str) -> tuple[Column[Claim[Any]], ...]:
    """The last columns of a table of claims; its numbers have one format."""
    return (
        ("lower", lambda claim: claim.low, form),
        ("higher", lambda claim: claim.high, form),
        ("holds", lambda claim: claim.holds, ""),
        *SEEDS,
    )


class _Sentence(string.Formatter):
    """Fills a claim's attributes in, shown as in a table's cells."""

    def get_value(
        self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        del kwargs
        return getattr(args[0], str(key))

    def format_field(self, value: Any, format_spec: str) -> str:
        return tables.cell(value, format_spec)


def sentences(claims: Iterable[Claim[Any]], sentence: str) -> tuple[str, ...]:
    """Says each claim that can be judged in one line.

    Args:
        claims: in the order of reading.
        sentence: names attributes of the claim, as in
            ``"{of}: {text}: {holds}, {low:.2f} < {high:.2f} ({count})."``.

    Returns:
        tuple: without the claims that no seed can judge.
    """
    fill = _Sentence()
    return tuple(fill.format(sentence, c) for c in claims if c.seeds)


def findings(lines: Sequence[str]) -> Text:
    """The list of what is said of the claims."""
    body = "" if lines else "No claim can be judged."
    return Text(body, "Claims", tuple(lines))
