"""What reports are declared with: numbers, tables and claims.

A number is named by evaluator, name and unit; a table is rows and columns,
each column a heading, a value of a row and a format; a claim is what is lower,
what is higher, and whose word that is.
"""

import statistics
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ls_tf import stopping
from ls_tf.analysis import seed_differences
from ls_tf.pages import tables
from ls_tf.pages.blocks import NO_RUN, Need, Table, Text
from ls_tf.pages.tables import Spread
from ls_tf.records.runs import Record

Records = Mapping[Need, Record]
Runs = Mapping[int, Record]  # seed -> record
Values = Mapping[int, float]  # seed -> value
Together = Callable[[Sequence[float]], float]

Row = TypeVar("Row")
Key = TypeVar("Key")
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

    def best(self, runs: Runs) -> dict[int, float]:
        """The highest that was measured over the training: seed -> value.

        The number after the last step is one of those.
        """
        column = f"{self.role}/{self.name}"
        unit = 100 if self.unit == "%" else 1
        curves = {seed: record.curve(column) for seed, record in runs.items()}
        return {
            seed: max([last, *(unit * v for v in curves[seed].values())])
            for seed, last in self.of(runs).items()
        }

    def over(self, runs: Runs) -> Spread | None:
        """Its mean and range over the seeds; None without a run."""
        return tables.spread(self.of(runs).values())

    def mean(self, runs: Runs) -> float | None:
        """Its mean over the seeds; None without a run."""
        return tables.mean(self.of(runs).values())

    def low(self, runs: Runs) -> float | None:
        """The lowest seed's; None without a run."""
        return min(self.of(runs).values(), default=None)

    def high(self, runs: Runs) -> float | None:
        """The highest seed's; None without a run."""
        return max(self.of(runs).values(), default=None)


def pooled(
    points: Iterable[Values], together: Together = statistics.fmean
) -> dict[int, float]:
    """Takes the numbers of each seed together: seed -> their mean, or so.

    Of the seeds that all points have, but for points without any: the mean of
    another seed would be over other points.
    """
    having = [values for values in points if values]
    return {
        seed: together([values[seed] for values in having])
        for seed in shared(having)
    }


def shared(points: Iterable[Mapping[int, object]]) -> list[int]:
    """The seeds that all of some points have, in order."""
    seeds = [set(values) for values in points]
    return sorted(set.intersection(*seeds)) if seeds else []


ACCURACY = Number("classification", "accuracy", "%")

WITHIN_NOISE = "within noise"
INTERVAL = (
    "“Within noise”: the 95 % interval (Student's) of the difference over the "
    "seeds holds 0; one seed has none."
)


def table(
    name: str, caption: str, rows: Iterable[Row], *columns: Column[Row]
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
    cells: list[tuple[object, ...]] = []
    for row in rows:
        stopping.look()
        cells.append(tuple(value(row) for value in values))
    return Table(name, caption, headings, formats, tuple(cells))


def each(
    keys: Iterable[Key],
    heading: Callable[[Key], str],
    value: Callable[[Row, Key], object],
    form: str,
    without: object = NO_RUN,
) -> list[Column[Row]]:
    """Makes one column for each of some keys.

    Args:
        keys: for instance amounts of smoothing.
        heading: of a key.
        value: of a row and a key; where it is None, ``without`` is shown.
        form: format of the values.
        without: see ``value``.

    Returns:
        list: the columns, in the order of the keys.
    """

    def column(key: Key) -> Column[Row]:
        def shown(row: Row) -> object:
            of_key = value(row, key)
            return without if of_key is None else of_key

        return heading(key), shown, form

    return [column(key) for key in keys]


@dataclass
class Claim(Generic[Subject]):
    """Two numbers of each seed, the first claimed to be the lower.

    It is judged over the seeds that both have: by ``low`` and ``high``, the
    means, and by the single seeds, of which ``seeds_for`` of ``seeds`` agree.
    Without such a seed there are no means, and ``holds`` says so. ``apart`` is
    the higher less the lower over those seeds, with its interval; None without
    one.

    Attributes:
        of: what it is about.
        lower: seed -> the number that is claimed to be the lower one.
        higher: seed -> the other.
        text: the claim.
        whose: who makes it.
        agrees: whether two numbers are as claimed; None if one of them is not
            defined.
        printed: the two numbers as the paper that makes it prints them;
            ``holds_in_paper`` is None if one is missing.
        by_interval: whether ``holds`` says "within noise" where the interval
            holds 0. Of one seed nothing is known of noise, and the verdict
            counts it.
    """

    of: Subject
    lower: Values
    higher: Values
    text: str = ""
    whose: str = ""
    agrees: Callable[[float, float], bool | None] = tables.is_less
    printed: tuple[float | None, float | None] = (None, None)
    by_interval: bool = False

    def __post_init__(self) -> None:
        """Judges it."""
        shared = sorted(set(self.lower) & set(self.higher))
        pairs = [(self.lower[s], self.higher[s]) for s in shared]
        self.seeds = len(pairs)
        self.seeds_for = sum(bool(self.agrees(*pair)) for pair in pairs)
        self.low = tables.mean(low for low, _ in pairs)
        self.high = tables.mean(high for _, high in pairs)
        self.holds = self._judged(self.low, self.high) or NO_RUN
        self.holds_in_paper = self._judged(*self.printed)
        self.rise: float | None = None  # from the lower to the higher
        self.difference: float | None = None  # the lower less the higher
        if self.low is not None and self.high is not None:
            self.rise = self.high - self.low
            self.difference = self.low - self.high
        self.apart = seed_differences.paired(self.higher, self.lower)
        several = self.by_interval and self.seeds > 1
        if several and self.apart and self.apart.is_noise:
            self.holds = WITHIN_NOISE

    @property
    def interval(self) -> tables.Interval:
        """Student's, 95 %, of ``rise`` over seeds; without ends for one."""
        if self.apart is None or self.apart.count < 2:
            return tables.Interval(None, None)
        return tables.Interval(self.apart.low, self.apart.high)

    @property
    def verdict(self) -> tables.Verdict:
        """Whether it holds, and in how many seeds."""
        return tables.Verdict(self.holds, self.seeds_for, self.seeds)

    def _judged(self, low: float | None, high: float | None) -> str | None:
        if low is None or high is None:
            return None
        return tables.yes_no(self.agrees(low, high))


def verdict(heading: str = tables.VERDICT) -> Column[Claim[Any]]:
    """The column that says whether a claim holds, and in how many seeds."""
    return heading, lambda claim: claim.verdict, ""


def interval(form: str) -> Column[Claim[Any]]:
    """The column of the interval of the higher less the lower number."""
    return "difference, 95 %", lambda claim: claim.interval, form


def judged(
    form: str, *, by_interval: bool = False
) -> tuple[Column[Claim[Any]], ...]:
    """The last columns of a table of claims; its numbers have one format."""
    return (
        ("lower", lambda claim: claim.low, form),
        ("higher", lambda claim: claim.high, form),
        *((interval(form),) if by_interval else ()),
        verdict(),
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


def compared(form: str, unit: str = "") -> str:
    """The end of a sentence on a claim: verdict, seeds and numbers.

    Args:
        form: format of its numbers, without a sign.
        unit: behind each of them; that of a difference of " %" is points.

    Returns:
        str: for ``findings``.
    """
    points = " points" if unit == " %" else unit
    return (
        f"{{verdict}} (claimed lower {{low:{form}}}{unit}, claimed higher "
        f"{{high:{form}}}{unit}, difference {{rise:+{form}}}{points})."
    )


def findings(*said: tuple[Iterable[Claim[Any]], str]) -> Text:
    """Lists what is said of the claims, in a line each.

    Args:
        said: claims in the order of reading, and a sentence that names their
            attributes, as in
            ``"{of}: {text}: " + compared(".2f")``.

    Returns:
        Text: without the claims that no seed can judge.
    """
    lines = tuple(
        _Sentence().format(sentence, claim)
        for claims, sentence in said
        for claim in claims
        if claim.seeds
    )
    body = "" if lines else "No claim can be judged."
    return Text(body, "Claims", lines)
