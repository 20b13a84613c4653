"""Panels, colours, bare axes, and a figure as bytes that repeat exactly.

No pyplot, so no state. The colours are those of Okabe and Ito, which
colour-blind readers can tell apart.
"""

import contextlib
import io
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ls_tf.pages import escaping
from ls_tf.pages.blocks import NO_RUN
from ls_tf.pages.tables import Spread

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILION, SKY = "#D55E00", "#56B4E9"
INK, GREY = "#222222", "#777777"

# What a caption says of curves that ``band`` draws.
BAND = (
    "The line is the mean and the band the range over seeds, without a band "
    "there is one."
)

Arrays = Mapping[str, np.ndarray]
Style = dict[str, Any]  # of what matplotlib draws


@dataclass(frozen=True, eq=False)
class Panel:
    """One network's arrays; ``suffix`` picks a twin such as ``_scaled``."""

    title: str
    arrays: Arrays
    suffix: str = ""


@contextlib.contextmanager
def own_style() -> Iterator[None]:
    """Within it, no style of the user's (matplotlibrc) changes a figure."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def _saved(figure: Figure, **form: Any) -> bytes:
    """Lays a figure out once: all its files look the same, at less cost."""
    escaping.picture(figure)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box; a label that leaves
        # no room is cut.
        for start in ("Glyph ", "constrained_layout "):
            warnings.filterwarnings("ignore", start, UserWarning)
        layout = figure.get_layout_engine()
        if layout is not None:
            layout.execute(figure)
            # None at all: for one that does nothing matplotlib would draw the
            # figure once more. The name "none" stands for such a one.
            with matplotlib.rc_context():
                matplotlib.rcParams["figure.autolayout"] = False
                matplotlib.rcParams["figure.constrained_layout.use"] = False
                figure.set_layout_engine(None)
        figure.savefig(buffer, **form)
    return buffer.getvalue()


def png(figure: Figure, dpi: int = 150) -> bytes:
    """Gives a figure as PNG: RGBA, 8 bit, the same bytes every time."""
    return _saved(figure, format="png", dpi=dpi, metadata={"Software": None})


def pdf(figure: Figure) -> bytes:
    """Gives a figure as PDF without its date: the same bytes every time."""
    return _saved(figure, format="pdf", metadata={"CreationDate": None})


def svg(figure: Figure) -> bytes:
    """Gives a figure as SVG without its date: the same bytes every time.

    Letters are outlines, so that it looks the same without the font.
    """
    with matplotlib.rc_context({"svg.hashsalt": "ls_tf"}):
        return _saved(figure, format="svg", metadata={"Date": None})


def plain(axes: Axes) -> None:
    """Takes away what carries no information; adds a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)


def no_run(axes: Axes) -> None:
    """Says in a panel that there is nothing to draw, instead of its axes."""
    axes.text(0.5, 0.5, NO_RUN, ha="center", color=GREY)
    axes.set_axis_off()


def key(label: str, **line: Any) -> Line2D:
    """Makes the legend's line for a curve; ``line`` is its style."""
    name = escaping.label(label)
    # matplotlib leaves out what begins so.
    name = f" {name}" if name.startswith("_") else name
    return Line2D([], [], label=name, **line)


def legend_below(
    figure: Figure, columns: int, handles: Iterable[Any] | None = None
) -> None:
    """Puts one legend below all panels.

    Args:
        figure: where to.
        columns: of the legend.
        handles: what it names; None for all that has a label.
    """
    look: Style = {"ncols": columns, "frameon": False, "fontsize": 9}
    if handles is not None:
        look["handles"] = list(handles)
    figure.legend(loc="outside lower center", **look)


def band(
    axes: Axes,
    points: Iterable[tuple[float, Spread | None]],
    *,
    opacity: float,
    **line: Any,
) -> None:
    """Draws a line through means, a band from the lowest to the highest seed.

    Args:
        axes: where to.
        points: where a number over seeds stands; those without one are left
            out.
        opacity: of the band.
        line: style of the line; the band has its colour.
    """
    shown = [(x, over) for x, over in points if over is not None]
    if not shown:
        return
    x = [place for place, _ in shown]
    mean, low, high = (
        [getattr(over, field) for _, over in shown]
        for field in ("mean", "low", "high")
    )
    colour = line["color"]
    axes.fill_between(x, low, high, color=colour, alpha=opacity, linewidth=0)
    axes.plot(x, mean, **line)
