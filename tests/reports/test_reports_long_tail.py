"""The page of the long tails, from made-up records."""

import statistics

import numpy as np
import pytest
import tail_records
from built_pages import page_of, rows

from ls_tf.analysis import seed_differences
from ls_tf.pages import long_tail, tables
from ls_tf.pages.blocks import Need
from ls_tf.spec.resolve import resolve

pytestmark = pytest.mark.usefixtures("quick")
SEEDS = (0, 1, 2)
HARD, SMOOTHED = {}, {"alpha": 0.1}


def of(name, experiment, changes):
    needs = [Need(experiment, changes, seed) for seed in SEEDS]
    return {n.seed: tail_records.value(n, name) for n in needs}


def words(low, high):
    apart = seed_differences.paired(high, low)
    word = "yes" if apart.mean > 0 else "no"
    agree = sum(low[seed] < high[seed] for seed in SEEDS)
    word = "within noise" if apart.is_noise else word
    numbers = [
        tables.cell(statistics.fmean(side.values()), "#.4g")
        for side in (low, high)
    ]
    return (
        f"{tables.Verdict(word, agree, len(SEEDS))} (claimed lower "
        f"{numbers[0]}, claimed higher {numbers[1]}, difference "
        f"{tables.cell(apart.mean, '+#.4g')})."
    )


def test_without_any_run_the_page_says_so(built):
    folder = built("long_tail", lambda need: False)
    page = page_of(folder)
    assert "No claim can be judged." in page
    assert "--experiment=tail_mnist_student" in page
    assert not list(folder.glob("classes_*.png"))


def test_every_run_can_be_and_is_asked_for_once():
    needs = long_tail.REQUIRES
    found = {
        resolve(n.experiment, changed=n.changes, seed=n.seed).folder
        for n in needs
    }
    # MNIST: four methods, two without a tail, three students; CIFAR-10 three.
    assert len(found) == len(needs) == (4 + 2 + 3 + 3) * 3


def test_numbers_and_claims_by_hand(built):
    folder = built("long_tail", lambda n: n.experiment != "tail_cifar10_short")
    found = {r["network"]: r for r in rows(folder, "accuracy")}
    row = found["MNIST, long tail, smoothed, alpha = 0.1"]
    for heading, name in (
        ("accuracy, %", "accuracy"),
        ("few-shot, %", "accuracy_few"),
    ):
        mean = statistics.fmean(of(name, "tail_mnist", SMOOTHED).values())
        assert float(row[heading]) == pytest.approx(100 * mean)
    assert row["seeds"] == "3"
    even = found["MNIST, each class as often, hard labels"]
    assert even["few-shot, %"] == "–"
    cifar = found["CIFAR-10, long tail, steps / 120, hard labels"]
    assert cifar["accuracy, %"] == "no run"
    page = page_of(folder)
    hard, smoothed = (of("accuracy", "tail_mnist", c) for c in (HARD, SMOOTHED))
    scaled = ({s: 100 * v for s, v in n.items()} for n in (smoothed, hard))
    holds = words(*scaled)
    assert (
        "MNIST, long tail: smoothing makes a long tail less accurate, % "
        f"(Shen et al., table 3): {holds}" in page
    )
    even, tail = (
        {
            s: of("weight_norm", name, SMOOTHED)[s]
            / of("weight_norm", name, HARD)[s]
            for s in SEEDS
        }
        for name in ("tail_mnist_even", "tail_mnist")
    )
    assert words(even, dict.fromkeys(SEEDS, 1.0)) in page
    assert (
        "weights less than without a tail, factor (Shen et al., "
        f"conjecture 1): {words(even, tail)}" in page
    )
    taught = {"teacher.changes.alpha": 0.1}
    by_hard = {"teacher.changes.alpha": 0.0}
    pair = (of("accuracy", "tail_mnist_student", c) for c in (taught, by_hard))
    said = words(*({s: 100 * v for s, v in n.items()} for n in pair))
    assert f"teaches worse, % (Shen et al., table 6): {said}" in page


def test_the_printed_pairs(built):
    folder = built("long_tail", lambda need: False)
    printed = rows(folder, "printed")
    worse = [r["smoothing worse?"] for r in printed]
    assert worse.count("yes") == 10 and worse.count("no") == 1
    (other,) = [r for r in printed if r["smoothing worse?"] == "no"]
    assert other["data, network"] == "Places-LT, ResNet-50"


def test_curves_go_from_the_most_frequent_class_to_the_rarest(
    built, monkeypatch
):
    drawn = []
    curves = long_tail._curves
    monkeypatch.setattr(
        long_tail, "_curves", lambda *a: drawn.append(curves(*a)) or drawn[-1]
    )
    built("long_tail", lambda n: n.experiment == "tail_mnist" and not n.changes)
    figure, none = drawn
    assert none is None
    left, right = figure.axes[:2]
    x, y = left.lines[0].get_data()
    np.testing.assert_array_equal(x, np.arange(1, 11))
    counts = np.sort(tail_records.COUNTS)[::-1]
    mean = statistics.fmean(of("accuracy", "tail_mnist", HARD).values())
    np.testing.assert_allclose(y, 100 * mean * counts / 600)
    norm = statistics.fmean(of("weight_norm", "tail_mnist", HARD).values())
    np.testing.assert_allclose(right.lines[0].get_ydata(), norm + counts / 1000)
