"""The claims of the study, from made-up records and from the committed ones."""

import json
from pathlib import Path

import pytest
from built_pages import page_of, rows
from scipy import stats

from ls_tf.analysis import bleu, translation_bootstrap
from ls_tf.pages import builder
from ls_tf.reports import claims
from ls_tf.spec.resolve import resolve

RUNS = Path(__file__).parents[2] / "results/runs"

pytestmark = pytest.mark.usefixtures("quick")


def test_every_run_is_asked_for_once():
    found = {
        resolve(n.experiment, changed=n.changes, seed=n.seed).folder
        for n in claims.REQUIRES
    }
    assert len(found) == len(claims.REQUIRES)


def test_without_any_run_no_claim_is_judged(built):
    folder = built("claims", lambda need: False)
    assert {r["holds"] for r in rows(folder, "claims")} == {"no run"}
    assert "--experiment=fc_mnist_dropout" in page_of(folder)


def _error(folder):
    text = RUNS / folder / "measurements/classification_report.json"
    return 100 * json.loads(text.read_text("utf-8"))["scalars"]["error"]


def test_the_committed_records_by_hand(tmp_path):
    builder.build(
        "claims", claims, runs_dir=str(RUNS), reports_dir=str(tmp_path)
    )
    found = {
        (r["claim"], r["our network"]): r
        for r in rows(tmp_path / "claims", "claims")
    }
    row = found["A smoothed teacher teaches worse", "MNIST, fully connected"]
    hard, smoothed = (
        sum(_error(f"{name}/paper/seed={s}") for s in range(3)) / 3
        for name in ("fc_mnist_student", "fc_mnist_student_of_smoothed")
    )
    assert float(row["claimed less"]) == pytest.approx(hard)
    assert float(row["claimed more"]) == pytest.approx(smoothed)
    assert row["seeds for it"] == row["seeds"] == "3"
    rises = [
        _error(f"fc_mnist_student_of_smoothed/paper/seed={s}")
        - _error(f"fc_mnist_student/paper/seed={s}")
        for s in range(3)
    ]
    low, high = stats.ttest_1samp(rises, 0).confidence_interval()
    assert float(row["difference, 95 % from"]) == pytest.approx(low)
    assert float(row["difference, 95 % to"]) == pytest.approx(high)
    assert low < 0 < high and row["holds"] == "within noise"
    # Its records are from before the sentences were counted.
    (test,) = rows(tmp_path / "claims", "bootstrap")
    assert test["p"] == "no counts kept"
    row = found["Smoothing translates better", "Multi30k, small Transformer"]
    ends = [row[f"difference, 95 % {end}"] for end in ("from", "to")]
    assert ends == ["", ""]
    rise = float(row["claimed more"]) - float(row["claimed less"])
    assert float(test["difference"]) == pytest.approx(rise)
    # One seed: nothing is said of noise.
    assert (row["holds"], row["seeds"]) == ("yes", "1")
    row = found["Smoothing calibrates", "MNIST, fully connected"]
    assert row["holds"] == "no" and row["seeds for it"] == "0"


def test_the_gathering_of_a_class_is_named_by_what_it_is_measured_in():
    by_name = {r.text: r for r in claims._PAIRS}
    pair = by_name["Smoothing draws the images of a class together"]
    assert pair.lower.number.name == "report_tightness"
    # As docs/run_record.md has it: not by the distance of the classes.
    assert pair.measure == "cluster spread / distance of templates"


def test_a_claim_about_bleu_has_the_paired_test(built):
    references = [f"wort {n} steht hier vor {n + 1}" for n in range(12)]
    counts = {}

    def changed(need):
        if need.experiment != "transformer_multi30k":
            return {}
        wrong = 3 if need.changes["alpha"] == 0 else 4
        texts = [
            "wort" if n % wrong == 0 else t for n, t in enumerate(references)
        ]
        counts[need.changes["alpha"]] = bleu.scores(texts, references)
        return {"translated": (texts, references)}

    folder = built(
        "claims",
        lambda n: n.experiment == "transformer_multi30k" and n.seed == 0,
        changed=changed,
    )
    (row,) = rows(folder, "bootstrap")
    test = translation_bootstrap.paired(
        "bleu_uncased",
        *(counts[alpha].counts["bleu_uncased"] for alpha in (0.0, 0.1)),
        counts[0.0].signatures["bleu_uncased"],
    )
    assert (row["compared"], row["system"]) == (
        "Multi30k, small Transformer", "alpha = 0.1",
    )  # fmt: skip
    assert float(row["p"]) == test.p_value
    assert float(row["difference"]) == pytest.approx(test.difference.score)
