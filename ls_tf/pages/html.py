"""One self-contained HTML page: pictures and style stand in it."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence

from ls_tf.pages import tables
from ls_tf.pages.blocks import Block, Picture, Table, Text

# The row that a run would fill ("" for none), and the command that makes it.
Missing = tuple[str, str]

_STYLE = """
:root{color-scheme:light dark;--ink:#1c1f23;--soft:#5b636d;--line:#d9dde2;
--paper:#fff;--shade:#f5f6f8;--accent:#0072b2}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#a3abb5;
--line:#3a4048;--paper:#16191d;--shade:#1f2329;--accent:#56b4e9}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:52rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 1rem;
border-bottom:3px solid var(--accent);padding-bottom:.6rem}
h2{font-size:1.2rem;margin:2.2rem 0 .4rem}
p,ul{max-width:44rem;margin:.6rem 0}
.note{background:var(--shade);border-left:4px solid var(--accent);
padding:.6rem .9rem}
figure{margin:1.6rem 0}
figcaption{color:var(--soft);font-size:.9rem;margin-top:.5rem;max-width:44rem}
img{display:block;width:100%;height:auto;background:#fff;border-radius:6px;
border:1px solid var(--line)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.92rem;
font-variant-numeric:tabular-nums}
th,td{padding:.35rem .8rem;text-align:left;white-space:nowrap;
border-bottom:1px solid var(--line)}
th{background:var(--shade);font-weight:600}
tbody tr:hover{background:var(--shade)}
.number{text-align:right}
code,pre{font:.85rem/1.5 ui-monospace,SFMono-Regular,Menlo,monospace}
pre{background:var(--shade);padding:.7rem .9rem;overflow-x:auto;
border-radius:6px}
footer{margin-top:3rem;border-top:1px solid var(--line);color:var(--soft);
font-size:.85rem}
footer table{font-size:.8rem}
"""


def _text(block: Text) -> str:
    parts = []
    if block.heading:
        parts.append(f"<h2>{html.escape(block.heading)}</h2>")
    if block.body:
        parts.append(f"<p>{html.escape(block.body)}</p>")
    if block.items:
        items = "".join(f"<li>{html.escape(i)}</li>" for i in block.items)
        parts.append(f"<ul>{items}</ul>")
    return "\n".join(parts)


def _row(words: Iterable[str], right: Sequence[bool], tag: str) -> str:
    inner = "".join(
        f'<{tag} class="number">{html.escape(word)}</{tag}>'
        if number
        else f"<{tag}>{html.escape(word)}</{tag}>"
        for word, number in zip(words, right, strict=True)
    )
    return f"<tr>{inner}</tr>"


def _table(table: Table) -> str:
    right = tables.aligned_right(table)
    head = _row([str(c) for c in table.data.columns], right, "th")
    body = "\n".join(_row(row, right, "td") for row in tables.cells(table))
    caption = html.escape(table.caption)
    return (
        f'<figure><div class="wide"><table><thead>{head}</thead>\n'
        f"<tbody>{body}</tbody></table></div>"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _picture(block: Picture, png: bytes) -> str:
    caption = html.escape(block.caption)
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
    lines = html.escape("\n".join(words))
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
) -> str:
    """Writes a report as one HTML page that needs no other file.

    Args:
        title: its heading.
        blocks: what it says.
        images: name of each picture -> PNG.
        note: a warning at the top, "" for none.
        missing: runs that are not there: the row they fill, their command.
        provenance: one row for each run, or None if it needs no run.

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
    title = html.escape(title)
    warning = f'<p class="note">{html.escape(note)}</p>' if note else ""
    origin = (
        "<p>Drawn from formulas; no run is needed.</p>"
        if provenance is None
        else _table(provenance)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{warning}
{body}
{_missing(missing)}
<footer>
<h2>Where the numbers come from</h2>
{origin}
</footer>
</main>
</body>
</html>
"""
