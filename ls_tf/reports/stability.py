"""How alike the answers to one class are, with and without smoothing.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains, on MNIST and three seeds, the small network with and
without smoothing, both teachers, and the students of the mixed loss: 30 runs,
about three hours on two cores of a CPU.

Source: Shen et al. 2021, equations 2 and 5 to 7, tables 1, 9 and 10, figures 1
and 4.
Run: python run_experiment.py --report=stability
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from ls_tf.pages import canvas, cifar, declared, networks, quoted, tables
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.declared import ACCURACY, Claim, Number, Records, Runs
from ls_tf.pages.distillation import teacher
from ls_tf.pages.tables import AsPrinted
from ls_tf.records.arrays import Form
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


def _run(weight: float | None, alpha: float) -> tuple[str, dict[str, Value]]:
    """The student whose labels have this weight; without one, the teacher."""
    if weight is None:
        return teacher(_STUDENT, alpha)
    return _STUDENT, {
        "teacher.beta": round(1 - weight, 6),  # no 0.30000000000000004
        "teacher.changes.alpha": alpha,
    }


# Weight -> its row. The teachers come first, since the students need them.
_TEACHERS: Mapping[float | None, str] = {None: "MNIST teacher,"}
_STUDENTS: Mapping[float | None, str] = {
    w: f"MNIST student, lambda = {w:g}, teacher's" for w in _LAMBDAS
}

REQUIRES = (
    *(
        need
        for network in _NETWORKS
        for need in networks.needs(
            network,
            _ALPHAS,
            networks.SEEDS,
            _ALPHAS if network is _SMALL else (),
            networks.SEEDS,
        )
    ),
    *(
        Need(*_run(weight, a), seed, row=f"{row} alpha = {a:g}")
        for rows in (_TEACHERS, _STUDENTS)
        for seed in networks.SEEDS
        for weight, row in rows.items()
        for a in _ALPHAS
    ),
)

_PAPER = quoted.numbers("stability")
_OF_SHEN = (
    "Printed: another task, ResNet-50 on ImageNet and a ResNet-18 taught by "
    "it; only the signs of the differences are to be compared."
)


_SQUARES = {
    name: Form("classes classes", 0, 1 + 1e-6, may_lack=True)
    for name in ("mean_probs", "variance_probs")
}


def _squares(record: Record) -> Mapping[str, np.ndarray]:
    return record.arrays("stability", "report", _SQUARES)


def _off_diagonal(square: np.ndarray) -> np.ndarray:
    others: np.ndarray = square[~np.eye(len(square), dtype=bool)]
    return others


def _mean_of(
    name: str, part: Callable[[np.ndarray], np.ndarray]
) -> Callable[[Runs], dict[int, float]]:
    """Reads the mean of a part of an array, class by class."""
    return lambda runs: {
        seed: float(np.nanmean(part(_squares(run)[name])))
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


def _spreads(records: Records) -> Iterable[Claim[tuple[str, str]]]:
    """Each measure of a network is lower, or higher, with smoothing."""
    for network in _NETWORKS:
        hard, smoothed = (networks.runs(records, network, a) for a in _ALPHAS)
        for text, read in _MEASURES.items():
            rises = text == _RISES
            yield Claim(
                (network.label, "higher" if rises else "lower"),
                read(smoothed),
                read(hard),
                text,
                agrees=tables.is_more if rises else tables.is_less,
                by_interval=True,
            )


def _students(records: Records) -> Iterable[Claim[float | None]]:
    """Table 9: smoothed teachers, and students over lambda, are better."""
    for weight in (*_TEACHERS, *_STUDENTS):
        hard, smoothed = (
            ACCURACY.of(tables.by_seed(records, *_run(weight, alpha)))
            for alpha in _ALPHAS
        )
        text = "teachers" if weight is None else "students"
        yield Claim(weight, hard, smoothed, text, by_interval=True)


def _order(records: Records, row: networks.AtAlpha) -> float | None:
    """Whether smoothing keeps what is confused: Spearman's rho, over seeds."""
    if row.alpha == 0:
        return None
    hard = networks.runs(records, row.network, 0.0)
    orders = []
    for seed in hard.keys() & row.runs.keys():
        pair = [
            _off_diagonal(_squares(run)["mean_probs"])
            for run in (hard[seed], row.runs[seed])
        ]
        defined = np.isfinite(pair).all(axis=0)
        sides = (side[defined] for side in pair)
        is_defined = defined.sum() > 2
        order = stats.spearmanr(*sides).statistic if is_defined else math.nan
        orders.append(float(order))
    return tables.mean(orders)


_DISTANCES = {"D1": "d1", "D2": "d2", "Dc": "dc", "D1 − D2": "d1_minus_d2"}


def _distance(row: networks.AtAlpha, heading: str) -> float | None:
    return Number("stability", _DISTANCES[heading]).mean(row.runs)


def _bars(runs: Mapping[float, Record]) -> Figure:
    """One small panel for each class: the other classes' probabilities."""
    squares = {
        alpha: _squares(record)["mean_probs"] for alpha, record in runs.items()
    }
    classes = len(next(iter(squares.values())))
    rows, columns = math.ceil(classes / 5), 5
    figure = Figure(figsize=(10, 1.9 * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
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


def _no_labels(alpha: float) -> AsPrinted:
    """The printed accuracy, %, of students without labels, of table 2."""
    row = "ImageNet, ResNet-50 to ResNet-18"
    return quoted.numbers("s_fig5")[row, f"student, {alpha}"]


def _printed(alpha: float, row: str) -> declared.Column[Claim[Any]]:
    """Shen et al.'s number for a claim, whose attributes name the row."""
    return (
        f"Shen et al., alpha={alpha:g}",
        lambda claim: _PAPER.get((row.format(claim), f"{alpha}")),
        "",
    )


def _tables(
    records: Records,
    spreads: Iterable[Claim[Any]],
    students: Iterable[Claim[Any]],
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
        f"The difference is hard less smoothed. {declared.INTERVAL} "
        f"{cifar.SPLITS} {cifar.JPEG}",
        spreads,
        ("network", lambda c: c.of[0], ""),
        ("measure", lambda c: c.text, ""),
        *(_printed(a, "{0.text}") for a in _ALPHAS),
        ("alpha=0", lambda c: declared.or_no_run(c.high), ".4f"),
        ("alpha=0.1", lambda c: declared.or_no_run(c.low), ".4f"),
        ("claim", lambda c: f"{c.of[1]} with smoothing?", ""),
        declared.interval("+.4f"),
        declared.verdict(),
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
        networks.over_alpha(records, _NETWORKS, _ALPHAS),
        ("network", lambda r: r.network.label, ""),
        ("alpha", lambda r: r.alpha, "g"),
        *declared.each(_DISTANCES, str, _distance, ".3f"),
        ("order of the confusions", lambda r: _order(records, r), ".3f"),
        ("seeds", lambda r: len(r.runs), ""),
    )
    yield declared.table(
        "students",
        "Students on MNIST whose loss is lambda times that of the labels and 1 "
        "− lambda times that of the teacher's answers (table 9), temperature "
        f"1. Test accuracy, %. {declared.INTERVAL} {_OF_SHEN} At "
        f"lambda = 0 they print {_no_labels(0.0).text} and "
        f"{_no_labels(0.1).text} (table 2): the hard teacher's is below that "
        "at 0.3, the smoothed one's above.",
        students,
        ("network", lambda c: c.text, ""),
        ("lambda", lambda c: c.of, "g"),
        *(_printed(a, "lambda = {0.of}") for a in _ALPHAS),
        ("hard teacher, %", lambda c: declared.or_no_run(c.low), ".2f"),
        ("smoothed teacher, %", lambda c: declared.or_no_run(c.high), ".2f"),
        ("difference", lambda c: declared.or_no_run(c.rise), "+.2f"),
        declared.interval("+.2f"),
        declared.verdict("smoothed better?"),
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
    better = (
        "smoothed better: difference {rise:+.2f} points: {verdict} ({low:.2f} "
        "% hard, {high:.2f} % smoothed)."
    )
    yield declared.findings(
        (
            spreads,
            "{of[0]}: {text} {of[1]} with smoothing: {verdict} ({high:.4f} "
            "without, {low:.4f} with).",
        ),
        (students[:1], f"MNIST, {{text}}: {better}"),
        (students[1:], f"MNIST, {{text}}, lambda = {{of:g}}: {better}"),
    )
    for network in _NETWORKS:
        first = networks.first_runs(records, network, _ALPHAS)
        classes = "" if network is _SMALL else f" {cifar.CLASSES}"
        if first:
            yield Picture(
                _bars(first),
                f"answers_{network.experiment}",
                f"{network.label}: the mean answer to the images of each "
                "class, first seed. The class itself, near 1, is left out."
                f"{classes}",
            )
    yield from _tables(records, spreads, students)
