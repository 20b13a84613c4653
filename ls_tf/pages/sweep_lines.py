"""Scores over a grid of temperatures: numbers over seeds, and curves."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ls_tf.pages import tables
from ls_tf.pages.blocks import NO_RUN
from ls_tf.pages.canvas import GREY, INK
from ls_tf.records.runs import Record

_EVALUATOR = "translation_sweep"

# The columns of ``table``.
COLUMNS = (
    "network", "alpha", "T", "BLEU, uncased", "BLEU, cased", "chrF",
    "NLL, nats", "ECE", "finished, %", "seeds",
)  # fmt: skip
FORMATS = {
    "alpha": "g",
    "T": ".3g",
    "BLEU, uncased": ".2f",
    "BLEU, cased": ".2f",
    "chrF": ".2f",
    "NLL, nats": ".4f",
    "ECE": ".4f",
    "finished, %": ".1f",
}
CAPTION = (
    "The numbers of the figures, means over seeds: BLEU and chrF of a beam of "
    "4, NLL and ECE (fraction) of the next subword, and the part of the "
    "translations that ended by themselves."
)
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
        found: np.ndarray = self.values[name].mean(axis=0)
        return found

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


def of(found: Mapping[int, Record]) -> Sweep | None:
    """Reads the sweeps of one network's runs; None if there is none.

    Args:
        found: seed -> record, of one specification, so of one grid.

    Returns:
        Sweep.
    """
    if not found:
        return None
    arrays = [r.arrays(_EVALUATOR, "report") for r in found.values()]
    return Sweep(
        arrays[0]["temperatures"],
        {name: np.stack([a[name] for a in arrays]) for name in _ARRAYS},
        tuple(found),
    )


def table(
    networks: Mapping[str, Mapping[float, Mapping[int, Record]]],
) -> pd.DataFrame:
    """Gives one row for each temperature: means over seeds.

    Args:
        networks: name -> alpha -> seed -> record.

    Returns:
        DataFrame, see COLUMNS; one row for a network without a run.
    """
    found: list[tuple[Any, ...]] = []
    for name, over_alpha in networks.items():
        for alpha, records in over_alpha.items():
            sweep = of(records)
            if sweep is None:
                empty = (None,) * (len(COLUMNS) - 4)
                found.append((name, alpha, NO_RUN, *empty, 0))
            else:
                found += [
                    (name, alpha, *row, len(records)) for row in _rows(sweep)
                ]
    return tables.frame(COLUMNS, found)


def _rows(sweep: Sweep) -> Iterable[tuple[Any, ...]]:
    means = [sweep.mean(name).tolist() for name in _ARRAYS[:-1]]
    finished = (100 * sweep.mean("finished")).tolist()
    return zip(sweep.temperatures.tolist(), *means, finished, strict=True)


def curve(
    axes: Axes,
    sweep: Sweep,
    name: str,
    *,
    colour: str,
    marker: str,
    dashed: bool = False,
) -> None:
    """Draws one number over T: mean, band over seeds, a ring at the best.

    Args:
        axes: where to.
        sweep: the network.
        name: of the number.
        colour: of the line and its band.
        marker: at each temperature.
        dashed: whether the line is.

    Source: ours.
    """
    mean = sweep.mean(name)
    if len(sweep.seeds) > 1:
        axes.fill_between(
            sweep.temperatures,
            sweep.values[name].min(axis=0),
            sweep.values[name].max(axis=0),
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
    axes.plot(
        sweep.temperatures,
        mean,
        marker=marker,
        linestyle="--" if dashed else "-",
        color=colour,
        markersize=4.5,
        linewidth=1.5,
    )
    best = sweep.best(name)
    axes.plot(
        sweep.temperatures[best],
        mean[best],
        marker="o",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=colour,
        markeredgewidth=1.4,
    )


def temperature_axis(axes: Axes, sweep: Sweep) -> None:
    """Makes the horizontal axis one of temperatures; marks T = 1."""
    low, high = sweep.temperatures[0], sweep.temperatures[-1]
    axes.set_xscale("log", base=2)
    axes.axvline(1.0, color=GREY, linestyle=":", linewidth=1, zorder=0)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(low, high)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.2g}"))
    axes.set_xlabel("temperature T (divides the logits)")


def key(
    colour: str, marker: str, label: str, *, dashed: bool = False
) -> Line2D:
    """The legend's line for a curve."""
    return Line2D(
        [],
        [],
        color=colour,
        marker=marker,
        linestyle="--" if dashed else "-",
        markersize=5,
        label=label,
    )


def marks() -> list[Line2D]:
    """The legend's lines for the ring and for T = 1."""
    ring = Line2D(
        [],
        [],
        linestyle="none",
        marker="o",
        markersize=10,
        markerfacecolor="none",
        color=INK,
        label="best of the grid",
    )
    return [ring, Line2D([], [], color=GREY, linestyle=":", label="T = 1")]


def _ticks(low: float, high: float) -> list[float]:
    """Powers of two, or of a root or square of it: a few in the range."""
    found: list[float] = []
    for step in (0.5, 1.0, 2.0):
        first = math.ceil(math.log2(low) / step - 1e-9)
        last = math.floor(math.log2(high) / step + 1e-9)
        found = [2.0 ** (step * k) for k in range(first, last + 1)]
        if len(found) <= 7:
            break
    return found
