"""Translations compared by the paired bootstrap, from made-up records."""

import pytest
from built_pages import page_of, rows
from translation_needs import SHORT, SMALL, close, pair, small

from ls_tf.analysis import bleu, translation_bootstrap
from ls_tf.pages.blocks import Need

REFERENCES = [f"wort {n} steht hier vor {n + 1} anderen" for n in range(12)]


def translated(need):
    """Hard targets get every third sentence wrong, smoothed every fourth."""
    wrong = 3 if need.changes["alpha"] == 0 else 4
    texts = [
        "wort steht" if n % wrong == 0 else text
        for n, text in enumerate(REFERENCES)
    ]
    return {"translated": (texts, REFERENCES)}


def test_runs_are_compared_by_a_paired_bootstrap(quick, built):
    folder = built("fig4_bleu_nll_sweep", pair, changed=translated)
    counts = {}
    for alpha in (0, 0.1):
        texts = translated(Need("x", {"alpha": alpha}))["translated"]
        counts[alpha] = bleu.scores(*texts)
    uncased, chrf = rows(folder, "bootstrap")
    assert (uncased["score"], chrf["score"]) == ("BLEU, uncased", "chrF")
    for score, row in (("bleu_uncased", uncased), ("chrf", chrf)):
        found = translation_bootstrap.paired(
            score,
            *(counted.counts[score] for counted in counts.values()),
            counts[0].signatures[score],
        )
        assert (row["compared"], row["seed"]) == (SMALL, "0")
        assert (row["baseline"], row["system"]) == ("alpha = 0", "alpha = 0.1")
        assert close(row["the baseline's score"], counts[0].values[score])
        assert close(row["the system's score"], counts[0.1].values[score])
        assert close(row["p"], found.p_value)
        assert close(row["the system's 95 % from"], found.system.low)
        assert found.p_value > 0.05
        apart = found.difference
        assert close(row["difference"], apart.score)
        assert close(row["difference, 95 % from"], apart.low)
        assert close(row["difference, 95 % to"], apart.high)
        assert close(row["the system's 95 % to"], found.system.high)
        if score == "bleu_uncased":
            rises = apart
    page = page_of(folder)
    rise = float(uncased["difference"])
    assert rise > 0
    low, high = f"{rises.low:+.2f}".replace("-", "−"), f"{rises.high:+.2f}"
    assert (
        f"{SMALL}, seed 0, BLEU, uncased: alpha = 0.1 less alpha = 0: "
        f"{rise:+.2f} (95 % interval {low} to {high}), "
        f"p = {float(uncased['p']):.3f}: no more than chance"
    ) in page
    assert "|bs:1000|seed:12345|case:lc|" in page
    scores = {
        r["alpha"]: r for r in rows(folder, "scores") if r["network"] == SMALL
    }
    ends = [
        scores["0.1"][f"95 % of the first seed {end}"] for end in ("from", "to")
    ]
    assert ends[0] == uncased["the system's 95 % from"]
    assert float(ends[0]) < counts[0.1].values["bleu_uncased"] < float(ends[1])


def test_records_without_counts_say_so_and_have_no_p(quick, built):
    folder = built("fig4_bleu_nll_sweep", small)
    lines = [x for x in page_of(folder).splitlines() if "no paired test" in x]
    assert len(lines) == 1
    assert (
        f"{SMALL}, alpha = 0.1 less alpha = 0, seeds 0, 1, 2: no paired test: "
        "a record is from before the counts of each sentence were kept; --mode="
        "eval"
    ) in lines[0]
    found = [r for r in rows(folder, "bootstrap") if r["score"] == "chrF"]
    assert [(r["seed"], r["p"]) for r in found] == [
        (seed, "no counts kept") for seed in "012"
    ]
    # At T = 1 hard targets lose 4 * 0.5^2 BLEU, see ``translation_records``.
    for row in found:
        assert close(row["difference"], 2.0)
        assert row["difference, 95 % from"] == row["difference, 95 % to"] == ""


def of_one_less(need):
    last = None if need.changes["alpha"] == 0 else -1
    return {
        "translated": tuple(x[:last] for x in translated(need)["translated"])
    }


def of_others(need):
    texts, references = translated(need)["translated"]
    return {"translated": (texts, [*references[:-1], str(need.changes)])}


def of_one(need):
    return {"translated": ([str(need.changes)], ["wort"])}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (of_one_less, "their numbers of sentences differ, 12 and 11"),
        (of_others, "their test sets differ"),
        (of_one, "one sentence cannot be drawn in another way"),
    ],
)
def test_runs_that_cannot_be_compared_say_why_in_one_line(
    quick, built, changed, reason
):
    folder = built("fig4_bleu_nll_sweep", pair, changed=changed)
    (line,) = (x for x in page_of(folder).splitlines() if "no paired test" in x)
    assert f"seed 0: no paired test: {reason}." in line
    assert not (folder / "bootstrap.csv").exists()


def test_each_amount_of_smoothing_is_tested_against_hard_targets(quick, built):
    def changed(need):
        is_old = need.changes["alpha"] == 0.15
        return translated(need) | {"old": is_old, "count": len(REFERENCES)}

    folder = built(
        "re_fig5_bleu_sweep",
        lambda n: small(n) and n.seed == 0 and n.changes["alpha"] != 0.05,
        changed=changed,
    )
    found = rows(folder, "bootstrap")
    assert [(r["baseline"], r["system"]) for r in found] == [
        ("alpha = 0", f"alpha = {alpha}") for alpha in ("0.1", "0.15", "0.3")
    ]
    assert {r["compared"] for r in found} == {SHORT}
    assert {r["score"] for r in found} == {"BLEU, uncased"}
    tenth, unknown, most = found
    assert unknown["p"] == "no counts kept"
    # Their translations are the same ones.
    assert {k: v for k, v in most.items() if k != "system"} == {
        k: v for k, v in tenth.items() if k != "system"
    }
    assert 0.05 < float(most["p"]) < 1
