"""The table of the replication's experiments, written from ours."""

from ls_tf.pages import matrix
from ls_tf.pages.blocks import Table, Text
from ls_tf.spec import registry


def test_every_measurement_of_the_replication_has_an_experiment():
    text, table = matrix.blocks()
    assert isinstance(text, Text) and isinstance(table, Table)
    assert "measure them all" in text.body
    cells = {
        row[0]: dict(zip(table.headings, row, strict=True))
        for row in table.rows
    }
    assert len(cells) == 9
    assert not any("yes / no" in str(row.values()) for row in cells.values())
    fc = cells["EMNIST FC"]
    # Table 1 has no projection of it; our experiment projects it too.
    assert fc["projection"] == "no / yes"
    assert fc["distillation"] == "no / no"
    assert fc["experiments"] == "fc_emnist"
    # A teacher counts as distilled, and so does its student.
    for row in ("CIFAR-10 ResNet-56", "CIFAR-10 AlexNet"):
        assert cells[row]["distillation"] == "yes / yes"
    assert "alexnet_cifar10_student" in cells["CIFAR-10 AlexNet"]["experiments"]


def test_a_measurement_that_is_missing_is_named(monkeypatch):
    names = registry.names

    def fewer(package):
        return [n for n in names(package) if "student" not in n]

    monkeypatch.setattr(registry, "names", fewer)
    text, _ = matrix.blocks()
    assert (
        "all of these but CIFAR-10 AlexNet: distillation, CIFAR-10 ResNet-56: "
        "distillation."
    ) in text.body
