"""The report on binary students, from made-up records."""

import distillation_records as made_up
import numpy as np
import pytest
from built_pages import figures, page_of, rows

from ls_tf.pages import builder
from ls_tf.records import runs
from ls_tf.reports import s_fig6
from ls_tf.spec.resolve import resolve

pytestmark = pytest.mark.usefixtures("quick")

NAME = "s_fig6"


def close(word, expected):
    return float(word) == pytest.approx(expected, rel=1e-9)


def test_run_missing_trains_one_seed_of_the_small_teachers():
    found = [i.folder for i in builder.identities(s_fig6, smoke=False)]
    assert found == [
        "resnet20_cifar10_short/alpha=0/seed=0",
        "resnet20_cifar10_short/paper/seed=0",
        "reactnet_cifar10_student_short/paper/seed=0",
        "reactnet_cifar10_student_short/teacher.changes.alpha=0.1/seed=0",
    ]
    folders = [
        resolve(n.experiment, changed=n.changes, seed=n.seed).folder
        for n in s_fig6.REQUIRES
    ]
    assert len(set(folders)) == len(folders) == 2 * 3 * 4


def test_the_students_need_the_teachers_of_the_page():
    of = {
        resolve(n.experiment, changed=n.changes, seed=n.seed).folder
        for n in s_fig6.REQUIRES
    }
    for need in s_fig6.REQUIRES:
        if need.experiment != made_up.BINARY:
            continue
        spec = resolve(
            need.experiment, changed=need.changes, seed=need.seed
        ).spec
        teacher = resolve(
            spec.teacher.experiment,
            changed=spec.teacher.changes,
            seed=need.seed,
        )
        assert teacher.folder in of


def test_without_any_run_the_page_prints_every_command(built, tmp_path):
    folder = built(NAME, lambda need: False)
    page = page_of(folder)
    for need in s_fig6.REQUIRES:
        command = resolve(
            need.experiment, changed=need.changes, seed=need.seed
        ).command()
        assert f"{command} --runs_dir={tmp_path / 'runs'}" in page
    assert "No claim can be judged." in page
    assert {r["student, %"] for r in rows(folder, "students")} == {"no run"}
    assert not list(folder.glob("*.png"))


def test_accuracies_of_students_and_their_teachers(built):
    folder = built(NAME, lambda need: need.seed < 2)
    small, smoothed, large, _ = rows(folder, "students")
    assert small["teacher"] == "CIFAR-10 ResNet-20, steps / 10"
    seeds = 0.05  # of the made-up accuracies, the mean of two
    assert close(small["teacher, %"], 90 - seeds)
    assert close(small["student, %"], 62 - seeds)
    assert close(small["lowest"], 61.9) and close(small["highest"], 62)
    assert close(small["best, %"], 90 - seeds)
    assert close(smoothed["student, %"], 63 - seeds)
    assert close(smoothed["best, %"], 89 - seeds)
    assert close(large["student, %"], 52 - seeds)
    assert [r["Shen et al., best, ImageNet"] for r in (small, smoothed)] == [
        "63.002",
        "63.108",
    ]
    assert {r["seeds"] for r in rows(folder, "students")} == {"2"}


def test_the_claims_by_hand(built):
    folder = built(NAME, lambda need: need.seed < 2)
    found = rows(folder, "claims")
    # Last and best of both teachers, and the teachers at both alphas.
    assert [r["holds"] for r in found] == ["yes", "no", "yes", "no"] + [
        "yes",
        "yes",
    ]
    assert [r["as printed"] for r in found] == ["", "yes", "", "yes", "", ""]
    assert close(found[0]["lower"], 61.95) and close(found[0]["higher"], 62.95)
    assert close(found[4]["lower"], 51.95) and close(found[4]["higher"], 61.95)


def test_claims_flip(built):
    def changed(need):
        if need.experiment != made_up.BINARY:
            return {}
        large = "teacher.experiment" in need.changes
        accuracy = 0.95 - 0.1 * made_up.alpha_of(need) + 0.02 * large
        return {"accuracy": accuracy}

    folder = built(NAME, lambda need: need.seed < 2, changed=changed)
    holds = [r["holds"] for r in rows(folder, "claims")]
    assert holds == ["no"] * 6


def test_of_one_seed_nothing_is_said_of_noise(built):
    folder = built(NAME, lambda need: need.seed == 0)
    found = rows(folder, "claims")
    holds = ["yes", "no", "yes", "no", "yes", "yes"]
    assert [r["holds"] for r in found] == holds
    assert [r["seeds"] for r in found] == ["1"] * 6


def test_the_curves_are_the_accuracies_over_the_steps(store):
    needs = [
        n
        for n in s_fig6.REQUIRES
        if n.seed < 2
        and n.changes == {"teacher.changes.alpha": 0.1}
        and n.experiment == made_up.BINARY
    ]
    assert len(needs) == 2
    folder = store(needs, optional=True)
    records = {
        n: runs.find(
            folder, resolve(n.experiment, changed=n.changes, seed=n.seed)
        )
        for n in needs
    }
    (figure,) = figures(s_fig6, records).values()
    (axes,) = figure.axes
    (line,) = axes.get_lines()
    np.testing.assert_allclose(line.get_xdata(), [312, 624, 936, 60000])
    expected = np.array([49, 89, 59, 63]) - 0.05
    np.testing.assert_allclose(line.get_ydata(), expected)
    (label,) = [t.get_text() for t in axes.get_legend().get_texts()]
    assert label == "smoothed teacher (alpha = 0.1)"
