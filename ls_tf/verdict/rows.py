"""The table of a verdict: numbers, and how each of them is shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from ls_tf.verdict.judgement import between, plain
from ls_tf.verdict.measures import COVERAGE, Estimate, Numbers

# Name, heading, factor, format.
_ROWS = (
    ("accuracy", "accuracy, %", 100, ".2f"),
    ("nll", "NLL, nats", 1, ".4f"),
    ("nll_scaled", "NLL at the fitted temperature, nats", 1, ".4f"),
    ("ece", "ECE, 15 bins", 1, ".4f"),
    ("debiased_ece", "ECE, debiased", 1, ".4f"),
    ("ece_scaled", "ECE at the fitted temperature", 1, ".4f"),
    ("temperature", "fitted temperature (least NLL)", 1, ".3f"),
    ("aurc", "area under the risk-coverage curve", 1, ".4f"),
    ("risk", f"risk at {COVERAGE:.0%} coverage, %", 100, ".2f"),
    ("class_separation", "class separation", 1, ".3f"),
    ("tightness", "width of three clusters, by their templates", 1, ".3f"),
    ("nc1", "NC1, scatter within classes", 1, ".4g"),
    ("nc2_means", "NC2 of the class means", 1, ".3f"),
    ("nc2_templates", "NC2 of the templates", 1, ".3f"),
    ("nc3", "NC3, templates against means", 1, ".3f"),
    ("information", "information on other classes, nats", 1, ".3f"),
    ("teacher_temperature", "temperature at which it is read", 1, ".3f"),
)


@dataclass(frozen=True)
class Row:
    """One measure of each network.

    Attributes:
        heading: what it is, with its unit.
        form: of the numbers, a format.
        estimates: in the heading's unit; None where a network has none.
    """

    heading: str
    form: str
    estimates: tuple[Estimate | None, ...]

    def words(self) -> tuple[str, ...]:
        """The heading, and two cells of text for each network."""
        cells = [self.heading]
        for estimate in self.estimates:
            if estimate is None:
                cells += ["–", "–"]
                continue
            cells.append(plain(estimate.value, self.form))
            cells.append(between(estimate, self.form) or "–")
        return tuple(cells)


@dataclass(frozen=True)
class Rows:
    """A table: headings, two for each network, and a row for each measure."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        """The table for a terminal, one line a row."""
        lines: Sequence[Sequence[str]] = (
            self.headings,
            *(row.words() for row in self.rows),
        )
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                word.ljust(width) if i == 0 else word.rjust(width)
                for i, (word, width) in enumerate(
                    zip(line, widths, strict=True)
                )
            ).rstrip()
            for line in lines
        )


def table(numbers: Numbers, level: float) -> Rows:
    """Lays the numbers out: a number and an interval for each network.

    Args:
        numbers: of one network, or of two and their difference.
        level: of the intervals.

    Returns:
        Rows; a number that no network has is left out.
    """
    headings = ["measure"]
    for name in numbers:
        title = "smoothed − hard" if name == "difference" else name
        headings += [title, f"{level:.0%} interval"]
    rows = tuple(
        Row(
            heading,
            form,
            tuple(
                estimate and estimate.times(scale)
                for estimate in (of.get(name) for of in numbers.values())
            ),
        )
        for name, heading, scale, form in _ROWS
        if any(name in of for of in numbers.values())
    )
    return Rows(tuple(headings), rows)
