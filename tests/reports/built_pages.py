"""Reads what a report has written."""

import csv
import html


def rows(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def page_of(folder):
    return html.unescape((folder / "index.html").read_text())
