"""One self-contained HTML page: pictures and style stand in it."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from ls_tf.pages import alternative, escaping, tables
from ls_tf.pages.blocks import Block, Command, Picture, Table, Text

# The row that a run would fill ("" for none), and the command that makes it.
Missing = tuple[str, str]

_PIXELS = 96  # of an inch, in CSS
_WORDS = 32  # a column with longer cells is one of words


def _read(name: str) -> str:
    """Reads a template or the style, which stand beside this module."""
    return resources.files("ls_tf.pages").joinpath(name).read_text("utf-8")


# ``finalize`` sees whatever a template writes: all text is escaped there.
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FunctionLoader(_read),
    autoescape=True,
    finalize=escaping.html,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


class _Column(NamedTuple):
    """A column's heading, and its class in the style."""

    heading: str
    kind: str


class _Cell(NamedTuple):
    """A cell as it is shown."""

    shown: str
    kind: str
    is_command: bool


def _kinds(table: Table, shown: Sequence[Sequence[str]]) -> list[str]:
    """Says of each column whether it is of numbers, many words or verdicts."""
    of_verdicts = tables.of_verdicts(table)

    def kind(place: int, is_number: bool) -> str:
        if is_number:
            return "number"
        words = [
            row[place]
            for row, values in zip(shown, table.rows, strict=True)
            if not isinstance(values[place], Command)
        ]
        kinds = ["verdict"] if place in of_verdicts else []
        if max(map(len, words), default=0) > _WORDS:
            kinds.append("words")
        return " ".join(kinds)

    return [kind(i, n) for i, n in enumerate(tables.aligned_right(table))]


def _table(table: Table) -> dict[str, object]:
    shown = tables.cells(table)
    kinds = _kinds(table, shown)
    rows = [
        [
            _Cell(
                escaping.cell_of_page(word),
                kind,
                isinstance(value, Command) and bool(value),
            )
            for word, kind, value in zip(row, kinds, values, strict=True)
        ]
        for row, values in zip(shown, table.rows, strict=True)
    ]
    without = tables.without_run(table)
    return {
        "kind": "table",
        "columns": list(map(_Column, table.headings, kinds)),
        "rows": [row for i, row in enumerate(rows) if i not in without],
        "folded": [rows[i] for i in without],
        "without": tables.no_run_line(table),
        "caption": table.caption,
        # On a phone a verdict would be out of sight behind the numbers.
        "stacks": bool(tables.of_verdicts(table)),
    }


def _picture(block: Picture, png: bytes) -> dict[str, object]:
    width, height = block.figure.get_size_inches()
    return {
        "kind": "picture",
        "alt": alternative.text(block.figure, block.caption),
        "width": round(_PIXELS * width),
        "height": round(_PIXELS * height),
        # Not text of a record, and longer than a text may be.
        "data": Markup(base64.b64encode(png).decode()),
        "caption": block.caption,
    }


def _text(block: Text) -> dict[str, object]:
    # Not "items": a dictionary has a method of that name.
    return {
        "kind": "text",
        "heading": block.heading,
        "body": block.body,
        "lines": block.items,
    }


def _commands(missing: Iterable[Missing]) -> Iterable[str]:
    last = ""
    for row, command in missing:
        if row and row != last:
            yield f"# {row}"
        last = row
        yield command


def page(
    title: str,
    blocks: Iterable[Block],
    *,
    images: Mapping[str, bytes],
    note: str,
    missing: Sequence[Missing],
    provenance: Table | None,
    unchecked: str = "",
) -> str:
    """Writes a report as one HTML page that needs no other file.

    Args:
        title: its heading.
        blocks: what it says.
        images: name of each picture -> PNG.
        note: a warning at the top, "" for none.
        missing: runs that are not there: the row they fill, their command.
        provenance: one row for each run, or None if it needs no run.
        unchecked: which of the records could not be checked, "" for none.

    Returns:
        str: the page.

    Source: ours.
    """
    parts = []
    for block in blocks:
        if isinstance(block, Text):
            parts.append(_text(block))
        elif isinstance(block, Table):
            parts.append(_table(block))
        else:
            parts.append(_picture(block, images[block.name]))
    return _TEMPLATES.get_template("page.html").render(
        title=title,
        note=note,
        parts=parts,
        missing=len(missing),
        commands=list(_commands(missing)),
        origin=None if provenance is None else _table(provenance),
        unchecked=unchecked,
    )
