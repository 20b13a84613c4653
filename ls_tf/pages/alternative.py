"""The words for a picture that is not seen, with the numbers it shows."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

_LONGEST = 1500  # characters of all panels
_POINTS = 12  # of a curve that is told point by point

_Look = tuple[object, ...]
_Names = Mapping[_Look, str]


def text(figure: Figure, caption: str) -> str:
    """Says what a picture shows: its panels, their curves, their numbers.

    A curve of many points is told by its ends and its extremes.

    Args:
        figure: as it is drawn.
        caption: of the picture, which stands first.

    Returns:
        str: the caption, and what fits of the panels.

    Source: ours.
    """
    names = dict(_legend(figure))
    told, length = [caption], 0
    for axes in figure.axes:
        parts: list[str] = []
        for part in _parts(axes, names):
            length += len(part)
            if length > _LONGEST:
                break
            parts.append(part)
        if parts:
            told.append(f"{_head(axes)}{'; '.join(parts)}.")
        if length > _LONGEST:
            told.append("The picture shows more.")
            break
    return " ".join(told)


def _legend(figure: Figure) -> Iterator[tuple[_Look, str]]:
    """What the legends call a curve or a bar: its look -> its name."""
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    for legend in filter(None, legends):
        for handle, label in zip(
            legend.legend_handles, legend.get_texts(), strict=True
        ):
            if handle is not None:
                yield _look(handle), label.get_text().strip()


def _look(artist: Any) -> _Look:
    """By what a reader finds a curve's or a bar's name in a legend."""
    if isinstance(artist, Line2D):
        dash = artist.get_linestyle()
        marker = artist.get_marker()
        return (
            to_hex(artist.get_color()),
            None if dash == "None" else dash,
            None if marker in ("None", "") else marker,
        )
    if isinstance(artist, BarContainer):
        artist = artist.patches[0]
    colours = np.atleast_2d(artist.get_facecolor())
    colour = to_hex(colours[0], keep_alpha=True) if colours.size else ""
    return colour, getattr(artist, "get_hatch", lambda: None)()


def _name(artist: Any, names: _Names) -> str:
    label = str(artist.get_label())
    if label and not label.startswith("_"):
        return label.strip()
    return names.get(_look(artist), "")


def _parts(axes: Axes, names: _Names) -> Iterator[str]:
    rows = _categories(axes)
    yield from _rows(axes, names, rows) if rows else _curves(axes, names)
    yield from _bars(axes, names)
    yield from _points(axes, names)
    yield from _images(axes)
    for word in axes.texts:
        if written := " ".join(word.get_text().split()):
            yield f"“{written}”"


def _head(axes: Axes) -> str:
    """The panel's title, and what stands along its sides."""
    words = (axes.get_title(), axes.get_ylabel(), axes.get_xlabel())
    title, *sides = (" ".join(word.split()) for word in words)
    head = ", ".join(filter(None, (title, " over ".join(filter(None, sides)))))
    return f"{head}: " if head else ""


def _lines(axes: Axes) -> Iterator[tuple[Line2D, np.ndarray, np.ndarray]]:
    """The curves and their points, without those that are not finite."""
    for line in axes.lines:
        # What marks a place along a side is no curve.
        if line.get_transform() != axes.transData:
            continue
        x, y = (
            np.ma.filled(np.ma.asarray(values, np.float64), np.nan)
            for values in line.get_data()
        )
        known = np.isfinite(x) & np.isfinite(y)
        if known.any():
            yield line, x[known], y[known]


def _curves(axes: Axes, names: _Names) -> Iterator[str]:
    for line, x, y in _lines(axes):
        name = _name(line, names)
        # A ring around a point of a curve says nothing new.
        if name or len(x) > 1:
            yield f"{name} {_told(x, y)}".strip()


def _rows(axes: Axes, names: _Names, rows: Mapping[int, str]) -> Iterator[str]:
    """The numbers of each named row, from top to bottom."""
    told: dict[str, list[str]] = {
        rows[place]: [] for place in sorted(rows, reverse=True) if rows[place]
    }
    for line, x, y in _lines(axes):
        name = _name(line, names).partition(":")[0]
        ends = list(dict.fromkeys(map(_shown, x)))
        row = rows.get(round(float(y[0])), "")
        if row in told and (name or len(ends) > 1):
            told[row].append(f"{name or 'range'} {' to '.join(ends)}")
    for row, numbers in told.items():
        if numbers:
            yield f"{row}: {', '.join(numbers)}"


def _categories(axes: Axes) -> dict[int, str]:
    """The names along the vertical axis, where it has names: place -> name."""
    labels = axes.yaxis.get_ticklabels()
    words = {
        round(float(place)): label.get_text()
        for place, label in zip(axes.get_yticks(), labels, strict=False)
    }
    is_named = any(word[:1].isalpha() for word in words.values())
    return words if is_named else {}


def _told(x: np.ndarray, y: np.ndarray) -> str:
    if len(x) <= _POINTS:
        return ", ".join(
            f"{_shown(b)} at {_shown(a)}" for a, b in zip(x, y, strict=True)
        )
    low, high = int(np.argmin(y)), int(np.argmax(y))
    return (
        f"from {_shown(y[0])} at {_shown(x[0])} to {_shown(y[-1])} at "
        f"{_shown(x[-1])}, lowest {_shown(y[low])} at {_shown(x[low])}, "
        f"highest {_shown(y[high])} at {_shown(x[high])}"
    )


def _bars(axes: Axes, names: _Names) -> Iterator[str]:
    for bars in axes.containers:
        if not isinstance(bars, BarContainer) or not bars.patches:
            continue
        x = np.array([bar.get_x() for bar in bars.patches])
        y = np.array([bar.get_height() for bar in bars.patches])
        yield f"{_name(bars, names) or 'bars'} {_told(x, y)}"


def _points(axes: Axes, names: _Names) -> Iterator[str]:
    for cloud in axes.collections:
        if isinstance(cloud, PathCollection):
            places = np.ma.atleast_2d(cloud.get_offsets())
            x, y = map(_shown, places.mean(axis=0))
            count = len(places)
            words = f"{count} points around" if count > 1 else "a point at"
            yield f"{_name(cloud, names)} {words} ({x}, {y})".strip()


def _images(axes: Axes) -> Iterator[str]:
    for image in axes.images:
        values: Any = np.ma.asarray(image.get_array())
        if values.ndim == 2 and values.count():
            rows, columns = values.shape
            yield (
                f"{rows} by {columns} values from {_shown(values.min())} to "
                f"{_shown(values.max())}"
            )


def _shown(value: float) -> str:
    number = float(value)
    if not math.isfinite(number):
        return "not defined"
    # Whole steps, and no power of ten, which a voice reads badly.
    form = ".0f" if 1000 <= abs(number) < 1e9 else ".4g"
    shown = format(number, form)
    return "−" + shown[1:] if shown.startswith("-") else shown
