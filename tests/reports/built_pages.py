"""Reads what a report has written."""

import csv
import html

from ls_tf.pages.blocks import Picture


def rows(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def page_of(folder):
    return html.unescape((folder / "index.html").read_text())


def figures(module, records):
    """The figures of a report: name of the picture -> figure."""
    return {
        block.name: block.figure
        for block in module.build(records)
        if isinstance(block, Picture)
    }
