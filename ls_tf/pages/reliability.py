"""Reliability diagrams, with the counts that they rest on."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, FixedLocator

from ls_tf.analysis import calibration
from ls_tf.pages import canvas
from ls_tf.pages.canvas import Arrays, Panel, Style
from ls_tf.records.arrays import Form

_ONE = 1 + 1e-6  # a mean of probabilities is rounded
# Between the accuracy and the mean confidence of a bin.
_HATCHED: Style = {"edgecolor": canvas.VERMILION, "hatch": "////"}


def forms(suffix: str = "") -> dict[str, Form]:
    """What the arrays of a diagram are like."""
    share = Form("bins", 0, _ONE, may_lack=True)
    return {
        f"bin_edges{suffix}": Form("bins+1", 0, 1),
        f"bin_count{suffix}": Form("bins", 0),
        f"bin_confidence{suffix}": share,
        f"bin_accuracy{suffix}": share,
    }


def reliability(
    arrays: Arrays, axes: tuple[Axes, Axes], suffix: str = ""
) -> None:
    """Draws one reliability diagram and its counts; empty bins are skipped.

    Args:
        arrays: bin_edges [B + 1], bin_count [B], bin_confidence [B] and
            bin_accuracy [B], fractions; NaN where a bin is empty.
        axes: the diagram's axes, and those of the counts underneath.
        suffix: of the arrays' names, e.g. ``_scaled``.

    Source: Mueller et al. 2019, figure 2; the counts are ours.
    """
    bins = calibration.Bins(
        *(
            np.asarray(arrays[f"bin_{part}{suffix}"], np.float64)
            for part in ("edges", "count", "confidence", "accuracy")
        )
    )
    for draw, ax in zip((diagram, _counts), axes, strict=True):
        draw(bins, ax)
        canvas.plain(ax)
    axes[0].tick_params(labelbottom=False)


def _bars(
    axes: Axes, bins: calibration.Bins, heights: np.ndarray, **style: Any
) -> None:
    """Draws one bar for each bin that is not empty."""
    some = bins.count > 0
    left, width = bins.edges[:-1][some], np.diff(bins.edges)[some]
    style = {"edgecolor": "white", "linewidth": 0.6, **style}
    axes.bar(left, heights, width, align="edge", **style)


def diagram(bins: calibration.Bins, axes: Axes) -> None:
    """Draws the accuracy of each bin and its gap to the mean confidence.

    Args:
        bins: empty ones are skipped.
        axes: where to.

    Source: Mueller et al. 2019, figure 2.
    """
    some = bins.count > 0
    accuracy, confidence = bins.accuracy[some], bins.confidence[some]
    _bars(axes, bins, accuracy, color=canvas.SKY)
    gap = confidence - accuracy
    _bars(axes, bins, gap, bottom=accuracy, color="none", **_HATCHED)
    axes.plot([0, 1], [0, 1], color=canvas.INK, linestyle="--", linewidth=1)
    dot: Style = {"marker": "o", "markersize": 4, "markeredgecolor": "white"}
    (dots,) = axes.plot(confidence, accuracy, color=canvas.BLUE, **dot)
    dots.set(linestyle="none", markeredgewidth=0.5, clip_on=False, zorder=4)
    dots.set_label("accuracy at the mean confidence")  # for those who hear it
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    words: Style = {"va": "top", "fontsize": 9, "color": canvas.INK}
    place = axes.transAxes
    axes.text(0.04, 0.95, _summary(bins), transform=place, bbox=box, **words)


def _counts(bins: calibration.Bins, axes: Axes) -> None:
    """Draws how many examples each bin rests on.

    A trained network puts nearly all in the last bin: only a log scale shows
    how few the others hold.
    """
    _bars(axes, bins, bins.count[bins.count > 0], color=canvas.GREY)
    top = 10 ** (math.ceil(math.log10(max(float(bins.count.max()), 2))) + 0.2)
    axes.set(yscale="log", xlim=(0, 1), ylim=(0.6, top))
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.minorticks_off()
    last = int(math.log10(top))
    decades = range(0, last + 1, max(1, math.ceil(last / 2)))
    axes.yaxis.set_major_locator(FixedLocator([10.0**k for k in decades]))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))


def _summary(bins: calibration.Bins) -> str:
    ece = calibration.expected_calibration_error(bins)
    some = bins.count > 0
    hits = float(np.sum(bins.count[some] * bins.accuracy[some]))
    accuracy = 100 * hits / float(bins.count.sum())
    return f"ECE {ece:.4f}\naccuracy {accuracy:.2f} %"


def reliability_figure(panels: Sequence[Panel], columns: int = 3) -> Figure:
    """Draws reliability diagrams side by side.

    Args:
        panels: the diagrams, in the order of reading.
        columns: how many stand in a row at most.

    Returns:
        Figure.

    Source: Mueller et al. 2019, figure 2; Wagner et al. 2023, figure 3.
    """
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(
        figsize=(3.3 * columns + 0.4, 3.9 * rows + 0.4), layout="constrained"
    )
    # One flat grid, so that all diagrams get the same size.
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=(4, 1) * rows)
    for i, panel in enumerate(panels):
        row, column = 2 * (i // columns), i % columns
        upper = figure.add_subplot(grid[row, column])
        counts = figure.add_subplot(grid[row + 1, column], sharex=upper)
        reliability(panel.arrays, (upper, counts), panel.suffix)
        upper.set_title(panel.title, fontsize=11)
        if i % columns == 0:
            upper.set_ylabel("accuracy (fraction)")
            counts.set_ylabel("examples\n(log)")
        if i + columns >= len(panels):
            counts.set_xlabel("confidence (probability of the answer)")
    handles = (
        Patch(facecolor=canvas.SKY, label="accuracy in the bin"),
        Patch(facecolor="none", label="gap to the mean confidence", **_HATCHED),
        canvas.key("calibrated", color=canvas.INK, linestyle="--"),
    )
    canvas.legend_below(figure, 3 if columns > 1 else 1, handles)
    return figure
