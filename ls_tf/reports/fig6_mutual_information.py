"""How much of the training example is left in the logits, over the training.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains seed 0 of the short teacher, alpha 0 and 0.1. The page
asks scikit-learn for an independent estimate: two seconds to a record with
``OMP_NUM_THREADS=1``, up to minutes without it, since it makes threads for
each of 600 small searches.

Source: Mueller et al. 2019, section 4 and figure 6.
Run: OMP_NUM_THREADS=1 python run_experiment.py --report=fig6_mutual_information
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ls_tf.analysis import mutual_information
from ls_tf.pages import canvas, cifar, networks, tables
from ls_tf.pages.blocks import NO_RUN, Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record

TITLE = "Information about the example in the logits of a teacher"
PARTIAL = True

_FULL = networks.Network("CIFAR-10 ResNet-56", "resnet56_cifar10_teacher")
_SHORT = networks.Network("CIFAR-10 ResNet-20", "resnet20_cifar10_short")
_NETWORKS = {_FULL: "curves", _SHORT: "curves_short"}
_ALPHAS = (0.0, 0.1)
_STYLES = {0.0: (canvas.BLUE, "o"), 0.1: (canvas.VERMILION, "D")}

REQUIRES = tuple(
    Need(
        network.experiment,
        {"alpha": alpha},
        seed,
        optional=seed != 0 or network is not _SHORT,
        row=f"{network.label}, alpha = {alpha:g}",
    )
    for network in _NETWORKS
    for seed in networks.SEEDS
    for alpha in _ALPHAS
)

_NAME = "mutual_information"
_EXACT = "mutual_information_exact"


@dataclass(frozen=True, eq=False)
class _Curve:
    """One run's estimates over the steps.

    Attributes:
        steps: int [P].
        values: name of a scalar -> float [P], nats; NaN where there is none.
    """

    steps: np.ndarray
    values: Mapping[str, np.ndarray]


def _curve(record: Record, evaluator: str = _NAME) -> _Curve:
    """Reads a curve; the measurement at the end is its last point."""
    names = ("information", "information_less_bias")
    found = {
        int(row["step"]): [row.get(f"train/{evaluator}/{n}") for n in names]
        for row in record.metrics()
        if f"train/{evaluator}/information" in row
    }
    end = record.measurement(evaluator, "train")
    found[int(end["step"])] = [end["scalars"].get(n) for n in names]
    steps = sorted(found)
    values = np.array(
        [[math.nan if v is None else v for v in found[s]] for s in steps]
    )
    return _Curve(
        np.array(steps), {n: values[:, i] for i, n in enumerate(names)}
    )


def _neighbours(record: Record) -> float | None:
    """scikit-learn's estimate; None if views do not suffice or are equal."""
    samples = record.arrays(_NAME, "train")["samples"]
    try:
        return mutual_information.neighbour_estimate(samples)
    except ValueError:
        return None


def _end(record: Record) -> tuple[Any, ...]:
    at = record.scalars(_NAME, "train")
    exact = record.scalars(_EXACT, "train")
    return (
        at["information"],
        at["bias"],
        at["information_less_bias"],
        _neighbours(record),
        exact["information"],
        at["information_one_view"],
        at["information_sigma_by_class"],
        at["information_as_printed"],
        at["sigma"],
        at["limit"],
    )


_END = (
    "estimate", "bias", "less bias", "nearest neighbours", "all views",
    "one view", "sigma by class", "as printed", "sigma", "log N",
)  # fmt: skip


def _ends(records: Mapping[Need, Record]) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for network in _NETWORKS:
        for alpha in _ALPHAS:
            found = networks.of(records, network, alpha)
            name = (network.label, alpha)
            if not found:
                rows.append((*name, None, NO_RUN, *(None,) * (len(_END) - 1)))
            rows += [(*name, s, *_end(record)) for s, record in found.items()]
    return tables.frame(("network", "alpha", "seed", *_END), rows)


def _points(records: Mapping[Need, Record]) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for network in _NETWORKS:
        for alpha in _ALPHAS:
            for seed, record in networks.of(records, network, alpha).items():
                curve = _curve(record)
                rows += [
                    (network.label, alpha, seed, step, *pair)
                    for step, *pair in zip(
                        curve.steps.tolist(),
                        *(v.tolist() for v in curve.values.values()),
                        strict=True,
                    )
                ]
    columns = ("network", "alpha", "seed", "step", "estimate", "less bias")
    return tables.frame(columns, rows)


def _shape(record: Record) -> dict[str, float]:
    """First, highest and last value of a run's curve, and the fall."""
    curve = _curve(record)
    values = curve.values["information"]
    if not np.isfinite(values).all():
        return dict.fromkeys(("first", "peak", "last", "fall"), math.nan)
    top = int(values.argmax())
    after = curve.steps[-1] - curve.steps[top]
    lost = float(values[top] - values[-1])
    return {
        "first": float(values[0]),
        "peak": float(values[top]),
        "last": float(values[-1]),
        # Nats in 1,000 steps; 0 where the end is the highest point.
        "fall": 1000 * lost / float(after) if after else 0.0,
    }


_Values = dict[int, float]
_Numbers = Mapping[int, Mapping[str, float]]  # seed -> name -> value


def _of(found: _Numbers, name: str) -> _Values:
    return {seed: numbers[name] for seed, numbers in found.items()}


def _pairs(
    records: Mapping[Need, Record], network: networks.Network
) -> list[tuple[str, _Values, _Values]]:
    """The claims: text, what is lower, what is higher."""
    hard, smoothed = (
        {
            seed: _shape(record) | record.scalars(_NAME, "train")
            for seed, record in networks.of(records, network, alpha).items()
        }
        for alpha in _ALPHAS
    )

    found = []
    for alpha, some in zip(_ALPHAS, (hard, smoothed), strict=True):
        where = f"alpha = {alpha:g}"
        found += [
            (
                f"{where}: it is smaller at the first point than later",
                _of(some, "first"),
                _of(some, "peak"),
            ),
            (
                f"{where}: it falls from its highest point to the end",
                _of(some, "last"),
                _of(some, "peak"),
            ),
        ]
    return [*found, *_compared(hard, smoothed)]


def _compared(
    hard: _Numbers, smoothed: _Numbers
) -> list[tuple[str, _Values, _Values]]:
    """The claims about smoothing, as in ``_pairs``."""
    collapsed = dict.fromkeys(networks.SEEDS, math.log(2))
    return [
        (
            "it falls faster with smoothing (nats in 1,000 steps)",
            _of(hard, "fall"),
            _of(smoothed, "fall"),
        ),
        (
            "smoothing lowers it at the end",
            _of(smoothed, "information"),
            _of(hard, "information"),
        ),
        (
            "with smoothing it ends above log 2",
            collapsed,
            _of(smoothed, "information"),
        ),
        (
            "with smoothing it ends above log 2 when the bias is taken off",
            collapsed,
            _of(smoothed, "information_less_bias"),
        ),
    ]


def _claims(records: Mapping[Need, Record]) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for network in _NETWORKS:
        for claim, left, right in _pairs(records, network):
            found = tables.less_over_seeds(left, right)
            numbers = (found.left, found.right) if found.seeds else (None, None)
            rows.append(
                (
                    network.label,
                    claim,
                    *numbers,
                    tables.verdict(found),
                    found.seeds_for,
                    found.seeds,
                )
            )
    columns = (
        "network", "claim", "lower", "higher", "holds", "seeds for it", "seeds"
    )  # fmt: skip
    return tables.frame(columns, rows)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the estimates at the end, the claims and the curves."""
    return {
        "end": _ends(records),
        "claims": _claims(records),
        "curves": _points(records),
    }


def _legend(axes: Any, alphas: list[float]) -> None:
    """Names colours and kinds of line, each once."""
    handles = [
        Line2D(
            [],
            [],
            color=_STYLES[a][0],
            marker=_STYLES[a][1],
            markersize=5,
            label=f"alpha = {a:g}",
        )
        for a in alphas
    ]
    grey = canvas.GREY
    handles += [
        Line2D(
            [], [], color=grey, linestyle="--", label="less the bias of five"
            " views"
        ),
        Line2D(
            [], [], color=grey, linestyle="none", marker="x",
            label="over all 162 views",
        ),
        Line2D([], [], color=grey, linestyle=":", label="log 2"),
    ]  # fmt: skip
    axes.legend(handles=handles, frameon=False, fontsize=9, ncols=2)


def draw(records: Mapping[Need, Record]) -> dict[networks.Network, Figure]:
    """Draws the curves of each network that has a run, seed 0 or the first."""
    figures = {}
    for network in _NETWORKS:
        found = {
            alpha: next(iter(some.values()))
            for alpha in _ALPHAS
            if (some := networks.of(records, network, alpha))
        }
        if not found:
            continue
        figure = Figure(figsize=(8, 4.6), layout="constrained")
        axes = figure.subplots()
        for alpha, record in found.items():
            colour, marker = _STYLES[alpha]
            curve, exact = _curve(record), _curve(record, _EXACT)
            axes.plot(
                curve.steps,
                curve.values["information"],
                color=colour,
                marker=marker,
                markersize=4.5,
            )
            axes.plot(
                curve.steps,
                curve.values["information_less_bias"],
                color=colour,
                linestyle="--",
            )
            axes.plot(
                exact.steps, exact.values["information"], "x", color=colour
            )
        axes.axhline(math.log(2), color=canvas.GREY, linestyle=":")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("training step")
        axes.set_ylabel("information, nats")
        canvas.plain(axes)
        _legend(axes, list(found))
        figures[network] = figure
    return figures


def _lines(claims: pd.DataFrame) -> tuple[str, ...]:
    return tuple(
        f"{network}: {claim}: {holds}, {tables.cell(low, '.3f')} < "
        f"{tables.cell(high, '.3f')} ({count} of {seeds} seeds)."
        for network, claim, low, high, holds, count, seeds in (
            claims.itertuples(index=False, name=None)
        )
        if seeds
    )


def _text() -> Text:
    bias = mutual_information.bias(5)
    return Text(
        "X is the number of one of 600 training images, half of them airplanes "
        "and half dogs; Y is the difference of these two logits on an "
        "augmented view. Small before the training, the information should "
        "rise fast and then fall slowly, and faster with smoothing: logits of "
        "one class become alike, whatever the image. A network that keeps the "
        "class alone has log 2 = 0.693 nats. With five views of each image the "
        f"estimate is {bias:.3f} nats too high wherever it is far from log 600 "
        "= 6.397, so that a network at log 2 seems to stay slightly above it; "
        "the dashed curves are without that bias. The formula is not the "
        "printed one, whose inner sum runs over the wrong index and which "
        f"gives about {-0.5 + 0.5 * math.log(2):.3f} for every network. "
        f"{cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    data = collect(records)
    lines = _lines(data["claims"])
    pictures = [
        Picture(
            figure,
            _NETWORKS[network],
            f"{network.label}: the information over the training, first seed. "
            "Solid: averaged over five views of each image. Dashed: the same "
            f"less its bias. Crosses: over all 162 views. {cifar.JPEG}",
        )
        for network, figure in draw(records).items()
    ]
    yield _text()
    yield Text("" if lines else "No claim can be judged.", "Claims", lines)
    yield from pictures
    yield Table(
        data["end"],
        "end",
        "At the end of the training, nats; sigma in logits. “Less bias”: the "
        "estimate less 1/2 log(L / (L − 1)), L = 5. “Nearest neighbours”: "
        "scikit-learn's mutual_info_classif on the same views, which knows no "
        "normal distribution and has hardly any bias; it is higher than over "
        "all views where some images' views vary less than others', which one "
        "sigma levels out. “As printed”: the paper's formula, letter by "
        f"letter. {cifar.JPEG}",
        {"alpha": "g", **dict.fromkeys(_END, ".3f")},
    )
    yield Table(
        data["claims"],
        "claims",
        "Claims of Müller et al. 2019, section 4, nats, means over seeds. The "
        "first point is the first measurement, not the start.",
        {"lower": ".3f", "higher": ".3f"},
    )
    yield Table(
        data["curves"],
        "curves",
        "The numbers of the curves, nats.",
        {"alpha": "g", "estimate": ".3f", "less bias": ".3f"},
    )
