"""The replication's pages of Multi30k, from made-up records."""

import numpy as np
import pytest
from built_pages import figures, page_of, rows
from translation_needs import SHORT, close, curve, load, pair, small
from translation_records import GRID, SIGNATURES

from ls_tf.pages import translation
from ls_tf.reports import (
    re_fig5_bleu_sweep,
)

RE = f"{SHORT}, the replication's"


def replicated(need):
    return need.experiment == "transformer_multi30k_re" and need.seed == 0


def without_015(need):
    return small(need) and need.seed == 0 and need.changes["alpha"] != 0.15


def test_the_row_of_multi30k_is_measured_both_ways(quick, built):
    folder = built(
        "re_fig5_bleu_sweep",
        lambda n: replicated(n) and n.changes["alpha"] != 0.15,
    )
    found = [r for r in rows(folder, "padding") if r["network"] == RE]
    printed = ["0.449", "0.475", "0.372", "0.222", "0.11"]
    assert [r["alpha"] for r in found[:5]] == [
        "0.0", "0.05", "0.1", "0.15", "0.3",
    ]  # fmt: skip
    assert [r["ECE, Wagner et al. (1 run)"] for r in found[:5]] == printed
    assert found[3]["ECE"] == found[3]["ECE, padding counted"] == "no run"
    ours = [found[i] for i in (0, 1, 2, 4)]
    counted = [float(r["ECE, padding counted"]) for r in ours]
    assert counted == pytest.approx([0.45, 0.4, 0.35, 0.15])
    assert [float(r["ECE"]) for r in ours] == pytest.approx(
        [0.06, 0.01, 0.01, 0.01]
    )
    for row in ours:
        shares = [
            float(row[k])
            for k in (
                "accuracy, padding counted, %",
                "accuracy, %",
                "padding, %",
            )
        ]
        assert shares == pytest.approx([30, 70, 54])
    scaled, fitted = found[5:]
    assert (scaled["T"], scaled["ECE, Wagner et al. (1 run)"]) == (
        "1.8",
        "0.058",
    )
    assert (fitted["T"], fitted["ECE"]) == ("1.2", "0.012")
    table = (folder / "padding.md").read_text()
    assert "| 0.3 | 1 | 0.110 | 0.1500 | 0.0100 | 30.00 | 70.00 |" in table
    others = [r for r in rows(folder, "padding") if r["network"] != RE]
    assert {r["ECE, Wagner et al. (1 run)"] for r in others} == {""}


def test_what_the_padding_does_is_said_from_the_records(quick, built):
    def changed(need):
        found = {0.0: 0.02, 0.05: 0.03, 0.1: 0.05, 0.3: 0.2}
        return {"ece": found[need.changes["alpha"]]}

    page = page_of(built("re_fig5_bleu_sweep", without_015, changed=changed))
    assert (
        f"{SHORT}: counting padding raises the ECE for 3 of 4 alphas." in page
    )
    assert (
        f"{SHORT}: of these alphas, the ECE at T = 1 is lowest at alpha = 0.3 "
        "(0.110) as printed, at alpha = 0.3 (0.150) with our padding counted, "
        "and at alpha = 0 (0.020) without padding."
    ) in page


def test_the_best_of_figure_5_is_that_of_the_sweeps(quick, built):
    folder = built("re_fig5_bleu_sweep", without_015)
    found = {
        r["alpha"]: r for r in rows(folder, "best") if r["network"] == SHORT
    }
    hard = found["0.0"]
    numbers = [float(v) for v in list(hard.values())[2:]]
    assert numbers == pytest.approx(
        [35, 27, 36, 2**0.5, 0.01, 2, 1.2, 2**0.5, 1]
    )
    numbers = [float(v) for v in list(found["0.3"].values())[2:]]
    assert numbers == pytest.approx([39, 35, 39, 1, 0.01, 1, 1.53, 1, 1])
    assert found["0.15"]["BLEU at T = 1"] == "no run"


def test_figure_5_has_a_curve_for_each_alpha_in_each_panel(store):
    records = load(store, "re_fig5_bleu_sweep", without_015)
    (figure,) = figures(re_fig5_bleu_sweep, records).values()
    assert [a.get_ylabel() for a in figure.axes] == [
        "BLEU, uncased", "ECE (fraction)", "NLL (nats per subword)",
    ]  # fmt: skip
    tops = [[c.max() for c in curve(a)] for a in figure.axes[:1]]
    assert tops == [pytest.approx([36, 36.5, 37, 39])]
    assert [len(curve(a)) for a in figure.axes] == [4, 4, 4]
    words = [t.get_text() for t in figure.legends[0].get_texts()]
    assert words == [
        *(f"alpha = {a}" for a in ("0", "0.05", "0.1", "0.3")),
        "best of the grid", "T = 1",
    ]  # fmt: skip


def test_as_drawn_stands_beside_as_meant(quick, built, store):
    folder = built("re_fig5_bleu_sweep", replicated)
    hard, *_, most = rows(folder, "as_drawn")
    # At x = log2 T of the grid; see ``translation_records.drawn``.
    assert [float(v) for v in list(hard.values())[2:]] == pytest.approx(
        [20, 2, 30, 25, 79, 0.45, 2, 2, 2.5, 0.5, 2**0.5, 1]
    )
    assert close(most["ECE at T = 1, as drawn"], 0.15)
    assert float(most["T of lowest ECE, as drawn"]) == pytest.approx(0.5)
    assert {r["network"] for r in rows(folder, "as_drawn")} == {RE}
    records = load(store, "re_fig5_bleu_sweep", replicated)
    meant, drawn = figures(re_fig5_bleu_sweep, records).values()
    assert [a.get_ylabel() for a in drawn.axes] == [
        "BLEU, greedy, tokens against words",
        "ECE, padding counted (fraction)",
        "softmax over positions (nats)",
    ]
    for figure, divided in ((meant, "logits"), (drawn, "hidden state")):
        for axes in figure.axes:
            assert axes.get_xlabel() == f"temperature T (divides the {divided})"
    np.testing.assert_allclose(curve(drawn.axes[0])[0], 20 + np.log2(GRID))
    np.testing.assert_allclose(
        curve(meant.axes[0])[0], 36 - 4 * (np.log2(GRID) - 0.5) ** 2
    )


def test_scores_of_other_versions_are_both_named(store, monkeypatch):
    records = load(store, "fig4_bleu_nll_sweep", pair)
    first = next(iter(records.values()))
    plain = type(first).measurement

    def changed(record, evaluator, role):
        found = plain(record, evaluator, role)
        if record is first:
            found["notes"] = {"bleu": "another"}
        return found

    monkeypatch.setattr(type(first), "measurement", changed)
    found = translation.signatures(records, "translation")
    assert f"BLEU, cased another or {SIGNATURES['bleu']}; chrF" in found
    assert translation.signatures({}, "translation") == ""
