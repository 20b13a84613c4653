"""Scores over a grid of temperatures: numbers over seeds, and curves."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ls_tf.pages import canvas, declared, networks
from ls_tf.pages.blocks import NO_RUN, Picture, ReportError, Table
from ls_tf.pages.canvas import GREY, INK
from ls_tf.pages.declared import Runs
from ls_tf.pages.networks import AtAlpha, Network
from ls_tf.records.arrays import Form

Style = tuple[str, str]  # colour and marker
Title = Callable[[Network], str]  # the name of a network

_EVALUATOR = "translation_sweep"

_ARRAYS = ("bleu_uncased", "bleu", "chrf", "nll", "ece", "finished")
LOWER_IS_BETTER = ("nll", "ece")


@dataclass(frozen=True, eq=False)
class Sweep:
    """One network's numbers over the temperatures.

    Attributes:
        temperatures: float [N], each divides the logits.
        values: name -> float [S, N], one row for each seed.
        seeds: the S seeds.
    """

    temperatures: np.ndarray
    values: Mapping[str, np.ndarray]
    seeds: tuple[int, ...]

    def mean(self, name: str) -> np.ndarray:
        """The mean over seeds, float [N]."""
        mean: np.ndarray = self.values[name].mean(axis=0)
        return mean

    def best(self, name: str) -> int:
        """The place of the best mean on the grid, the first of equal ones."""
        find = np.argmin if name in LOWER_IS_BETTER else np.argmax
        return int(find(self.mean(name)))

    def by_seed(self, name: str, temperature: float) -> dict[int, float]:
        """Numbers at one temperature: seed -> value, NaN off the grid."""
        (at,) = np.nonzero(self.temperatures == temperature)
        return {
            seed: float(row[at[0]]) if len(at) else math.nan
            for seed, row in zip(self.seeds, self.values[name], strict=True)
        }

    def best_by_seed(self, name: str) -> dict[int, float]:
        """The best number of each seed: seed -> value."""
        find = np.min if name in LOWER_IS_BETTER else np.max
        return {
            seed: float(find(row))
            for seed, row in zip(self.seeds, self.values[name], strict=True)
        }


def of(
    runs: Runs, evaluator: str = _EVALUATOR, names: Sequence[str] = _ARRAYS
) -> Sweep | None:
    """Reads the sweeps of one network's runs; None if there is none.

    Args:
        runs: seed -> record, of one specification, so of one grid.
        evaluator: what measured them.
        names: of its arrays over the temperatures.

    Returns:
        Sweep.

    Raises:
        RunError, ReportError: arrays are not of one grid.
    """
    if not runs:
        return None
    forms = {
        "temperatures": Form("temperatures", 1e-6, 1e6),
        **{name: Form("temperatures") for name in names},
    }
    arrays = [r.arrays(evaluator, "report", forms) for r in runs.values()]
    grid = arrays[0]["temperatures"]
    for record, of_run in zip(runs.values(), arrays, strict=True):
        if not (len(grid) and np.array_equal(of_run["temperatures"], grid)):
            raise ReportError(
                f"{record.path}: wanted a sweep over the temperatures of its "
                f"other seeds, {grid}, got {of_run['temperatures']}"
            )
    return Sweep(
        grid,
        {name: np.stack([a[name] for a in arrays]) for name in names},
        tuple(runs),
    )


@dataclass(frozen=True)
class _Row:
    """A place of a sweep; one without a sweep stands for it all."""

    name: str
    alpha: float
    sweep: Sweep | None = None
    place: int = 0

    @property
    def temperature(self) -> object:
        if self.sweep is None:
            return NO_RUN
        return float(self.sweep.temperatures[self.place])

    def mean(self, name: str, factor: float = 1) -> float | None:
        if self.sweep is None:
            return None
        return factor * float(self.sweep.mean(name)[self.place])


def _rows(name: str, alpha: float, sweep: Sweep | None) -> list[_Row]:
    count = 1 if sweep is None else len(sweep.temperatures)
    return [_Row(name, alpha, sweep, place) for place in range(count)]


def table(caption: str, rows: Iterable[AtAlpha], title: Title) -> Table:
    """Gives one row for each temperature: means over seeds.

    Args:
        caption: goes on below the table.
        rows: the networks at each alpha; one row for those without a run.
        title: the name of a network.

    Returns:
        Table.
    """
    return declared.table(
        "sweep",
        "The numbers of the figures, means over seeds: BLEU and chrF of a beam "
        "of 4, NLL and ECE (fraction) of the next subword, and the part of the "
        f"translations that ended by themselves. {caption}",
        [
            place
            for row in rows
            for place in _rows(title(row.network), row.alpha, of(row.runs))
        ],
        ("network", lambda r: r.name, ""),
        ("alpha", lambda r: r.alpha, "g"),
        ("T", lambda r: r.temperature, ".3g"),
        ("BLEU, uncased", lambda r: r.mean("bleu_uncased"), ".2f"),
        ("BLEU, cased", lambda r: r.mean("bleu"), ".2f"),
        ("chrF", lambda r: r.mean("chrf"), ".2f"),
        ("NLL, nats", lambda r: r.mean("nll"), ".4f"),
        ("ECE", lambda r: r.mean("ece"), ".4f"),
        ("finished, %", lambda r: r.mean("finished", 100), ".1f"),
        ("seeds", lambda r: len(r.sweep.seeds) if r.sweep else 0, ""),
    )


def pictures(
    runs: Mapping[Network, Mapping[float, Runs]],
    draw: Callable[[Mapping[float, Sweep]], Figure],
    title: Title,
    caption: str,
    *,
    read: Callable[[Runs], Sweep | None] = of,
    stem: str = "sweep",
) -> Iterable[Picture]:
    """Draws the sweeps of each network that has a run.

    Args:
        runs: network -> alpha -> seed -> record.
        draw: alpha -> sweep, of those that there are, to a figure.
        title: the name of a network.
        caption: what each shows.
        read: gives the sweep of some runs.
        stem: what the names of the files begin with.

    Yields:
        Picture.
    """
    for network, of_network in runs.items():
        sweeps = {a: read(of_alpha) for a, of_alpha in of_network.items()}
        swept = {a: sweep for a, sweep in sweeps.items() if sweep is not None}
        if swept:
            steps = networks.steps(*of_network.values())
            yield Picture(
                draw(swept),
                f"{stem}_{network.experiment}",
                f"{title(network)}; {steps} steps. "
                f"{caption}{networks.missing(of_network)}",
            )


def curve(
    axes: Axes, sweep: Sweep, name: str, style: Style, *, dashed: bool = False
) -> None:
    """Draws one number over T: mean, band over seeds, a ring at the best.

    Args:
        axes: where to.
        sweep: the network.
        name: of the number.
        style: colour of line and band, marker at each temperature.
        dashed: whether the line is.

    Source: ours.
    """
    (colour, marker), x, mean = style, sweep.temperatures, sweep.mean(name)
    if len(sweep.seeds) > 1:
        low, high = (f(sweep.values[name], axis=0) for f in (np.min, np.max))
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    (line,) = axes.plot(x, mean, marker=marker, markersize=4.5, color=colour)
    line.set(linestyle="--" if dashed else "-", linewidth=1.5)
    best = sweep.best(name)
    (ring,) = axes.plot(x[best], mean[best], marker="o", markersize=11)
    ring.set(
        markerfacecolor="none", markeredgecolor=colour, markeredgewidth=1.4
    )


def temperature_axis(
    axes: Axes, sweep: Sweep, divides: str = "the logits"
) -> None:
    """Makes the horizontal axis one of temperatures; marks T = 1."""
    low, high = sweep.temperatures[0], sweep.temperatures[-1]
    axes.set_xscale("log", base=2)
    axes.axvline(1.0, color=GREY, linestyle=":", linewidth=1, zorder=0)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(low, high)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.2g}"))
    axes.set_xlabel(f"temperature T (divides {divides})")


def key(style: Style, label: str, *, dashed: bool = False) -> Line2D:
    """The legend's line for a curve."""
    colour, marker = style
    line = canvas.key(label, color=colour, marker=marker, markersize=5)
    line.set_linestyle("--" if dashed else "-")
    return line


def marks() -> list[Line2D]:
    """The legend's lines for the ring and for T = 1."""
    ring = canvas.key("best of the grid", color=INK, linestyle="none")
    ring.set(marker="o", markersize=10, markerfacecolor="none")
    return [ring, canvas.key("T = 1", color=GREY, linestyle=":")]


def at_least(axes: Axes, span: float) -> None:
    """Widens the vertical axis, so that small changes look small."""
    low, high = axes.get_ylim()
    more = max(0.0, span - (high - low)) / 2
    axes.set_ylim(low - more, high + more)


def same_scale(panels: Sequence[Axes], *, from_zero: bool) -> None:
    """Gives some panels one vertical axis."""
    low = min(axes.get_ylim()[0] for axes in panels)
    high = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(0 if from_zero else low, high)


def _ticks(low: float, high: float) -> list[float]:
    """Powers of two, or of a root or square of it: a few in the range."""
    powers: list[float] = []
    for step in (0.5, 1.0, 2.0):
        first = math.ceil(math.log2(low) / step - 1e-9)
        last = math.floor(math.log2(high) / step + 1e-9)
        powers = [2.0 ** (step * k) for k in range(first, last + 1)]
        if len(powers) <= 7:
            break
    return powers
