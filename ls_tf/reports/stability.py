"""How alike the answers to one class are, with and without smoothing.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains, on MNIST and seed 0, the small network with and
without smoothing, both teachers, and the students of the mixed loss.

Source: Shen et al. 2021, equations 2 and 5 to 7, tables 1, 9 and 10, figures 1
and 4.
Run: python run_experiment.py --report=stability
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from ls_tf.pages import (
    canvas,
    cifar,
    declared,
    distillation,
    networks,
    quoted,
    tables,
)
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.declared import (
    ACCURACY,
    Claim,
    Column,
    Number,
    Records,
    Runs,
    or_no_run,
)
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
        need
        for network in _NETWORKS
        for seed in networks.SEEDS
        for need in networks.needs(
            network, _ALPHAS, (seed,), _ALPHAS if network is _SMALL else ()
        )
    ),
    *(
        Need(
            *distillation.teacher(_STUDENT, alpha),
            seed,
            seed != 0,
            f"MNIST teacher, alpha = {alpha:g}",
        )
        for seed in networks.SEEDS
        for alpha in _ALPHAS
    ),
    *(
        Need(
            _STUDENT,
            _mixed(weight, alpha),
            seed,
            seed != 0,
            f"MNIST student, lambda = {weight:g}, teacher's alpha = {alpha:g}",
        )
        for seed in networks.SEEDS
        for weight in _LAMBDAS
        for alpha in _ALPHAS
    ),
)


_PAPER = quoted.numbers("stability")
_OF_SHEN = (
    "Printed: another task, ResNet-50 on ImageNet and a ResNet-18 taught by "
    "it; only the signs of the differences are to be compared."
)


def _off_diagonal(square: np.ndarray) -> np.ndarray:
    others: np.ndarray = square[~np.eye(len(square), dtype=bool)]
    return others


def _mean_of(
    name: str, part: Callable[[np.ndarray], np.ndarray]
) -> Callable[[Runs], dict[int, float]]:
    """Reads the mean of a part of an array, class by class."""
    return lambda runs: {
        seed: float(np.nanmean(part(run.arrays("stability", "report")[name])))
        for seed, run in runs.items()
    }


# What it is -> what reads it; smoothing is said to raise one and to lower the
# others.
_RISES = "distance of the alike classes, relative"
_MEASURES: Mapping[str, Callable[[Runs], dict[int, float]]] = {
    "within classes: deviation": Number("stability", "intra_std").of,
    "within classes: variance": Number("stability", "intra_variance").of,
    "within classes: vector": Number("stability", "intra_vector").of,
    "between classes: deviation": Number("stability", "inter_std").of,
    "between classes: variance": Number("stability", "inter_variance").of,
    "between classes: vector": Number("stability", "inter_vector").of,
    _RISES: Number("stability", "dc_relative").of,
    "probability of the target: mean": _mean_of("mean_probs", np.diag),
    "probabilities off the target: variance": _mean_of(
        "variance_probs", _off_diagonal
    ),
}


class _Spread(Claim[str]):
    """A measure of a network is lower, or higher, with smoothing."""

    @property
    def word(self) -> str:
        return "higher" if self.text == _RISES else "lower"

    @property
    def hard(self) -> float | None:
        return self.low if self.text == _RISES else self.high

    @property
    def smoothed(self) -> float | None:
        return self.high if self.text == _RISES else self.low


def _spreads(records: Records) -> Iterable[_Spread]:
    for network in _NETWORKS:
        runs = [networks.runs(records, network, alpha) for alpha in _ALPHAS]
        for text, read in _MEASURES.items():
            hard, smoothed = map(read, runs)
            pair = (hard, smoothed) if text == _RISES else (smoothed, hard)
            yield _Spread(network.label, *pair, text)


def _students(records: Records) -> Iterable[Claim[float | None]]:
    """Table 9: smoothed teachers, and students over lambda, are better."""

    def claim(
        weight: float | None, *runs: tuple[str, Mapping[str, Value]]
    ) -> Claim[float | None]:
        hard, smoothed = (
            ACCURACY.of(tables.by_seed(records, *run)) for run in runs
        )
        text = "teachers" if weight is None else "students"
        return Claim(weight, hard, smoothed, text)

    yield claim(None, *(distillation.teacher(_STUDENT, a) for a in _ALPHAS))
    for weight in _LAMBDAS:
        yield claim(weight, *((_STUDENT, _mixed(weight, a)) for a in _ALPHAS))


def _rank_correlation(hard: Record, smoothed: Record) -> float:
    """Whether both networks confuse the same classes, Spearman's rho."""
    pair = [
        _off_diagonal(r.arrays("stability", "report")["mean_probs"])
        for r in (hard, smoothed)
    ]
    defined = np.isfinite(pair[0]) & np.isfinite(pair[1])
    if defined.sum() < 3:
        return math.nan
    correlation = stats.spearmanr(pair[0][defined], pair[1][defined])
    return float(correlation.statistic)


_DISTANCES = {"D1": "d1", "D2": "d2", "Dc": "dc", "D1 − D2": "d1_minus_d2"}


@dataclass(frozen=True)
class _Distances:
    """A network at one alpha, and the order of its confusions at both."""

    network: str
    alpha: float
    runs: Runs
    order: float | None

    def mean(self, heading: str) -> float | None:
        return Number("stability", _DISTANCES[heading]).mean(self.runs)


def _distances(records: Records) -> Iterable[_Distances]:
    for network in _NETWORKS:
        hard, smoothed = (networks.runs(records, network, a) for a in _ALPHAS)
        order = tables.mean(
            _rank_correlation(hard[s], smoothed[s])
            for s in hard
            if s in smoothed
        )
        yield _Distances(network.label, 0.0, hard, None)
        yield _Distances(network.label, 0.1, smoothed, order)


def _bars(runs: Mapping[float, Record]) -> Figure:
    """One small panel for each class: the other classes' probabilities."""
    squares = {
        alpha: record.arrays("stability", "report")["mean_probs"]
        for alpha, record in runs.items()
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
    handles, _ = panels[0, 0].get_legend_handles_labels()
    canvas.legend_below(figure, len(handles), handles)
    return figure


def _printed(alpha: float, row: str) -> Column[Claim[Any]]:
    """Shen et al.'s number for a claim, whose attributes name the row."""
    return (
        f"Shen et al., alpha={alpha:g}",
        lambda claim: _PAPER.get((row.format(claim), f"{alpha}")),
        "",
    )


def _tables(
    records: Records,
    spreads: Iterable[_Spread],
    students: Iterable[Claim[float | None]],
) -> Iterable[Block]:
    """Gives spreads, distances and the students of the mixed loss."""
    yield declared.table(
        "spreads",
        "1 less the stability, in three readings, means over the seeds that "
        "both networks have: the deviation of the target's probability (Shen "
        "et al.'s code, tables 1 and 10), its variance, and the squared norm "
        "of the whole vector (their equations). Within classes: over the "
        "images of each. Between classes: over the classes' means. Figure 4's "
        "claim is read as: the mean of the target's probability and the "
        "variance of all others fall. Their claim of table 10, a smaller "
        f"spread between classes, is printed as the better one. {_OF_SHEN} "
        f"{cifar.SPLIT} {cifar.JPEG}",
        spreads,
        ("network", lambda c: c.of, ""),
        ("measure", lambda c: c.text, ""),
        *(_printed(a, "{0.text}") for a in _ALPHAS),
        ("alpha=0", lambda c: or_no_run(c.hard), ".4f"),
        ("alpha=0.1", lambda c: or_no_run(c.smoothed), ".4f"),
        ("claim", lambda c: f"{c.word} with smoothing?", ""),
        ("holds", lambda c: c.holds, ""),
        *declared.SEEDS,
    )
    yield declared.table(
        "distances",
        "Distances of clusters on the plane of three classes (figure 1), two "
        "that are alike and one that is not, means over seeds: D1 and D2 from "
        "either of the two to the third, Dc between the two, in units of the "
        "penultimate layer. MNIST: 4, 9 and 0; CIFAR-10: cat, dog and ship. "
        "“Order of the confusions”: Spearman's correlation of the mean "
        "probabilities off the target with and without smoothing; 1 says that "
        "the order is kept.",
        _distances(records),
        ("network", lambda d: d.network, ""),
        ("alpha", lambda d: d.alpha, "g"),
        *declared.each(_DISTANCES, str, _Distances.mean, ".3f"),
        ("order of the confusions", lambda d: d.order, ".3f"),
        ("seeds", lambda d: len(d.runs), ""),
    )
    yield declared.table(
        "students",
        "Students on MNIST whose loss is lambda times that of the labels and 1 "
        "− lambda times that of the teacher's answers (table 9), temperature "
        f"1. Test accuracy, %. {_OF_SHEN}",
        students,
        ("network", lambda c: c.text, ""),
        ("lambda", lambda c: c.of, "g"),
        *(_printed(a, "lambda = {0.of}") for a in _ALPHAS),
        ("hard teacher, %", lambda c: or_no_run(c.low), ".2f"),
        ("smoothed teacher, %", lambda c: or_no_run(c.high), ".2f"),
        ("difference", lambda c: or_no_run(c.rise), "+.2f"),
        ("smoothed better?", lambda c: c.holds, ""),
        *declared.SEEDS,
    )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    spreads, students = tuple(_spreads(records)), tuple(_students(records))
    yield Text(
        "Shen et al. hold that smoothing makes the answers to a class more "
        "alike (more stable) while it keeps which classes are confused, and "
        "that a smoothed teacher therefore teaches no worse. "
        f"{cifar.SHORTENED} {networks.COMMANDS}"
    )
    better = "smoothed better: {holds}, {low:.2f} → {high:.2f} % ({count})."
    yield declared.findings(
        *declared.sentences(
            spreads,
            "{of}: {text} {word} with smoothing: {holds}, {hard:.4f} → "
            "{smoothed:.4f} ({count}).",
        ),
        *declared.sentences(students[:1], f"MNIST, {{text}}: {better}"),
        *declared.sentences(
            students[1:], f"MNIST, {{text}}, lambda = {{of:g}}: {better}"
        ),
    )
    for network in _NETWORKS:
        first = networks.first_runs(records, network, _ALPHAS)
        if first:
            yield Picture(
                _bars(first),
                f"answers_{network.experiment}",
                f"{network.label}: the mean answer to the images of each "
                "class, first seed. The class itself, near 1, is left out.",
            )
    yield from _tables(records, spreads, students)
