"""The page of BLEU and NLL over the temperature, from made-up records.

What the records hold stands in ``translation_records``.
"""

import math

import numpy as np
import pytest
from built_pages import figures, page_of, rows
from matplotlib.figure import Figure
from translation_needs import SMALL, close, curve, load, pair, small
from translation_records import GRID, SIGNATURES

from ls_tf.pages import sweep_lines
from ls_tf.reports import fig4_bleu_nll_sweep


def test_the_scores_of_figure_4_are_those_of_the_records(quick, built):
    folder = built(
        "fig4_bleu_nll_sweep",
        lambda n: small(n) or n.experiment == "transformer_ende",
    )
    table = {(r["network"], r["alpha"]): r for r in rows(folder, "scores")}
    # Means over seeds 0, 1, 2; at T = 1 hard targets lose 4 * 0.5^2 BLEU.
    for row, uncased, nll in (
        (table[SMALL, "0.0"], 36 + 0.1 - 1, 1.2 + 0.01 + 0.2 * 0.25),
        (table[SMALL, "0.1"], 36 + 1 + 0.1, 1.2 + 0.11 + 0.01),
    ):
        assert close(row["BLEU, uncased"], uncased)
        assert close(row["BLEU, cased"], uncased - 0.5)
        assert close(row["chrF"], uncased + 20)
        assert close(row["validation BLEU, cased"], uncased - 0.5 + 2)
        assert close(row["perplexity of a subword"], math.exp(nll))
        assert close(row["length ratio"], 0.98)
        assert (row["seeds"], row["steps"]) == ("3", "60000")
    paper = table["EN-DE Transformer (the paper's)", "0.1"]
    assert close(paper["BLEU, uncased"], 37.1)
    assert paper["validation BLEU, cased"] == ""  # the same split
    base = table["Multi30k Transformer, base (substitute)", "0.0"]
    assert (base["BLEU, uncased"], base["seeds"]) == ("no run", "0")
    caption = (folder / "scores.md").read_text()
    for signature in SIGNATURES.values():
        assert signature in caption
    assert "BLEU 25.3 and 25.8 and perplexity 4.67 and 4.92" in caption


def test_the_sweep_table_has_a_row_for_each_temperature(quick, built):
    folder = built("fig4_bleu_nll_sweep", small)
    found = [
        r
        for r in rows(folder, "sweep")
        if r["network"] == SMALL and r["alpha"] == "0.0"
    ]
    assert [float(r["T"]) for r in found] == GRID.tolist()
    last = found[-1]  # x = log2 T = 1; seeds 0, 1, 2
    assert close(last["BLEU, uncased"], 36 + 0.1 - 4 * 0.5**2)
    assert close(last["NLL, nats"], 1.2 + 0.01 + 0.2 * 0.5**2)
    assert close(last["ECE"], 0.01 + 0.001)
    assert close(last["finished, %"], 99.5)
    assert last["seeds"] == "3"
    others = [r for r in rows(folder, "sweep") if r["network"] != SMALL]
    assert {r["T"] for r in others} == {"no run"} and len(others) == 6
    assert SIGNATURES["chrf"] in (folder / "sweep.md").read_text()


def claims_of(folder):
    return {
        r["claim"]: r for r in rows(folder, "claims") if r["network"] == SMALL
    }


ECE = "smoothing lowers the ECE at T = 1"
NLL = "hard targets have the better NLL at every T"
BLEU = "smoothing has the better BLEU, each at its best T"
NEAR_BLEU = "smoothing: T = 1 is near the best T, BLEU"
NEAR_ECE = "smoothing: T = 1 is near the best T, ECE"
RAISED_ECE = "hard targets: a T above 1 improves the ECE"
RAISED_BLEU = "hard targets: a T above 1 improves the BLEU"


def test_the_claims_of_figure_4_follow_the_records(quick, built):
    folder = built("fig4_bleu_nll_sweep", small)
    claims = claims_of(folder)
    # NLL, smoothed less hard: 0.06 + 0.2 x, so above 0 from x = -0.25 on.
    assert {k: r["holds"] for k, r in claims.items()} == {
        ECE: "yes", NLL: "no", BLEU: "yes", NEAR_BLEU: "yes", NEAR_ECE: "yes",
        RAISED_ECE: "yes", RAISED_BLEU: "yes",
    }  # fmt: skip
    assert {r["seeds"] for r in claims.values()} == {"3"}
    assert claims[NLL]["seeds for it"] == "0"
    assert "at T = 0.5, the one" in claims[NLL]["what it is"]
    assert "better at 6 of 9 temperatures" in claims[NLL]["what it is"]
    assert close(claims[NLL]["hard targets"], 1.21 + 0.2 * 1.5**2)
    assert close(claims[NLL]["smoothed"], 1.21 + 0.11 + 0.2)
    assert close(claims[ECE]["hard targets"], 0.061)
    assert close(claims[ECE]["smoothed"], 0.011)
    assert close(claims[BLEU]["hard targets"], 36.1)
    assert close(claims[BLEU]["smoothed"], 37.1)
    assert claims[BLEU]["what it is"] == "BLEU at T = 1.41 and at T = 1"
    assert claims[RAISED_ECE]["what it is"] == (
        "ECE at T = 2; at T = 1 it is 0.06100"
    )
    page = page_of(folder)
    assert (
        f"{SMALL}: {BLEU}: holds in 3 of 3 seeds (36.10 hard, 37.10 smoothed; "
        "BLEU at T = 1.41 and at T = 1)."
    ) in page
    lacking = [r for r in rows(folder, "claims") if r["holds"] == "no run"]
    assert len(lacking) == 3
    assert lacking[0]["claim"] == ("those that need alpha = 0 and alpha = 0.1")


def test_the_claims_of_figure_4_flip(quick, built):
    x = np.log2(GRID)

    def changed(need):
        if need.changes["alpha"] == 0:
            # Best at T = 1: no T above it helps.
            return {
                "ece": 0.01,
                "sweep/bleu_uncased": 38 - x**2,
                "sweep/ece": 0.01 + 0.1 * np.abs(x),
            }
        return {
            "ece": 0.02,
            "sweep/nll": 3.0 + x**2,
            "sweep/bleu_uncased": 37 - 4 * (x + 0.25) ** 2,  # 36.75 at 1
            "sweep/ece": 0.01 + 0.05 * np.abs(x - 0.25),  # 0.0225 at 1
        }

    folder = built("fig4_bleu_nll_sweep", pair, changed=changed)
    claims = claims_of(folder)
    assert {k: r["holds"] for k, r in claims.items()} == {
        ECE: "no", NLL: "yes", BLEU: "no", NEAR_BLEU: "no", NEAR_ECE: "no",
        RAISED_ECE: "no", RAISED_BLEU: "no",
    }  # fmt: skip
    assert claims[NLL]["seeds for it"] == claims[NLL]["seeds"] == "1"
    assert close(claims[NEAR_BLEU]["smoothed"], 36.75)
    assert claims[NEAR_BLEU]["what it is"] == (
        "BLEU at T = 1; the best is 37.00 at T = 0.841"
    )


def test_the_best_bleu_is_at_the_temperature_that_is_named(quick, built):
    x = np.log2(GRID)

    def changed(need):
        # Seed 0 is best at T = 1, the others at T = 2; so is their mean.
        peak = 0.0 if need.seed == 0 else 1.0
        best = 36.0 + 2 * (need.changes["alpha"] > 0)
        return {"sweep/bleu_uncased": best - (x - peak) ** 2}

    claim = claims_of(built("fig4_bleu_nll_sweep", small, changed=changed))[
        BLEU
    ]
    # The mean over seeds is best at 2 ** (2 / 3): of the grid at 2 ** .75.
    assert claim["what it is"] == "BLEU at T = 1.68 and at T = 1.68"
    less = (0.75**2 + 0.25**2 + 0.25**2) / 3
    assert close(claim["hard targets"], 36 - less)
    assert close(claim["smoothed"], 38 - less)


def test_near_the_best_has_a_width(quick, built):
    x = np.log2(GRID)

    def changed(need):
        return {
            "sweep/bleu_uncased": 37 - 3 * (x + 0.25) ** 2,  # 0.1875 off
            "sweep/ece": 0.01 + 0.03 * np.abs(x - 0.25),  # 0.0075 off
        }

    claims = claims_of(built("fig4_bleu_nll_sweep", pair, changed=changed))
    assert claims[NEAR_BLEU]["holds"] == claims[NEAR_ECE]["holds"] == "yes"


def test_a_grid_without_1_says_nothing_of_it(quick, built):
    def changed(need):
        return {"sweep/temperatures": GRID * 1.01}

    claims = claims_of(built("fig4_bleu_nll_sweep", pair, changed=changed))
    words = {k: r["holds"] for k, r in claims.items()}
    for name in (NEAR_BLEU, NEAR_ECE, RAISED_BLEU, RAISED_ECE):
        assert words[name] == "cannot be said"
    assert words[BLEU] == "yes"


def test_claims_of_both_networks_take_the_seeds_that_both_have(quick, built):
    def wanted(need):
        seeds = (0, 2) if need.changes["alpha"] == 0 else (1, 2)
        return small(need) and need.seed in seeds

    claims = claims_of(built("fig4_bleu_nll_sweep", wanted))
    assert {claims[k]["seeds"] for k in (ECE, NLL, BLEU)} == {"1"}
    assert close(claims[BLEU]["hard targets"], 36.2)  # seed 2 alone
    assert close(claims[BLEU]["smoothed"], 37.2)
    assert claims[NEAR_BLEU]["seeds"] == claims[RAISED_ECE]["seeds"] == "2"


def test_without_a_common_seed_only_claims_of_one_network_are_left(
    quick, built
):
    folder = built(
        "fig4_bleu_nll_sweep",
        lambda n: small(n) and n.seed == int(n.changes["alpha"] > 0),
    )
    assert set(claims_of(folder)) == {
        NEAR_BLEU, NEAR_ECE, RAISED_ECE, RAISED_BLEU,
    }  # fmt: skip


def test_figure_4_has_three_panels_in_the_papers_order(store):
    records = load(store, "fig4_bleu_nll_sweep", small)
    (figure,) = figures(fig4_bleu_nll_sweep, records).values()
    left, middle, right, left_ece, middle_ece = figure.axes
    assert [a.get_title() for a in (left, middle, right)] == [
        "alpha = 0", "alpha = 0.1", "both",
    ]  # fmt: skip
    assert left.get_ylim() == middle.get_ylim()
    assert left_ece.get_ylim() == middle_ece.get_ylim()
    assert left_ece.get_ylim()[0] == 0
    x = np.log2(GRID)
    (bleu,) = curve(left)
    np.testing.assert_allclose(bleu, 36.1 - 4 * (x - 0.5) ** 2)
    (ece,) = curve(middle_ece)
    np.testing.assert_allclose(ece, 0.011 + 0.05 * np.abs(x))
    hard, smoothed = curve(right)
    np.testing.assert_allclose(hard, 1.21 + 0.2 * (x - 0.5) ** 2)
    np.testing.assert_allclose(smoothed, 1.32 + 0.2 * x**2)
    # Rings at the best T of BLEU, hard targets, and of NLL, smoothed.
    ring = left.lines[-2]
    assert ring.get_xdata()[0] == pytest.approx(2**0.5)
    words = [t.get_text() for t in right.get_legend().get_texts()]
    assert words == ["alpha = 0", "alpha = 0.1"]
    # One band over seeds for each curve: seeds differ by 0.1 BLEU.
    (band,) = left.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(36.2)


def test_figure_4_of_one_network_leaves_the_other_panel_empty(store):
    records = load(
        store, "fig4_bleu_nll_sweep", lambda n: pair(n) and n.changes["alpha"]
    )
    (figure,) = figures(fig4_bleu_nll_sweep, records).values()
    left, middle, right = figure.axes[:3]
    assert [t.get_text() for t in left.texts] == ["no run"]
    assert not left.lines and len(curve(middle)) == len(curve(right)) == 1
    assert not middle.collections  # one seed, no band


@pytest.mark.parametrize(
    ("grid", "ticks"),
    [
        (GRID, [0.5, 2**-0.5, 1, 2**0.5, 2]),
        ((0.5, 0.7, 1.0, 1.4, 2.0), [0.5, 2**-0.5, 1, 2**0.5, 2]),
        ((0.25, 16.0), [0.25, 0.5, 1, 2, 4, 8, 16]),
        ((0.9, 1.1), [1]),
    ],
)
def test_temperatures_have_few_ticks(grid, ticks):
    assert sweep_lines._ticks(grid[0], grid[-1]) == pytest.approx(ticks)


@pytest.mark.parametrize(
    "before, after",
    [((18.1, 18.3), (17.7, 18.7)), ((24.0, 26.0), (24.0, 26.0))],
)
def test_a_small_change_does_not_fill_a_panel(before, after):
    axes = Figure().subplots()
    axes.set_ylim(*before)
    sweep_lines.at_least(axes, 1.0)
    assert axes.get_ylim() == pytest.approx(after)


def test_the_best_of_a_sweep_by_hand():
    values = {
        "ece": np.array([[0.2, 0.1, 0.1], [0.4, 0.1, 0.3]]),
        "bleu": np.array([[1.0, 3.0, 2.0], [4.0, 1.0, 2.0]]),
    }
    sweep = sweep_lines.Sweep(np.array([0.5, 1.0, 2.0]), values, (0, 3))
    assert sweep.mean("bleu").tolist() == [2.5, 2.0, 2.0]
    assert (sweep.best("bleu"), sweep.best("ece")) == (0, 1)
    assert sweep.by_seed("bleu", 1.0) == {0: 3.0, 3: 1.0}
    assert sweep.best_by_seed("bleu") == {0: 3.0, 3: 4.0}
    assert sweep.best_by_seed("ece") == {0: 0.1, 3: 0.1}
    assert math.isnan(sweep.by_seed("bleu", 1.5)[3])
    assert sweep_lines.of({}) is None
