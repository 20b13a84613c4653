"""Accuracy and calibration over alpha.

The MNIST runs of seed 0 are needed; all others are optional. Those on CIFAR
take hours on a GPU and days on a CPU, the shortened ones less. Row Multi30k of
table 3 is in report ``re_fig5_bleu_sweep``.

Source: Wagner et al. 2023, tables 2 and 3, and tables 1 and 5 for what is
measured.
Run: python run_experiment.py --report=re_table2_table3
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ls_tf.pages import (
    canvas,
    cifar,
    declared,
    matrix,
    networks,
    photographs,
    quoted,
)
from ls_tf.pages.blocks import NO_RUN, Block, Need, Picture, Table, Text
from ls_tf.pages.declared import Number, Records, or_no_run
from ls_tf.pages.networks import Network
from ls_tf.pages.tables import Spread
from ls_tf.spec import registry

TITLE = "Accuracy and calibration over alpha"

_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
_PAPER = quoted.numbers("re_table2_table3")
_PRINTED = "Wagner et al. (1 run)"
_SPLITS = (
    "Measured on the test images; CIFAR: on the last 10,000 training images, "
    "which are not trained on, and with the replication's recipe CIFAR-10 on "
    "its test images; Tiny ImageNet: on the validation images. "
    f"{cifar.SHORTENED}"
)
_ECE = Number("reliability", "ece")
_GAP = Number("reliability", "signed_calibration_error", "%")


# The recipes of the replication where they are not those of Mueller et al.
_RECIPES = (
    Network("CIFAR-10 AlexNet", "alexnet_cifar10_re", "the replication's"),
    Network("CIFAR-10 ResNet-56", "resnet56_cifar10_re", "the replication's"),
    Network("CIFAR-100 ResNet-56", "resnet56_cifar100_re", "the replication's"),
)
_NETWORKS = (
    Network("MNIST", "fc_mnist"),
    Network("EMNIST", "fc_emnist"),
    Network("Fashion-MNIST", "fc_fashion_mnist"),
    *cifar.NETWORKS,
    *_RECIPES,
    *photographs.WAGNERS,
)

REQUIRES = (
    *(
        Need("fc_mnist", {"alpha": alpha}, seed, seed != 0, "MNIST")
        for seed in networks.SEEDS
        for alpha in _ALPHAS
    ),
    *(
        Need(network.experiment, {"alpha": alpha}, 0, True, network.row)
        for network in _NETWORKS[1:3]
        for alpha in _ALPHAS
    ),
    *(
        need
        for network in cifar.NETWORKS
        for alpha in _ALPHAS
        for need in networks.needs(
            network, (alpha,), networks.SEEDS if alpha in (0.0, 0.1) else (0,)
        )
    ),
    *networks.all_needs(_RECIPES, _ALPHAS),
    *networks.all_needs(photographs.WAGNERS, _ALPHAS),
)


@dataclass(frozen=True)
class _OverAlpha:
    """A number of one network: alpha -> ours over seeds, and the printed."""

    name: str
    ours: Mapping[float, Spread]
    printed: Mapping[float, float]


def _over_alpha(
    records: Records, number: Number, printed: str = ""
) -> list[_OverAlpha]:
    """Reads a number of all networks; ``printed`` is its name in the papers."""
    columns = {alpha: f"{printed} alpha={alpha:g}" for alpha in _ALPHAS}
    return [
        _OverAlpha(
            network.label,
            {
                alpha: over
                for alpha in _ALPHAS
                if (over := number.over(networks.runs(records, network, alpha)))
            },
            {
                alpha: value
                for alpha, column in columns.items()
                if (value := network.printed(_PAPER, column))
            },
        )
        for network in _NETWORKS
    ]


# Name of a network, whose numbers they are, and alpha -> number.
_Row = tuple[str, str, Mapping[float, float]]


def _rows(all_numbers: Iterable[_OverAlpha]) -> Iterable[_Row]:
    """What is printed, then ours: mean, range if there is one, seeds."""
    for of in all_numbers:
        if of.printed:
            yield of.name, _PRINTED, of.printed
        fields = {"mean": "mean"}
        if any(over.count > 1 for over in of.ours.values()):
            fields |= {"lowest": "low", "highest": "high"}
        for word, field in fields.items():
            numbers = {a: getattr(over, field) for a, over in of.ours.items()}
            yield of.name, f"ours, {word}", numbers
        counts = {a: over.count for a, over in of.ours.items()}
        yield of.name, "ours, seeds", dict.fromkeys(_ALPHAS, 0) | counts


def _at(row: _Row, alpha: float) -> float | None:
    return row[2].get(alpha)


def _over_alpha_table(
    name: str, caption: str, numbers: Iterable[_OverAlpha], form: str
) -> Table:
    return declared.table(
        name,
        caption,
        _rows(numbers),
        ("data", lambda row: row[0], ""),
        ("who", lambda row: row[1], ""),
        *declared.each(_ALPHAS, "alpha={:g}".format, _at, form),
    )


# How T was found, and T, the ECE before and the ECE after it.
_SCALINGS = {
    "by NLL, {} images": ("temperature_by_nll", "ece", "ece_scaled_by_nll"),
    "by ECE, {} images": ("temperature_by_ece", "ece", "ece_scaled_by_ece"),
    "on one half, measured on the other": (
        "temperature_held_out",
        "ece_held_out",
        "ece_held_out_scaled",
    ),
}
_IN_WAGNER = ("temperature", "ece alpha=0", "ece scaled")

# Name of a network, how T was fitted, the three numbers, and of how many runs.
_Scaled = tuple[str, str, Sequence[object], int]


def _scalings(records: Records) -> Iterable[_Scaled]:
    for network in _NETWORKS:
        printed = [network.printed(_PAPER, column) for column in _IN_WAGNER]
        if not network.is_short:
            yield network.label, f"{_PRINTED}, by ECE", printed, 1
        data = registry.get("ls_tf.experiments", network.experiment).SPEC.data
        fitted_on = "same" if data.calibrate == data.report else "other"
        runs = networks.runs(records, network, 0.0)
        for how, names in _SCALINGS.items():
            ours = (Number("reliability", name).mean(runs) for name in names)
            how = f"ours, {how.format(fitted_on)}"
            yield network.label, how, [*map(or_no_run, ours)], len(runs)


def _plot(axes: Axes, numbers: _OverAlpha) -> None:
    """Draws one number of one network: printed and ours."""
    if numbers.printed:
        alphas, printed = zip(*numbers.printed.items(), strict=True)
        axes.plot(alphas, printed, "s--", color=canvas.ORANGE, markersize=5)
    alphas, ours = zip(*numbers.ours.items(), strict=True)
    low, mean, high = zip(*((s.low, s.mean, s.high) for s in ours), strict=True)
    axes.vlines(alphas, low, high, color=canvas.BLUE, linewidth=2)
    axes.plot(alphas, mean, "o-", color=canvas.BLUE, markersize=6)
    canvas.plain(axes)
    axes.set_xticks(_ALPHAS, [f"{alpha:g}" for alpha in _ALPHAS])
    # One scale for all, and no point cut by a side.
    axes.set(xlabel="alpha", xlim=(-0.015, _ALPHAS[-1] + 0.015))


def _grid(count: int) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """Makes two axes for each data set: beside each other, or underneath."""
    if count == 1:
        figure = Figure(figsize=(7.7, 3.6), layout="constrained")
        return figure, [tuple(figure.subplots(1, 2))]
    columns = min(count, 3)
    bands = math.ceil(count / columns)
    size = (3.9 * columns, 5.5 * bands + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(2 * bands, columns, squeeze=False)
    pairs = list(zip(grid[::2].flat, grid[1::2].flat, strict=True))
    for above, below in pairs[count:]:
        above.remove()
        below.remove()
    return figure, pairs[:count]


def _figure(
    accuracy: Iterable[_OverAlpha], ece: Iterable[_OverAlpha]
) -> Figure:
    """Draws accuracy and ECE over alpha for the networks that have runs."""
    pairs = [p for p in zip(accuracy, ece, strict=True) if p[0].ours]
    figure, grid = _grid(len(pairs))
    for pair, (above, below) in zip(pairs, grid, strict=True):
        _plot(above, pair[0])
        _plot(below, pair[1])
        above.set_ylabel("accuracy, %")
        below.set_ylabel("ECE (fraction)")
        above.set_title(pair[0].name, fontsize=11)
        if len(pairs) == 1:
            below.set_title(pair[0].name, fontsize=11)
    line: canvas.Style = {"color": canvas.ORANGE, "marker": "s", "ls": "--"}
    wagner = canvas.key("Wagner et al. 2023 (1 run)", **line)
    ours = canvas.key(
        "ours: mean, lowest to highest seed", color=canvas.BLUE, marker="o"
    )
    canvas.legend_below(figure, 2, (wagner, ours))
    return figure


def _confidence(gaps: _OverAlpha) -> str:
    """Says for each alpha which way the confidences are off."""
    words = [
        f"alpha={alpha:g} {'over' if over.mean > 0 else 'under'}-confident by "
        f"{abs(over.mean):.2f}"
        for alpha, over in gaps.ours.items()
    ]
    return f"{gaps.name}: {'; '.join(words) or NO_RUN}."


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    accuracy = _over_alpha(records, declared.ACCURACY, "accuracy %")
    ece = _over_alpha(records, _ECE, "ece")
    gaps = _over_alpha(records, _GAP)
    yield _over_alpha_table(
        "accuracy",
        f"Accuracy, %. {_SPLITS} Printed: Wagner et al. 2023, table 2. "
        f"{cifar.JPEG}",
        accuracy,
        ".2f",
    )
    yield _over_alpha_table(
        "ece",
        "Expected calibration error, 15 bins, no temperature scaling "
        f"(fraction). {_SPLITS} Printed: Wagner et al. 2023, table 3, whose "
        "row Multi30k is on the page of report re_fig5_bleu_sweep. "
        f"{cifar.JPEG}",
        ece,
        ".4f",
    )
    yield Picture(
        _figure(accuracy, ece),
        "over_alpha",
        "Accuracy and expected calibration error over alpha.",
    )
    yield declared.table(
        "temperature_scaling",
        "Temperature scaling of the networks with alpha 0; means over runs. "
        "Wagner et al. choose T by the ECE of the test set on a grid, so their "
        "T is fitted on what it is measured on, and so are the rows “same "
        "images”; “other images” are the test images, where others are "
        "reported on. The last row of each fits by NLL on the even-numbered of "
        f"the reported images and measures on the odd-numbered. {cifar.JPEG}",
        _scalings(records),
        ("data", lambda row: row[0], ""),
        ("T fitted", lambda row: row[1], ""),
        ("T", lambda row: row[2][0], ".3f"),
        ("ECE before", lambda row: row[2][1], ".4f"),
        ("ECE after", lambda row: row[2][2], ".4f"),
        ("runs", lambda row: row[3], ""),
    )
    yield Text(
        "Mean confidence less accuracy, in percentage points. A network is "
        "over-confident above 0 and under-confident below: ECE alone does not "
        "tell which.",
        "Over-confident or under-confident?",
        tuple(_confidence(gap) for gap in gaps),
    )
    yield declared.table(
        "signed_gap",
        "Mean confidence less accuracy, percentage points; means over seeds.",
        [(g.name, "", {a: o.mean for a, o in g.ours.items()}) for g in gaps],
        ("data", lambda row: row[0], ""),
        *declared.each(_ALPHAS, "alpha={:g}".format, _at, "+.2f"),
    )
    yield from matrix.blocks()
