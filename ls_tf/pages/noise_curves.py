"""Curves over p of networks trained on noisy labels, beside the theory."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ls_tf.analysis import label_noise
from ls_tf.pages import canvas, noise, noise_runs
from ls_tf.pages.blocks import Block, Picture, Text
from ls_tf.pages.declared import Records
from ls_tf.pages.noise_runs import CLASSES, Sweep

_FINE = np.linspace(0.01, 0.99, 197)


def mark(axes: Axes, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    """Rings the least value of a curve; nothing of one without a value."""
    if np.isnan(y).all():
        return
    place = int(np.nanargmin(y))
    axes.plot(
        *(x[place], y[place], "o"),
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=colour,
    )


def _panel(axes: Axes, sweep: Sweep, values: np.ndarray, place: int) -> None:
    a, measured = sweep.rates[place], values[:, place]
    targets = np.array(sweep.targets)
    for kind, (colour, dash) in noise.STYLES.items():
        loss = label_noise.loss(kind, _FINE, a, CLASSES)
        axes.plot(_FINE, loss, color=colour, linestyle=dash, linewidth=1.4)
        mark(axes, _FINE, loss, colour)
    # Through those that have a run: fewer may have one than the grid has.
    known = np.isfinite(measured)
    axes.plot(
        targets[known], measured[known], "D-", color=canvas.INK, markersize=4
    )
    mark(axes, targets, measured, canvas.INK)
    # At p = 1 the theory's loss is infinite: the measured one sets the scale.
    shown = measured[~np.isnan(measured)]
    top = max([3.0, *shown.tolist()])
    axes.set(xlim=(0, 1.03), ylim=(0, 1.05 * min(top, 6.0)))
    axes.set_title(f"a = {a:g}", fontsize=11)
    axes.set_xlabel("p, probability on the target's class")
    canvas.plain(axes)


def slices(
    grids: Mapping[Sweep, np.ndarray], caption: str
) -> Iterable[Picture]:
    """Draws the loss over p, a panel for each a, of networks that have runs.

    Args:
        grids: measured losses [P, A], nats.
        caption: goes on below each picture.

    Yields:
        Picture.
    """
    for sweep, values in grids.items():
        if not noise_runs.is_there(values):
            continue
        count = len(sweep.rates)
        figure = Figure(figsize=(3.6 * count, 4), layout="constrained")
        panels = figure.subplots(1, count, squeeze=False)[0]
        for place, axes in enumerate(panels):
            _panel(axes, sweep, values, place)
        panels[0].set_ylabel("test loss, nats")
        handles = [
            canvas.key(f"{kind} type, expected", color=colour, linestyle=dash)
            for kind, (colour, dash) in noise.STYLES.items()
        ]
        measured = canvas.key("measured", color=canvas.INK, marker="D")
        canvas.legend_below(figure, 4, [*handles, measured])
        yield Picture(
            figure,
            f"slices_{sweep.network.experiment}",
            f"{sweep.network.label}: expected and measured loss over p, means "
            f"over seeds; a ring is the lowest value. {caption}",
        )


def losses_page(
    records: Records, sweeps: Sequence[Sweep], words: str, labels: str, at: int
) -> Iterable[Block]:
    """Builds a page on the loss over p at some a.

    Args:
        records: of the runs.
        sweeps: of the networks.
        words: what is said of how they are trained and tested.
        labels: of the test set, "clean" or "noisy".
        at: the number of the figure of Chen et al. 2020.

    Yields:
        Block: words, pictures, table of losses, table of minima.
    """
    grids = {s: s.values(records, noise_runs.nll) for s in sweeps}
    caption = f"{labels.capitalize()} test labels."
    protocol = noise_runs.protocol(records)
    yield Text(f"{noise.WORDS} {words} {protocol}")
    yield from slices(grids, f"{caption} As figure {at} of Chen et al. 2020.")
    yield noise_runs.grid_table(
        "losses", f"Test loss on {labels} labels, nats.", grids, ".4f"
    )
    yield noise_runs.minima_table(grids, caption)


def over_rate(
    sweep: Sweep,
    lines: Mapping[str, np.ndarray],
    *,
    ylabel: str,
    kinds: Iterable[str] = (),
) -> Figure:
    """Draws measured numbers over a, beside the best p of some types.

    Args:
        sweep: gives the values of a.
        lines: name -> float [A]; four at most.
        ylabel: of the vertical axis.
        kinds: the types whose best p is drawn.
    """
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    fine = np.linspace(0, 1, 501)
    for kind in kinds:
        colour, dash = noise.STYLES[kind]
        curve = noise.best(kind, CLASSES, fine)
        label = f"{kind} type, expected"
        axes.plot(fine, curve, color=colour, linestyle=dash, label=label)
    colours = (canvas.INK, canvas.ORANGE, canvas.SKY, canvas.GREY)
    for (name, line), colour, marker in zip(
        lines.items(), colours, "DosD", strict=False
    ):
        # Through those that have a run.
        x, known = np.array(sweep.rates), np.isfinite(line)
        axes.plot(
            x[known], line[known], color=colour, marker=marker, label=name
        )
    axes.set(xlim=(0, 1.02), xlabel="a, how often a label is kept")
    axes.set_ylabel(ylabel)
    canvas.plain(axes)
    axes.legend(frameon=False, fontsize=9)
    return figure
