"""The risk of answering only when one is sure, over how often one is."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ls_tf.analysis.selective import Curve
from ls_tf.pages import canvas
from ls_tf.pages.canvas import Style

_COLOURS = (canvas.BLUE, canvas.VERMILION, canvas.GREEN, canvas.ORANGE)
_LINES = ("-", "--", "-.", ":")


def risk_coverage(curves: Mapping[str, Curve], axes: Axes) -> None:
    """Draws risk-coverage curves, with a legend if there are several.

    Args:
        curves: name -> curve.
        axes: where to.

    Source: El-Yaniv and Wiener 2010.
    """
    handles = []
    for i, (name, curve) in enumerate(curves.items()):
        style: Style = {
            "color": _COLOURS[i % len(_COLOURS)],
            "linestyle": _LINES[i % len(_LINES)],
        }
        axes.plot(curve.coverage, curve.risk, linewidth=1.4, **style)
        handles.append(canvas.key(name, **style))
    axes.set(xlim=(0, 1), xlabel="coverage (fraction answered)")
    axes.set(ylabel="risk (fraction of answers wrong)")
    axes.set_ylim(bottom=0)
    if len(handles) > 1:
        axes.legend(handles=handles, frameon=False, fontsize=9)
    canvas.plain(axes)


def risk_coverage_figure(curves: Mapping[str, Curve]) -> Figure:
    """Draws risk-coverage curves as one figure."""
    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    risk_coverage(curves, figure.subplots())
    return figure
