"""The reports on distillation and information, from made-up records."""

import math
import statistics

import distillation_records as made_up
import numpy as np
import pytest
from built_pages import page_of, rows

from ls_tf.analysis import mutual_information
from ls_tf.pages import builder
from ls_tf.reports import kd_grid, stability
from ls_tf.spec import registry
from ls_tf.spec.resolve import resolve

NAMES = (
    "mnist_distillation_curves",
    "kd_grid",
    "fig5_distillation",
    "fig6_mutual_information",
    "stability",
)


pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def built(built):
    """Builds a report, of seed 0 unless told otherwise."""

    def build(name, wanted=lambda need: need.seed == 0, **options):
        return built(name, wanted, **options)

    return build


def of_mnist(need):
    return need.experiment.startswith("fc_mnist")


def close(word, expected):
    return float(word) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_without_any_run_the_page_prints_every_command(name, built, tmp_path):
    folder = built(name, lambda need: False)
    page = page_of(folder)
    needs = registry.get("ls_tf.reports", name).REQUIRES
    for need in needs:
        command = resolve(
            need.experiment, changed=need.changes, seed=need.seed
        ).command()
        assert f"{command} --runs_dir={tmp_path / 'runs'}" in page
        assert f"# {need.row}\n" in page
    assert "no run" in page
    assert "No claim can be judged." in page
    assert not list(folder.glob("*.png"))


@pytest.mark.parametrize("name", NAMES)
def test_no_run_is_asked_for_twice(name):
    needs = registry.get("ls_tf.reports", name).REQUIRES
    folders = [
        resolve(n.experiment, changed=n.changes, seed=n.seed).folder
        for n in needs
    ]
    assert len(folders) == len(set(folders))


def test_the_sweep_on_mnist_is_the_one_of_figure_7():
    made = registry.get("ls_tf.reports", "mnist_distillation_curves")
    found = [i.folder for i in builder.identities(made, smoke=False)]
    # Six teachers; six students on labels, six of the hard teacher, five
    # more of the smoothed ones: the one at alpha = 0 is that at T = 1.
    # Of three seeds.
    assert [f.split("/")[0] for f in found] == 3 * (
        ["fc_mnist"] * 6 + ["fc_mnist_small"] * 6
        + ["fc_mnist_distillation"] * 11
    )  # fmt: skip
    assert [f.rpartition("=")[2] for f in found][::23] == ["0", "1", "2"]
    short = registry.get("ls_tf.reports", "fig5_distillation")
    found = [i.folder for i in builder.identities(short, smoke=False)]
    assert len(found) == 6 + 6 + 7 + 5 + 8
    assert sum("train.steps=6500" in folder for folder in found) == 3


def test_the_curves_have_gamma_and_accuracy_of_the_records(built):
    folder = built("mnist_distillation_curves", lambda need: True)
    table = {
        (r["curve"], r["alpha"], r["T"]): r for r in rows(folder, "curves")
    }
    assert len(table) == 6 + 6 + 6 + 6
    row = table["student of the hard teacher at T", "0.0", "8.0"]
    assert close(row["gamma"], 0.05 * 8 - 0.04)
    mean = 88 + 0.2 * math.log2(8)
    assert close(row["accuracy %, mean"], mean - 0.1)
    assert close(row["lowest"], mean - 0.2) and close(row["highest"], mean)
    assert row["seeds"] == "3"
    row = table["student of a smoothed teacher", "0.6", "1.0"]
    assert close(row["gamma"], 0.6)
    assert close(row["accuracy %, mean"], 88 - 1.8 - 0.1)
    row = table["student on labels", "0.75", ""]
    assert close(row["gamma"], 0.75)
    assert close(row["accuracy %, mean"], 87 - 0.3 - 0.1)
    # T = 1 and alpha = 0 are one run.
    assert close(
        table["student of a smoothed teacher", "0.0", "1.0"]["gamma"], 0.01
    )


def test_short_students_have_the_gamma_of_images_as_they_are(built):
    folder = built(
        "fig5_distillation",
        lambda need: need.changes.get("teacher.teacher_temperature") == 8,
    )
    found = [r for r in rows(folder, "curves") if r["T"] == "8.0"]
    gammas = {
        "120" in r["setting"]: float(r["gamma"]) for r in found if r["gamma"]
    }
    assert gammas == {
        False: pytest.approx(0.36),  # of every view
        True: pytest.approx(0.35),
    }


def test_the_claims_of_figure_5_by_hand(built):
    def changed(need):
        if need.experiment != "alexnet_cifar10_120th":
            return {}
        return {"accuracy": 0.87 - 0.004 * need.changes["alpha"]}

    folder = built(
        "fig5_distillation",
        lambda n: n.seed < 2 and "ResNet-20" in n.row,
        changed=changed,
    )
    claims = [r for r in rows(folder, "claims") if "ResNet-20" in r["setting"]]
    smoothed = (0.15, 0.3, 0.45, 0.6, 0.75)
    seeds = 0.05  # the mean of what the seeds take from those with a seed
    expected = (
        (90 - seeds, 91.2 - seeds),
        (87 - 0.4 * statistics.fmean(smoothed), 87),
        (87, 88 - seeds),
        (
            87,
            88 - seeds + 0.2 * statistics.fmean(
                math.log2(t) for t in (1, 2, 3, 4, 8, 12, 16)
            ),
        ),
        # Straight lines through the alphas give back the made-up line, at the
        # gammas of short students: those without augmentation, 0.01 less.
        (88 - seeds - 3 * 0.45, 87 - 0.4 * (0.45 - 0.01)),
        (
            88 - seeds - 3 * 0.45,
            88 - seeds + 0.2 * statistics.fmean(
                math.log2(t) for t in (2, 3, 4, 8, 12, 16)
            ),
        ),
    )  # fmt: skip
    assert len(claims) == len(expected)
    for row, (low, high) in zip(claims, expected, strict=True):
        assert close(row["lower"], low), row["claim"]
        assert close(row["higher"], high), row["claim"]
        assert row["holds"] == "yes" and row["seeds"] == "2"
    others = [r for r in rows(folder, "claims") if "ResNet-56" in r["setting"]]
    assert {r["holds"] for r in others} == {"no run"}


def test_the_claims_of_figure_5_flip(built):
    def changed(need):
        if need.experiment == "fc_mnist_small":
            return {"accuracy": 0.99 if need.changes["alpha"] else 0.985}
        if need.experiment == "fc_mnist":
            return {"accuracy": 0.99 - 0.01 * need.changes["alpha"]}
        if "teacher.changes.alpha" in need.changes:
            return {"accuracy": 0.995}
        return {"accuracy": 0.98 + 0.001 * made_up.temperature_of(need)}

    folder = built(
        "mnist_distillation_curves", lambda n: n.seed < 2, changed=changed
    )
    # T = 16 is at 0.996, T = 1 at 0.981; their mean is 0.98717.
    assert [r["holds"] for r in rows(folder, "claims")] == [
        "no", "no", "no", "yes", "no", "no",
    ]  # fmt: skip
    page = (folder / "index.html").read_text()
    assert (
        "at every T: fails: holds in 0 of 2 seeds (claimed lower 98.50 %, "
        "claimed higher 98.10 %, difference −0.40 points)."
    ) in page


def test_varied_students_are_held_against_those_on_labels(built):
    def changed(need):
        taught = need.experiment == "alexnet_cifar10_student_120th"
        if not taught and not need.experiment.startswith("alexnet"):
            return {}
        is_long = (
            "train.steps" in need.changes
            or need.experiment == "alexnet_cifar10_short"
        )
        slope = 0.001 if "train.weight_decay" in need.changes else 0.02
        accuracy = 0.75 if is_long else 0.68
        accuracy += 0.01 * taught
        return {
            "accuracy": accuracy - slope * (made_up.temperature_of(need) - 1)
        }

    folder = built(
        "fig5_distillation",
        lambda n: (
            n.seed == 0
            and not (
                made_up.temperature_of(n) == 8 and "train.steps" in n.changes
            )
        ),
        changed=changed,
    )
    above, longer, less_decay = (
        list(row.values())[1:] for row in rows(folder, "variations")
    )
    assert longer[3] == longer[6] == "no run"
    del longer[3], longer[5]
    for row, expected in (
        (above, (68, 69, 63, 55, 1, -5, -13)),
        (longer, (75, 76, 70, 1, -5)),
        (less_decay, (68, 69, 68.7, 68.3, 1, 0.7, 0.3)),
    ):
        assert [float(n) for n in row] == pytest.approx(expected, abs=1e-9)


def test_a_seed_that_lacks_points_is_in_no_mean_over_points(built):
    def wanted(need):
        lacking = need.seed == 1 and (
            made_up.temperature_of(need) > 1 or made_up.alpha_of(need) == 0.6
        )
        return need.seed < 2 and not lacking

    folder = built("mnist_distillation_curves", wanted)
    claims = {r["claim"]: r for r in rows(folder, "claims")}
    seeds = {text: r["seeds"] for text, r in claims.items()}
    assert seeds == {
        "a smoothed teacher is more accurate than the hard one": "1",
        "smoothing hurts the student on labels": "1",
        "distillation from the hard teacher beats the student's baseline at "
        "every T": "1",
        "distillation from the hard teacher beats it on average over T": "1",
        "a smoothed teacher is no better than smoothing the student directly": (
            "1"
        ),
        "the hard teacher at T > 1 teaches better than smoothed ones": "1",
    }
    # Of seed 0: what seed 1 has, alpha up to 0.45 and 0.75, is another mean.
    hurts = claims["smoothing hurts the student on labels"]
    alphas = (0.15, 0.3, 0.45, 0.6, 0.75)
    assert close(hurts["lower"], 87 - 0.4 * statistics.fmean(alphas))


def test_the_gamma_of_the_grid_is_of_the_seeds_of_its_accuracies(built):
    def changed(need):
        return {"gamma": 0.1 + need.seed}

    folder = built(
        "kd_grid",
        lambda n: n.seed == 0 or (n.seed == 1 and made_up.alpha_of(n) > 0),
        changed=changed,
    )
    row = rows(folder, "grid")[1]
    assert close(row["gamma, hard"], 0.1) and row["seeds"] == "1"
    assert close(row["gamma, smoothed"], 0.1)


def test_a_point_without_a_run_says_so(built):
    folder = built(
        "mnist_distillation_curves",
        lambda n: n.seed == 0 and n.changes.get("alpha") != 0.3,
    )
    table = [r for r in rows(folder, "curves") if r["alpha"] == "0.3"]
    assert [r["accuracy %, mean"] for r in table][:2] == ["no run"] * 2
    assert [r["seeds"] for r in table] == ["0", "0", "1"]


@pytest.mark.parametrize(
    ("cold", "warm", "holds"),
    [
        (+0.004, -0.004, ["no", "yes", "yes", "yes"]),
        (-0.004, +0.004, ["yes", "no", "no", "no"]),
    ],
)
def test_the_grid_settles_who_is_right(built, cold, warm, holds):
    def changed(need):
        if need.experiment != "fc_mnist_distillation":
            return {}
        gain = cold if made_up.temperature_of(need) == 1 else warm
        return {"accuracy": 0.98 + gain * (made_up.alpha_of(need) > 0)}

    folder = built("kd_grid", lambda n: True, changed=changed)
    claims = rows(folder, "claims")
    assert [r["holds"] for r in claims] == holds + holds[2:]
    assert {r["seeds"] for r in claims} == {"3"}
    grid = rows(folder, "grid")
    assert close(grid[1]["difference"], 100 * cold)
    assert close(grid[3]["difference"], 100 * warm)
    assert close(grid[3]["gamma, hard"], 0.11)


def test_the_grid_trains_three_seeds_of_both_protocols():
    found = builder.identities(kd_grid, smoke=False)
    assert len(found) == 3 * (2 + 8 + 6)
    assert {i.seed for i in found} == {0, 1, 2}
    shared = [
        n
        for n in kd_grid.REQUIRES
        if "teacher.student_temperature" in n.changes
    ]
    assert len(shared) == 3 * 6
    for need in shared:
        assert need.changes["teacher.scale_by_temperature_squared"]
        of = need.changes
        assert (
            of["teacher.student_temperature"]
            == (of["teacher.teacher_temperature"])
        )


def short(need):
    return need.seed == 0 and "resnet20" in need.experiment


def test_the_end_of_figure_6(built):
    folder = built("fig6_mutual_information", short)
    table = [r for r in rows(folder, "end") if r["network"].endswith("/ 10")]
    needs = [
        n
        for n in registry.get(
            "ls_tf.reports", "fig6_mutual_information"
        ).REQUIRES
        if short(n)
    ]
    for row, need in zip(table, needs, strict=True):
        y = made_up.samples(need).astype(np.float32)
        estimate = mutual_information.estimate(made_up.samples(need))
        assert close(row["estimate"], estimate)
        assert close(row["less bias"], estimate - 0.5 * math.log(5 / 4))
        assert close(
            row["nearest neighbours"], mutual_information.neighbour_estimate(y)
        )
        assert close(row["all views"], estimate - 0.1)
    empty = [r for r in rows(folder, "end") if "56" in r["network"]]
    # At two precisions, hard and smoothed.
    assert [r["estimate"] for r in empty] == ["no run"] * 4


def test_the_curve_of_figure_6_ends_with_the_measurement(built):
    folder = built("fig6_mutual_information", short)
    curve = [r for r in rows(folder, "curves") if r["alpha"] == "0.1"]
    assert [r["step"] for r in curve] == ["4000", "8000", "12000", "60000"]
    last = float(curve[-1]["estimate"])
    assert close(curve[0]["estimate"], 0.2)
    assert close(curve[1]["estimate"], last + 1)
    claims = {
        r["claim"]: r for r in rows(folder, "claims") if "20" in r["network"]
    }
    fall = claims[
        "the information falls faster with smoothing (nats in 1,000 steps)"
    ]
    # From step 8,000 to 60,000.
    assert close(fall["lower"], 0.1 / 52) and close(fall["higher"], 1 / 52)
    assert {r["holds"] for r in claims.values()} >= {"yes"}
    lowers = claims["smoothing lowers the information at the end"]
    assert lowers["holds"] == "yes"


@pytest.mark.parametrize(
    ("value", "holds"), [(0.80, ["yes", "no"]), (0.9, ["yes"] * 2)]
)
def test_the_bias_decides_what_is_above_log_2(built, value, holds):
    def changed(need):
        if need.changes["alpha"] == 0:
            return {}
        less = value - mutual_information.bias(5)
        return {"information": value, "information_less_bias": less}

    folder = built("fig6_mutual_information", short, changed=changed)
    found = [
        r["holds"]
        for r in rows(folder, "claims")
        if "log 2" in r["claim"] and "20" in r["network"]
    ]
    assert found == holds


def test_the_readings_of_the_stability(built):
    folder = built("stability", lambda n: n.seed < 2 and of_mnist(n))
    table = {
        r["measure"]: r
        for r in rows(folder, "spreads")
        if r["network"].startswith("MNIST")
    }
    assert {r["holds"] for r in table.values()} == {"yes"}
    row = table["within classes: deviation"]
    assert close(row["alpha=0"], 0.10) and close(row["alpha=0.1"], 0.08)
    assert row["Shen et al., alpha=0.1"] == "0.3106"
    assert table["within classes: vector"]["Shen et al., alpha=0.1"] == ""
    row = table["distance of the alike classes, relative"]
    assert close(row["alpha=0"], 0.22) and close(row["alpha=0.1"], 0.44)
    assert close(table["probability of the target: mean"]["alpha=0.1"], 0.93)
    distances = rows(folder, "distances")
    assert close(distances[1]["order of the confusions"], 1.0)
    assert [r["Dc"] for r in distances[:2]] == ["1.0", "2.0"]
    students = rows(folder, "students")
    assert [r["lambda"] for r in students] == ["", "0.3", "0.5", "0.7"]
    assert [r["smoothed better?"] for r in students] == ["yes"] + ["no"] * 3
    assert students[1]["Shen et al., alpha=0"] == "71.592"


def test_the_claims_of_the_stability_flip(built):
    def changed(need):
        if need.experiment == "fc_mnist_distillation":
            return {"accuracy": 0.98 + 0.01 * (made_up.alpha_of(need) > 0)}
        if need.changes.get("alpha") == 0.1:
            return {"intra_std": 0.2, "dc_relative": 0.1}
        return {}

    folder = built(
        "stability", lambda n: n.seed < 2 and of_mnist(n), changed=changed
    )
    holds = [r["holds"] for r in rows(folder, "spreads")][:7]
    assert holds == ["no", *["yes"] * 5, "no"]
    students = rows(folder, "students")
    assert [r["smoothed better?"] for r in students[1:]] == ["yes"] * 3


def test_differences_within_noise_are_said_to_be_so(built):
    # The smoothed network's spread: less, then more, by as much and half.
    spreads = {0: 0.09, 1: 0.105, 2: 0.10}

    def changed(need):
        if need.experiment == "fc_mnist_small" and need.changes["alpha"]:
            return {"intra_std": spreads[need.seed]}
        return {}

    folder = built("stability", of_mnist, changed=changed)
    row, other = rows(folder, "spreads")[:2]
    assert row["measure"] == "within classes: deviation"
    assert (row["holds"], row["seeds for it"]) == ("within noise", "1")
    gains = [0.10 - spread for spread in spreads.values()]
    half = 4.302653 * statistics.stdev(gains) / math.sqrt(3)
    mean = statistics.fmean(gains)
    found = [float(row[f"difference, 95 % {end}"]) for end in ("from", "to")]
    assert found == pytest.approx([mean - half, mean + half], rel=1e-6)
    assert (other["holds"], other["seeds"]) == ("yes", "3")


def test_the_stability_is_trained_with_three_seeds_on_mnist():
    found = builder.identities(stability, smoke=False)
    assert len(found) == 3 * (2 + 2 + 6)
    assert {i.experiment.split("_")[0] for i in found} == {"fc"}


def test_what_is_said_of_the_printed_students_without_labels():
    hard, smoothed = map(stability._no_labels, (0.0, 0.1))
    assert (hard.text, smoothed.text) == ("71.425", "71.816")
    mixed = [stability._PAPER["lambda = 0.3", a] for a in ("0.0", "0.1")]
    assert hard < mixed[0] and smoothed > mixed[1]


def test_the_weight_of_the_labels_is_one_less_beta():
    betas = {
        n.changes["teacher.beta"]
        for n in stability.REQUIRES
        if "teacher.beta" in n.changes
    }
    assert betas == {0.7, 0.5, 0.3}
