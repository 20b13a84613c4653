"""How alike the answers to one class are, with and without smoothing.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains, on MNIST and seed 0, the small network with and
without smoothing, both teachers, and the students of the mixed loss.

Source: Shen et al. 2021, equations 2 and 5 to 7, tables 1, 9 and 10, figures 1
and 4.
Run: python run_experiment.py --report=stability
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from ls_tf.pages import (
    canvas,
    cifar,
    distillation,
    networks,
    quoted,
    tables,
)
from ls_tf.pages.blocks import NO_RUN, Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record
from ls_tf.spec import Value

TITLE = "Stability of the answers to a class"
PARTIAL = True

_SMALL = networks.Network("MNIST, fully connected", "fc_mnist_small")
_NETWORKS = (
    _SMALL,
    networks.Network("CIFAR-10 ResNet-56", "resnet56_cifar10_teacher"),
    networks.Network("CIFAR-10 ResNet-20", "resnet20_cifar10_short"),
)
_ALPHAS = (0.0, 0.1)
_LAMBDAS = (0.3, 0.5, 0.7)  # table 9: the weight of the labels
_STUDENT = "fc_mnist_distillation"
_COLOURS = {0.0: canvas.BLUE, 0.1: canvas.VERMILION}


def _mixed(weight: float, alpha: float) -> dict[str, Value]:
    """The student whose labels have this weight."""
    return {
        "teacher.beta": round(1 - weight, 6),  # no 0.30000000000000004
        "teacher.changes.alpha": alpha,
    }


REQUIRES = (
    *(
        Need(
            network.experiment,
            {"alpha": alpha},
            seed,
            optional=seed != 0 or network is not _SMALL,
            row=f"{network.label}, alpha = {alpha:g}",
        )
        for network in _NETWORKS
        for seed in networks.SEEDS
        for alpha in _ALPHAS
    ),
    *(
        Need(
            *distillation.teacher(_STUDENT, alpha),
            seed,
            optional=seed != 0,
            row=f"MNIST teacher, alpha = {alpha:g}",
        )
        for seed in networks.SEEDS
        for alpha in _ALPHAS
    ),
    *(
        Need(
            _STUDENT,
            _mixed(weight, alpha),
            seed,
            optional=seed != 0,
            row=f"MNIST student, lambda = {weight:g}, teacher's alpha = "
            f"{alpha:g}",
        )
        for seed in networks.SEEDS
        for weight in _LAMBDAS
        for alpha in _ALPHAS
    ),
)

# scalar -> (what it is, whether smoothing is said to lower it)
_READINGS: Mapping[str, tuple[str, bool]] = {
    "intra_std": ("within classes: deviation", True),
    "intra_variance": ("within classes: variance", True),
    "intra_vector": ("within classes: vector", True),
    "inter_std": ("between classes: deviation", True),
    "inter_variance": ("between classes: variance", True),
    "inter_vector": ("between classes: vector", True),
    "dc_relative": ("distance of the alike classes, relative", False),
}


def _target(found: Mapping[int, Record]) -> dict[int, float]:
    """The mean probability of the right class: seed -> value."""
    return {
        seed: float(
            np.nanmean(
                np.diag(record.arrays("stability", "report")["mean_probs"])
            )
        )
        for seed, record in found.items()
    }


def _off_diagonal(square: np.ndarray) -> np.ndarray:
    found: np.ndarray = square[~np.eye(len(square), dtype=bool)]
    return found


def _minor(found: Mapping[int, Record]) -> dict[int, float]:
    """The mean variance off the target: seed -> value."""
    return {
        seed: float(
            np.nanmean(
                _off_diagonal(
                    record.arrays("stability", "report")["variance_probs"]
                )
            )
        )
        for seed, record in found.items()
    }


def _measures(found: Mapping[int, Record]) -> dict[str, dict[int, float]]:
    """Every measure of figure and tables: what it is -> seed -> value."""
    all_of = {
        what: tables.scalar(found, name, "stability")
        for name, (what, _) in _READINGS.items()
    }
    all_of["probability of the target: mean"] = _target(found)
    all_of["probabilities off the target: variance"] = _minor(found)
    return all_of


_RISES = frozenset(what for what, lower in _READINGS.values() if not lower)


_OF_SHEN = (
    "Printed: another task, ResNet-50 on ImageNet and a ResNet-18 taught by "
    "it; only the signs of the differences are to be compared."
)
_PRINTED = ("Shen et al., alpha=0", "Shen et al., alpha=0.1")


def _printed(row: str) -> tuple[tables.AsPrinted | None, ...]:
    """Shen et al.'s numbers of a row, for both alphas; on ImageNet."""
    numbers = quoted.numbers("stability")
    return tuple(numbers.get((row, str(a))) for a in _ALPHAS)


def _spreads(records: Mapping[Need, Record]) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for network in _NETWORKS:
        hard, smoothed = (
            _measures(networks.of(records, network, a)) for a in _ALPHAS
        )
        for what in hard:
            pair = (smoothed[what], hard[what])
            if what in _RISES:
                pair = (hard[what], smoothed[what])
            found = tables.less_over_seeds(*pair)
            left, right = found.left, found.right
            if what in _RISES:
                left, right = right, left
            numbers = (right, left) if found.seeds else (NO_RUN, NO_RUN)
            word = "higher" if what in _RISES else "lower"
            rows.append(
                (
                    network.label,
                    what,
                    *_printed(what),
                    *numbers,
                    f"{word} with smoothing?",
                    tables.verdict(found),
                    found.seeds_for,
                    found.seeds,
                )
            )
    columns = (
        "network", "measure", *_PRINTED, "alpha=0", "alpha=0.1", "claim",
        "holds", "seeds for it", "seeds",
    )  # fmt: skip
    return tables.frame(columns, rows)


def _rank_correlation(hard: Record, smoothed: Record) -> float:
    """Whether both networks confuse the same classes, Spearman's rho."""
    pair = [
        _off_diagonal(r.arrays("stability", "report")["mean_probs"])
        for r in (hard, smoothed)
    ]
    there = np.isfinite(pair[0]) & np.isfinite(pair[1])
    if there.sum() < 3:
        return math.nan
    found = stats.spearmanr(pair[0][there], pair[1][there])
    return float(found.statistic)


def _order(records: Mapping[Need, Record]) -> pd.DataFrame:
    """Distances of the three classes, and the order of the confusions."""
    rows: list[tuple[Any, ...]] = []
    names = ("d1", "d2", "dc", "d1_minus_d2")
    for network in _NETWORKS:
        hard, smoothed = (networks.of(records, network, a) for a in _ALPHAS)
        shared = [s for s in hard if s in smoothed]
        order = tables.spread(
            _rank_correlation(hard[s], smoothed[s]) for s in shared
        )
        for alpha, found in zip(_ALPHAS, (hard, smoothed), strict=True):
            means = [
                tables.spread(tables.scalar(found, n, "stability").values())
                for n in names
            ]
            rows.append(
                (
                    network.label,
                    alpha,
                    *(NO_RUN if m is None else m.mean for m in means),
                    order.mean if order and alpha else None,
                    len(found),
                )
            )
    columns = (
        "network", "alpha", "D1", "D2", "Dc", "D1 − D2",
        "order of the confusions", "seeds",
    )  # fmt: skip
    return tables.frame(columns, rows)


def _students(records: Mapping[Need, Record]) -> pd.DataFrame:
    """Table 9: students of both teachers over the weight of the labels."""

    def accuracy(
        experiment: str, changes: Mapping[str, Value]
    ) -> dict[int, float]:
        return tables.percent(tables.by_seed(records, experiment, changes))

    rows: list[tuple[Any, ...]] = []
    pairs: list[tuple[str, float | None, list[dict[int, float]]]] = [
        (
            "teachers",
            None,
            [accuracy(*distillation.teacher(_STUDENT, a)) for a in _ALPHAS],
        )
    ]
    pairs += [
        ("students", w, [accuracy(_STUDENT, _mixed(w, a)) for a in _ALPHAS])
        for w in _LAMBDAS
    ]
    for who, weight, (hard, smoothed) in pairs:
        found = tables.less_over_seeds(hard, smoothed)
        ours: tuple[Any, ...] = (NO_RUN,) * 3
        if found.seeds:
            ours = (found.left, found.right, found.right - found.left)
        rows.append(
            (
                who,
                weight,
                *_printed(f"lambda = {weight}"),
                *ours,
                tables.verdict(found),
                found.seeds_for,
                found.seeds,
            )
        )
    columns = (
        "network", "lambda", *_PRINTED, "hard teacher, %",
        "smoothed teacher, %",
        "difference", "smoothed better?", "seeds for it", "seeds",
    )  # fmt: skip
    return tables.frame(columns, rows)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives spreads, distances and the students of the mixed loss."""
    return {
        "spreads": _spreads(records),
        "distances": _order(records),
        "students": _students(records),
    }


def draw(records: Mapping[Need, Record]) -> dict[networks.Network, Figure]:
    """Draws the mean answer to each class, off the target, first seeds."""
    figures = {}
    for network in _NETWORKS:
        found = {
            alpha: next(iter(some.values()))
            for alpha in _ALPHAS
            if (some := networks.of(records, network, alpha))
        }
        if found:
            figures[network] = _bars(found)
    return figures


def _bars(found: Mapping[float, Record]) -> Figure:
    """One small panel for each class: the other classes' probabilities."""
    squares = {
        alpha: record.arrays("stability", "report")["mean_probs"]
        for alpha, record in found.items()
    }
    classes = len(next(iter(squares.values())))
    columns = 5
    figure = Figure(
        figsize=(10, 1.9 * math.ceil(classes / columns) + 0.7),
        layout="constrained",
    )
    panels = figure.subplots(
        math.ceil(classes / columns), columns, sharey=True, squeeze=False
    )
    width = 0.8 / len(squares)
    for k, axes in enumerate(panels.flat):
        if k >= classes:
            axes.set_axis_off()
            continue
        for i, (alpha, square) in enumerate(squares.items()):
            heights = np.array(square[k])
            heights[k] = 0  # the target, near 1, is left out
            axes.bar(
                np.arange(classes) + (i - (len(squares) - 1) / 2) * width,
                heights,
                width,
                color=_COLOURS[alpha],
                label=f"alpha = {alpha:g}",
            )
        axes.set_title(f"images of class {k}", fontsize=9)
        axes.set_xticks(range(classes))
        canvas.plain(axes)
        axes.tick_params(labelsize=7)
    for row in panels:
        row[0].set_ylabel("mean probability", fontsize=9)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(labels),
        frameon=False,
        fontsize=9,
    )
    return figure


def _lines(data: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    lines = [
        f"{network}: {what} {claim.removesuffix('?')}: {holds}, "
        f"{tables.cell(hard, '.4f')} → {tables.cell(smoothed, '.4f')} ({count} "
        f"of {seeds} seeds)."
        for network, what, _, _, hard, smoothed, claim, holds, count, seeds in (
            data["spreads"].itertuples(index=False, name=None)
        )
        if seeds
    ]
    lines += [
        f"MNIST, {who}{'' if weight is None else f', lambda = {weight:g}'}: "
        f"smoothed better: {holds}, {tables.cell(hard, '.2f')} → "
        f"{tables.cell(smoothed, '.2f')} % ({count} of {seeds} seeds)."
        for who, weight, _, _, hard, smoothed, _, holds, count, seeds in (
            data["students"].itertuples(index=False, name=None)
        )
        if seeds
    ]
    return tuple(lines)


def _tables_of(data: Mapping[str, pd.DataFrame]) -> tuple[Table, ...]:
    both = {"alpha=0": ".4f", "alpha=0.1": ".4f"}
    accuracies = {n: ".2f" for n in data["students"].columns[4:6]}
    distances = {n: ".3f" for n in data["distances"].columns[2:7]}
    return (
        Table(
            data["spreads"],
            "spreads",
            "1 less the stability, in three readings, means over the seeds "
            "that both networks have: the deviation of the target's "
            "probability (Shen et al.'s code, tables 1 and 10), its variance, "
            "and the squared norm of the whole vector (their equations). "
            "Within classes: over the images of each. Between classes: over "
            "the classes' means. Figure 4's claim is read as: the mean of the "
            "target's probability and the variance of all others fall. Their "
            "claim of table 10, a smaller spread between classes, is printed "
            f"as the better one. {_OF_SHEN} {cifar.SPLIT} {cifar.JPEG}",
            both,
        ),
        Table(
            data["distances"],
            "distances",
            "Distances of clusters on the plane of three classes (figure 1), "
            "two that are alike and one that is not, means over seeds: D1 and "
            "D2 from either of the two to the third, Dc between the two, in "
            "units of the penultimate layer. MNIST: 4, 9 and 0; CIFAR-10: cat, "
            "dog and ship. “Order of the confusions”: Spearman's correlation "
            "of the mean probabilities off the target with and without "
            "smoothing; 1 says that the order is kept.",
            {"alpha": "g"} | distances,
        ),
        Table(
            data["students"],
            "students",
            "Students on MNIST whose loss is lambda times that of the labels "
            "and 1 − lambda times that of the teacher's answers (table 9), "
            f"temperature 1. Test accuracy, %. {_OF_SHEN}",
            {"lambda": "g", "difference": "+.2f"} | accuracies,
        ),
    )


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    data = collect(records)
    lines = _lines(data)
    pictures = [
        Picture(
            figure,
            f"answers_{network.experiment}",
            f"{network.label}: the mean answer to the images of each class, "
            "first seed. The class itself, near 1, is left out.",
        )
        for network, figure in draw(records).items()
    ]
    yield Text(
        "Shen et al. hold that smoothing makes the answers to a class more "
        "alike (more stable) while it keeps which classes are confused, and "
        "that a smoothed teacher therefore teaches no worse. "
        f"{cifar.SHORTENED} {networks.COMMANDS}"
    )
    yield Text("" if lines else "No claim can be judged.", "Claims", lines)
    yield from pictures
    yield from _tables_of(data)
