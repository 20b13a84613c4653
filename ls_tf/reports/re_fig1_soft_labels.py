"""What label smoothing does to a label: the soft label for several alphas.

Source: Wagner et al. 2023, figure 1.
Run: python run_experiment.py --report=re_fig1_soft_labels
"""

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from ls_tf.analysis import soft_labels
from ls_tf.pages import canvas, declared
from ls_tf.pages.blocks import Block, Need, Picture, Text

TITLE = "Soft labels: what label smoothing asks a network to say"
REQUIRES: tuple[Need, ...] = ()

_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
_CLASSES = 10
_LABEL = 3  # any class will do


def _figure(bars: np.ndarray) -> Figure:
    """Draws the soft labels as bars, one panel for each alpha."""
    figure = Figure(figsize=(11, 2.9), layout="constrained")
    grid = figure.subplots(1, len(_ALPHAS), sharey=True)
    classes = range(_CLASSES)
    colours = [canvas.BLUE] * _CLASSES
    colours[_LABEL] = canvas.VERMILION
    for axes, alpha, row in zip(grid, _ALPHAS, bars.tolist(), strict=True):
        axes.bar(classes, row, color=colours)
        style: canvas.Style = {"ha": "center", "fontsize": 9}
        own, other = row[_LABEL], row[-1]
        axes.text(_LABEL, own + 0.02, f"{own:.4g}", **style)
        middle = (_LABEL + _CLASSES) / 2
        axes.text(middle, other + 0.03, f"{other:.4g} each", **style)
        axes.set_title(f"alpha = {alpha:g}", fontsize=11)
        axes.set_xlabel("class")
        axes.set_xticks(classes)
        axes.set_ylim(0, 1.1)
        canvas.plain(axes)
    grid[0].set_ylabel("target probability")
    return figure


def _probability(row: tuple[float, list[float]], k: int) -> float:
    return row[1][k]


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    del records  # it needs none
    bars = soft_labels.bars(_ALPHAS, _CLASSES, _LABEL)
    yield Text(
        f"The label is class {_LABEL} of {_CLASSES}. A network is trained "
        "towards (1 − alpha) · y + alpha / K: the label's own class keeps 1 − "
        f"alpha + alpha / {_CLASSES}, every other class gets alpha / "
        f"{_CLASSES}. Alpha 0 is the hard label."
    )
    yield Picture(
        _figure(bars),
        "soft_labels",
        f"Soft labels of class {_LABEL}, K = {_CLASSES}. As figure 1 of Wagner "
        "et al. 2023.",
    )
    yield declared.table(
        "soft_labels",
        f"The soft label of class {_LABEL}; every row sums to 1.",
        zip(_ALPHAS, bars.tolist(), strict=True),
        ("alpha", lambda row: row[0], ".4g"),
        *declared.each(range(_CLASSES), "class {}".format, _probability, ".4g"),
    )
