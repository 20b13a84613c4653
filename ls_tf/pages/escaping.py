"""Text from records and data, made harmless for where it is shown.

A class, a subword or a note may hold what means something there: ``$$`` in a
picture, a marker in a Markdown file, ``=1+1`` in a spreadsheet, a line break
or a mark that turns the direction of writing anywhere.
"""

import re
from html import escape

from matplotlib.figure import Figure
from matplotlib.text import Text

_LONGEST = 2000  # characters of one cell, label or caption
# Control characters, marks of direction, line and paragraph separators, and
# halves of characters, which no file can hold.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e"
    "\u2066-\u2069\ud800-\udfff\ufeff]"
)


def visible(words: str, *, lines: bool = False) -> str:
    """Shows what cannot be seen by its number, and a long text's beginning.

    Args:
        words: any text.
        lines: whether line breaks stay.

    Returns:
        str: the same text where it is ordinary.

    Source: ours.
    """
    if len(words) > _LONGEST:
        words = f"{words[:_LONGEST]}... ({len(words)} characters)"

    def number(match: re.Match[str]) -> str:
        if lines and match[0] == "\n":
            return "\n"
        return f"U+{ord(match[0]):04X}"

    return _HIDDEN.sub(number, words)


def picture(figure: Figure) -> None:
    """Shows a figure's words as they are, not as formulas.

    The labels that matplotlib itself writes on an axis of powers stay.
    """
    for text in figure.findobj(Text):
        words = text.get_text()
        if "$" in words and r"\mathdefault" not in words:
            text.set_parse_math(False)
        shown = visible(words, lines=True)
        if shown != words:
            text.set_text(shown)


def html(words: str) -> str:
    """Escapes text for HTML."""
    return escape(visible(words, lines=True))


def paragraph(words: str) -> str:
    """Escapes text for a paragraph of Markdown.

    A comment, so a marker too, and a tag begin with ``<``.
    """
    return re.sub(r"<(?=[!/?A-Za-z])", "&lt;", visible(words))


def cell(words: str) -> str:
    """Escapes text for a cell of a Markdown table.

    Besides, a bar would part the cell and a backtick begin code.
    """
    shown = re.sub(r"\\(?=[\\|`*_<\[$]|$)", r"\\\\", paragraph(words))
    return re.sub(r"([|`])", r"\\\1", shown)


def comma_separated(words: str) -> str:
    """Escapes text for a cell that a spreadsheet might take for a formula."""
    shown = visible(words, lines=True)
    # A sign before a digit is a number, and alone no formula.
    formula = re.match(r"\s*([=@]|[+-](?![\d.\s]|$))", shown)
    return f"'{shown}" if formula else shown
