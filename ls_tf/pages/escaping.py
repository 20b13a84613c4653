"""Text from records and data, made harmless for where it is shown.

A class, a subword or a note may hold what means something there: ``$$`` in a
picture, a marker in a Markdown file, ``=1+1`` in a spreadsheet, a line break
or a mark that turns the direction of writing anywhere.
"""

import re
from html import escape

from markupsafe import Markup
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

_LONGEST = 2000  # characters of one cell or caption
_LONGEST_LABEL = 160  # of a line in a picture
# Control characters, marks of direction, line and paragraph separators, and
# halves of characters, which no file can hold.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e"
    "\u2066-\u2069\ud800-\udfff\ufeff]"
)

# Names of files, runs and fields, and where they may be broken: not within a
# number.
_LONG = re.compile(r"\S{12,}")
_WITHIN = re.compile(r"(?<=\w)([_/](?=\w)|[,.](?=[A-Za-z]))", re.ASCII)


# Markup of Markdown: "_" unless within a word.
_MARKUP = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])")
_TAG = re.compile(r"<(?=[!/?A-Za-z])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
# What begins a heading, a quotation, a rule or a list.
_BLOCK = re.compile(r"\A(\d*)([.)#>+=-])")

_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        # Without a T1 font these are other signs.
        **{sign: f"${sign}$" for sign in "<>|"},
        '"': r"\textquotedbl{}",
        "−": "$-$",
        "–": "--",
        "±": r"$\pm$",
        "≤": r"$\le$",
        "≈": r"$\approx$",
        "★": r"$\star$",
        "→": r"$\to$",
        "²": "$^2$",
    }
)


def visible(words: str, *, lines: bool = False, longest: int = _LONGEST) -> str:
    """Shows what cannot be seen by its number, and a long text's beginning.

    Args:
        words: any text.
        lines: whether line breaks stay.
        longest: how many characters of a text are shown.

    Returns:
        str: the same text where it is ordinary.

    Source: ours.
    """
    if len(words) > longest:
        words = f"{words[:longest]} ..."

    def number(match: re.Match[str]) -> str:
        if lines and match[0] == "\n":
            return "\n"
        return f"U+{ord(match[0]):04X}"

    return _HIDDEN.sub(number, words)


def label(words: str) -> str:
    """Shows text in a picture, in one line."""
    return visible(words, longest=_LONGEST_LABEL)


def picture(figure: Figure) -> None:
    """Shows a figure's words as they are, not as formulas.

    The labels that matplotlib itself writes along an axis stay: powers are
    formulas.
    """
    numbers = {
        text
        for axis in figure.findobj(Axis)
        for text in axis.findobj(Text)
        if text is not axis.label
    }
    for text in figure.findobj(Text):
        # One that is no formula any more was here before.
        if text not in numbers and text.get_parse_math():
            lines = text.get_text().split("\n")
            text.set(text="\n".join(map(label, lines)), parse_math=False)


def html(words: object) -> Markup:
    """Escapes what a template writes; what is HTML already stays.

    Args:
        words: text, a number, or HTML of a template.
    """
    if isinstance(words, Markup):
        return words
    return Markup(escape(visible(str(words), lines=True)))


def cell_of_page(words: str) -> Markup:
    """Escapes a cell of a page; a long name may be broken between its words.

    Args:
        words: any text.

    Source: ours; the element wbr of HTML.
    """

    def parted(match: re.Match[str]) -> str:
        return _WITHIN.sub(r"\1<wbr>", match[0])

    return Markup(_LONG.sub(parted, html(words)))


def _markdown(words: str) -> str:
    """Escapes what Markdown takes for markup wherever it stands.

    A comment, so a marker too, and a tag begin with ``<``.
    """
    safe = _MARKUP.sub(r"\\\g<0>", visible(words))
    safe = _TAG.sub("&lt;", _ENTITY.sub("&amp;", safe))
    # One alone is no formula.
    return safe.replace("$", r"\$") if safe.count("$") > 1 else safe


def paragraph(words: str) -> str:
    """Escapes text for a paragraph of Markdown.

    Source: the CommonMark specification 0.31.2, and GitHub's formulas.
    """
    return _BLOCK.sub(r"\1\\\2", _markdown(words).strip(), count=1)


def cell(words: str) -> str:
    """Escapes text for a cell of a Markdown table, which a bar would part."""
    return _markdown(words).replace("|", r"\|")


def latex(words: str) -> str:
    """Escapes text for LaTeX, and sets its signs as LaTeX names them.

    Source: ours.
    """
    return visible(words).translate(_LATEX)


def comma_separated(words: str) -> str:
    """Escapes text for a cell that a spreadsheet might take for a formula."""
    shown = visible(words, lines=True)
    # A sign before a digit is a number, and alone no formula.
    formula = re.match(r"\s*([=@]|[+-](?![\d.\s]|$))", shown)
    return f"'{shown}" if formula else shown
