"""Loss and best p over the clean rate a: landscapes, curves, tables.

Source: the figures of Chen et al. 2020.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ls_tf.analysis import label_noise
from ls_tf.pages import canvas, declared
from ls_tf.pages.blocks import Table
from ls_tf.pages.canvas import Style

STYLES = {  # colour and line of a type
    "alpha": (canvas.BLUE, "-"),
    "beta": (canvas.VERMILION, "--"),
    "gamma": (canvas.GREEN, "-."),
}
WORDS = (
    "p is the probability that the target puts on its class, p = 1 without "
    "smoothing; a is how often a label is kept; M is the number of classes. "
    "Alpha type: the labels trained on, or those tested on, are noisy. Beta: "
    "both are, independently. Gamma: the class follows the smoothed target "
    "itself, and the labels tested on are noisy."
)
RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)  # tables
GRID = np.linspace(0.0, 1.0, 101)  # figures: in steps of .01
# A line that is seen on all colours and on white.
SEEN: Style = {
    "color": canvas.INK,
    "linewidth": 1.2,
    "path_effects": [withStroke(linewidth=2.2, foreground="white")],
}

Curve = tuple[str, int]  # a type and M


def best(kind: str, num_classes: int, rates: Iterable[float]) -> np.ndarray:
    """The best p at each a; float64 [A]."""
    return np.array(
        [label_noise.optimal_p(kind, a, num_classes) for a in rates]
    )


def landscape(
    axes: Axes, kind: str, num_classes: int, *, most: float
) -> QuadMesh:
    """Draws the loss over a and p, and its minimum for each a.

    Args:
        axes: where to.
        kind: "alpha", "beta" or "gamma".
        num_classes: M.
        most: losses above have one colour, nats: at p = 0 and 1 they are
            infinite.

    Returns:
        QuadMesh: what a colour bar stands for.
    """
    loss = label_noise.loss(kind, GRID[:, None], GRID, num_classes)  # [p, a]
    mesh = heat_map(axes, GRID, GRID, loss, most=most)
    lines = [best(kind, num_classes, GRID)]
    if kind == "gamma" and num_classes == 2:
        lines.append(1 - lines[0])
    for line in lines:
        axes.plot(GRID, line, label="best p", **SEEN)
    axes.set_title(f"{kind} type, M = {num_classes}", fontsize=11)
    return mesh


def heat_map(
    axes: Axes,
    rates: np.ndarray,
    targets: np.ndarray,
    values: np.ndarray,
    *,
    most: float | None = None,
) -> QuadMesh:
    """Draws numbers over a (to the right) and p (upwards).

    Args:
        axes: where to.
        rates: float [A], a.
        targets: float [P], p.
        values: float [P, A]; NaN where there is none.
        most: the end of the colours; None for the largest value.

    Returns:
        QuadMesh: what a colour bar stands for.
    """
    shown = np.ma.masked_invalid(np.minimum(values, most or np.inf))
    mesh = axes.pcolormesh(
        rates, targets, shown, cmap="viridis", shading="nearest"
    )
    mesh.set_rasterized(True)
    axes.set(xlabel="a, how often a label is kept")
    axes.tick_params(labelsize=9)
    return mesh


def curves(names: Sequence[Curve], titles: Sequence[str]) -> Figure:
    """Draws the best p over a.

    Args:
        names: (type, M) of each curve; six at most.
        titles: of the curves, for the legend.
    """
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    rates = np.linspace(0, 1, 501)
    kinds = {kind for kind, _ in names}
    colours = (
        *(canvas.BLUE, canvas.VERMILION, canvas.GREEN),
        *(canvas.ORANGE, canvas.SKY, canvas.INK),
    )
    for (kind, classes), title, colour in zip(
        names, titles, colours, strict=False
    ):
        axes.plot(
            rates,
            best(kind, classes, rates),
            color=colour,
            linestyle=STYLES[kind][1] if len(kinds) > 1 else "-",
            label=title,
            linewidth=1.8,
        )
    axes.set(xlabel="a, how often a label is kept", ylabel="best p")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    canvas.plain(axes)
    axes.legend(frameon=False, fontsize=9)
    return figure


def _heading(word: str) -> Callable[[Curve], str]:
    return lambda name: f"{word}, {name[0]}, M = {name[1]}"


def table(names: Sequence[Curve], caption: str) -> Table:
    """Gives the best p and its loss at some a, a row each.

    Args:
        names: (type, M).
        caption: goes on below the table.
    """

    def best_p(a: float, name: Curve) -> float:
        return label_noise.optimal_p(name[0], a, name[1])

    def least(a: float, name: Curve) -> float:
        return label_noise.lowest_loss(name[0], a, name[1])

    return declared.table(
        "best",
        f"The best p and the loss there, nats, by the formulas. {caption}",
        RATES,
        ("a", lambda a: a, "g"),
        *declared.each(names, _heading("best p"), best_p, ".4f"),
        *declared.each(names, _heading("loss"), least, ".5f"),
    )
