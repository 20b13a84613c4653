"""Our numbers with their range over seeds, the papers' beside them."""

from collections.abc import Iterable
from typing import NamedTuple

from matplotlib.figure import Figure

from ls_tf.pages import canvas, escaping
from ls_tf.pages.tables import Spread

# For captions, in the words of the legend.
OURS = (
    "Ours: the mean, and a bar from the lowest to the highest seed, which is "
    "no confidence interval."
)

_MUELLER = ("Müller et al. 2019", "D", canvas.ORANGE)
_WAGNER = ("Wagner et al. 2023 (1 run)", "s", canvas.GREEN)


class Line(NamedTuple):
    """One line of the figure: what the papers print, and our runs."""

    name: str
    mueller: float | None = None
    wagner: float | None = None
    ours: Spread | None = None


def figure(
    lines: Iterable[Line], label: str, *, from_zero: bool = False
) -> Figure:
    """Draws one line for each number, without the lines that have none.

    Args:
        lines: from top to bottom.
        label: of the axis.
        from_zero: whether the axis begins at 0.

    Returns:
        Figure.

    Source: ours.
    """
    shown = [line for line in lines if line[1:] != (None, None, None)]
    pitch = 0.5 if len(shown) < 8 else 0.33
    drawn = Figure(figsize=(8, pitch * len(shown) + 0.9), layout="constrained")
    axes = drawn.subplots()
    places = list(range(len(shown)))[::-1]
    papers = [_MUELLER]
    if any(line.wagner is not None for line in shown):
        papers.append(_WAGNER)
    for place, line in zip(places, shown, strict=True):
        printed = ((line.mueller, _MUELLER), (line.wagner, _WAGNER))
        for value, (_, marker, colour) in printed:
            if value is not None:
                dot: canvas.Style = {"color": colour, "markersize": 7}
                axes.plot(value, place + 0.16, marker, **dot)
        if line.ours is not None:
            over, height, blue = line.ours, place - 0.16, canvas.BLUE
            ends = [over.low, over.high]
            axes.plot(ends, [height] * 2, color=blue, linewidth=2)
            axes.plot(over.mean, height, "o", color=blue, markersize=8)
    keys = [*papers, ("ours: mean, lowest to highest seed", "o", canvas.BLUE)]
    for name, marker, colour in keys:
        axes.plot([], [], marker, color=colour, label=name)
    names = [escaping.label(line.name) for line in shown]
    axes.set_yticks(places, names, parse_math=False)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlabel(label)
    if from_zero:
        axes.set_xlim(left=0)
    canvas.plain(axes)
    canvas.legend_below(drawn, len(keys))
    return drawn
