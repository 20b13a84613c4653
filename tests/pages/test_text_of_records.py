"""What stands in a record reaches a page as the text that it is."""

import html.parser
import warnings

import pytest
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from ls_tf.pages import canvas, dot_plot, escaping, tables
from ls_tf.pages import html as pages
from ls_tf.pages.blocks import Table, Text

ODD = (
    "$$",
    "$",
    r"$\frac{$",
    r"\$x$",
    r"$\undefined$ and $x^2$",
    r"$\mathdefault{$",
    "a|b||",
    "a\\|b",
    "\\",
    "`code",
    "``|``",
    "*a* _b_ __c__ ~~d~~ snake_case _",
    "[a](http://b) ![c](d) [^1]",
    "<script>alert(1)</script>",
    "</td></table></pre>",
    "<!-- /report:a_report -->",
    "<!-- report:other -->",
    "a --> b <!doctype x> <?php ?>",
    "a < b > c <3",
    "&lt; &amp; &#36; &copy & c",
    "# a heading",
    "> a quotation",
    "- an item",
    "+ another",
    "1. a first",
    "23) more",
    "---",
    "===",
    '" onerror="x',
    "' single",
    "one\nline\r\nmore\u2028and\x85more\tand\x0bmore",
    "\x00\x1b[31m\x07",
    "\u202eleft\u202c\u2066\u200f",
    "\udcff\ud800",
    "\ufeff",
    "中文 😀 עברית e\u0301 نمی\u200cخواهم",
    "%s {0} ${title} $title",
    "_hidden",
    "",
    " ",
)


def seen(text):
    """The text of an escape, without the white space that Markdown drops."""
    return escaping.visible(text).strip()


def contents(tokens):
    return "".join(
        token.content
        for inline in tokens
        for token in (inline.children or [])
        if token.type in ("text", "text_special")
    )


@pytest.mark.parametrize("text", ODD)
def test_markdown_reads_a_cell_and_a_caption_as_the_text(text):
    made = Table("t", text, ("x", text), ("", ""), (("y", text), (text, 1)))
    written = tables.markdown(made)
    tokens = MarkdownIt("commonmark").enable("table").parse(written)
    # One table of one head and two rows, and one paragraph: no more.
    blocks = [t.type for t in tokens if t.level == 0]
    caption = ["paragraph_open", "paragraph_close"] if seen(text) else []
    assert blocks == ["table_open", "table_close", *caption]
    inlines = [t for t in tokens if t.type == "inline"]
    kinds = {c.type for t in inlines for c in t.children}
    assert kinds <= {"text", "text_special"}
    found = [contents([t]).strip() for t in inlines]
    head, first, second = ("x", text), ("y", text), (text, "1")
    wanted = [seen(w) for row in (head, first, second) for w in row]
    assert found == [*wanted, *([seen(text)] if seen(text) else [])]
    assert "<!--" not in written and "$$" not in written


class _Words(html.parser.HTMLParser):
    """Texts of cells, of what stands around them, and all tags."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.comments = [], [""], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag == "wbr":  # where a long word may be broken; no tag around it
            return
        self.tags.append(tag)
        self.texts += [value or "" for _, value in attrs]
        self.texts.append("")

    def handle_endtag(self, tag):
        self.tags.append(f"/{tag}")
        self.texts.append("")

    def handle_data(self, data):
        self.texts[-1] += data

    def handle_comment(self, data):
        self.comments.append(data)


def page(text):
    made = Table("t", text, ("x", text), ("", ""), (("y", text),))
    written = pages.page(
        text,
        [Text(text, text, (text,)), made],
        images={},
        note=text,
        missing=[(text, text)],
        provenance=made,
        unchecked=text,
    )
    return _Words(written)


@pytest.mark.parametrize("text", [t for t in ODD if t])
def test_html_holds_the_text_and_no_more_tags(text):
    found, plain = page(text), page("plain")
    assert found.tags == plain.tags and found.comments == []
    shown = escaping.visible(text, lines=True)
    assert found.texts.count(shown) == plain.texts.count("plain") > 10


# Those that matplotlib could take for something else.
DRAWN = [text for text in ODD if set(text) & set("$\\_\0\n\u202e\udcff中")]
LONG = "long " * 50_000


def picture(text):
    figure = Figure(figsize=(4, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot([1, 2], [1, 2])
    axes.set(title=text, xlabel=text, ylabel=text)
    axes.text(1, 1, text)
    axes.annotate(text, (1, 1))
    figure.suptitle(f"ours\n{text}")
    canvas.legend_below(figure, 1, [canvas.key(text, color=canvas.INK)])
    return figure


@pytest.mark.parametrize("text", [*DRAWN, LONG])
def test_a_picture_shows_the_text_without_a_warning(text):
    figure = picture(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert canvas.png(figure, dpi=30).startswith(b"\x89PNG")
        assert canvas.pdf(figure).startswith(b"%PDF")
    axes = figure.axes[0]
    lines = "\n".join(map(escaping.label, text.split("\n")))
    assert axes.get_title() == axes.get_xlabel() == lines
    assert not axes.title.get_parse_math()
    (name,) = figure.legends[0].get_texts()
    assert name.get_text().lstrip(" ") == escaping.label(text).lstrip(" ")


def test_powers_along_an_axis_stay_formulas():
    figure = Figure()
    axes = figure.subplots()
    axes.loglog([1, 1000], [1, 1000])
    canvas.png(figure)
    ticks = axes.xaxis.get_ticklabels()
    assert all(tick.get_parse_math() for tick in ticks)
    assert axes.xaxis.get_ticklabels()[2].get_text().startswith("$")


def test_the_names_along_a_plot_of_dots_are_no_formulas():
    lines = [dot_plot.Line(text, 1.0) for text in ODD]
    figure = dot_plot.figure(lines, "$x$")
    canvas.png(figure, dpi=20)
    ticks = figure.axes[0].get_yticklabels()
    assert [t.get_text() for t in ticks] == [escaping.label(t) for t in ODD]
    assert not any(tick.get_parse_math() for tick in ticks)
