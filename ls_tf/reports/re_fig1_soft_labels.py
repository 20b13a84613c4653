"""What label smoothing does to a label: the soft label for several alphas.

Source: Wagner et al. 2023, figure 1.
Run: python run_experiment.py --report=re_fig1_soft_labels
"""

from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.analysis import soft_labels
from ls_tf.pages import canvas, tables
from ls_tf.pages.blocks import Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record

TITLE = "Soft labels: what label smoothing asks a network to say"
REQUIRES: tuple[Need, ...] = ()

_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
_CLASSES = 10
_LABEL = 3  # any class will do


def collect(records: Mapping[Need, Record]) -> pd.DataFrame:
    """Gives one row for each alpha: the probability of each class."""
    bars = soft_labels.bars(_ALPHAS, _CLASSES, _LABEL)
    columns = ["alpha", *(f"class {k}" for k in range(_CLASSES))]
    return tables.frame(
        columns,
        ([a, *map(float, row)] for a, row in zip(_ALPHAS, bars, strict=True)),
    )


def draw(data: pd.DataFrame) -> Figure:
    """Draws the soft labels as bars, one panel for each alpha."""
    figure = Figure(figsize=(11, 2.9), layout="constrained")
    grid = figure.subplots(1, len(data), sharey=True)
    for axes, row in zip(grid, data.itertuples(index=False), strict=True):
        alpha, *probabilities = row
        colours = [
            canvas.VERMILION if k == _LABEL else canvas.BLUE
            for k in range(len(probabilities))
        ]
        axes.bar(range(len(probabilities)), probabilities, color=colours)
        other = probabilities[-1]
        axes.text(
            _LABEL,
            probabilities[_LABEL] + 0.02,
            f"{probabilities[_LABEL]:.4g}",
            ha="center",
            fontsize=9,
        )
        axes.text(
            (_LABEL + len(probabilities)) / 2,
            other + 0.03,
            f"{other:.4g} each",
            ha="center",
            fontsize=9,
        )
        axes.set_title(f"alpha = {alpha:g}", fontsize=11)
        axes.set_xlabel("class")
        axes.set_xticks(range(len(probabilities)))
        axes.set_ylim(0, 1.1)
        canvas.plain(axes)
    grid[0].set_ylabel("target probability")
    return figure


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    data = collect(records)
    yield Text(
        f"The label is class {_LABEL} of {_CLASSES}. A network is trained "
        "towards (1 − alpha) · y + alpha / K: the label's own class keeps 1 − "
        f"alpha + alpha / {_CLASSES}, every other class gets alpha / "
        f"{_CLASSES}. Alpha 0 is the hard label."
    )
    yield Picture(
        draw(data),
        "soft_labels",
        f"Soft labels of class {_LABEL}, K = {_CLASSES}. As figure 1 of Wagner "
        "et al. 2023.",
    )
    yield Table(
        data,
        "soft_labels",
        f"The soft label of class {_LABEL}; every row sums to 1.",
        {name: ".4g" for name in data.columns},
    )
