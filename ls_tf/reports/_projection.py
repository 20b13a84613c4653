"""The penultimate layer on the plane of three classes' templates."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ls_tf.reports._canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    VERMILION,
    Arrays,
    Panel,
    plain,
)

# Classes differ in colour and in marker.
_COLOURS = (BLUE, VERMILION, GREEN)
_MARKERS = ("o", "^", "s")


def _splits(arrays: Arrays) -> list[str]:
    """The splits whose points there are, the training split first."""
    names = [k.removesuffix("_points") for k in arrays if k.endswith("_points")]
    return sorted(names, key=lambda name: (name != "train", name))


def projection_figure(
    panels: Sequence[Panel], titles: Mapping[str, str] | None = None
) -> Figure:
    """Draws activations on the plane of three templates.

    One row for each network, one column for each split; the axes of a row are
    the same.

    Args:
        panels: the networks' arrays: templates [3, 2], classes [3], and for
            each split <split>_points [N, 2] and <split>_labels [N].
        titles: split -> heading of its column.

    Returns:
        Figure.

    Source: Mueller et al. 2019, figure 1.
    """
    splits = _splits(panels[0].arrays)
    figure = Figure(
        figsize=(3.6 * len(splits) + 0.4, 3.5 * len(panels) + 0.5),
        layout="constrained",
    )
    grid = figure.subplots(len(panels), len(splits), squeeze=False)
    for panel, row in zip(panels, grid, strict=True):
        limits = _limits(panel.arrays, splits)
        for split, axes in zip(splits, row, strict=True):
            _projection(panel.arrays, split, axes)
            axes.set(xlim=limits[0], ylim=limits[1])
            axes.set_aspect("equal")
        row[0].set_ylabel(f"{panel.title}\n\naxis 2 (activation)", fontsize=10)
    for split, axes in zip(splits, grid[0], strict=True):
        axes.set_title((titles or {}).get(split, split), fontsize=11)
    for axes in grid[-1]:
        axes.set_xlabel("axis 1 (activation)", fontsize=10)
    figure.legend(
        handles=_projection_legend(panels[0].arrays["classes"]),
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=9,
    )
    return figure


def _projection_legend(classes: np.ndarray) -> list[Line2D]:
    marks = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=marker,
            color=colour,
            markersize=6,
            label=f"class {int(name)}",
        )
        for name, marker, colour in zip(
            classes, _MARKERS, _COLOURS, strict=False
        )
    ]
    template = Line2D(
        [],
        [],
        linestyle="none",
        marker="X",
        color=GREY,
        markeredgecolor=INK,
        markersize=8,
        label="template",
    )
    return [*marks, template]


def _projection(arrays: Arrays, split: str, axes: Axes) -> None:
    points = np.asarray(arrays[f"{split}_points"], np.float64)
    labels = np.asarray(arrays[f"{split}_labels"])
    templates = np.asarray(arrays["templates"], np.float64)
    for i, name in enumerate(arrays["classes"]):
        cluster = points[labels == name]
        axes.scatter(
            cluster[:, 0],
            cluster[:, 1],
            s=12,
            marker=_MARKERS[i],
            color=_COLOURS[i],
            alpha=0.55,
            linewidths=0,
            rasterized=True,
        )
    for i, place in enumerate(templates):
        axes.scatter(
            place[0],
            place[1],
            s=70,
            marker="X",
            color=_COLOURS[i],
            edgecolors=INK,
            linewidths=1.0,
            zorder=3,
        )
    plain(axes)


def _limits(
    arrays: Arrays, splits: Sequence[str]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """A square around all points of a network, the templates included."""
    every = np.concatenate(
        [arrays["templates"], *(arrays[f"{s}_points"] for s in splits)]
    ).astype(np.float64)
    low, high = every.min(axis=0), every.max(axis=0)
    half = 0.54 * float((high - low).max()) or 1.0
    middle = (low + high) / 2
    return (
        (float(middle[0] - half), float(middle[0] + half)),
        (float(middle[1] - half), float(middle[1] + half)),
    )
