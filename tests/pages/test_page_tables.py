import collections
import csv
import dataclasses
import math
import pathlib
import re

import pytest

from ls_tf.pages import quoted, tables
from ls_tf.pages.blocks import NO_RUN, Table
from ls_tf.spec import registry


def table():
    rows = (
        ("a|b", 0.125, 3, None),
        ("c", -0.5, NO_RUN, math.nan),
        ("d", tables.AsPrinted("0.10"), 5, 1e-7),
    )
    headings, formats = ("name", "x", "n", "y"), ("", "+.3f", "", "")
    return Table("t", "Caption.", headings, formats, rows)


def test_cells_are_shown_by_kind():
    assert tables.cells(table()) == [
        ["a|b", "+0.125", "3", "–"],
        ["c", "−0.500", "no run", "not defined"],
        ["d", "0.10", "5", "1e-07"],
    ]


def test_markdown_escapes_bars_and_aligns_numbers():
    assert tables.markdown(table()) == (
        "| name | x | n | y |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| a\\|b | +0.125 | 3 | – |\n"
        "| d | 0.10 | 5 | 1e-07 |\n"
        "\nCaption. No run yet for 1 of 3 rows: c.\n"
    )


def partial(*values):
    """A table of some networks over two values of alpha."""
    names = "ABCDEFGHIJKL"
    rows = tuple(
        (name, tables.AsPrinted("0.5"), *pair)
        for name, pair in zip(names, values, strict=False)
    )
    headings = ("network", "printed", "alpha=0", "alpha=0.1")
    return Table("t", "Caption.", headings, ("", "", ".1f", ".1f"), rows)


def test_a_row_that_has_seeds_is_shown_whatever_else_has_no_run():
    # As where the networks have run and none of their students has.
    rows = (("a", 99.1, NO_RUN, 3), ("b", NO_RUN, NO_RUN, 0))
    headings = ("network", "accuracy", "student", "seeds")
    found = Table("t", "Caption.", headings, ("", ".1f", ".1f", ""), rows)
    assert tables.without_run(found) == [1]
    alone = dataclasses.replace(found, rows=rows[:1])
    assert tables.without_run(alone) == []


def test_rows_without_a_run_are_one_line():
    found = partial((1.0, 2.0), (1.0, NO_RUN), (NO_RUN,) * 2, (NO_RUN,) * 2)
    assert tables.without_run(found) == [2, 3]
    assert tables.markdown(found).splitlines()[2:] == [
        "| A | 0.5 | 1.0 | 2.0 |",
        "| B | 0.5 | 1.0 | no run |",
        "",
        "Caption. No run yet for 2 of 4 rows: C; D.",
    ]
    # A file for programs keeps them.
    assert tables.comma_separated(found).splitlines()[3:] == [
        "C,0.5,no run,no run",
        "D,0.5,no run,no run",
    ]


def test_rows_of_one_name_are_counted_and_many_names_are_cut():
    whole = partial((1.0, 2.0))
    assert tables.without_run(whole) == [] and tables.no_run_line(whole) == ""
    many = partial(*[(NO_RUN, NO_RUN)] * 10)
    assert tables.no_run_line(many) == (
        "No run yet for 10 of 10 rows: A; B; C; D; E; F; G; H; 2 more."
    )
    rows = (("A", NO_RUN), ("A", 0), ("B", NO_RUN), ("C", 0.0))
    twice = Table("t", "", ("network", "x"), ("", ""), rows)
    line = "No run yet for 3 of 4 rows: A (2 rows); B."
    assert tables.no_run_line(twice) == line


def test_csv_keeps_all_digits():
    rows = ((1 / 3, None), (0.1 + 0.2, NO_RUN))
    made = Table("t", "", ("x", "y"), ("", ""), rows)
    assert tables.comma_separated(made) == (
        "x,y\n0.3333333333333333,\n0.30000000000000004,no run\n"
    )


def test_columns_of_numbers_hold_numbers_alone_where_wanted():
    assert tables.comma_separated(table(), numbers_only=True) == (
        "name,x,n,y\na|b,0.125,3,\nc,-0.5,,nan\nd,0.1,5,1e-07\n"
    )


def test_latex_shows_the_same_digits_between_booktabs_rules():
    made = table()
    rows = (("50 % of a_b & {c}", tables.AsPrinted("0.10")), ("x < 2^3", -0.5))
    odd = Table("t", "–1 ± 2\\", ("#", "$y~$"), ("", ".1f"), rows)
    assert tables.latex(made).splitlines()[3:] == [
        r"\caption{Caption. No run yet for 1 of 3 rows: c.}",
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r"name & x & n & y \\",
        r"\midrule",
        r"a$|$b & +0.125 & 3 & -- \\",
        r"d & 0.10 & 5 & 1e-07 \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    lines = tables.latex(odd).splitlines()
    assert lines[3] == r"\caption{--1 $\pm$ 2\textbackslash{}}"
    assert lines[6] == r"\# & \$y\textasciitilde{}\$ \\"
    assert lines[8:10] == [
        r"50 \% of a\_b \& \{c\} & 0.10 \\",
        r"x $<$ 2\textasciicircum{}3 & $-$0.5 \\",
    ]


def test_spread_by_hand():
    found = tables.spread([0.3, 0.1, 0.5])
    assert found.mean == pytest.approx((0.3 + 0.1 + 0.5) / 3)
    assert (found.low, found.high, found.count) == (0.1, 0.5, 3)
    assert tables.spread([]) is None


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_seed_that_is_not_defined_hides_the_range_wherever_it_is(place):
    values = [0.3, 0.1]
    values.insert(place, math.nan)
    found = tables.spread(values)
    assert found.count == 3
    assert all(map(math.isnan, (found.mean, found.low, found.high)))


def test_a_claim_about_what_is_not_defined_cannot_be_said():
    assert tables.yes_no(tables.is_less(1.0, 2.0)) == "yes"
    assert tables.yes_no(tables.is_less(2.0, 2.0)) == "no"
    assert tables.yes_no(tables.is_less(math.nan, 2.0)) == "cannot be said"


def test_printed_numbers_of_table_4():
    found = quoted.numbers("re_table4_mnist")
    assert found == {
        ("teacher, hard targets and dropout", "M error %"): 0.67,
        ("teacher, hard targets and dropout", "R error %"): 0.81,
        ("teacher, smoothed", "M error %"): 0.59,
        ("teacher, smoothed", "R error %"): 0.69,
        ("student of the hard teacher", "M error %"): 0.74,
        ("student of the hard teacher", "R error %"): 0.93,
        ("student of the smoothed teacher", "M error %"): 0.91,
        ("student of the smoothed teacher", "R error %"): 1.05,
        ("hard targets, no dropout", "R error %"): 0.94,
    }


@pytest.mark.parametrize(
    ("row", "accuracies", "errors", "scaled", "temperature"),
    [
        (
            "MNIST",
            (99.06, 99.33, 99.31, 99.24, 99.13),
            (0.002, 0.056, 0.102, 0.147, 0.281),
            0.001,
            1.06,
        ),
        (
            "EMNIST",
            (88.79, 89.11, 89.35, 89.19, 88.88),
            (0.017, 0.056, 0.108, 0.154, 0.288),
            0.008,
            1.14,
        ),
        (
            "Fashion-MNIST",
            (91.01, 90.66, 90.45, 90.59, 90.37),
            (0.010, 0.042, 0.085, 0.128, 0.252),
            0.008,
            1.1,
        ),
        (
            "CUB-200-2011 ResNet-34",
            (77.75, 80.38, 80.48, 81.12, 80.77),
            (0.082, 0.159, 0.235, 0.286, 0.400),
            0.013,
            1.4,
        ),
        (
            "Tiny ImageNet ResNet-50",
            (72.20, 72.65, 72.30, 72.28, 72.75),
            (0.150, 0.060, 0.045, 0.054, 0.166),
            0.013,
            1.7,
        ),
    ],
)
def test_printed_numbers_of_tables_2_and_3(
    row, accuracies, errors, scaled, temperature
):
    found = quoted.numbers("re_table2_table3")
    alphas = ("0", "0.05", "0.1", "0.15", "0.3")
    for alpha, accuracy, error in zip(alphas, accuracies, errors, strict=True):
        key = f"accuracy % alpha={alpha}"
        assert found.get((row, key)) == accuracy
        assert found.get((row, f"ece alpha={alpha}")) == error
    assert found.get((row, "ece scaled")) == scaled
    assert found.get((row, "temperature")) == temperature
    assert found.get((row, "no such column")) is None


def test_every_printed_number_has_a_report_and_a_source():
    file = (
        pathlib.Path(quoted.__file__).parents[1] / "reports/paper_numbers.csv"
    )
    lines = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    keys = [(li["report"], li["row"], li["column"]) for li in lines]
    assert len(set(keys)) == len(lines)
    assert collections.Counter(report for report, _, _ in keys) == {
        "re_table4_mnist": 9,
        "re_table2_table3": 8 * (5 + 5 + 2) + 7,
        "table2_accuracy": 10,
        "table3_ece": 15,
        "fig4_bleu_nll_sweep": 4,
        "stability": 4 + 3 * 2,
        "long_tail": 11 * 2,  # table 3: pairs with and without smoothing
        "s_fig5": 12 * 2 * 2,  # teachers and students, hard and smoothed
        "s_fig6": 2,
        "s_table1_table10": 52,
        "s_table4": 12,
        "s_table6_table8": 32,
    }
    shens = ("stability", "long_tail", "s_")
    for line in lines:
        assert line["report"] in registry.names("ls_tf.reports")
        is_shens = line["report"].startswith(shens)
        authors = "Shen" if is_shens else "Mueller|Wagner"
        assert re.match(rf"({authors}) et al\.", line["source"])
