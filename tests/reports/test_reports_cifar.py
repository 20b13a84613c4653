"""The reports on CIFAR, from made-up records: all, some and none."""

import statistics

import pytest
from built_pages import figures, page_of, rows

from ls_tf.pages import builder, cifar
from ls_tf.pages.blocks import Need
from ls_tf.reports import fig1_penultimate, fig2_reliability
from ls_tf.spec import registry
from ls_tf.spec.resolve import resolve

NAMES = (
    "table2_accuracy",
    "table3_ece",
    "fig1_penultimate",
    "fig2_reliability",
)
SHORT = "steps / 60"


def nothing(need):
    return False


def alexnet(need):
    return need.experiment == "alexnet_cifar10_short"


def close(word, expected):
    return float(word) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("network", [n for n in cifar.NETWORKS if n.is_short])
def test_the_factor_of_a_shortened_network_is_that_of_its_experiment(network):
    module = registry.get("ls_tf.experiments", network.experiment)
    assert network.factor > 1
    assert network.factor == getattr(module, "FACTOR", network.factor)
    whole, _, _ = network.experiment.rpartition("_")
    long = registry.get("ls_tf.experiments", whole).SPEC.train.steps
    assert round(long / module.SPEC.train.steps) == network.factor
    assert network.schedule == f"steps / {network.factor}"


def test_full_networks_have_no_factor():
    assert {n.factor for n in cifar.NETWORKS if not n.is_short} == {1}
    assert cifar.ALEXNET_24_SHORT.label == f"CIFAR-10 AlexNet, 24 x 24, {SHORT}"
    assert cifar.ALEXNET_24_SHORT.factor == 60
    assert cifar.RESNET_100.label == "CIFAR-100 ResNet-56"


@pytest.mark.parametrize(
    ("name", "folders"),
    [
        (
            "table2_accuracy",
            ["alexnet_cifar10/alpha=0", "alexnet_cifar10/paper",
             "resnet56_cifar100/alpha=0", "resnet56_cifar100/paper"],
        ),
        (
            "table3_ece",
            ["resnet56_cifar100/alpha=0", "resnet56_cifar100/alpha=0.05"],
        ),
        (
            "fig1_penultimate",
            ["alexnet_cifar10/alpha=0", "alexnet_cifar10/paper",
             "resnet56_cifar100/alpha=0", "resnet56_cifar100/paper"],
        ),
        (
            "fig2_reliability",
            ["resnet56_cifar100/alpha=0", "resnet56_cifar100/alpha=0.05"],
        ),
    ],
)  # fmt: skip
def test_the_headline_runs_are_those_at_full_schedule(name, folders):
    made = registry.get("ls_tf.reports", name)
    found = builder.identities(made, smoke=False)
    assert [i.folder for i in found] == [f"{f}/seed=0" for f in folders]


@pytest.mark.parametrize("name", NAMES)
def test_without_any_run_the_page_says_so_and_prints_every_command(
    name, built, tmp_path
):
    folder = built(name, nothing)
    page = page_of(folder)
    runs_dir = tmp_path / "runs"
    made = registry.get("ls_tf.reports", name)
    for need in made.REQUIRES:
        command = resolve(
            need.experiment, changed=need.changes, seed=need.seed
        ).command()
        assert f"{command} --runs_dir={runs_dir}\n" in page.replace(
            "</pre>", "\n"
        )
        assert f"# {need.row}\n" in page
    assert f"{len(made.REQUIRES)} runs that would add seeds or rows" in page
    assert cifar.JPEG in page
    assert "no run" in page
    pictures = [p.name for p in folder.glob("*.png")]
    assert pictures == {
        "table2_accuracy": ["accuracy.png"],
        "table3_ece": ["ece.png"],
    }.get(name, [])


@pytest.mark.parametrize("name", NAMES)
def test_some_records_are_enough_and_repeat_byte_for_byte(name, built):
    def wanted(need):
        return alexnet(need) and need.changes["alpha"] in (0.0, 0.1)

    found = []
    for _ in range(2):
        folder = built(name, wanted)
        found.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert found[0] == found[1]
    page = page_of(folder)
    assert f"CIFAR-10 AlexNet, {SHORT}, alpha = 0.1\n" not in page
    assert "--experiment=alexnet_cifar10_24_short" in page
    assert "60000" in page  # the steps that the records say


def test_a_row_of_table_2_has_the_numbers_of_its_records(quick, built):
    folder = built("table2_accuracy")
    table = {
        (r["network"], r["schedule"], r["alpha"]): r
        for r in rows(folder, "accuracy")
    }
    # Errors of the records: 0.14 + 0.0002 * seed, 0.002 more for alpha 0.
    seeds = [100 * (1 - (0.14 + 0.0002 * s)) for s in range(5)]
    row = table["CIFAR-10 AlexNet", "full", "0.1"]
    assert row["Müller et al."] == "86.7 ± 0.3"
    assert close(row["ours, mean"], statistics.fmean(seeds))
    assert close(row["ours, lowest"], min(seeds))
    assert close(row["ours, highest"], max(seeds))
    assert (row["seeds"], row["steps"]) == ("5", "60000")
    short = table["CIFAR-10 AlexNet, 24 x 24", SHORT, "0.0"]
    assert short["Müller et al."] == "" and short["seeds"] == "3"
    assert close(
        short["ours, mean"],
        statistics.fmean(100 * (1 - (0.342 + 0.0002 * s)) for s in range(3)),
    )
    resnet = table["CIFAR-100 ResNet-56", "full", "0.0"]
    assert resnet["Müller et al."] == "72.1 ± 0.3"
    substitute = "CIFAR-10 ResNet-56 (substitute for CIFAR-100)"
    assert table[substitute, "steps / 100", "0.1"]["Müller et al."] == ""
    for alpha in ("0.0", "0.1"):
        inception = table["ImageNet Inception-v4", "full", alpha]
        assert inception["Müller et al."] == "80.9"
    row = table["ImageNet Inception-v4", "full", "0.1"]
    assert close(
        row["ours, mean"],
        statistics.fmean(100 * (1 - (0.191 + 0.0002 * s)) for s in range(5)),
    )


@pytest.mark.parametrize(
    ("drop", "word"), [(0.02, "no"), (0.01, "yes"), (-0.02, "no")]
)
def test_the_claim_of_table_2_follows_the_numbers(quick, built, drop, word):
    def changed(need):
        hard = need.changes["alpha"] == 0
        return {"accuracy": 0.6 if hard else 0.6 - drop}

    folder = built("table2_accuracy", alexnet, changed=changed)
    claims = {(r["network"], r["schedule"]): r for r in rows(folder, "claims")}
    ours = claims["CIFAR-10 AlexNet", SHORT]
    assert (ours["ours"], ours["Müller et al."]) == (word, "")
    assert float(ours["difference"]) == pytest.approx(-100 * drop)
    assert ours["seeds"] == "3"
    assert ours["seeds for it"] == ("3" if word == "yes" else "0")
    full = claims["CIFAR-10 AlexNet", "full"]
    assert (full["ours"], full["Müller et al."]) == ("no run", "yes")
    count = 1 if word == "yes" else 0
    assert f"within 1 point for {count} of 1 networks" in page_of(folder)


def test_a_claim_takes_the_seeds_that_both_networks_have(quick, built):
    def wanted(need):
        return alexnet(need) and (need.changes["alpha"] > 0 or need.seed == 1)

    folder = built("table2_accuracy", wanted)
    (claim,) = (r for r in rows(folder, "claims") if r["ours"] != "no run")
    assert claim["seeds"] == "1"
    assert close(claim["alpha=0.1"], 100 * (1 - 0.3502))
    page = page_of(folder)
    command = resolve(
        "alexnet_cifar10_short", changed={"alpha": 0.0}, seed=2
    ).command()
    assert f"# CIFAR-10 AlexNet, {SHORT}, alpha = 0\n" in page and (
        command in page
    )


def ece(hard, smoothed, gap):
    def changed(need):
        if need.changes["alpha"] == 0:
            return {"ece": hard, "signed_calibration_error": gap}
        return {"ece": smoothed}

    return changed


def test_a_row_of_table_3_has_the_numbers_of_its_records(quick, built):
    folder = built("table3_ece", changed=ece(0.15, 0.03, 0.14))
    found = rows(folder, "ece")
    printed, ours = found[:2]
    assert list(printed.values())[2:8] == [
        "Müller et al.", "0.15", "1.9", "0.021", "0.05", "0.024",
    ]  # fmt: skip
    assert list(ours.values())[:3] == [
        "CIFAR-100 ResNet-56", "full", "ours, mean",
    ]  # fmt: skip
    numbers = [float(v) for v in list(ours.values())[3:8]]
    assert numbers == pytest.approx([0.15, 1.06, 0.0015, 0.05, 0.03])
    assert list(ours.values())[8:] == ["3", "3", "60000"]
    short = [
        r
        for r in found
        if r["network"] == "CIFAR-10 AlexNet (substitute)"
        and r["schedule"] == SHORT
    ]
    assert [r["alpha"] for r in short] == ["0.05", "0.1"]
    inception = [r for r in found if r["network"] == "ImageNet Inception-v4"]
    assert list(inception[0].values())[2:8] == [
        "Müller et al.", "0.071", "1.4", "0.022", "0.1", "0.035",
    ]  # fmt: skip
    assert float(inception[1]["ECE, smoothed, T=1"]) == 0.03
    table = (folder / "ece.md").read_text()
    assert "| 0.150 | 1.9 | 0.021 | 0.05 | 0.024 |" in table


@pytest.mark.parametrize(
    ("hard", "smoothed", "gap", "word"),
    [
        (0.15, 0.03, 0.14, "yes"),
        (0.02, 0.03, 0.01, "no"),
        (0.15, 0.03, -0.14, "not over-confident"),
    ],
)
def test_the_claim_of_table_3_follows_the_numbers(
    quick, built, hard, smoothed, gap, word
):
    folder = built("table3_ece", alexnet, changed=ece(hard, smoothed, gap))
    claims = rows(folder, "claims")
    ours = [r for r in claims if r["smoothing lowers it?"] != "no run"]
    assert [r["alpha"] for r in ours] == ["0.05", "0.1"]
    for row in ours:
        assert row["smoothing lowers it?"] == word
        assert row["over-confident?"] == ("yes" if gap > 0 else "no")
        assert close(row["confidence − accuracy, alpha=0"], 100 * gap)
        assert close(row["ECE, alpha=0"], hard)
        assert close(row["ECE, smoothed"], smoothed)
    assert claims[0]["Müller et al."] == "yes"
    counts = {"yes": "2 of 2", "no": "0 of 2"}.get(word, "0 of 0")
    assert f"at T = 1 in {counts} comparisons" in page_of(folder)


def geometry(factor):
    """Scalars of the hard network, as multiples of the smoothed one's."""
    names = ("tightness", "tightness_by_centres", "side_spread", "scale")

    def changed(need):
        if need.changes["alpha"] != 0:
            return {}
        return {
            f"{split}_{k}": factor * v
            for split in ("train", "report")
            for k, v in zip(names, (0.1, 0.05, 0.02, 2.5), strict=True)
        }

    return changed


@pytest.mark.parametrize(
    ("factor", "word"),
    [(2.0, "yes"), (0.5, "no"), (float("nan"), "cannot be said")],
)
def test_the_claims_of_figure_1_follow_the_numbers(quick, built, factor, word):
    folder = built("fig1_penultimate", alexnet, changed=geometry(factor))
    label = f"CIFAR-10 AlexNet, {SHORT}"
    claims = rows(folder, "claims")
    ours = [r for r in claims if r["network"] == label]
    assert [r["holds"] for r in ours] == [word] * 8
    assert [r["split"] for r in ours] == [
        "training images", "validation images",
    ] * 4  # fmt: skip
    assert [float(r["alpha=0.1"]) for r in ours[::2]] == [
        0.1, 0.05, 0.02, 2.5,
    ]  # fmt: skip
    assert {r["holds"] for r in claims if r["network"] != label} == {"no run"}
    numbers = [r for r in rows(folder, "geometry") if r["network"] == label]
    assert [(r["alpha"], r["split"]) for r in numbers] == [
        (a, s)
        for a in ("0.0", "0.1")
        for s in ("training images", "validation images")
    ]
    assert [float(numbers[3][k]) for k in ("tightness", "scale")] == [0.1, 2.5]
    count = 8 if word == "yes" else 0
    assert f"Here {count} of 8 measures agree." in page_of(folder)


def load(store, name, wanted):
    made = registry.get("ls_tf.reports", name)
    needs = [need for need in made.REQUIRES if wanted(need)]
    folder = store(needs, optional=True)
    records, *_ = builder._find(name, made, folder, False)
    return records


def test_a_row_of_figure_1_has_four_panels_and_the_names_of_the_classes(store):
    records = load(
        store, "fig1_penultimate", lambda n: "resnet56" in n.experiment
    )
    found = figures(fig1_penultimate, records)
    assert list(found) == [
        f"penultimate_{n.file}"
        for n in (
            cifar.RESNET_100,
            cifar.RESNET_10,
            cifar.RESNET_10_BFLOAT16,
            cifar.RESNET_10_SHORT,
        )
    ] + ["penultimate_resnet56_cifar100_first"]
    figure = found[f"penultimate_{cifar.RESNET_100.experiment}"]
    axes = figure.axes
    assert [a.get_title() for a in axes] == [
        f"alpha = {alpha}\n{split} images"
        for alpha in ("0", "0.1")
        for split in ("training", "validation")
    ]
    for left, right in (axes[:2], axes[2:]):
        assert left.get_xlim() == right.get_xlim()
        assert left.get_ylim() == right.get_ylim()
    # The smoothed network's frame is drawn into the larger ones.
    side = axes[2].get_xlim()[1] - axes[2].get_xlim()[0]
    for large in axes[:2]:
        assert large.patches[0].get_width() == pytest.approx(side)
    assert not axes[2].patches and not axes[3].patches
    words = [t.get_text() for t in figure.legends[0].get_texts()]
    assert words[:4] == ["beaver", "dolphin", "otter", "template"]
    # 100 points of each class were found by their label.
    shown = [len(c.get_offsets()) for c in axes[0].collections]
    assert shown == [100, 100, 100, 1, 1, 1]
    figure = found[f"penultimate_{cifar.RESNET_10.experiment}"]
    words = figure.legends[0].get_texts()
    assert [t.get_text() for t in words[:3]] == [
        "airplane",
        "automobile",
        "bird",
    ]
    # The replication's classes, of the same networks, on test images.
    figure = found["penultimate_resnet56_cifar100_first"]
    words = figure.legends[0].get_texts()
    assert [t.get_text() for t in words[:3]] == [
        "apple",
        "aquarium_fish",
        "baby",
    ]
    titles = [a.get_title() for a in figure.axes]
    assert titles[1] == "alpha = 0\ntest images"


def test_figure_1_shows_inception_twice(store):
    records = load(
        store, "fig1_penultimate", lambda n: n.experiment.startswith("incep")
    )
    found = figures(fig1_penultimate, records)
    assert list(found) == [
        "penultimate_inception_v4_imagenet",
        "penultimate_inception_v4_imagenet_similar",
    ]
    for figure, names in zip(
        found.values(),
        (
            ["tench", "meerkat", "cleaver"],
            # By their number: tench is the first of the three.
            ["toy poodle", "miniature poodle", "tench"],
        ),
        strict=True,
    ):
        words = [t.get_text() for t in figure.legends[0].get_texts()]
        assert sorted(words[:3]) == sorted(names)
        titles = [a.get_title() for a in figure.axes]
        assert titles[1] == "alpha = 0\nvalidation images"


def test_one_network_alone_is_drawn_and_the_other_is_named(quick, built):
    folder = built(
        "fig1_penultimate", lambda n: alexnet(n) and n.changes["alpha"] == 0
    )
    page = page_of(folder)
    assert "figure 1, row 1, shortened; 60000 steps" in page
    assert "No run: alpha = 0.1." in page
    assert {r["holds"] for r in rows(folder, "claims")} == {"no run"}


def test_figure_2_has_one_row_for_each_diagram(quick, built):
    folder = built(
        "fig2_reliability",
        lambda n: (
            n.experiment == "resnet56_cifar100" and n.changes["alpha"] != 0.3
        ),
        changed=lambda n: {"ece": 0.15} if n.changes["alpha"] == 0 else {},
    )
    found = [
        r
        for r in rows(folder, "reliability")
        if r["network"] == "CIFAR-100 ResNet-56"
    ]
    assert [(r["alpha"], r["T"]) for r in found] == [
        ("0.0", "1.0"), ("0.0", "1.06"), ("0.05", "1.0"), ("0.1", "1.0"),
        ("0.15", "1.0"), ("0.3", "1.0"),
    ]  # fmt: skip
    assert [r["ECE, Müller et al."] for r in found] == [
        "0.15", "0.021", "0.024", "", "", "",
    ]  # fmt: skip
    assert [r["ECE, Wagner et al."] for r in found] == [
        "0.207", "0.029", "0.053", "0.043", "0.045", "0.12",
    ]  # fmt: skip
    ours = [float(r["ECE"]) for r in found[:-1]]
    assert ours == pytest.approx([0.15, 0.0015, 0.045, 0.09, 0.135])
    assert found[-1]["ECE"] == found[-1]["accuracy, %"] == "no run"
    page = page_of(folder)
    assert "figure 2, left; Wagner et al. figure 3a; 60000 steps" in page
    assert "No run: alpha 0.3." in page


def test_the_first_row_of_figure_2_is_that_of_the_paper(store):
    records = load(store, "fig2_reliability", alexnet)
    (figure,) = figures(fig2_reliability, records).values()
    titles = [a.get_title() for a in figure.axes if a.get_title()]
    assert titles == [
        "alpha = 0, T = 1", "alpha = 0, T = 1.06", "alpha = 0.05, T = 1",
        "alpha = 0.1, T = 1", "alpha = 0.15, T = 1", "alpha = 0.3, T = 1",
    ]  # fmt: skip
    limits = {(a.get_xlim(), a.get_ylim()) for a in figure.axes[::2]}
    assert limits == {((0.0, 1.0), (0.0, 1.02))}


def test_cifar_rows_of_tables_2_and_3(quick, built):
    def wanted(need):
        return need.experiment == "fc_mnist" or alexnet(need)

    folder = built("re_table2_table3", wanted)
    table = {(r["data"], r["who"]): r for r in rows(folder, "accuracy")}
    label = f"CIFAR-10 AlexNet, {SHORT}"
    printed = {
        "CIFAR-10 AlexNet": ["85.01", "85.13", "85.47", "84.83", "86.02"],
        "CIFAR-10 ResNet-56": ["93.59", "93.62", "93.33", "93.55", "93.53"],
        "CIFAR-100 ResNet-56": ["71.61", "71.99", "72.07", "71.74", "71.75"],
    }
    for data, numbers in printed.items():
        row = list(table[data, "Wagner et al. (1 run)"].values())
        assert row[2:] == numbers
        assert list(table[data, "ours, mean"].values())[2:] == ["no run"] * 5
    assert (label, "Wagner et al. (1 run)") not in table
    ours = [float(v) for v in list(table[label, "ours, mean"].values())[2:]]
    errors = [0.3522, 0.35, 0.3502, 0.35, 0.35]  # means over the seeds
    assert ours == pytest.approx([100 * (1 - e) for e in errors])
    counts = list(table[label, "ours, seeds"].values())[2:]
    assert counts == ["3", "1", "3", "1", "1"]
    scaling = rows(folder, "temperature_scaling")
    who = [r["T fitted"] for r in scaling if r["data"] == label]
    assert who == [
        "ours, by NLL, other images", "ours, by ECE, other images",
        "ours, on one half, measured on the other",
    ]  # fmt: skip
    who = [r["T fitted"] for r in scaling if r["data"] == "MNIST"]
    assert "ours, by NLL, same images" in who
    assert cifar.JPEG in (folder / "accuracy.md").read_text()
    page = page_of(folder)
    assert "# CIFAR-100 ResNet-56, alpha = 0.3\n" in page
    assert (
        resolve("resnet56_cifar100", changed={"alpha": 0.3}, seed=0).command()
        in page
    )


def test_the_mnist_runs_of_tables_2_and_3_are_still_needed():
    made = registry.get("ls_tf.reports", "re_table2_table3")
    assert not hasattr(made, "PARTIAL")
    wanted = [n for n in made.REQUIRES if not n.optional]
    assert wanted == [
        Need("fc_mnist", {"alpha": a}) for a in (0.0, 0.05, 0.1, 0.15, 0.3)
    ]
