"""The numbers that the papers print, from ``paper_numbers.csv``."""

import csv
import io
from importlib import resources

from ls_tf.pages.tables import AsPrinted

# (row, column) -> the number; what no paper prints is not there.
Printed = dict[tuple[str, str], AsPrinted]


def numbers(report: str) -> Printed:
    """Reads the printed numbers that a report shows beside ours.

    Args:
        report: the report's name.

    Returns:
        dict: (row, column) -> the number.

    Raises:
        ValueError: a number stands twice in the file.

    Source: each line of the file names its own.
    """
    file = resources.files("ls_tf.reports").joinpath("paper_numbers.csv")
    printed: Printed = {}
    for line in csv.DictReader(io.StringIO(file.read_text("utf-8"))):
        if line["report"] != report:
            continue
        key = line["row"], line["column"]
        if key in printed:
            raise ValueError(f"paper_numbers.csv: {report}, {key} stands twice")
        printed[key] = AsPrinted(line["value"])
    return printed
