"""The reports on translation, from made-up records: all, some and none.

What the records hold stands in ``translation_records``.
"""

import math

import numpy as np
import pytest
import translation_records
from built_pages import figures, page_of, rows
from translation_needs import SMALL, close, curve, hard, load, pair, small
from translation_records import GRID, PIECES, SIGNATURES

from ls_tf.pages import builder, networks, sweep_lines, translation
from ls_tf.pages.blocks import Need
from ls_tf.reports import (
    fig3_reliability_ende,
    fig4_bleu_nll_sweep,
    fig7_penultimate_ende,
    re_fig5_bleu_sweep,
)
from ls_tf.spec import registry
from ls_tf.spec.resolve import resolve

NAMES = (
    "fig3_reliability_ende",
    "fig4_bleu_nll_sweep",
    "fig7_penultimate_ende",
    "re_fig5_bleu_sweep",
)


@pytest.mark.parametrize("name", NAMES)
def test_the_headline_runs_are_those_of_multi30k(name):
    made = registry.get("ls_tf.reports", name)
    smoothed = "alpha=0.3" if name == "re_fig5_bleu_sweep" else "paper"
    assert [i.folder for i in builder.identities(made, smoke=False)] == [
        "transformer_multi30k/alpha=0/seed=0",
        f"transformer_multi30k/{smoothed}/seed=0",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_without_any_run_the_page_says_so_and_prints_every_command(
    name, built, tmp_path
):
    folder = built(name, lambda need: False)
    page = page_of(folder)
    made = registry.get("ls_tf.reports", name)
    for need in made.REQUIRES:
        command = resolve(
            need.experiment, changed=need.changes, seed=need.seed
        ).command()
        whole = f"{command} --runs_dir={tmp_path / 'runs'}\n"
        assert whole in page.replace("</pre>", "\n")
        assert f"# {need.row}\n" in page
    assert f"{len(made.REQUIRES)} runs that would add seeds or rows" in page
    assert "no run" in page
    assert not list(folder.glob("*.png"))


@pytest.mark.parametrize("name", NAMES)
def test_one_record_is_enough(name, quick, built):
    folder = built(name, hard)
    (picture,) = folder.glob("*.png")
    assert picture.stem.endswith("_transformer_multi30k")
    page = page_of(folder)
    lacking = {
        "fig3_reliability_ende": "0.1, 0.05, 0.15, 0.3",
        "re_fig5_bleu_sweep": "0.05, 0.1, 0.15, 0.3",
    }.get(name, "0.1")
    assert f" No run: alpha {lacking}." in page
    assert "60000 steps" in page


def test_subwords_and_notes_of_any_kind_reach_the_page_as_text(
    built, monkeypatch
):
    subwords = ("$$", "_a|b`", "\udcff\u202e<!-- x")
    pieces = dict(zip(PIECES, subwords, strict=True))
    monkeypatch.setattr(translation_records, "PIECES", pieces)
    folder = built("fig7_penultimate_ende", hard)
    table = (folder / "geometry.md").read_text()
    assert "| \\$\\$, \\_a\\|b\\`, U+DCFFU+202E&lt;!-- x |" in table
    assert (
        "<td>$$, _a|b`, U+DCFFU+202E&lt;!-- x</td>"
        in (folder / "index.html").read_text()
    )
    assert len(list(folder.glob("*.p[nd][gf]"))) == 2


def test_a_page_repeats_byte_for_byte(built):
    found = []
    for _ in range(2):
        folder = built("fig4_bleu_nll_sweep", pair)
        found.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert found[0] == found[1]
    assert "sweep_transformer_multi30k.pdf" in found[0]


def test_the_translations_of_table_3_stand_beside_the_printed_row(quick, built):
    folder = built("table3_ece", small)
    found = [r for r in rows(folder, "ece") if "Transformer" in r["network"]]
    printed, first, every = found[:3]
    assert list(printed.values())[:8] == [
        "EN-DE Transformer", "", "Müller et al.", "0.056", "1.13", "0.018",
        "0.1", "0.019",
    ]  # fmt: skip
    for row, what in ((first, "first 10,000 subwords"), (every, "all")):
        assert row["network"] == "EN-DE Transformer"
        assert row["who"].startswith(f"ours, mean, {what}")
        assert row["ECE, alpha=0, T=1"] == row["ECE, smoothed, T=1"] == "no run"
    first, every = (r for r in found if r["network"] == SMALL)
    # Means over seeds 0, 1, 2: 0.001 more than seed 0; the first subwords
    # have another 0.001.
    numbers = [float(v) for v in list(first.values())[3:8]]
    assert numbers == pytest.approx([0.062, 1.13, 0.014, 0.1, 0.012])
    numbers = [float(v) for v in list(every.values())[3:8]]
    assert numbers == pytest.approx([0.061, 1.13, 0.013, 0.1, 0.011])
    assert list(first.values())[8:] == ["3", "3", "60000"]
    page = page_of(folder)
    assert "# EN-DE Transformer, alpha = 0.1\n" in page
    assert resolve("transformer_ende", seed=0).command() in page
    table = (folder / "ece.md").read_text()
    assert "| 0.056 | 1.13 | 0.018 | 0.1 | 0.019 |" in table


@pytest.mark.parametrize(
    ("smoothed", "gap", "word"),
    [(0.03, 0.05, "yes"), (0.07, 0.05, "no"), (0.03, -0.05, "not over")],
)
def test_the_claim_of_table_3_is_about_the_papers_subwords(
    quick, built, smoothed, gap, word
):
    def changed(need):
        if need.changes["alpha"] == 0:
            return {"ece_first": 0.06, "signed_ece_first": gap}
        return {"ece_first": smoothed, "ece": 0.5}

    folder = built("table3_ece", small, changed=changed)
    claims = {r["network"]: r for r in rows(folder, "claims")}
    ours = claims[SMALL]
    assert ours["smoothing lowers it?"].startswith(word)
    assert close(ours["ECE, alpha=0"], 0.06)
    assert close(ours["ECE, smoothed"], smoothed)
    assert close(ours["confidence − accuracy, alpha=0"], 100 * gap)
    assert claims["EN-DE Transformer"]["Müller et al."] == "yes"
    assert claims["EN-DE Transformer"]["smoothing lowers it?"] == "no run"


def test_figure_3_has_one_row_for_each_diagram(quick, built):
    folder = built(
        "fig3_reliability_ende",
        lambda n: (
            n.experiment == "transformer_ende"
            or (small(n) and n.changes["alpha"] != 0.15)
        ),
    )
    found = rows(folder, "reliability")
    paper = [r for r in found if r["network"].startswith("EN-DE")]
    assert [(r["alpha"], r["T"], r["ECE, Müller et al."]) for r in paper] == [
        ("0.0", "1.0", "0.056"), ("0.0", "1.13", "0.018"),
        ("0.1", "1.0", "0.019"),
    ]  # fmt: skip
    ours = [r for r in found if r["network"] == SMALL]
    assert [(r["alpha"], r["T"]) for r in ours] == [
        ("0.0", "1.0"), ("0.0", "1.13"), ("0.1", "1.0"), ("0.05", "1.0"),
        ("0.15", "1.0"), ("0.3", "1.0"),
    ]  # fmt: skip
    assert {r["ECE, Müller et al."] for r in ours} == {""}
    there = [r for r in ours if r["alpha"] != "0.15"]
    eces = [0.06, 0.013, 0.01, 0.01, 0.01]
    assert [float(r["ECE"]) for r in there] == pytest.approx(eces)
    first = [float(r["ECE, first 10,000"]) for r in there]
    assert first == pytest.approx([e + 0.001 for e in eces])
    gaps = [float(r["confidence − accuracy"]) for r in there]
    assert gaps == pytest.approx([0.06, 0.013, -0.01, -0.01, -0.01])
    assert {r["accuracy, %"] for r in there} == {"70.0"}
    assert ours[4]["ECE"] == ours[4]["ECE, first 10,000"] == "no run"
    page = page_of(folder)
    assert "Wagner et al. figure 4, corrected; 60000 steps" in page
    assert "No run: alpha 0.15." in page


def test_the_first_row_of_figure_3_is_that_of_the_paper(store):
    records = load(store, "fig3_reliability_ende", small)
    (figure,) = figures(fig3_reliability_ende, records).values()
    titles = [a.get_title() for a in figure.axes if a.get_title()]
    assert titles == [
        "alpha = 0, T = 1", "alpha = 0, T = 1.13", "alpha = 0.1, T = 1",
        "alpha = 0.05, T = 1", "alpha = 0.15, T = 1", "alpha = 0.3, T = 1",
    ]  # fmt: skip


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


@pytest.mark.parametrize(
    ("factor", "word"),
    [(2.0, "yes"), (0.5, "no"), (float("nan"), "cannot be said")],
)
def test_the_claims_of_figure_7_follow_the_numbers(quick, built, factor, word):
    bases = {
        "tightness": 0.6,
        "tightness_by_centres": 0.5,
        "side_spread": 0.2,
        "scale": 2.5,
    }

    def changed(need):
        if need.changes["alpha"] != 0:
            return {}
        return {
            f"{split}_{k}": factor * v
            for split in ("train", "report")
            for k, v in bases.items()
        }

    folder = built("fig7_penultimate_ende", pair, changed=changed)
    claims = rows(folder, "claims")
    ours = [r for r in claims if r["network"] == SMALL]
    assert [r["holds"] for r in ours] == [word] * 8
    assert {r["holds"] for r in claims if r["network"] != SMALL} == {"no run"}
    # The paper claims tightness alone: two measures, two splits.
    count = 4 if word == "yes" else 0
    assert f"Here {count} of 4 measures of tightness agree." in page_of(folder)
    numbers = [r for r in rows(folder, "geometry") if r["network"] == SMALL]
    assert [(r["alpha"], r["split"]) for r in numbers] == [
        (a, s)
        for a in ("0.0", "0.1")
        for s in ("training sentences", "held-out sentences")
    ]
    assert float(numbers[3]["tightness"]) == 0.6
    assert {r["subwords"] for r in numbers} == {"ein, mann, und"}


def test_figure_7_has_a_row_for_each_alpha_and_a_column_for_each_split(store):
    records = load(store, "fig7_penultimate_ende", pair)
    drawn = figures(fig7_penultimate_ende, records)
    assert list(drawn) == [f"penultimate_{translation.MULTI30K.experiment}"]
    (figure,) = drawn.values()
    axes = figure.axes
    assert [a.get_title() for a in axes] == [
        "training sentences", "held-out sentences", "", "",
    ]  # fmt: skip
    assert [a.get_ylabel().split("\n")[0] for a in axes[::2]] == [
        "alpha = 0", "alpha = 0.1",
    ]  # fmt: skip
    assert axes[0].get_xlim() == axes[1].get_xlim() != axes[2].get_xlim()
    words = [t.get_text() for t in figure.legends[0].get_texts()]
    assert words == [*(p.lstrip("▁") for p in PIECES.values()), "template"]
    # The points of each subword were found by their label.
    shown = [len(c.get_offsets()) for c in axes[0].collections]
    assert shown == [100, 80, 100, 1, 1, 1]


def test_every_transformer_of_the_reports_measures_what_they_read():
    for network in translation.PLACES:
        for evaluator in (
            "translation",
            "token_calibration",
            "translation_sweep",
            "token_projection",
        ):
            assert translation.is_measured(network, evaluator, "report")
    assert not translation.is_measured(
        translation.ENDE, "translation", "calibrate"
    )


def test_alphas_and_seeds_of_the_tables():
    needs = re_fig5_bleu_sweep.REQUIRES
    small_ones = [n for n in needs if small(n)]
    assert [(n.changes["alpha"], n.seed) for n in small_ones] == [
        (alpha, seed)
        for alpha in (0.0, 0.05, 0.1, 0.15, 0.3)
        for seed in networks.SEEDS
    ]
    wanted = Need("transformer_ende", {"alpha": 0.1}, optional=True)
    assert wanted in fig4_bleu_nll_sweep.REQUIRES
