"""The reports on Shen et al. 2021."""

import math
import statistics

import made_records
import numpy as np
import pytest
from built_pages import figures, page_of, rows
from scipy import stats

from ls_tf.analysis import seed_differences
from ls_tf.pages import builder
from ls_tf.pages.blocks import Picture, Table
from ls_tf.records.runs import Record
from ls_tf.spec import registry
from ls_tf.spec.resolve import resolve, teacher_of

RECORDED = (
    "s_fig1",
    "s_fig5",
    "s_table6_table8",
    "s_table1_table10",
    "s_table4",
)

pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.parametrize("name", RECORDED)
def test_without_any_run_the_page_prints_every_command(name, built, tmp_path):
    folder = built(name, lambda need: False)
    page = page_of(folder)
    folders = set()
    for need in registry.get("ls_tf.reports", name).REQUIRES:
        identity = resolve(
            need.experiment, changed=need.changes, seed=need.seed
        )
        assert f"{identity.command()} --runs_dir={tmp_path / 'runs'}" in page
        assert f"# {need.row}\n" in page
        assert identity.folder not in folders
        folders.add(identity.folder)
    assert "No claim can be judged." in page
    assert not list(folder.glob("*.png"))


def wanted(name):
    """The runs that a report asks for: experiment -> their seeds."""
    found = {}
    made = registry.get("ls_tf.reports", name)
    for identity in builder.identities(made, smoke=False):
        found.setdefault(identity.experiment, []).append(identity.seed)
    return {k: sorted(v) for k, v in found.items()}


def blocks(name):
    """Tables and figures of a report that needs no run."""
    made = list(registry.get("ls_tf.reports", name).build({}))
    tables = {b.name: b for b in made if isinstance(b, Table)}
    pictures = {b.name: b.figure for b in made if isinstance(b, Picture)}
    return tables, pictures


def test_the_logistic_loss_of_figure_3():
    tables, pictures = blocks("s_fig3")
    by_alpha = {row[0]: row[1:] for row in tables["minimum"].rows}
    assert by_alpha[0.0] == (math.inf, 0.0, math.inf, 0.0)
    # ln 9 and ln 19; the entropies of .1 and of .05.
    assert by_alpha[0.1] == pytest.approx(
        (2.1972, 0.3251, 2.9444, 0.1985), abs=5e-5
    )
    (axes,) = pictures["logistic_loss"].axes
    curves = {line.get_label(): line.get_xydata() for line in axes.lines}
    smoothed = curves["alpha = 0.1"]
    lowest = smoothed[smoothed[:, 1].argmin()]
    assert lowest == pytest.approx((2.1972, 0.3251), abs=0.02)
    hard = curves["alpha = 0"]
    assert hard[:, 1].argmin() == len(hard) - 1
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert len(dots) == 4


def distances_of(need, split):
    """By hand: distances of the made-up clusters' means."""
    classes = np.array([4, 9, 0], np.int32)
    arrays = made_records.points(need, "report", classes)
    points, labels = (arrays[f"{split}_{k}"] for k in ("points", "labels"))
    first, second, third = (
        points[labels == k].astype(np.float64).mean(axis=0) for k in classes
    )
    d1, d2, dc = (
        float(np.hypot(*side))
        for side in (third - first, third - second, first - second)
    )
    return d1, d2, dc


def test_the_distances_of_alike_classes(built):
    assert wanted("s_fig1") == {
        "bench_mnist": [0, 0, 1, 1, 2, 2],
        "fc_mnist": [0, 0, 1, 1, 2, 2],
    }
    folder = built("s_fig1", lambda n: n.experiment == "bench_mnist")
    needs = {
        alpha: [
            n
            for n in registry.get("ls_tf.reports", "s_fig1").REQUIRES
            if n.experiment == "bench_mnist" and n.changes["alpha"] == alpha
        ]
        for alpha in (0.0, 0.1)
    }
    found = {
        (r["images"], r["alpha"]): r
        for r in rows(folder, "distances")
        if "4, 9, 0: alike" in r["network and classes"]
    }
    assert len(found) == 4
    for split, images in (("train", "training"), ("report", "others")):
        row = found[images, "0.1"]
        by_hand = [distances_of(n, split) for n in needs[0.1]]
        for name, values in zip(
            ("D1", "D2", "Dc"), zip(*by_hand, strict=True), strict=True
        ):
            assert float(row[name]) == pytest.approx(statistics.fmean(values))
        relative = [2 * dc / (d1 + d2) for d1, d2, dc in by_hand]
        assert float(row["Dc, relative"]) == pytest.approx(
            statistics.fmean(relative)
        )
        assert row["seeds"] == "3"
    claims = [
        r
        for r in rows(folder, "claims")
        if r["network and classes"].startswith("MNIST")
    ]
    # The made-up smoothed clusters are nearer, but of the same triangle.
    both = [
        [distances_of(n, "report") for n in needs[alpha]]
        for alpha in (0.0, 0.1)
    ]
    relative, apart = (
        [[f(*d) for d in of_alpha] for of_alpha in both]
        for f in (
            lambda d1, d2, dc: 2 * dc / (d1 + d2),
            lambda d1, d2, dc: 2 * abs(d1 - d2) / (d1 + d2),
        )
    )
    assert claims[0]["holds"] == "no"
    for claim, (low, high) in (
        (claims[1], relative),
        (claims[2], apart[::-1]),
    ):
        pair = [dict(enumerate(values)) for values in (low, high)]
        noise = seed_differences.paired(*pair).is_noise
        means = statistics.fmean(low), statistics.fmean(high)
        word = "yes" if means[0] < means[1] else "no"
        assert claim["holds"] == ("within noise" if noise else word)
        assert float(claim["lower"]) == pytest.approx(means[0])
        assert float(claim["higher"]) == pytest.approx(means[1])
    assert {r["seeds"] for r in claims} == {"3"}


def test_students_train_as_their_metrics_say(built):
    assert wanted("s_fig5") == {
        "fc_mnist": [0, 0, 1, 1, 2, 2],
        "fc_mnist_kl_student": [0, 0, 1, 1, 2, 2],
    }
    folder = built("s_fig5", lambda n: n.seed < 2)
    ends = {
        (r["network"], r["alpha of the teacher"]): r
        for r in rows(folder, "ends")
    }
    # Means of two seeds; CIFAR's loss counts three times in training.
    for label, factor, data in (
        ("MNIST, fully connected", 1, "mnist"),
        ("CIFAR-10 AlexNet, steps / 120", 3, "cifar10"),
    ):
        for alpha, loss, accuracy in (
            ("0.0", 0.0405, 87.95),
            ("0.1", 0.1405, 87.65),
        ):
            row = ends[label, alpha]
            assert float(row["loss, nats"]) == pytest.approx(loss / factor)
            assert float(row["student, %"]) == pytest.approx(accuracy)
            assert row["seeds"] == "2"
        assert list(folder.glob(f"curves_*{data}_kl_student*.png"))
    # A loss that is higher, and no higher accuracy.
    assert [r["holds"] for r in rows(folder, "claims")] == ["yes", "no"] * 2
    assert (
        "(Shen et al.): holds in 2 of 2 seeds (claimed lower 0.04050, claimed "
        "higher 0.1405, difference +0.1000)."
    ) in page_of(folder)


def test_every_printed_student_of_a_smoothed_teacher_is_the_better_one(built):
    printed = rows(built("s_fig5", lambda n: False), "printed")
    assert len(printed) == 12
    assert {r["smoothed better?"] for r in printed} == {"yes"}
    first = printed[0]
    assert first["teacher to student"] == "ImageNet, ResNet-50 to ResNet-18"
    assert [float(v) for v in list(first.values())[1:5]] == [
        *(76.056, 76.128),
        *(71.425, 71.816),
    ]


class Trained:
    """What the page of curves reads of a record."""

    curve = Record.curve

    def __init__(self, loss, accuracy):
        self.of_step = {600: loss, 1200: loss / 2}
        self.accuracy = accuracy

    def scalars(self, evaluator, role):
        assert (evaluator, role) == ("classification", "report")
        return {"accuracy": self.accuracy}

    def metrics(self):
        # A measurement may have a row of its own.
        yield {"step": 300, "report/accuracy": self.accuracy / 2}
        for step, loss in self.of_step.items():
            yield {
                "step": step,
                "train/loss": loss,
                "report/accuracy": self.accuracy,
            }


def test_the_curves_are_means_over_seeds():
    made = registry.get("ls_tf.reports", "s_fig5")
    records = {
        need: Trained(0.6 + 0.2 * need.seed, 0.9)
        for need in made.REQUIRES
        if need.seed < 2 and need.experiment != "fc_mnist_kl_student"
    }
    (figure,) = figures(made, records).values()
    loss, accuracy = figure.axes
    assert loss.get_yscale() == "log"
    (line, _), (shown, _) = loss.lines, accuracy.lines
    # 0.6 and 0.8, a third of it.
    np.testing.assert_allclose(
        line.get_xydata(), [[600, 0.7 / 3], [1200, 0.35 / 3]]
    )
    np.testing.assert_allclose(
        shown.get_xydata(), [[300, 45], [600, 90], [1200, 90]]
    )


def test_the_printed_teachers_have_students_in_their_order():
    made = registry.get("ls_tf.reports", "s_table6_table8")
    assert made.printed_order() == pytest.approx(1)


def test_teachers_of_each_quality_and_their_students_are_asked_for():
    assert {k: len(v) for k, v in wanted("s_table6_table8").items()} == {
        "fc_mnist": 5 * 2 * 3,
        "fc_mnist_dropout": 2 * 3,
        "fc_mnist_kl_student": 6 * 2 * 3,
        "resnet20_cifar10_short": 4 * 2,
        "alexnet_cifar10_kl_student_120th": 4 * 2,
    }
    # A student names the teacher that the page asks for.
    made = registry.get("ls_tf.reports", "s_table6_table8")
    runs = {
        (i.experiment, i.folder): i
        for i in builder.identities(made, smoke=False)
    }
    taught = {teacher_of(i).folder for i in runs.values() if teacher_of(i)}
    assert taught == {folder for name, folder in runs if "student" not in name}


# Teachers and students of hard and of smoothed labels, by seed: the smoothed
# one-epoch teacher is worse, and so is its student.
_OF_QUALITY = {
    "1200 + 1200 units": ((98.0, 98.2), (97.0, 97.5)),
    "the same, twice as long": ((98.1, 98.3), (97.1, 97.6)),
    "the same, dropout": ((98.05, 98.25), (97.0, 97.5)),
    "100 + 100 units": ((97.0, 97.2), (96.0, 96.5)),
    "20 + 20 units": ((94.0, 94.2), (95.0, 95.5)),
    "one epoch": ((93.0, 92.0), (94.0, 93.5)),
}


def test_better_teachers_and_inferior_ones_by_hand(built):
    def changed(need):
        word, _, quality = need.row.partition(": ")
        quality = quality.rpartition(", alpha")[0]
        smoothed = float(need.row.rpartition("= ")[2]) > 0
        teachers, students = _OF_QUALITY[quality]
        values = students if "student of" in word else teachers
        value = values[smoothed] - 0.1 * need.seed
        return {"accuracy": value / 100, "error": 1 - value / 100}

    folder = built(
        "s_table6_table8",
        lambda n: n.row.startswith("MNIST"),
        changed=changed,
    )
    table = {
        (r["teacher"], r["alpha"]): r
        for r in rows(folder, "teachers")
        if r["setting"].startswith("MNIST")
    }
    for quality, (teachers, students) in _OF_QUALITY.items():
        for alpha, at in (("0.0", 0), ("0.1", 1)):
            row = table[quality, alpha]
            assert float(row["teacher, %"]) == pytest.approx(teachers[at] - 0.1)
            assert float(row["student, %"]) == pytest.approx(students[at] - 0.1)
            assert row["seeds"] == "3"
    claims = [
        r for r in rows(folder, "claims") if r["setting"].startswith("MNIST")
    ]
    order = stats.spearmanr(
        [v for teachers, _ in _OF_QUALITY.values() for v in teachers],
        [v for _, students in _OF_QUALITY.values() for v in students],
    ).statistic
    assert claims[0]["holds"] == "yes"
    assert float(claims[0]["higher"]) == pytest.approx(order)
    better = [r["holds"] for r in claims if "more accurate one" in r["claim"]]
    assert better == ["yes"] * 5 + ["no"]
    same = [r for r in claims if "better teacher of the two" in r["claim"]]
    assert [r["holds"] for r in same] == ["yes"] * 6
    assert ["of hard labels" in r["claim"] for r in same] == [False] * 5 + [
        True
    ]


def test_the_better_teacher_is_told_by_the_seeds_that_both_have(built):
    # Of seed 0 the smoothed teacher is better; a seed 1 of the hard teacher
    # alone is better still, and says nothing of the two.
    def changed(need):
        if "teacher: " not in need.row:
            return {}
        value = 0.95 + 0.01 * (need.changes["alpha"] > 0) + 0.03 * need.seed
        return {"accuracy": value, "error": 1 - value}

    def wanted(need):
        is_hard = "teacher: one epoch, alpha = 0" in need.row and (
            need.changes["alpha"] == 0
        )
        return need.row.startswith("MNIST") and (
            need.seed == 0 or (need.seed == 1 and is_hard)
        )

    folder = built("s_table6_table8", wanted, changed=changed)
    (same,) = [
        r
        for r in rows(folder, "claims")
        if "better teacher of the two" in r["claim"]
        and r["teacher"] == "one epoch"
        and r["setting"].startswith("MNIST")
    ]
    assert "of smoothed labels" in same["claim"]


@pytest.mark.parametrize("name", ["s_table6_table8", "s_table1_table10"])
def test_an_order_is_of_the_seeds_that_all_networks_have(built, name):
    small = "50 + 50 units" if name.startswith("s_table1") else "one epoch"

    def wanted(need):
        return need.row.startswith("MNIST") and (
            need.seed == 0 or (need.seed == 1 and small not in need.row)
        )

    def changed(need):
        quality = need.row.split(": ")[-1].rpartition(", alpha")[0]
        rank = len(quality) / 1e4  # some that differ
        return {"accuracy": 0.97 + rank, "intra_std": 0.2 - rank}

    claims = [
        r
        for r in rows(built(name, wanted, changed=changed), "claims")
        if "the more accurate" in r["claim"]
        and "teacher's" not in r["claim"]
        and r["seeds"] != "0"
    ]
    assert claims and {r["seeds"] for r in claims} == {"1"}


def test_printed_accuracies_against_printed_spreads():
    made = registry.get("ls_tf.reports", "s_table1_table10")
    assert made.printed_order(0.0) == pytest.approx(-0.75, abs=0.005)
    assert made.printed_order(0.1) == pytest.approx(0.02, abs=0.005)


def test_accuracy_and_spread_over_sizes(built):
    assert {k: len(v) for k, v in wanted("s_table1_table10").items()} == {
        "fc_mnist_small": 4 * 2 * 3
    }
    # The wider, the more accurate and the lower the spread; longer too.
    sizes = {50: 0, 200: 1, 800: 2, 200.5: 3}

    def changed(need):
        width, _ = need.changes.get("model.options.hidden", (800, 800))
        if "train.epochs" in need.changes:
            width = 200.5
        rank, smoothed = sizes[width], need.changes["alpha"] > 0
        return {
            "accuracy": 0.97 + 0.002 * rank + 0.001 * need.seed * smoothed,
            "intra_std": 0.2 - 0.01 * rank - 0.05 * smoothed,
            "inter_std": 0.01 + 0.02 * smoothed,
        }

    folder = built(
        "s_table1_table10",
        lambda n: n.experiment == "fc_mnist_small",
        changed=changed,
    )
    row = rows(folder, "networks")[1]
    assert row["network"] == "MNIST, 200 + 200 units" and row["seeds"] == "3"
    assert float(row["accuracy, %, alpha=0.1"]) == pytest.approx(97.3)
    assert float(row["spread within classes, alpha=0.1"]) == pytest.approx(0.14)
    claims = [
        r for r in rows(folder, "claims") if r["network"].startswith("MNIST")
    ]
    words = {}
    for claim in claims:
        words.setdefault(claim["claim"].split(", alpha")[0], []).append(
            claim["holds"]
        )
    assert words == {
        "smoothing lowers the spread within classes (table 1)": ["yes"] * 4,
        "smoothing lowers the spread between classes (table 10)": ["no"] * 4,
        # 0, .1 and .2 points: the interval holds 0.
        "smoothing raises the accuracy, % (table 1)": ["within noise"] * 4,
        "longer training lowers the spread": ["yes"] * 2,
        "the more accurate, the lower the spread (rank correlation)": (
            ["yes"] * 2
        ),
    }


def test_what_smoothing_gives_over_the_number_of_classes(built):
    assert wanted("s_table4") == {"fc_mnist_classes": sorted([0, 1, 2] * 3 * 2)}
    gains = {2: (0.9, 1.0, 1.1), 5: (0.3, -0.2, 0.1), 10: (0.1, 0.1, 0.1)}

    def changed(need):
        count = len(need.changes.get("data.classes", range(10)))
        gain = gains[count][need.seed] if need.changes["alpha"] else 0.0
        return {"accuracy": 0.99 - count / 1000 + gain / 100}

    folder = built(
        "s_table4",
        lambda n: n.experiment == "fc_mnist_classes",
        changed=changed,
    )
    table = {
        r["classes"]: r
        for r in rows(folder, "classes")
        if r["network"].startswith("MNIST")
    }
    for count, of_seed in gains.items():
        row = table[str(count)]
        assert float(row["gain"]) == pytest.approx(statistics.fmean(of_seed))
        assert float(row["alpha=0"]) == pytest.approx(99 - count / 10)
        assert row["seeds"] == "3"
    claims = [
        r for r in rows(folder, "claims") if r["network"].startswith("MNIST")
    ]
    assert [r["holds"] for r in claims] == [
        "yes",
        "within noise",
        "yes",
        "yes",
    ]
    assert float(claims[3]["higher"]) == pytest.approx(1.0)
    # The printed mean gains of two networks: .88, .455 and .155 points.
    printed = [float(r["gain"]) for r in rows(folder, "printed")]
    means = np.reshape(printed, (3, 2)).mean(axis=1)
    np.testing.assert_allclose(means, [0.88, 0.455, 0.155], atol=1e-9)
