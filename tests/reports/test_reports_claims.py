"""The claims of the study, from made-up records and from the committed ones."""

import json
from pathlib import Path

import pytest
from built_pages import page_of, rows

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
    row = found["and teaches worse", "MNIST, fully connected"]
    hard, smoothed = (
        sum(_error(f"{name}/paper/seed={s}") for s in range(3)) / 3
        for name in ("fc_mnist_student", "fc_mnist_student_of_smoothed")
    )
    assert float(row["less"]) == pytest.approx(hard)
    assert float(row["more"]) == pytest.approx(smoothed)
    assert row["seeds for it"] == row["seeds"] == "3"
    row = found["Smoothing translates better", "Multi30k, small Transformer"]
    # One seed: nothing is said of noise.
    assert (row["holds"], row["seeds"]) == ("yes", "1")
    row = found["Smoothing calibrates", "MNIST, fully connected"]
    assert row["holds"] == "no" and row["seeds for it"] == "0"
