"""The bench of smoothing methods, from made-up records."""

import statistics

import bench_records
import pytest
from built_pages import page_of, rows

from ls_tf.analysis import seed_differences
from ls_tf.pages import smoothing_bench, smoothing_methods, tables
from ls_tf.pages.blocks import Need
from ls_tf.reports import smoothing_bench as of_mnist
from ls_tf.spec import registry
from ls_tf.spec.resolve import resolve

NAMES = ("smoothing_bench", "smoothing_bench_cifar10")
SMOOTHED = smoothing_methods.SMOOTHED

pytestmark = pytest.mark.usefixtures("quick")


def held_out(value, seeds=(0, 1)):
    """Mean held-out NLL of the smoothed networks at an alpha."""
    needs = [Need("bench_mnist", {"alpha": value}, seed) for seed in seeds]
    return statistics.fmean(
        bench_records.value(n, "classification", "nll", "calibrate")
        for n in needs
    )


@pytest.mark.parametrize("name", NAMES)
def test_without_any_run_the_page_says_so(name, built):
    folder = built(name, lambda need: False)
    page = page_of(folder)
    assert "There are no runs: nothing can be said." in page
    assert "--experiment=bench_" in page
    assert not list(folder.glob("*.png"))


@pytest.mark.parametrize("name", NAMES)
def test_every_run_can_be_and_is_asked_for_once(name):
    needs = registry.get("ls_tf.reports", name).REQUIRES
    found = {
        resolve(n.experiment, changed=n.changes, seed=n.seed).folder
        for n in needs
    }
    # Hard labels, and eight methods of three values, three seeds each.
    students = 2 if name == "smoothing_bench" else 1
    assert len(found) == len(needs) == 25 * 3 * students


def test_the_numbers_of_the_page_by_hand(built):
    folder = built(
        "smoothing_bench",
        lambda n: n.experiment == "bench_mnist" and n.seed < 2,
    )
    _the_number_of_a_method_is_that_of_the_lowest_nll(folder)
    _the_best_and_those_within_noise_are_marked(folder)
    _claims_of_the_papers(folder)


def _the_number_of_a_method_is_that_of_the_lowest_nll(folder):
    best = min(SMOOTHED.values, key=held_out)
    labels = {r["method"] for r in rows(folder, "methods")}
    assert SMOOTHED.label(best) in labels and len(labels) == 9
    choice = {r["method"]: r for r in rows(folder, "choice")}
    assert len(choice) == 25
    for value in SMOOTHED.values:
        row = choice[SMOOTHED.label(value)]
        assert float(row["NLL"]) == pytest.approx(held_out(value))
        assert row["chosen"] == ("yes" if value == best else "no")


def _the_best_and_those_within_noise_are_marked(folder):
    numbers = {
        (r["method"], r["measure"]): float(r["mean"] or "nan")
        for r in rows(folder, "numbers")
        if r["mean"] != "no run"
    }
    found = rows(folder, "methods")
    lines = (folder / "methods.tex").read_text("utf-8").splitlines()
    headings, *shown = [
        line[:-3].split(" & ") for line in lines if " & " in line
    ]
    for heading, pick in (("accuracy, %", max), ("AURC", min)):
        means = {r["method"]: numbers[r["method"], heading] for r in found}
        best = pick(means, key=means.get)
        place = headings.index(heading.replace("%", r"\%"))
        for row, cells in zip(found, shown, strict=True):
            # Numbers alone for programs, marks beside them for people.
            assert float(row[heading]) == means[row["method"]]
            assert cells[place].endswith(r"$\star$") == (row["method"] == best)
        if heading.startswith("accuracy"):
            words = f"For accuracy: {best} (accuracy, % {means[best]:.2f})"
            assert words in page_of(folder)


def _claims_of_the_papers(folder):
    best = min(SMOOTHED.values, key=held_out)

    def aurc(changes):
        needs = [Need("bench_mnist", changes, seed) for seed in (0, 1)]
        return {
            n.seed: bench_records.value(n, "selective", "aurc") for n in needs
        }

    hard, smoothed = aurc({}), aurc({"alpha": best})
    low, high = (statistics.fmean(v.values()) for v in (hard, smoothed))
    holds = "yes" if low < high else "no"
    if seed_differences.paired(hard, smoothed).is_noise:
        holds = "within noise"
    agree = sum(hard[seed] < smoothed[seed] for seed in hard)
    verdict = tables.Verdict(holds, agree, len(hard))
    assert (
        "smoothing worsens selective prediction (Xia et al. 2025): "
        f"AURC: {verdict} (claimed lower {low:#.4g}, claimed higher "
        f"{high:#.4g}, difference {tables.cell(high - low, '+#.4g')})."
    ) in page_of(folder)


def test_values_are_compared_by_the_seeds_that_all_have(built):
    # The worst value by seed 0 has three seeds: of the others nothing helps it.
    values = sorted(SMOOTHED.values, key=lambda v: held_out(v, (0,)))
    folder = built(
        "smoothing_bench",
        lambda n: (
            n.experiment == "bench_mnist"
            and (n.seed == 0 or n.changes == {"alpha": values[-1]})
        ),
    )
    choice = {r["method"]: r for r in rows(folder, "choice")}
    for value in values:
        row = choice[SMOOTHED.label(value)]
        assert float(row["NLL"]) == pytest.approx(held_out(value, (0,)))
        assert row["chosen"] == ("yes" if value == values[0] else "no")


def test_students_are_those_of_the_chosen_value(built):
    wanted = ({}, {"alpha": 0.1})

    def of_two(need):
        changes = {
            k.removeprefix("teacher.changes."): v
            for k, v in need.changes.items()
        }
        return need.seed == 0 and changes in wanted

    folder = built("smoothing_bench", of_two)
    found = {r["method"]: r["student, %"] for r in rows(folder, "methods")}
    for label, changes in (
        ("hard labels", {}),
        ("label smoothing, alpha = 0.1", {"teacher.changes.alpha": 0.1}),
    ):
        need = Need("bench_mnist_student", changes)
        value = 100 * bench_records.value(need, "classification", "accuracy")
        assert float(found[label]) == pytest.approx(value)
    assert "As a teacher: " in page_of(folder)


def test_a_mean_of_fewer_seeds_than_the_networks_says_so(built):
    def two_and_one_student(need):
        changes = {k.rpartition(".")[2]: v for k, v in need.changes.items()}
        last = 1 if need.experiment == "bench_mnist" else 0
        return need.seed <= last and changes in ({}, {"alpha": 0.1})

    folder = built("smoothing_bench", two_and_one_student)
    row = next(
        r for r in rows(folder, "methods") if r["method"] == "hard labels"
    )
    assert row["seeds"] == "2"
    page = page_of(folder)
    student = float(row["student, %"])
    assert page.count("(n = 1)") == 2  # hard labels and label smoothing
    assert f"{student:.2f} (n = 1)" in page
    assert "n: of how many, where it is not all" in page


def made(method, values, students=None):
    """A method whose networks have these accuracies by seed."""
    return smoothing_methods.Chosen(method, 0.1, values, students or {}, {})


def test_noise_is_an_interval_over_seeds(monkeypatch):
    measure = smoothing_bench.ACCURACY
    monkeypatch.setattr(type(measure), "of", lambda self, m: dict(m.runs))
    best = made(SMOOTHED, {0: 98.4, 1: 98.6, 2: 98.5})
    near = made(smoothing_methods.METHODS[2], {0: 98.5, 1: 98.4, 2: 98.3})
    far = made(smoothing_methods.HARD, {0: 97.9, 1: 98.1, 2: 98.0})
    unpaired = made(smoothing_methods.METHODS[3], {5: 90.0})
    assert seed_differences.paired(near.runs, best.runs).is_noise
    found = measure.like_the_best([far, near, best, unpaired])
    assert found == [best, near, unpaired]
    words = smoothing_bench._words([far, near, best], measure)
    assert words == (
        f"{best.label} (accuracy, % 98.50); within noise of it: {near.label}"
    )
    alone = made(SMOOTHED, {0: 98.0}), made(smoothing_methods.HARD, {0: 99.0})
    words = smoothing_bench._words(alone, measure)
    assert words.endswith("of one seed: nothing is said of noise")
    words = smoothing_bench._words(alone[:1], measure)
    assert words.endswith("the only one that has runs")


def test_an_error_below_0_is_as_good_as_one_as_far_above(monkeypatch):
    measure = next(
        m
        for m in smoothing_bench.measures([], students=False)
        if m.heading == "debiased ECE"
    )
    monkeypatch.setattr(type(measure), "of", lambda self, m: dict(m.runs))
    least = made(SMOOTHED, {0: 0.001, 1: -0.001, 2: 0.002})
    below = made(smoothing_methods.HARD, {0: -0.03, 1: -0.031, 2: -0.03})
    above = made(smoothing_methods.METHODS[2], {0: 0.03, 1: 0.031, 2: 0.03})
    ranked = [method for method, _ in measure.ranked([below, above, least])]
    assert ranked[0] is least
    assert measure.like_the_best([below, above, least]) == [least]
    assert measure.like_the_best([below, above]) == [below, above]
    # The mean ranks: one nearer to 0 in each seed is not told from it.
    around = made(SMOOTHED, {0: 0.01, 1: -0.01})
    nearer = made(smoothing_methods.HARD, {0: 0.005, 1: 0.005})
    assert measure.like_the_best([nearer, around]) == [around, nearer]


def test_a_part_of_the_runs_gives_a_part_of_the_page(built):
    folder = built(
        "smoothing_bench",
        lambda n: (
            n.experiment == "bench_mnist"
            and n.seed == 0
            and n.changes.get("alpha", 0.1) == 0.1
        ),
    )
    page = page_of(folder)
    found = rows(folder, "methods")
    assert len(found) == 4 + 4 * 1
    assert "As a teacher" not in page
    assert all(r["student, %"] == "no run" for r in found)
    assert "nothing is said of noise" in page


def test_the_page_says_how_its_networks_were_trained(built):
    page = page_of(built("smoothing_bench_cifar10", lambda need: False))
    assert "not trained to their end" in page
    assert of_mnist.TITLE == "Smoothing methods on MNIST"
