"""Text from records and data is shown as it is, wherever it is shown."""

import csv
import io
import re

import pytest
from matplotlib.figure import Figure

from ls_tf.pages import canvas, escaping, html, tables
from ls_tf.pages.blocks import Table

ODD = [
    "$$",
    "$x",
    r"$\frac{",
    "a$b$c",
    "\\",
    "<script>alert(1)</script>",
    "a|b",
    "a\\|b",
    "`code`",
    "two\nlines",
    "nul\x00 bell\x07 esc\x1b[31m",
    "\u202egnp.exe",
    "<!-- /report:fig1 -->",
    "=1+1",
    "@SUM(A1)",
    "+cmd|' /C calc'!A0",
    "\ud800",
    "x" * 100_000,
    "",
    "▁",
]


def table(words):
    return Table("t", words, ("a", "b"), ("", ""), ((words, "end"),))


@pytest.mark.parametrize("words", ODD, ids=range(len(ODD)))
def test_everywhere(words):
    figure = Figure(figsize=(2, 2))
    axes = figure.subplots()
    axes.set_title(words[:100])
    axes.plot([1, 2], label=words[:100] or "none")
    axes.legend()
    assert canvas.png(figure)[:4] == b"\x89PNG"
    assert canvas.pdf(figure)[:4] == b"%PDF"

    text = tables.markdown(table(words))
    text.encode()
    lines = text.splitlines()
    assert len(lines) == 5, "a row is a line, and so is the caption"
    assert len(text) < 10_000
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", lines[2])) == 3, "two cells"
    assert "<!--" not in text
    assert "<script" not in text

    page = html.page(
        words,
        [table(words)],
        images={},
        note=words,
        missing=[(words, words)],
        provenance=None,
    )
    page.encode()
    assert "<script" not in page
    assert "<!-- /report" not in page

    comma = tables.comma_separated(table(words))
    comma.encode()
    _, (first, end) = csv.reader(io.StringIO(comma, newline=""))
    assert end == "end"
    assert not first.startswith(("=", "@", "+"))


@pytest.mark.parametrize(
    "words",
    ["alpha = 0.1", "−3.2 ± 0.1", "a < b", "5 $", "100 %", "-0.5", "–", "+3"],
)
def test_ordinary_text_stays(words):
    assert escaping.visible(words) == words
    assert escaping.cell(words) == words
    assert escaping.comma_separated(words) == words


def test_what_is_hidden_is_shown():
    assert escaping.visible("a\x00\u202eb") == "aU+0000U+202Eb"
    assert escaping.cell("a|`b\\|") == "a\\|\\`b\\\\\\|"
    assert (
        escaping.paragraph("<!-- x --> <b> < 3") == "&lt;!-- x --> &lt;b> < 3"
    )


def test_labels_of_an_axis_of_powers_are_formulas():
    figure = Figure()
    axes = figure.subplots()
    axes.set(xscale="log", title="$$")
    axes.plot([1, 1000], [1, 2])
    canvas.png(figure)
    ticks = [t for t in axes.get_xticklabels() if "mathdefault" in t.get_text()]
    assert ticks
    assert all(t.get_parse_math() for t in ticks)
    assert not axes.title.get_parse_math()


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("fig6_mutual_information", "fig6_<wbr>mutual_<wbr>information"),
        ("bleu_uncased", "bleu_<wbr>uncased"),
        ("fc_mnist", "fc_mnist"),
        ("_private_and_more_", "_private_<wbr>and_<wbr>more_"),
        ("a name_of <several> words", "a name_of &lt;several&gt; words"),
        (
            "of noise_mnist/loss.options.p=0.05,train.steps=9/seed=0",
            "of noise_<wbr>mnist/<wbr>loss.<wbr>options.<wbr>p=0.05,<wbr>"
            "train.<wbr>steps=9/<wbr>seed=0",
        ),
        ("1,234,567,890.25", "1,234,567,890.25"),
        ("<_a/_b,'c.d\">", "&lt;_a/<wbr>_b,&#x27;c.<wbr>d&quot;&gt;"),
    ],
)
def test_a_long_name_may_be_broken_between_its_words(words, shown):
    assert str(escaping.cell_of_page(words)) == shown
