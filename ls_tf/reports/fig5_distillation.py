"""Distillation on CIFAR-10 over alpha and T, against the smoothness gamma.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains seed 0 of the short setting, and four students for
twice as long. The runs at the paper's length are made by the commands on the
page: without a GPU, that is months.

Source: Mueller et al. 2019, section 4 and figure 5.
Run: python run_experiment.py --report=fig5_distillation
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.reports import _cifar, _distillation, _tables
from ls_tf.reports._blocks import (
    NO_RUN,
    Block,
    Need,
    Picture,
    Report,
    Table,
    Text,
)
from ls_tf.runs import Record
from ls_tf.spec import Value

TITLE = "Distillation on CIFAR-10 against the smoothness of the teacher"
PARTIAL = True

_TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 8.0, 12.0, 16.0)  # figure 5
_SHORT = _distillation.Setting(
    "ResNet-20 (steps / 10) and AlexNet (steps / 120), bfloat16",
    alone="alexnet_cifar10_120th",
    student="alexnet_cifar10_student_120th",
    temperatures=_TEMPERATURES,
    seeds=_cifar.SEEDS,
    headline=True,
)
_FULL = _distillation.Setting(
    "ResNet-56 and AlexNet",
    alone="alexnet_cifar10",
    student="alexnet_cifar10_student",
    temperatures=_TEMPERATURES,
    seeds=(0, 1, 2, 3, 4),  # the paper's number
    headline=False,
)
_SETTINGS = (_FULL, _SHORT)
_FILES = {_FULL: "curves", _SHORT: "curves_short"}

# Some of the short students again, for twice as long: whether what the short
# ones show is the length. Step counts divided by 60, as in the first of them.
_TWICE: dict[str, Value] = {
    "train.steps": 6_500,
    "schedule.options.boundaries": (2_166, 4_333),
}
_Run = tuple[str, dict[str, Value]]
_LENGTHS = ("steps / 120, %", "steps / 60, %")
_GAPS = ("less on labels, / 120", "less on labels, / 60")
_LONGER: Mapping[float | None, _Run] = {  # T, or none: on labels
    None: (
        "alexnet_cifar10_short",
        {"alpha": 0.0, "train.precision": "bfloat16"},
    ),
    **{
        t: (_SHORT.student, {**_TWICE, "teacher.teacher_temperature": t})
        for t in (1.0, 4.0, 8.0)
    },
}


def _who(temperature: float | None) -> str:
    if temperature is None:
        return "on labels, alpha = 0"
    return f"of the hard teacher, T = {temperature:g}"


REQUIRES = (
    *(need for setting in _SETTINGS for need in _distillation.needs(setting)),
    *(
        Need(*run, row=f"student {_who(t)}, AlexNet (steps / 60)")
        for t, run in _LONGER.items()
    ),
)


def _lengths(records: Mapping[Need, Record]) -> pd.DataFrame:
    """The students at both lengths, and how far each is from that on labels."""

    def accuracy(run: _Run) -> float | None:
        return _tables.percent(_tables.by_seed(records, *run)).get(0)

    def both(temperature: float | None) -> tuple[float | None, ...]:
        short = (
            _SHORT.run(_distillation.STUDENT, 0.0)
            if temperature is None
            else _SHORT.run(_distillation.BY_TEMPERATURE, temperature)
        )
        return accuracy(short), accuracy(_LONGER[temperature])

    labels = both(None)
    rows = []
    for temperature in _LONGER:
        here = both(temperature)
        gaps: list[Any] = [None, None]
        if temperature is not None:
            gaps = [
                NO_RUN if a is None or b is None else a - b
                for a, b in zip(here, labels, strict=True)
            ]
        shown = [NO_RUN if a is None else a for a in here]
        rows.append((_who(temperature), *shown, *gaps))
    return _tables.frame(("student", *_LENGTHS, *_GAPS), rows)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the curves as a table, the claims, and some longer students."""
    return {
        "curves": _distillation.table(records, _SETTINGS),
        "claims": _distillation.claims(records, _SETTINGS),
        "lengths": _lengths(records),
    }


def draw(
    records: Mapping[Need, Record],
) -> dict[_distillation.Setting, Figure]:
    """Draws the curves of each setting that has a run."""
    figures = {s: _distillation.figure(records, s) for s in _SETTINGS}
    return {s: figure for s, figure in figures.items() if figure is not None}


def build(records: Mapping[Need, Record]) -> Report:
    """Builds the page."""
    data = collect(records)
    lines = _distillation.sentences(data["claims"])
    pictures = [
        Picture(
            figure,
            _FILES[setting],
            f"{setting.name}: accuracy against gamma. The line is the mean "
            "and the band the range over seeds, without a band there is one; "
            "the numbers are temperatures. "
            f"{_cifar.SPLIT} {_cifar.JPEG}",
        )
        for setting, figure in draw(records).items()
    ]
    blocks: tuple[Block, ...] = (
        Text(
            "Does a more accurate teacher teach better? AlexNets on smoothed "
            "labels, on the answers of a ResNet with hard targets at "
            "temperature T, and on the answers of ResNets with smoothed ones; "
            "beta = 1, the student's temperature is 1. gamma is the "
            "probability that those answers leave to the other classes, times "
            "K / (K - 1), exact over all 162 views of every training image; "
            "where the teacher's answers are not stored, as for the short "
            "students, over the images without augmentation. "
            f"{_cifar.SHORTENED} {_cifar.COMMANDS} {_cifar.JPEG}"
        ),
        Text("" if lines else "No claim can be judged.", "Claims", lines),
        *pictures,
        Table(
            data["claims"],
            "claims",
            _distillation.CLAIMS_CAPTION,
            _distillation.CLAIM_FORMATS,
        ),
        Table(
            data["curves"],
            "curves",
            f"Accuracy, %, and gamma. {_cifar.SPLIT} The paper prints no "
            f"numbers beside its figure. {_cifar.JPEG}",
            _distillation.FORMATS,
        ),
        Table(
            data["lengths"],
            "lengths",
            "What the length does: accuracy of short students and of the same "
            "for twice as long, and each less that of the student on labels "
            "of its length, in points. If flat answers are only learnt more "
            "slowly, twice the length brings them closer. Seed 0, bfloat16. "
            f"{_cifar.SPLIT} {_cifar.JPEG}",
            dict.fromkeys(_LENGTHS, ".2f") | dict.fromkeys(_GAPS, "+.2f"),
        ),
    )
    return Report(TITLE, blocks)
