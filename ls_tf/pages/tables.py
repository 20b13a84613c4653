"""Cells, tables as text, means over seeds, and claims that are yes or no."""

import csv
import io
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ls_tf.pages import escaping
from ls_tf.pages.blocks import NO_RUN, Need, Table
from ls_tf.records.runs import Record
from ls_tf.spec import Value

VERDICT = "verdict"  # the heading of a column that needs no other
_NAMED = 8  # of the rows without a run, before "more"


class AsPrinted(float):
    """A number with digits of its own, as those that a paper prints.

    Args:
        text: the number as it is printed.
        value: the number itself, where the text has more than it.
    """

    text: str

    def __new__(cls, text: str, value: float | None = None) -> "AsPrinted":
        """Takes the number as it is printed."""
        exact = text.replace("−", "-") if value is None else value
        number = super().__new__(cls, exact)
        number.text = text
        return number


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds, and in how many seeds: one cell, in words.

    Attributes:
        word: "yes", "no", or what else is said of it.
        seeds_for: how many seeds agree with the claim.
        seeds: how many there are.
    """

    word: str
    seeds_for: int
    seeds: int

    def __str__(self) -> str:
        """Says it so that "no" is not taken for "no seed"."""
        if not self.seeds:
            return self.word
        all_agree = self.seeds_for == self.seeds
        count = f"in {self.seeds_for} of {counted(self.seeds, 'seed')}"
        if self.word == "yes":
            known = "holds" if all_agree else "holds on average,"
            return f"{known} {count}"
        known = "fails" if self.seeds_for == 0 else "fails on average"
        word = known if self.word == "no" else self.word
        return f"{word}: holds {count}"

    def parts(self, heading: str) -> dict[str, object]:
        """The columns that it is for programs."""
        return {
            "holds" if heading == VERDICT else heading: self.word,
            "seeds for it": self.seeds_for,
            "seeds": self.seeds,
        }


@dataclass(frozen=True)
class Interval:
    """From where to where a number may be: one cell; None is not known."""

    low: float | None
    high: float | None

    def shown(self, form: str) -> str:
        """Its ends in one format."""
        if self.low is None or self.high is None:
            return cell(None)
        return f"{cell(self.low, form)} to {cell(self.high, form)}"

    def parts(self, heading: str) -> dict[str, object]:
        """The columns that it is for programs.

        Both are named: a table may have several intervals, and a reader that
        takes columns by their names would mix those of one name.
        """
        return {f"{heading} from": self.low, f"{heading} to": self.high}


def counted(number: int, noun: str) -> str:
    """Says how many: "1 seed", "2 seeds"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def cell(value: Any, form: str = "") -> str:
    """Shows one value; see ``Table``."""
    if value is None:
        return "–"
    if isinstance(value, AsPrinted):
        return value.text
    if isinstance(value, Interval):
        return value.shown(form)
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "not defined"
    shown = format(value, form or ".4g")
    return "−" + shown[1:] if shown.startswith("-") else shown


def is_number(value: Any) -> bool:
    """Whether a cell holds a number, for its alignment."""
    kinds = int | float | Interval
    return isinstance(value, kinds) and not isinstance(value, bool)


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


def of_verdicts(table: Table) -> list[int]:
    """Which columns hold verdicts."""
    columns = range(len(table.headings))
    return [
        i
        for i in columns
        if any(isinstance(row[i], Verdict) for row in table.rows)
    ]


def without_run(table: Table) -> list[int]:
    """Which rows show nothing of a run.

    The columns that runs fill are those where some row says "no run". A row
    without a run says so in all of them, or that it counts 0, and has no
    "seeds".
    """
    counts = [i for i, name in enumerate(table.headings) if name == "seeds"]
    places = {
        i for row in table.rows for i, value in enumerate(row) if _no_run(value)
    }
    return [
        number
        for number, row in enumerate(table.rows)
        if places
        and all(_no_run(row[i]) or _is_zero(row[i]) for i in places)
        and all(_no_run(row[i]) or _is_zero(row[i]) for i in counts)
    ]


def _no_run(value: object) -> bool:
    word = value.word if isinstance(value, Verdict) else value
    return isinstance(word, str) and word == NO_RUN


def _is_zero(value: object) -> bool:
    return isinstance(value, int) and value == 0


def no_run_line(table: Table) -> str:
    """Names in one line the rows that have no run; "" if all have one."""
    without = without_run(table)
    if not without:
        return ""
    shown = cells(table)
    names = Counter(shown[number][0] for number in without)
    words = [
        name if count == 1 else f"{name} ({count} rows)"
        for name, count in names.items()
    ]
    if len(words) > _NAMED:
        words = [*words[:_NAMED], f"{len(words) - _NAMED} more"]
    return (
        f"No run yet for {len(without)} of {len(table.rows)} rows: "
        f"{'; '.join(words)}."
    )


def markdown(table: Table) -> str:
    """Writes a table and its caption as Markdown.

    The rows that have no run are one line of the caption.
    """

    def line(words: Iterable[str]) -> str:
        return "| " + " | ".join(escaping.cell(w) for w in words) + " |"

    rules = ["---:" if right else "---" for right in aligned_right(table)]
    lines = [line(table.headings), line(rules)]
    without = set(without_run(table))
    rows = enumerate(cells(table))
    lines += [line(row) for number, row in rows if number not in without]
    caption = " ".join(filter(None, (table.caption, no_run_line(table))))
    return "\n".join([*lines, "", escaping.paragraph(caption), ""])


def latex(table: Table) -> str:
    """Writes a table for LaTeX's package booktabs, with the digits shown.

    The rows that have no run are one line of the caption.
    """

    def line(words: Iterable[str]) -> str:
        return " & ".join(map(escaping.latex, words)) + r" \\"

    without = set(without_run(table))
    rows = enumerate(cells(table))
    columns = "".join("r" if n else "l" for n in aligned_right(table))
    caption = " ".join(filter(None, (table.caption, no_run_line(table))))
    return "\n".join(
        [
            r"% Wants \usepackage{booktabs}.",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaping.latex(caption)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            line(table.headings),
            r"\midrule",
            *(line(row) for number, row in rows if number not in without),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def spelled(table: Table) -> tuple[list[str], list[list[object]]]:
    """Takes verdicts and intervals apart: one value a column.

    Returns:
        tuple: the headings, and the rows.
    """
    columns: list[tuple[str, list[object]]] = []
    for place, heading in enumerate(table.headings):
        values = [row[place] for row in table.rows]
        kinds = [v for v in values if isinstance(v, Verdict | Interval)]
        if not kinds:
            columns.append((heading, values))
            continue
        for name in kinds[0].parts(heading):
            parts = [
                v.parts(heading)[name]
                if isinstance(v, Verdict | Interval)
                else v
                for v in values
            ]
            columns.append((name, parts))
    rows = [
        [values[number] for _, values in columns]
        for number in range(len(table.rows))
    ]
    return [name for name, _ in columns], rows


def comma_separated(table: Table, *, numbers_only: bool = False) -> str:
    """Writes a table as CSV with all digits; None is an empty cell.

    Args:
        table: what is written.
        numbers_only: whether a column that holds numbers holds nothing else:
            "no run" is an empty cell too.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    headings, rows = spelled(table)
    writer.writerow(map(escaping.comma_separated, headings))
    if numbers_only:
        columns = range(len(headings))
        of_numbers = {i for i in columns if any(is_number(r[i]) for r in rows)}
        rows = [
            [
                None if i in of_numbers and not is_number(value) else value
                for i, value in enumerate(row)
            ]
            for row in rows
        ]
    for row in rows:
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
    """Summarises values over seeds; None if there is none.

    Beside one that is not defined none of the three is.
    """
    numbers = list(values)
    if not numbers:
        return None
    middle = statistics.fmean(numbers)
    if math.isnan(middle):
        return Spread(middle, math.nan, math.nan, len(numbers))
    return Spread(middle, min(numbers), max(numbers), len(numbers))


def mean(values: Iterable[float]) -> float | None:
    """The mean over seeds; None if there is none."""
    over = spread(values)
    return None if over is None else over.mean


def over_steps(
    curves: Iterable[Mapping[int, float]],
) -> list[tuple[int, Spread | None]]:
    """Summarises curves over seeds: step by step, of those that have it."""
    at: dict[int, list[float]] = defaultdict(list)
    for curve in curves:
        for step, value in curve.items():
            at[step].append(value)
    return [(step, spread(values)) for step, values in sorted(at.items())]


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
