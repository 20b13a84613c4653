"""The reports on translation, from made-up records: all, some and none.

What the records hold stands in ``translation_records``.
"""

import pytest
import translation_records
from built_pages import figures, page_of, rows
from translation_needs import SMALL, close, hard, load, pair, small
from translation_records import PIECES

from ls_tf.pages import builder, networks, translation
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
