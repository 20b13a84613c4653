"""Panels, colours, bare axes, and a figure as bytes that repeat exactly.

No pyplot, so no state. The colours are those of Okabe and Ito, which
colour-blind readers can tell apart.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILION, SKY = "#D55E00", "#56B4E9"
INK, GREY = "#222222", "#777777"

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Panel:
    """One network's arrays; ``suffix`` picks a twin such as ``_scaled``."""

    title: str
    arrays: Arrays
    suffix: str = ""


def _settle(figure: Figure) -> None:
    """Lays a figure out once: all its files look the same, at less cost."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def png(figure: Figure, dpi: int = 150) -> bytes:
    """Gives a figure as PNG: RGBA, 8 bit, the same bytes every time."""
    _settle(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def pdf(figure: Figure) -> bytes:
    """Gives a figure as PDF without its date: the same bytes every time."""
    _settle(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    return buffer.getvalue()


def plain(axes: Axes) -> None:
    """Takes away what carries no information; adds a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)
