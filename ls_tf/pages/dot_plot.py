"""Our numbers with their range over seeds, the papers' beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from ls_tf.pages import canvas
from ls_tf.pages.tables import Spread

_MUELLER = ("Müller et al. 2019", "D", canvas.ORANGE)
_WAGNER = ("Wagner et al. 2023 (1 run)", "s", canvas.GREEN)


@dataclass(frozen=True)
class Line:
    """One line of the figure: what the papers print, and our runs."""

    name: str
    mueller: float | None = None
    wagner: float | None = None
    ours: Spread | None = None


def beside(
    lines: Sequence[Line],
    label: str,
    *,
    with_wagner: bool,
    from_zero: bool = False,
) -> Figure:
    """Draws one line for each number.

    Args:
        lines: from top to bottom.
        label: of the axis.
        with_wagner: whether the legend names Wagner et al.
        from_zero: whether the axis begins at 0.

    Returns:
        Figure.

    Source: ours.
    """
    pitch = 0.5 if len(lines) < 8 else 0.33
    figure = Figure(figsize=(8, pitch * len(lines) + 0.9), layout="constrained")
    axes = figure.subplots()
    places = list(range(len(lines)))[::-1]
    for place, line in zip(places, lines, strict=True):
        for value, (_, marker, colour) in (
            (line.mueller, _MUELLER),
            (line.wagner, _WAGNER),
        ):
            if value is not None:
                axes.plot(
                    value, place + 0.16, marker, color=colour, markersize=7
                )
        if line.ours is not None:
            axes.plot(
                [line.ours.low, line.ours.high],
                [place - 0.16] * 2,
                color=canvas.BLUE,
                linewidth=2,
            )
            axes.plot(
                line.ours.mean,
                place - 0.16,
                "o",
                color=canvas.BLUE,
                markersize=8,
            )
    kinds = [_MUELLER, _WAGNER] if with_wagner else [_MUELLER]
    kinds.append(("ours: mean, lowest to highest seed", "o", canvas.BLUE))
    for name, marker, colour in kinds:
        axes.plot([], [], marker, color=colour, label=name)
    axes.set_yticks(places, [line.name for line in lines])
    axes.set_ylim(-0.6, len(lines) - 0.4)
    axes.set_xlabel(label)
    if from_zero:
        axes.set_xlim(left=0)
    canvas.plain(axes)
    figure.legend(
        loc="outside lower center",
        ncols=len(kinds),
        frameon=False,
        fontsize=9,
    )
    return figure
