"""The list of experiments: what a row says, from docstrings and records."""

import pytest

from ls_tf.pages import documents
from ls_tf.pages.blocks import Need
from ls_tf.records import runs
from ls_tf.reports import experiments
from ls_tf.spec import registry
from ls_tf.spec.resolve import resolve

HARD = {"alpha": 0.0}


@pytest.fixture
def rows(store):
    """Both tables as experiment -> heading -> cell."""

    def read(*needs, facts=None):
        folder = store(needs, optional=True)
        for need in needs:
            identity = resolve(
                need.experiment, changed=need.changes, seed=need.seed
            )
            given = (facts or {}).get(need)
            if given is not None:
                with runs.opened(folder, identity) as directory:
                    directory.update(**given)
        found = {}
        for table in documents.Tables(folder).of("experiments").values():
            for row in table.rows:
                cells = dict(zip(table.headings, row, strict=True))
                found.setdefault(row[0], {}).update(cells)
        return found

    return read


def test_every_experiment_has_a_row(rows):
    found = rows()
    assert list(found) == registry.names("ls_tf.experiments")
    assert all(row["status"] == "not trained" for row in found.values())
    assert all(row["source, and what is printed"] for row in found.values())
    row = found["fc_mnist_student"]
    assert row["data"] == "mnist: trained on train, measured on test"
    assert row["model"] == "fully_connected, hidden 800-800"
    assert row["teacher"] == "fc_mnist_dropout"
    assert row["length"] == "100 epochs"
    assert "re_table4_mnist" in row["reports"].split(", ")
    assert "0.74 % test error" in row["source, and what is printed"]
    short = found["alexnet_cifar10_tenth"]
    assert short["length"] == "39,000 steps, shortened"
    assert short["what it is"].endswith("all step counts divided by 10.")


def test_the_status_counts_seeds_of_settings(rows):
    found = rows(
        *(Need("fc_digits", HARD, seed=seed) for seed in range(3)),
        Need("fc_digits"),
        Need("alexnet_cifar10_tenth"),
    )
    assert found["fc_digits"]["status"] == (
        "trained, full length. 3 seeds: alpha=0.0; 1 seed: as declared"
    )
    assert found["alexnet_cifar10_tenth"]["status"] == (
        "trained, shortened. 1 seed: as declared"
    )
    assert found["fc_mnist"]["status"] == "not trained"


def test_many_settings_are_counted(rows):
    alphas = (0.0, 0.05, 0.2, 0.3, 0.4)
    found = rows(*(Need("fc_digits", {"alpha": a}) for a in alphas))
    assert found["fc_digits"]["status"] == (
        "trained, full length. 1 seed: 5 settings"
    )


def test_time_is_the_median_of_whole_runs_of_one_network(rows):
    needs = [Need("fc_digits", HARD, seed=seed) for seed in range(4)]
    short = Need("fc_digits", {"train.epochs": 1.0})
    on_cpu = {"device_kind": "CPU", "host_cpus": 2, "networks": 1}
    seconds = (600.0, 660.0, 7200.0, 1.0)
    facts = {
        need: {**on_cpu, "train_seconds": each}
        for need, each in zip(needs, seconds, strict=True)
    }
    facts[needs[3]]["networks"] = 8
    facts[needs[3]]["started"] = "2026-01-01T00:00:00Z"
    facts[short] = {**on_cpu, "train_seconds": 2.0}
    found = rows(*needs, short, facts=facts)
    assert found["fc_digits"]["measured"] == (
        "11 min on a CPU, 2 cores (median of 3 runs); "
        "8 networks in one program 1 s on a CPU, 2 cores (median of 1 program)"
    )
    assert found["fc_mnist"]["measured"] is None


def test_time_is_not_that_of_other_data_or_batches(rows):
    others = [
        {"data.name": "npz", "data.source": "mine.npz"},
        {"data.tail_power": 6.0},
        {"train.global_batch_size": 10},
    ]
    relabelled = Need("fc_digits", {"data.label_kept": 0.8})
    needs = [Need("fc_digits", changed) for changed in others]
    on_cpu = {"device_kind": "CPU", "host_cpus": 2}
    facts = {need: {**on_cpu, "train_seconds": 9.0} for need in needs}
    facts[relabelled] = {**on_cpu, "train_seconds": 60.0}
    found = rows(*needs, relabelled, facts=facts)
    assert found["fc_digits"]["measured"] == (
        "60 s on a CPU, 2 cores (median of 1 run)"
    )


def test_a_program_of_several_networks_counts_once(rows):
    needs = [Need("fc_digits", HARD, seed=seed) for seed in range(6)]
    some = Need("fc_digits", {"data.classes": (4, 9)})
    narrow = Need("fc_digits", {"model.options.hidden": (8, 8)})
    together = {"device_kind": "cpu", "host_cpus": 2, "networks": 2}
    took = (100.0, 100.0, 110.0, 110.0, 112.0, 112.0)
    facts = {
        need: {
            **together,
            "surroundings": {"cpus": 1},
            "train_seconds": seconds,
            "started": f"2026-01-01T00:00:0{k // 2}Z",
        }
        for k, (need, seconds) in enumerate(zip(needs, took, strict=True))
    }
    for need in (some, narrow):
        facts[need] = {**together, "networks": 1, "train_seconds": 1.0}
    found = rows(*needs, some, narrow, facts=facts)
    assert found["fc_digits"]["measured"] == (
        "2 networks in one program 110 s on a CPU, 1 core "
        "(median of 3 programs)"
    )


ONE, BOTH, CARD = (
    {"started": "2026-01-01T00:00:00Z", **facts}
    for facts in (
        {"device_kind": "CPU", "host_cpus": 2, "surroundings": {"cpus": 1}},
        {"device_kind": "CPU", "host_cpus": 2, "surroundings": {"cpus": 2}},
        {"device_kind": "NVIDIA H200"},
    )
)


@pytest.mark.parametrize(
    ("history", "device"),
    [
        ([ONE, ONE], "a CPU, 1 core"),
        ([BOTH, ONE, BOTH], "a CPU, 2 cores, then a CPU, 1 core"),
        ([ONE, CARD], "a CPU, 1 core, then NVIDIA H200"),
    ],
)
def test_time_on_several_devices_names_them_all(rows, history, device):
    need = Need("fc_digits", HARD)
    facts = {**history[0], "history": history, "train_seconds": 60.0}
    found = rows(need, facts={need: facts})
    assert found["fc_digits"]["measured"] == (
        f"60 s on {device} (median of 1 run)"
    )


def test_what_its_docstring_says_is_shortened_is_listed_so(rows):
    found = rows()
    for name in registry.names("ls_tf.experiments"):
        row = found[name]
        module = registry.get("ls_tf.experiments", name)
        is_short = getattr(module, "FACTOR", 1) > 1
        says = "umbers are" in row["source, and what is printed"]
        says = says and "not the paper's" in row["source, and what is printed"]
        cut = "not trained to their end" in row["source, and what is printed"]
        assert (says or cut) == is_short, name
        assert row["length"].endswith(", shortened") == is_short, name


def test_times_are_said_in_what_suits_them():
    shown = [experiments._time(s) for s in (45.4, 120.0, 7140.0, 7200.0)]
    assert shown == ["45 s", "2 min", "119 min", "2.0 h"]
