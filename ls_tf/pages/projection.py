"""The penultimate layer on the plane of three classes' templates."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ls_tf.pages import canvas
from ls_tf.pages.canvas import Arrays, Panel, Style
from ls_tf.records.arrays import Form

# Classes differ in colour and in marker.
_COLOURS = (canvas.BLUE, canvas.VERMILION, canvas.GREEN)
_MARKERS = ("o", "^", "s")
# A frame that is this much smaller than another one is marked in it.
_MUCH_SMALLER = 0.8
_DOTTED: Style = {"linestyle": ":", "linewidth": 1.2}

_Limits = tuple[tuple[float, float], tuple[float, float]]


def forms(role: str = "report") -> dict[str, Form]:
    """What is drawn of a record: three classes, points of two splits.

    Args:
        role: of the split beside the training images.

    Returns:
        dict: the arrays' names and forms.

    Source: ours.
    """
    return {
        "classes": Form("3"),
        "templates": Form("3 2"),
        "train_points": Form("points 2"),
        "train_labels": Form("points"),
        f"{role}_points": Form("others 2"),
        f"{role}_labels": Form("others"),
    }


def _splits(arrays: Arrays) -> list[str]:
    """The splits whose points there are, the training split first."""
    names = [k.removesuffix("_points") for k in arrays if k.endswith("_points")]
    return sorted(names, key=lambda name: (name != "train", name))


def projection_figure(
    panels: Sequence[Panel],
    titles: Mapping[str, str] | None = None,
    names: Mapping[int, str] | None = None,
) -> Figure:
    """Draws activations on the plane of three templates.

    One row for each network, one column for each split; the axes of a row are
    the same.

    Args:
        panels: the networks' arrays: templates [3, 2], classes [3], and for
            each split <split>_points [N, 2] and <split>_labels [N].
        titles: split -> heading of its column.
        names: class id -> its name.

    Returns:
        Figure.

    Source: Mueller et al. 2019, figure 1.
    """
    splits = _splits(panels[0].arrays)
    figure = Figure(
        figsize=(3.6 * len(splits) + 0.4, 3.3 * len(panels) + 1.1),
        layout="constrained",
    )
    grid = figure.subplots(len(panels), len(splits), squeeze=False)
    for panel, row in zip(panels, grid, strict=True):
        limits = _limits(panel.arrays, splits)
        for split, axes in zip(splits, row, strict=True):
            _projection(panel.arrays, split, axes, limits, names or {})
        row[0].set_ylabel(f"{panel.title}\n\naxis 2 (activation)", fontsize=10)
    for split, axes in zip(splits, grid[0], strict=True):
        axes.set_title((titles or {}).get(split, split), fontsize=11)
    for axes in grid[-1]:
        axes.set_xlabel("axis 1 (activation)", fontsize=10)
    _add_legend(figure, panels[0].arrays["classes"], names or {})
    return figure


def projection_row(
    panels: Sequence[Panel],
    titles: Mapping[str, str],
    names: Mapping[int, str],
) -> Figure:
    """Draws the networks of one data set side by side, as figure 1 does.

    One panel for each split of each network, in one row; the axes of a
    network's panels are the same. Where those of another network cover less
    of the plane, a square shows how much.

    Args:
        panels: the networks' arrays, see ``projection_figure``.
        titles: split -> heading of its panels, behind the network's.
        names: class id -> its name.

    Returns:
        Figure.

    Source: Mueller et al. 2019, figure 1.
    """
    splits = _splits(panels[0].arrays)
    count = len(panels) * len(splits)
    figure = Figure(figsize=(2.8 * count + 0.3, 3.6), layout="constrained")
    row = iter(figure.subplots(1, count, squeeze=False)[0])
    frames = [_limits(panel.arrays, splits) for panel in panels]
    smallest = min(high - low for (low, high), _ in frames)
    squares = False
    for panel, limits in zip(panels, frames, strict=True):
        for split in splits:
            axes = next(row)
            if smallest < _MUCH_SMALLER * (limits[0][1] - limits[0][0]):
                _square(axes, limits, smallest)
                squares = True
            _projection(panel.arrays, split, axes, limits, names)
            axes.set_title(f"{panel.title}\n{titles[split]}", fontsize=11)
            axes.set_xlabel("axis 1 (activation)", fontsize=10)
            if split == splits[0]:
                axes.set_ylabel("axis 2 (activation)", fontsize=10)
    _add_legend(figure, panels[0].arrays["classes"], names, squares)
    return figure


def _square(axes: Axes, limits: _Limits, size: float) -> None:
    """Shows the size of another panel's frame in the lower left corner."""
    gap = 0.015 * (limits[0][1] - limits[0][0])
    corner = (limits[0][0] + gap, limits[1][0] + gap)
    frame: Style = {"edgecolor": canvas.INK, "zorder": 4, **_DOTTED}
    axes.add_patch(Rectangle(corner, size, size, fill=False, **frame))


def plane(
    points: np.ndarray,
    labels: np.ndarray,
    templates: np.ndarray,
    classes: Sequence[int],
    axes: Axes,
    names: Mapping[int, str] | None = None,
) -> None:
    """Draws one projection with its legend.

    Args:
        points: float [N, 2].
        labels: int [N].
        templates: float [3, 2].
        classes: three ids.
        axes: where to.
        names: class id -> its name.

    Source: Mueller et al. 2019, figure 1.
    """
    ids = np.asarray(classes)
    arrays = {"x_points": points, "x_labels": labels, "classes": ids}
    arrays["templates"] = templates
    _projection(arrays, "x", axes, _limits(arrays, ["x"]), names or {})
    axes.set(xlabel="axis 1 (activation)", ylabel="axis 2 (activation)")
    handles = _handles(ids, names or {})
    axes.legend(handles=handles, frameon=False, fontsize=9)


def _add_legend(
    figure: Figure,
    classes: np.ndarray,
    names: Mapping[int, str],
    squares: bool = False,
) -> None:
    handles = _handles(classes, names)
    if squares:
        frame = "size of the other network's frames"
        handles.append(canvas.key(frame, color=canvas.INK, **_DOTTED))
    canvas.legend_below(figure, len(handles), handles)


def _handles(classes: np.ndarray, names: Mapping[int, str]) -> list[Line2D]:
    """The legend of three classes and the templates."""
    dot: Style = {"linestyle": "none", "markersize": 6}
    handles = [
        canvas.key(_name(names, c), marker=mark, color=colour, **dot)
        for c, mark, colour in zip(
            classes.tolist(), _MARKERS, _COLOURS, strict=False
        )
    ]
    template: Style = {"color": canvas.GREY, "markeredgecolor": canvas.INK}
    cross: Style = {"linestyle": "none", "marker": "X", "markersize": 8}
    return [*handles, canvas.key("template", **cross, **template)]


def _name(names: Mapping[int, str], of: int) -> str:
    return names.get(of, f"class {of}")


def _projection(
    arrays: Arrays,
    split: str,
    axes: Axes,
    limits: _Limits,
    names: Mapping[int, str],
) -> None:
    """Draws one; its labels are for the words of the picture."""
    points = np.asarray(arrays[f"{split}_points"], np.float64)
    labels = np.asarray(arrays[f"{split}_labels"])
    templates = np.asarray(arrays["templates"], np.float64)
    dots: Style = {"s": 12, "alpha": 0.55, "linewidths": 0, "rasterized": True}
    shown = [_name(names, c) for c in arrays["classes"].tolist()]
    for i, of in enumerate(arrays["classes"]):
        x, y = points[labels == of].T
        look: Style = {"marker": _MARKERS[i], "color": _COLOURS[i], **dots}
        axes.scatter(x, y, label=f"{shown[i]}:", **look)
    cross: Style = {"marker": "X", "s": 70, "edgecolors": canvas.INK}
    cross |= {"linewidths": 1.0, "zorder": 3}
    for name, place, colour in zip(shown, templates, _COLOURS, strict=False):
        label = f"template of {name}:"
        axes.scatter(*place, color=colour, label=label, **cross)
    canvas.plain(axes)
    axes.set(xlim=limits[0], ylim=limits[1], aspect="equal")


def _limits(arrays: Arrays, splits: Sequence[str]) -> _Limits:
    """A square around all points of a network, the templates included."""
    every = np.concatenate(
        [arrays["templates"], *(arrays[f"{s}_points"] for s in splits)]
    ).astype(np.float64)
    low, high = every.min(axis=0), every.max(axis=0)
    half = 0.54 * float((high - low).max()) or 1.0
    x, y = ((float(m - half), float(m + half)) for m in (low + high) / 2)
    return x, y
