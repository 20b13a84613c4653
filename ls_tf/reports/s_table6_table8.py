"""Teachers of different quality, and inferior ones, for one student.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains three seeds on MNIST, 36 teachers and 36 students,
about seven hours on two cores of a CPU, and one seed on CIFAR-10, 8 and 8
short ones, about four hours. With ``--engine=jax`` the MNIST runs are seven
programs; students of CIFAR-10 run alone, their teacher beside them.

Source: Shen et al. 2021, tables 2, 6 and 8, whose data is others.
Run: python run_experiment.py --report=s_table6_table8
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import ranks
from ls_tf.pages import cifar, declared, networks, quoted, teachers
from ls_tf.pages.blocks import Block, Text
from ls_tf.pages.declared import Records
from ls_tf.pages.tables import AsPrinted
from ls_tf.pages.teachers import Quality, Setting
from ls_tf.spec import Value

TITLE = "One student of teachers of different quality"
PARTIAL = True


def _steps(steps: int) -> dict[str, Value]:
    """Another length of the short ResNet; its rate falls at the same parts."""
    return {
        "train.steps": steps,
        "schedule.options.boundaries": (steps // 2, steps * 3 // 4),
    }


_SETTINGS = (
    Setting(
        "MNIST, fully connected",
        "fc_mnist_kl_student",
        (
            Quality("1200 + 1200 units"),
            Quality("the same, twice as long", {"train.epochs": 200}),
            Quality("the same, dropout", experiment="fc_mnist_dropout"),
            Quality("100 + 100 units", {"model.options.hidden": (100, 100)}),
            Quality(
                "20 + 20 units",
                {"model.options.hidden": (20, 20)},
                inferior=True,
            ),
            Quality("one epoch", {"train.epochs": 1}, inferior=True),
        ),
        networks.SEEDS,
    ),
    Setting(
        "CIFAR-10, AlexNet of short ResNets, steps / 120",
        "alexnet_cifar10_kl_student_120th",
        (
            Quality("ResNet-20"),
            Quality("ResNet-20, twice as long", _steps(12_800)),
            Quality("ResNet-8", {"model.options.blocks": (1, 1, 1)}),
            Quality("ResNet-20, a tenth as long", _steps(640), inferior=True),
        ),
        (0,),
    ),
)
REQUIRES = teachers.needs(_SETTINGS)

_PAPER = quoted.numbers("s_table6_table8")
_TEACHER, _STUDENT = "teacher %", "student %"


@dataclass(frozen=True)
class _Printed:
    """A row of the paper's tables."""

    name: str

    def of(self, column: str) -> AsPrinted | None:
        """What it prints."""
        return _PAPER.get((self.name, column))


_ROWS = [_Printed(name) for name in dict.fromkeys(row for row, _ in _PAPER)]


def printed_order() -> float | None:
    """The rank correlation of the printed teachers and students of table 8."""
    rows = [row for row in _ROWS if row.name.startswith("table 8")]
    sides = (
        np.array([row.of(column) for row in rows], float)
        for column in (_TEACHER, _STUDENT)
    )
    return ranks.correlation(*sides)


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    yield Text(
        "The same student learns the answers of many teachers, without labels "
        "and at temperature 1: larger and smaller ones, trained longer and "
        "shorter, with hard and with smoothed labels. Shen et al. hold that "
        "the teacher's accuracy decides, whether it was smoothed or not: a "
        "better teacher teaches better, and one that smoothing made worse "
        "teaches worse. The printed teachers and students of their table 8 "
        f"have the rank correlation {printed_order():.2f}. {cifar.SHORTENED} "
        f"{networks.COMMANDS} {cifar.JPEG}"
    )
    yield from teachers.blocks(
        records,
        _SETTINGS,
        f"{cifar.SPLITS} {cifar.JPEG}",
    )
    yield declared.table(
        "printed",
        "Shen et al. 2021, top-1 accuracy, %. Table 8: ResNet-18 on ImageNet, "
        "its teachers with smoothed labels but for the first and MobileNetV2. "
        "Table 6: a long-tailed set, on which smoothing made the teachers "
        "worse.",
        _ROWS,
        ("teacher and student", lambda row: row.name, ""),
        ("teacher, %", lambda row: row.of(_TEACHER), ""),
        ("student, %", lambda row: row.of(_STUDENT), ""),
    )
