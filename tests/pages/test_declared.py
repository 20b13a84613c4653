"""Numbers, tables and claims, by hand."""

import math

import pytest
from matplotlib.figure import Figure

from ls_tf.pages import canvas, declared, dot_plot, tables
from ls_tf.pages.blocks import NO_RUN
from ls_tf.pages.declared import Claim, Number


class Stored:
    """A record that holds some scalars of one evaluator."""

    def __init__(self, **scalars):
        self._scalars = scalars

    def scalars(self, evaluator, role):
        assert (evaluator, role) == ("classification", "report")
        return self._scalars


RUNS = {0: Stored(accuracy=0.5, error=0.5), 2: Stored(accuracy=0.75, error=0.2)}


def test_a_number_in_percent_is_a_fraction_in_the_record():
    assert declared.ACCURACY.of(RUNS) == {0: 50.0, 2: 75.0}
    error = Number("classification", "error")
    assert error.of(RUNS) == {0: 0.5, 2: 0.2}
    assert error.mean(RUNS) == pytest.approx(0.35)
    assert declared.ACCURACY.over(RUNS) == tables.Spread(62.5, 50.0, 75.0, 2)
    assert declared.ACCURACY.mean({}) is declared.ACCURACY.over({}) is None


def test_the_best_of_a_training_is_its_last_measurement_or_another():
    class Trained(Stored):
        def curve(self, name):
            return {"report/accuracy": measured, "report/error": {}}[name]

    run = {1: Trained(accuracy=0.5, error=0.5)}
    measured = {100: 0.25, 200: 0.75, 300: 0.5}
    assert declared.ACCURACY.best(run) == {1: 75.0}
    measured = {100: 0.25}
    assert declared.ACCURACY.best(run) == {1: 50.0}
    assert Number("classification", "error").best(run) == {1: 0.5}
    assert declared.ACCURACY.best({}) == {}


def test_a_table_is_its_rows_and_columns():
    table = declared.table(
        "names",
        "Caption.",
        [("a", 0.25), ("b", None)],
        ("name", lambda row: row[0], ""),
        ("x", lambda row: declared.or_no_run(row[1]), ".1f"),
    )
    assert (table.name, table.caption) == ("names", "Caption.")
    assert tables.cells(table) == [["a", "0.2"], ["b", "no run"]]
    assert tables.comma_separated(table) == "name,x\na,0.25\nb,no run\n"


def test_there_is_one_column_for_each_key():
    table = declared.table(
        "t",
        "",
        [{1: 0.5}, {2: 1.0}],
        *declared.each((1, 2), "x = {}".format, dict.get, ".1f"),
        *declared.each("a", str, lambda row, key: None, "", without=None),
    )
    assert table.headings == ("x = 1", "x = 2", "a")
    assert tables.cells(table) == [
        ["0.5", NO_RUN, "–"],
        [NO_RUN, "1.0", "–"],
    ]


def test_a_claim_has_its_numbers_and_their_distance():
    claim = Claim("it", {0: 1.0, 1: 5.0, 2: 9.0}, {0: 2.0, 1: 4.5, 7: 0.0})
    assert (claim.low, claim.high) == (3.0, 3.25)
    assert (claim.difference, claim.rise) == (-0.25, 0.25)
    assert str(claim.verdict) == "holds on average, in 1 of 2 seeds"


def test_only_seeds_that_both_have_are_compared():
    left, right = {0: 1.0, 1: 5.0, 2: 100.0}, {0: 2.0, 1: 4.5, 7: 0.0}
    claim = Claim("it", left, right)
    assert (claim.low, claim.high) == ((1 + 5) / 2, (2 + 4.5) / 2)
    assert (claim.holds, claim.seeds_for, claim.seeds) == ("yes", 1, 2)
    nothing = Claim("it", {0: 1.0}, {1: 2.0})
    assert (nothing.holds, nothing.seeds) == (NO_RUN, 0)


def test_a_claim_that_no_seed_can_judge_has_no_numbers():
    claim = Claim("it", {0: 1.0}, {1: 2.0})
    assert claim.low is claim.high is claim.difference is claim.rise is None
    assert claim.holds == str(claim.verdict) == NO_RUN


@pytest.mark.parametrize(
    ("printed", "word"),
    [((1, 2), "yes"), ((2, 2), "no"), ((None, 2), None), ((1, None), None)],
)
def test_a_claim_is_held_against_the_printed_numbers(printed, word):
    assert Claim("it", {}, {}, printed=printed).holds_in_paper == word


def test_a_claim_may_agree_in_its_own_way():
    claim = Claim("it", {0: 2.0}, {0: 2.0}, agrees=lambda a, b: a <= b)
    assert claim.holds == "yes"
    assert Claim("it", {0: 2.0}, {0: 2.0}).holds == "no"
    assert Claim("it", {0: math.nan}, {0: 2.0}).holds == "cannot be said"


def test_a_claim_may_be_that_the_first_number_is_the_higher_one():
    claim = Claim("it", {0: 2.0, 1: 1.0}, {0: 1.0, 1: 1.0})
    assert (claim.holds, claim.seeds_for) == ("no", 0)
    claim = Claim("it", claim.lower, claim.higher, agrees=tables.is_more)
    assert (claim.holds, claim.seeds_for) == ("yes", 1)
    assert tables.is_more(math.nan, 1.0) is None


def test_the_numbers_of_each_seed_are_taken_together():
    points = [{0: 1.0, 1: 8.0, 2: 5.0}, {0: 3.0, 1: 6.0}, {}]
    # Seed 2 lacks a point that others have: its mean would be of other points.
    assert declared.pooled(points) == {0: 2.0, 1: 7.0}
    assert declared.pooled(points, min) == {0: 1.0, 1: 6.0}
    assert declared.pooled([{0: 1.0}, {1: 2.0}]) == {}
    assert declared.pooled([{}]) == {}


def test_claims_are_said_and_shown_with_the_same_numbers():
    claims = [
        Claim("MNIST", {0: -1.0}, {0: 2.0}, "it falls", "theirs"),
        Claim("CIFAR", {}, {}, "it falls"),
    ]
    sentence = "{of}: {text} ({whose}): " + declared.compared(".1f", " nats")
    text = declared.findings((claims, sentence))
    assert (text.body, text.items) == (
        "",
        (
            "MNIST: it falls (theirs): holds in 1 of 1 seed (claimed lower "
            "−1.0 nats, claimed higher 2.0 nats, difference +3.0 nats).",
        ),
    )
    table = declared.table("t", "", claims, *declared.judged("+.1f"))
    assert table.headings == ("lower", "higher", "verdict")
    assert tables.cells(table) == [
        ["−1.0", "+2.0", "holds in 1 of 1 seed"],
        ["–", "–", NO_RUN],
    ]
    # Programs get the parts.
    assert tables.comma_separated(table) == (
        "lower,higher,holds,seeds for it,seeds\n-1.0,2.0,yes,1,1\n"
        ",,no run,0,0\n"
    )
    assert tables.without_run(table) == [1]


@pytest.mark.parametrize(
    ("word", "seeds", "said"),
    [
        ("yes", (3, 3), "holds in 3 of 3 seeds"),
        ("yes", (2, 3), "holds on average, in 2 of 3 seeds"),
        ("yes", (1, 1), "holds in 1 of 1 seed"),
        ("no", (0, 3), "fails: holds in 0 of 3 seeds"),
        ("no", (1, 3), "fails on average: holds in 1 of 3 seeds"),
        ("within noise", (2, 3), "within noise: holds in 2 of 3 seeds"),
        ("no run", (0, 0), "no run"),
    ],
)
def test_a_verdict_says_how_many_seeds_agree(word, seeds, said):
    assert str(tables.Verdict(word, *seeds)) == said


def test_claims_that_nothing_judges_are_said_to_be_so():
    assert declared.findings().body == "No claim can be judged."
    nothing = Claim("it", {}, {})
    assert declared.findings(([nothing], "{of}")).body != ""
    some = [Claim(name, {0: 1.0}, {0: 2.0}) for name in "ab"]
    text = declared.findings((some[:1], "{of}"), ([nothing, some[1]], "{of}"))
    assert (text.body, text.items) == ("", ("a", "b"))


def test_a_claim_may_be_judged_by_an_interval_over_seeds():
    pairs = {
        "yes": ({0: 1.0, 1: 1.1}, {0: 5.0, 1: 5.2}),
        "no": ({0: 5.0, 1: 5.2}, {0: 1.0, 1: 1.1}),
        "within noise": ({0: 1.0, 1: 9.0}, {0: 2.0, 1: 3.0}),
        "cannot be said": ({0: 1.0, 1: math.nan}, {0: 2.0, 1: 3.0}),
        NO_RUN: ({0: 1.0}, {1: 2.0}),
    }
    for word, pair in pairs.items():
        assert Claim("it", *pair, by_interval=True).holds == word
    assert Claim("it", *pairs["within noise"]).holds == "no"
    alone = Claim("it", {0: 1.0}, {0: 2.0}, by_interval=True)
    assert str(alone.verdict) == "holds in 1 of 1 seed"
    alone = Claim("it", {0: 3.0}, {0: 2.0}, by_interval=True)
    assert str(alone.verdict) == "fails: holds in 0 of 1 seed"


def test_the_interval_of_a_claim_stands_in_its_table():
    # Differences 1 and 3: mean 2, standard error 1, t of one degree 12.706.
    claim = Claim("it", {0: 1.0, 1: 1.0}, {0: 2.0, 1: 4.0}, by_interval=True)
    alone = Claim("it", {0: 1.0}, {0: 2.0})
    nothing = Claim("it", {}, {})
    table = declared.table(
        "t", "", [claim, alone, nothing], declared.interval("+.2f")
    )
    assert tables.cells(table) == [["−10.71 to +14.71"], ["–"], ["–"]]
    assert tables.aligned_right(table) == [True]
    # Programs get two columns.
    headings, (ends, *others) = tables.spelled(table)
    assert headings == ["difference, 95 % from", "difference, 95 % to"]
    assert ends == pytest.approx([2 - 12.706205, 2 + 12.706205])
    assert others == [[None, None]] * 2
    table = declared.table(
        "t", "", [claim], *declared.judged(".1f", by_interval=True)
    )
    assert tables.cells(table) == [
        ["1.0", "3.0", "−10.7 to 14.7", "within noise: holds in 2 of 2 seeds"]
    ]


def test_a_band_leaves_out_what_has_no_run():
    axes = Figure().subplots()
    points = [(1.0, tables.Spread(2.0, 1.0, 4.0, 3)), (2.0, None)]
    canvas.band(axes, points, opacity=0.1, color=canvas.BLUE)
    (line,), (band,) = axes.lines, axes.collections
    assert line.get_xydata().tolist() == [[1.0, 2.0]]
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (1.0, 4.0)
    canvas.band(axes, [(1.0, None)], opacity=0.1, color=canvas.BLUE)
    assert len(axes.lines) == 1


def test_a_dot_plot_leaves_out_lines_without_a_number():
    lines = [
        dot_plot.Line("a", mueller=1.0),
        dot_plot.Line("b"),
        dot_plot.Line("c", ours=tables.Spread(2.0, 1.0, 4.0, 3)),
    ]
    figure = dot_plot.figure(lines, "accuracy, %")
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "c"]
    words = [t.get_text() for t in figure.legends[0].get_texts()]
    assert len(words) == 2 and "Wagner" not in "".join(words)
    figure = dot_plot.figure([dot_plot.Line("a", wagner=1.0)], "accuracy, %")
    assert len(figure.legends[0].get_texts()) == 3
