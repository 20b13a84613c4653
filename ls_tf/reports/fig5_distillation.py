"""Distillation on CIFAR-10 over alpha and T, against the smoothness gamma.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains seed 0 of the short setting. The runs at the paper's
length are made by the commands on the page: without a GPU, that is months.

Source: Mueller et al. 2019, section 4 and figure 5.
Run: python run_experiment.py --report=fig5_distillation
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.reports import _cifar, _distillation
from ls_tf.reports._blocks import (
    Block,
    Need,
    Picture,
    Report,
    Table,
    Text,
)
from ls_tf.runs import Record

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

REQUIRES = tuple(
    need for setting in _SETTINGS for need in _distillation.needs(setting)
)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the curves as a table, and the claims."""
    return {
        "curves": _distillation.table(records, _SETTINGS),
        "claims": _distillation.claims(records, _SETTINGS),
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
            "and the band the range over seeds; the numbers are temperatures. "
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
    )
    return Report(TITLE, blocks)
