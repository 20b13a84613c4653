"""Diagrams of a network's answers, on axes of matplotlib.

Each function draws on ``ax``, or on new axes of pyplot, and returns the axes.
Arrays may be of any framework; see ``ls_tf.calibration``.
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from ls_tf import calibration
from ls_tf.analysis import given, selective
from ls_tf.analysis.calibration import Edge
from ls_tf.geometry import Projection
from ls_tf.pages import projection as _projection
from ls_tf.pages import reliability as _reliability
from ls_tf.pages import risk_coverage as _risk_coverage
from ls_tf.pages.canvas import plain

__all__ = ["projection", "reliability", "risk_coverage"]


def reliability(
    logits: Any,
    labels: Any,
    *,
    ax: Axes | None = None,
    bins: int = 15,
    edge: Edge = "left",
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> Axes:
    """Draws a reliability diagram: accuracy by confidence, and the ECE.

    Args:
        logits: float [N, K] or [..., K].
        labels: int [N] or [...].
        ax: where to; None for new axes.
        bins: how many.
        edge: the closed side of a bin.
        weight: float like the labels.
        mask: bool like the labels.
        from_probabilities: whether probabilities are given.

    Returns:
        Axes.

    Raises:
        ValueError: bad arrays; one line.

    Source: Guo et al. 2017, figure 1; Mueller et al. 2019, figure 2.
    """
    diagram = calibration.reliability(
        logits,
        labels,
        bins=bins,
        edge=edge,
        weight=weight,
        mask=mask,
        from_probabilities=from_probabilities,
    )
    axes = _axes(ax)
    _reliability.diagram(diagram, axes)
    plain(axes)
    axes.set(xlabel="confidence", ylabel="accuracy (fraction)")
    return axes


def risk_coverage(
    networks: Mapping[str, tuple[Any, Any]],
    *,
    ax: Axes | None = None,
    from_probabilities: bool = False,
) -> Axes:
    """Draws how often a network errs on what it is surest of.

    Args:
        networks: name -> (logits [N, K], labels [N]).
        ax: where to; None for new axes.
        from_probabilities: whether probabilities are given.

    Returns:
        Axes.

    Raises:
        ValueError: bad arrays, or no network; one line.

    Source: El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017.
    """
    if not isinstance(networks, Mapping):
        raise ValueError(
            "wanted networks as a dict, name -> (logits, labels), got "
            f"{type(networks).__name__}"
        )
    if not networks:
        raise ValueError("wanted a network or more, got none")
    curves = {}
    for name, pair in networks.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(
                f"wanted (logits, labels) of '{name}', got "
                f"{type(pair).__name__}"
            )
        logits, labels = pair
        rows, ids, _ = given.examples(
            logits, labels, from_probabilities=from_probabilities
        )
        hits = rows.argmax(axis=-1) == ids
        curves[name] = selective.curve(selective.confidence(rows), hits)
    axes = _axes(ax)
    _risk_coverage.risk_coverage(curves, axes)
    return axes


def projection(
    plane: Projection,
    *,
    ax: Axes | None = None,
    names: Mapping[int, str] | None = None,
) -> Axes:
    """Draws activations on the plane of three templates.

    Args:
        plane: of ``ls_tf.geometry.project``.
        ax: where to; None for new axes.
        names: class id -> its name, for the legend.

    Returns:
        Axes.

    Raises:
        ValueError: no projection, or names that are no dict; one line.

    Source: Mueller et al. 2019, figure 1.
    """
    if not isinstance(plane, Projection):
        raise ValueError(
            "wanted what ls_tf.geometry.project gives, got "
            f"{type(plane).__name__}"
        )
    if names is not None and not isinstance(names, Mapping):
        raise ValueError(
            "wanted names as a dict, class id -> name, got "
            f"{type(names).__name__}"
        )
    axes = _axes(ax)
    _projection.plane(
        plane.points, plane.labels, plane.templates, plane.classes, axes, names
    )
    return axes


def _axes(ax: Axes | None) -> Axes:
    if isinstance(ax, Axes):
        return ax
    if ax is not None:
        raise ValueError(
            f"wanted the axes of matplotlib as ax, got {type(ax).__name__}"
        )
    from matplotlib import pyplot

    axes: Axes = pyplot.subplots(layout="constrained")[1]
    return axes
