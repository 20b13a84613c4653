"""One self-contained HTML page: pictures and style stand in it."""

import base64
import string
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from ls_tf.pages import escaping, tables
from ls_tf.pages.blocks import Block, Picture, Table, Text

# The row that a run would fill ("" for none), and the command that makes it.
Missing = tuple[str, str]


def _read(name: str) -> str:
    """Reads the template or the style, which stand beside this module."""
    return resources.files("ls_tf.pages").joinpath(name).read_text("utf-8")


def _text(block: Text) -> str:
    parts = []
    if block.heading:
        parts.append(f"<h2>{escaping.html(block.heading)}</h2>")
    if block.body:
        parts.append(f"<p>{escaping.html(block.body)}</p>")
    if block.items:
        items = "".join(f"<li>{escaping.html(i)}</li>" for i in block.items)
        parts.append(f"<ul>{items}</ul>")
    return "\n".join(parts)


def _row(words: Iterable[str], right: Sequence[bool], tag: str) -> str:
    inner = "".join(
        f'<{tag} class="number">{escaping.html(word)}</{tag}>'
        if number
        else f"<{tag}>{escaping.html(word)}</{tag}>"
        for word, number in zip(words, right, strict=True)
    )
    return f"<tr>{inner}</tr>"


def _table(table: Table) -> str:
    right = tables.aligned_right(table)
    head = _row(table.headings, right, "th")
    body = "\n".join(_row(row, right, "td") for row in tables.cells(table))
    caption = escaping.html(table.caption)
    return (
        f'<figure class="table"><div class="wide"><table>'
        f"<thead>{head}</thead>\n<tbody>{body}</tbody></table></div>"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _picture(block: Picture, png: bytes) -> str:
    caption = escaping.html(block.caption)
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _missing(missing: Sequence[Missing]) -> str:
    if not missing:
        return ""
    words, last = [], ""
    for row, command in missing:
        if row and row != last:
            words.append(f"# {row}")
        last = row
        words.append(command)
    lines = "\n".join(escaping.html(word) for word in words)
    return (
        f"<h2>Runs that are not there</h2><p>{len(missing)} runs that would "
        "add seeds or rows have no finished record. These commands make "
        f"them:</p><pre>{lines}</pre>"
    )


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
    body = "\n".join(parts)
    warning = f'<p class="note">{escaping.html(note)}</p>' if note else ""
    origin = (
        "<p>Drawn from formulas; no run is needed.</p>"
        if provenance is None
        else _table(provenance)
    )
    if unchecked:
        origin += f"\n<p>{escaping.html(unchecked)}</p>"
    return string.Template(_read("page.html")).substitute(
        style=_read("page.css"),
        title=escaping.html(title),
        warning=warning,
        body=body,
        missing=_missing(missing),
        origin=origin,
    )
