import csv
import pathlib
import statistics

import pytest

from ls_tf.pages import builder
from ls_tf.spec import registry


@pytest.fixture
def built(store, tmp_path, quick):
    """Builds a report from made-up records; gives its folder."""

    def build(name, **options):
        made = registry.get("ls_tf.reports", name)
        folder = store(made.REQUIRES, **options)
        page = builder.build(
            name,
            made,
            runs_dir=folder,
            reports_dir=str(tmp_path / "reports"),
        )
        return pathlib.Path(page).parent

    return build


def rows(folder, name):
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def close(word, expected):
    return float(word) == pytest.approx(expected, rel=1e-12)


def errors_of(need, table):
    """Test errors (fractions) of table 4's networks by seed."""
    name = need.experiment + (":0" if need.changes.get("alpha") == 0 else "")
    return {"error": table[name][need.seed]} if name in table else {}


# Errors by seed, chosen so that means and single seeds differ.
PAPER_LIKE = {
    "fc_mnist_dropout": (0.0070, 0.0066, 0.0068),
    "fc_mnist": (0.0060, 0.0067, 0.0058),
    "fc_mnist_student": (0.0074, 0.0075, 0.0076),
    "fc_mnist_student_of_smoothed": (0.0090, 0.0091, 0.0092),
    "fc_mnist:0": (0.0094, 0.0095, 0.0096),
}
FLIPPED = PAPER_LIKE | {
    "fc_mnist": (0.0080, 0.0080, 0.0080),
    "fc_mnist_student_of_smoothed": (0.0073, 0.0073, 0.0077),
}


def test_table_4_over_three_seeds(built):
    folder = built(
        "re_table4_mnist",
        optional=True,
        changed=lambda need: errors_of(need, PAPER_LIKE),
    )
    table = {row[0]: row[1:] for row in rows(folder, "errors")}
    hard = table["teacher, hard targets and dropout"]
    assert hard[:2] == ["0.67", "0.81"]
    assert close(hard[2], 100 * (0.0070 + 0.0066 + 0.0068) / 3)
    assert close(hard[3], 0.66) and close(hard[4], 0.70) and hard[5] == "3"
    plain = table["hard targets, no dropout"]
    assert plain[:2] == ["", "0.94"] and close(plain[2], 0.95)
    student = {row[0]: row[1:] for row in rows(folder, "by_seed")}[
        "student of the smoothed teacher"
    ]
    assert [float(v) for v in student] == pytest.approx([0.90, 0.91, 0.92])


def test_the_claims_of_table_4_follow_the_numbers(built):
    folder = built(
        "re_table4_mnist",
        optional=True,
        changed=lambda need: errors_of(need, PAPER_LIKE),
    )
    # Seed 1 alone says the opposite of the means about the teachers.
    judged = rows(folder, "claims")
    assert [[row[1], *row[4:]] for row in judged] == [
        ["yes", "within noise", "2", "3"],
        ["yes", "yes", "3", "3"],
        ["", "yes", "3", "3"],
    ]
    # 0.0633 -+ 4.303 * 0.0635 / sqrt(3), and so on.
    assert [[round(float(v), 3) for v in row[2:4]] for row in judged] == [
        [-0.094, 0.221],
        [0.16, 0.16],
        [0.208, 0.458],
    ]
    assert (
        "smoothed teacher better than hard targets and dropout: within noise: "
        "holds in 2 of 3 seeds (difference +0.06 points of error); its student "
        "worse: holds in 3 of 3 seeds (difference +0.16 points of error)."
    ) in (folder / "index.html").read_text()


def test_the_claims_of_table_4_flip(built):
    folder = built(
        "re_table4_mnist",
        optional=True,
        changed=lambda need: errors_of(need, FLIPPED),
    )
    # Students: (.0073 + .0073 + .0077) / 3 < .0075, but not for seed 2.
    assert [[row[1], *row[4:]] for row in rows(folder, "claims")] == [
        ["yes", "no", "0", "3"],
        ["yes", "within noise", "1", "3"],
        ["", "yes", "3", "3"],
    ]


def test_table_4_with_one_seed_says_so(built):
    folder = built("re_table4_mnist")
    assert {row[-1] for row in rows(folder, "errors")} == {"1"}
    assert all(row[2:] == ["no run"] * 2 for row in rows(folder, "by_seed"))
    page = (folder / "index.html").read_text()
    assert "holds in 1 of 1 seed (difference +" in page
    assert "--experiment=fc_mnist_student --seed=2" in page


def test_tables_2_and_3_with_one_seed(built):
    folder = built("re_table2_table3")
    table = {tuple(row[:2]): row[2:] for row in rows(folder, "accuracy")}
    assert table["MNIST", "Wagner et al. (1 run)"][1] == "99.33"
    accuracy = table["MNIST", "ours, mean"]
    assert close(accuracy[0], 100 * (1 - (0.0069 + 0.002)))
    assert close(accuracy[4], 100 * (1 - 0.0069))
    assert table["MNIST", "ours, seeds"] == ["1"] * 5
    assert ("MNIST", "ours, lowest") not in table
    for name in ("EMNIST", "Fashion-MNIST"):
        assert table[name, "ours, mean"] == ["no run"] * 5
        assert table[name, "ours, seeds"] == ["0"] * 5
    page = (folder / "index.html").read_text()
    assert "--experiment=fc_fashion_mnist --alpha=0.3" in page


def test_tables_2_and_3_over_seeds_and_data_sets(built):
    folder = built("re_table2_table3", optional=True)
    table = {tuple(row[:2]): row[2:] for row in rows(folder, "ece")}
    seeds = [0.9 * 0.15 + 0.0001 * s for s in range(3)]
    assert close(table["MNIST", "ours, mean"][3], statistics.mean(seeds))
    assert close(table["MNIST", "ours, lowest"][3], min(seeds))
    assert close(table["MNIST", "ours, highest"][3], max(seeds))
    assert table["MNIST", "ours, seeds"] == ["3"] * 5
    assert close(table["EMNIST", "ours, mean"][2], 0.9 * 0.1)
    assert table["EMNIST", "ours, seeds"] == ["1"] * 5


def test_temperature_scaling_tells_how_t_was_fitted(built):
    folder = built("re_table2_table3", optional=True)
    table = {
        tuple(row[:2]): row[2:] for row in rows(folder, "temperature_scaling")
    }
    before = 0.002 + 0.0001  # the mean over seeds 0, 1, 2
    by_nll = table["MNIST", "ours, by NLL, same images"]
    assert [float(v) for v in by_nll] == pytest.approx(
        [1.06, before, 0.0015, 3]
    )
    by_ece = table["MNIST", "ours, by ECE, same images"]
    assert [float(v) for v in by_ece] == pytest.approx(
        [1.04, before, 0.0011, 3]
    )
    held_out = table["MNIST", "ours, on one half, measured on the other"]
    assert [float(v) for v in held_out] == pytest.approx(
        [(1.08 + 1.09 + 1.10) / 3, 0.0022, 0.0018, 3]
    )
    printed = table["MNIST", "Wagner et al. (1 run), by ECE"]
    assert printed == ["1.06", "0.002", "0.001", "1"]


def test_the_side_of_the_miscalibration_follows_its_sign(built):
    def flipped(need):
        if need.changes["alpha"] == 0.3:
            return {"signed_calibration_error": 0.012}
        return {}

    page = (
        built("re_table2_table3", changed=flipped) / "index.html"
    ).read_text()
    assert (
        "MNIST: alpha=0 over-confident by 0.20; alpha=0.05 under-confident by "
        "4.50; alpha=0.1 under-confident by 9.00; alpha=0.15 under-confident "
        "by 13.50; alpha=0.3 over-confident by 1.20."
    ) in page
    assert "EMNIST: no run." in page


def test_figure_3b_has_one_row_for_each_diagram(built):
    table = rows(built("re_fig3b_reliability_mnist"), "reliability")
    assert [row[:2] for row in table] == [
        ["0.0", "1.0"],
        ["0.0", "1.06"],
        ["0.05", "1.0"],
        ["0.1", "1.0"],
        ["0.15", "1.0"],
        ["0.3", "1.0"],
    ]
    printed = ["0.002", "0.001", "0.056", "0.102", "0.147", "0.281"]
    assert [row[2] for row in table] == printed
    ours = [0.002, 0.0015, *(0.9 * a for a in (0.05, 0.1, 0.15, 0.3))]
    assert [float(row[3]) for row in table] == pytest.approx(ours)


def geometry_of(need, factor):
    if need.changes["alpha"] != 0:
        return {}
    names = ("tightness", "tightness_by_centres", "side_spread", "scale")
    return {
        f"{split}_{k}": factor * v
        for split in ("train", "report")
        for k, v in zip(names, (0.1, 0.05, 0.02, 2.5), strict=True)
    }


@pytest.mark.parametrize(
    ("factor", "word"),
    [(2.0, "yes"), (0.5, "no"), (1.0, "no"), (float("nan"), "cannot be said")],
)
def test_the_claims_of_figure_2_follow_the_numbers(built, factor, word):
    folder = built(
        "re_fig2_penultimate_mnist",
        changed=lambda need: geometry_of(need, factor),
    )
    table = rows(folder, "geometry")
    assert [row[5] for row in table] == [word] * 8
    assert [row[4] for row in table] == [
        *["tighter?"] * 4, *["more regular?"] * 2, *["smaller scale?"] * 2,
    ]  # fmt: skip
    assert [float(row[3]) for row in table[::2]] == [0.1, 0.05, 0.02, 2.5]
    count = 8 if word == "yes" else 0
    page = (folder / "index.html").read_text()
    assert f"Here {count} of 8 measures agree." in page


def test_figure_1_by_hand(built):
    table = rows(built("re_fig1_soft_labels"), "soft_labels")
    for alpha, row in zip((0, 0.05, 0.1, 0.15, 0.3), table, strict=True):
        expected = [alpha / 10] * 10
        expected[3] = 1 - alpha + alpha / 10
        assert float(row[0]) == alpha
        assert [float(v) for v in row[1:]] == pytest.approx(expected)


def test_the_quick_tour_shows_both_networks_and_both_students(built):
    folder = built("quick_tour")
    hard, smoothed = rows(folder, "scores")
    assert close(hard[1], 100 * (1 - (0.022 + 0.002)))
    assert close(smoothed[1], 100 * (1 - 0.022))
    assert [float(v) for v in hard[2:]] == pytest.approx(
        [0.04, 0.002, 1.06, 0.03, 0.0015]
    )
    assert [float(v) for v in smoothed[2:]] == pytest.approx(
        [0.14, 0.09, 0.7, 0.03, 0.0015]
    )
    students = rows(folder, "students")
    assert close(students[0][2], 100 * (1 - 0.03))
    assert close(students[1][2], 100 * (1 - (0.03 + 0.001)))
    assert [float(row[3]) for row in students] == pytest.approx([-0.6, -0.9])
    page = (folder / "index.html").read_text()
    assert "scikit-learn digits, 1 seed" in page


def test_the_findings_of_the_quick_tour_flip(built):
    def changed(need):
        if "teacher.changes.alpha" in need.changes:
            return {"accuracy": 0.99}
        if need.changes == {"alpha": 0.1}:
            return {"accuracy": 0.5, "ece": 0.001, "ece_scaled": 0.001}
        return {}

    page = (built("quick_tour", changed=changed) / "index.html").read_text()
    assert (
        "raises the accuracy, %: "
        "fails: holds in 0 of 1 seed (97.60 hard, 50.00 smoothed)"
    ) in page
    assert (
        "lowers the calibration error: "
        "holds in 1 of 1 seed (0.0020 hard, 0.0010"
    ) in page
    assert (
        "temperature is fitted: holds in 1 of 1 seed (0.0015 hard, 0.0010"
    ) in page
    assert (
        "student is worse, accuracy in %: "
        "fails: holds in 0 of 1 seed (97.00 hard, 99.00"
    ) in page


def test_the_quick_tour_of_the_plain_records(built):
    page = (built("quick_tour") / "index.html").read_text()
    assert (
        "raises the accuracy, %: "
        "holds in 1 of 1 seed (97.60 hard, 97.80 smoothed)"
    ) in page
    assert (
        "lowers the calibration error: "
        "fails: holds in 0 of 1 seed (0.0020 hard, 0.0900"
    ) in page
    assert (
        "student is worse, accuracy in %: "
        "holds in 1 of 1 seed (97.00 hard, 96.90"
    ) in page
