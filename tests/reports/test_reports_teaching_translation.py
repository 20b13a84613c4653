"""The report on teachers of translations, from made-up records."""

import pytest
from built_pages import figures, page_of, rows

from ls_tf.pages import builder
from ls_tf.reports import s_fig7

NAMES = [
    "teacher, hard labels",
    "teacher, alpha = 0.1",
    "student of the hard teacher",
    "student of the smoothed teacher",
]


def test_the_headline_trains_teachers_and_students_once():
    assert [i.folder for i in builder.identities(s_fig7, smoke=False)] == [
        "transformer_multi30k_deen/alpha=0/seed=0",
        "transformer_multi30k_deen/paper/seed=0",
        "transformer_multi30k_deen_student/paper/seed=0",
        "transformer_multi30k_deen_student/teacher.changes.alpha=0.1/seed=0",
    ]


def test_without_a_run_the_page_says_so(built):
    folder = built("s_fig7", lambda need: False)
    assert {r["BLEU, cased"] for r in rows(folder, "scores")} == {"no run"}
    assert {r["holds"] for r in rows(folder, "claims")} == {"no run"}
    assert not list(folder.glob("*.png"))


def test_three_seeds_that_agree_are_no_noise(quick, built):
    folder = built("s_fig7")
    found = rows(folder, "scores")
    assert [r["who"] for r in found] == NAMES
    # At T = 1: 36 + 10 alpha + seed / 10 - 4 (best)^2 - 0.5, mean of seeds.
    for row, bleu in zip(found, (34.6, 36.6, 34.6, 36.6), strict=True):
        assert float(row["BLEU, cased"]) == pytest.approx(bleu)
        assert row["seeds"] == "3"
    holds = [r["holds"] for r in rows(folder, "claims")]
    # Students have the numbers of their teachers here.
    assert holds == ["yes", "yes", "within noise", "within noise"]
    assert (
        "the smoothed teacher's student is better (Shen et al.): holds in 3 of "
        "3 seeds (claimed lower 34.60 BLEU, claimed higher 36.60 BLEU, "
        "difference +2.00 BLEU)." in page_of(folder)
    )


def test_of_one_seed_nothing_is_said_of_noise(quick, built):
    folder = built("s_fig7", lambda need: need.seed == 0)
    found = rows(folder, "claims")
    # Students have the numbers of their teachers here: no difference.
    assert [r["holds"] for r in found] == ["yes", "yes", "no", "no"]
    assert {r["seeds"] for r in found} == {"1"}


def test_the_curves_are_those_of_the_metrics(store):
    folder = store(s_fig7.REQUIRES, optional=True)
    records, *_ = builder._find("s_fig7", s_fig7, folder, False)
    (figure,) = figures(s_fig7, records).values()
    left, right = figure.axes
    for axes in (left, right):
        hard, smoothed = (line.get_ydata() for line in axes.lines)
        # 20 + step / 100 + 10 alpha + seed, mean of seeds 0, 1, 2; at the end
        # what is measured there.
        assert hard.tolist() == pytest.approx([26, 31, 36.6])
        assert smoothed.tolist() == pytest.approx([27, 32, 38.6])
    words = [t.get_text() for t in right.get_legend().get_texts()]
    assert words == NAMES[2:]
