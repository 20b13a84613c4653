"""The numbers that the papers print, from ``paper_numbers.csv``."""

import csv
import io
from dataclasses import dataclass
from importlib import resources

from ls_tf.pages.tables import AsPrinted


@dataclass(frozen=True)
class Printed:
    """A number as a paper prints it, and where."""

    value: AsPrinted
    source: str


def numbers(report: str) -> dict[tuple[str, str], Printed]:
    """Reads the printed numbers that a report shows beside ours.

    Args:
        report: the report's name.

    Returns:
        dict: (row, column) -> the number; what no paper prints is not there.

    Raises:
        ValueError: a number stands twice in the file.

    Source: each line of the file names its own.
    """
    file = resources.files("ls_tf.reports").joinpath("paper_numbers.csv")
    found: dict[tuple[str, str], Printed] = {}
    for line in csv.DictReader(io.StringIO(file.read_text("utf-8"))):
        if line["report"] != report:
            continue
        key = line["row"], line["column"]
        if key in found:
            raise ValueError(f"paper_numbers.csv: {report}, {key} stands twice")
        found[key] = Printed(AsPrinted(line["value"]), line["source"])
    return found


def value(
    found: dict[tuple[str, str], Printed], row: str, column: str
) -> AsPrinted | None:
    """Gives a printed number, or None if no paper prints it."""
    printed = found.get((row, column))
    return None if printed is None else printed.value
