"""Accuracy and calibration over alpha.

The MNIST runs of seed 0 are needed; all others are optional. Those on CIFAR
take hours on a GPU and days on a CPU, the shortened ones less. Row Multi30k of
table 3 is in report ``re_fig5_bleu_sweep``.

Source: Wagner et al. 2023, tables 2 and 3, rows MNIST, EMNIST, Fashion-MNIST,
CIFAR-10 and CIFAR-100.
Run: python run_experiment.py --report=re_table2_table3
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ls_tf.pages import canvas, cifar, quoted, tables
from ls_tf.pages.blocks import NO_RUN, Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record
from ls_tf.spec import registry

TITLE = "Accuracy and calibration over alpha"


@dataclass(frozen=True)
class _Data:
    """A network on a data set; ``printed`` is its row in the papers' file."""

    name: str
    experiment: str
    printed: str

    @property
    def fitted_on(self) -> str:
        """Whether T is fitted on the images that are reported on."""
        data = registry.get("ls_tf.experiments", self.experiment).SPEC.data
        return "same" if data.calibrate == data.report else "other"


_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
_DATA = (
    _Data("MNIST", "fc_mnist", "MNIST"),
    _Data("EMNIST", "fc_emnist", "EMNIST"),
    _Data("Fashion-MNIST", "fc_fashion_mnist", "Fashion-MNIST"),
    *(
        _Data(n.label, n.experiment, "" if n.is_short else n.row)
        for n in cifar.NETWORKS
    ),
)
_COLUMNS = tuple(f"alpha={alpha:g}" for alpha in _ALPHAS)
_PRINTED = "Wagner et al. (1 run)"
_SPLITS = (
    "Measured on the test images; CIFAR: on the last 10,000 training images, "
    f"which are not trained on. {cifar.SHORTENED}"
)

REQUIRES = (
    *(
        Need("fc_mnist", {"alpha": alpha}, seed, seed != 0, "MNIST")
        for seed in (0, 1, 2)
        for alpha in _ALPHAS
    ),
    *(
        Need(data.experiment, {"alpha": alpha}, 0, True, data.name)
        for data in _DATA[1:3]
        for alpha in _ALPHAS
    ),
    *(
        need
        for network in cifar.NETWORKS
        for alpha in _ALPHAS
        for need in cifar.needs(
            network, (alpha,), cifar.SEEDS if alpha in (0.0, 0.1) else (0,)
        )
    ),
)

# Rows of the third table: how T was found, and the names of T, of the ECE
# before and of the ECE after it.
_SCALINGS = (
    ("by NLL, {} images", "temperature_by_nll", "ece", "ece_scaled_by_nll"),
    ("by ECE, {} images", "temperature_by_ece", "ece", "ece_scaled_by_ece"),
    (
        "on one half, measured on the other",
        "temperature_held_out",
        "ece_held_out",
        "ece_held_out_scaled",
    ),
)


@dataclass(frozen=True)
class _Quantity:
    """A number of each run, and how the papers' file calls and scales it."""

    scalar: str
    evaluator: str
    printed: str
    factor: float


_ACCURACY = _Quantity("accuracy", "classification", "accuracy %", 100.0)
_ECE = _Quantity("ece", "reliability", "ece", 1.0)


def _spreads(
    records: Mapping[Need, Record], experiment: str, what: _Quantity
) -> list[tables.Spread | None]:
    """One spread over seeds for each alpha."""
    spreads = []
    for alpha in _ALPHAS:
        found = tables.by_seed(records, experiment, {"alpha": alpha})
        values = tables.scalar(found, what.scalar, what.evaluator)
        spreads.append(tables.spread(what.factor * v for v in values.values()))
    return spreads


def _ours(spreads: list[tables.Spread | None]) -> list[tuple[Any, ...]]:
    """The rows of one data set: mean, range if there is one, seeds."""

    def row(name: str, field: str) -> tuple[Any, ...]:
        none = 0 if field == "count" else NO_RUN
        return (
            name,
            *(none if s is None else getattr(s, field) for s in spreads),
        )

    rows = [row("ours, mean", "mean")]
    if any(s is not None and s.count > 1 for s in spreads):
        rows += [row("ours, lowest", "low"), row("ours, highest", "high")]
    return [*rows, row("ours, seeds", "count")]


def _over_alpha(
    records: Mapping[Need, Record], what: _Quantity
) -> pd.DataFrame:
    paper = quoted.numbers("re_table2_table3")
    rows: list[tuple[Any, ...]] = []
    for data in _DATA:
        if data.printed:
            printed = (
                paper.get((data.printed, f"{what.printed} {c}"))
                for c in _COLUMNS
            )
            rows.append((data.name, _PRINTED, *printed))
        spreads = _spreads(records, data.experiment, what)
        rows += [(data.name, *row) for row in _ours(spreads)]
    return tables.frame(("data", "who", *_COLUMNS), rows)


def _scaling(records: Mapping[Need, Record]) -> pd.DataFrame:
    paper = quoted.numbers("re_table2_table3")
    rows: list[tuple[Any, ...]] = []
    for data in _DATA:
        if data.printed:
            printed = (
                paper.get((data.printed, name))
                for name in ("temperature", "ece alpha=0", "ece scaled")
            )
            rows.append((data.name, f"{_PRINTED}, by ECE", *printed, 1))
        found = tables.by_seed(records, data.experiment, {"alpha": 0.0})
        for how, *names in _SCALINGS:
            spreads = [
                tables.spread(tables.scalar(found, name).values())
                for name in names
            ]
            means = (NO_RUN if s is None else s.mean for s in spreads)
            who = f"ours, {how.format(data.fitted_on)}"
            rows.append((data.name, who, *means, len(found)))
    columns = ("data", "T fitted", "T", "ECE before", "ECE after", "runs")
    return tables.frame(columns, rows)


def _signed(records: Mapping[Need, Record]) -> pd.DataFrame:
    """Mean confidence less accuracy, percentage points; mean over seeds."""
    what = _Quantity("signed_calibration_error", "reliability", "", 100.0)
    rows = []
    for data in _DATA:
        spreads = _spreads(records, data.experiment, what)
        means = (NO_RUN if s is None else s.mean for s in spreads)
        rows.append((data.name, *means))
    return tables.frame(("data", *_COLUMNS), rows)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives accuracy and ECE over alpha, temperature scaling, signs."""
    return {
        "accuracy": _over_alpha(records, _ACCURACY),
        "ece": _over_alpha(records, _ECE),
        "temperature_scaling": _scaling(records),
        "signed_gap": _signed(records),
    }


def _line(axes: Axes, data: pd.DataFrame, name: str) -> None:
    """Draws one quantity of one data set: printed and ours."""
    rows = {
        row[1]: row[2:]
        for row in data[data["data"] == name].itertuples(index=False, name=None)
    }
    if _PRINTED in rows:
        axes.plot(
            _ALPHAS, rows[_PRINTED], "s--", color=canvas.ORANGE, markersize=5
        )
    there = [i for i, v in enumerate(rows["ours, mean"]) if v != NO_RUN]
    low, mean, high = (
        [rows.get(f"ours, {kind}", rows["ours, mean"])[i] for i in there]
        for kind in ("lowest", "mean", "highest")
    )
    alphas = [_ALPHAS[i] for i in there]
    axes.vlines(alphas, low, high, color=canvas.BLUE, linewidth=2)
    axes.plot(alphas, mean, "o-", color=canvas.BLUE, markersize=6)
    canvas.plain(axes)


def _grid(count: int) -> tuple[Figure, list[Axes]]:
    """Makes two axes for each data set: beside each other, or underneath."""
    if count == 1:
        figure = Figure(figsize=(7.7, 3.6), layout="constrained")
        return figure, list(figure.subplots(1, 2))
    columns = min(count, 3)
    bands = math.ceil(count / columns)
    figure = Figure(
        figsize=(3.9 * columns, 5.5 * bands + 0.3), layout="constrained"
    )
    grid = figure.subplots(2 * bands, columns, squeeze=False)
    cells = [
        grid[2 * (i // columns) + part][i % columns]
        for i in range(bands * columns)
        for part in (0, 1)
    ]
    for unused in cells[2 * count :]:
        unused.remove()
    return figure, cells[: 2 * count]


def draw(data: Mapping[str, pd.DataFrame]) -> Figure:
    """Draws accuracy and ECE over alpha for the data sets that have runs."""
    table = data["accuracy"]
    names = [
        row[0]
        for row in table.itertuples(index=False, name=None)
        if row[1] == "ours, seeds" and any(row[2:])
    ]
    figure, cells = _grid(len(names))
    for i, name in enumerate(names):
        for axes, key, label in zip(
            cells[2 * i : 2 * i + 2],
            ("accuracy", "ece"),
            ("accuracy, %", "ECE (fraction)"),
            strict=True,
        ):
            _line(axes, data[key], name)
            axes.set_xticks(_ALPHAS, [f"{alpha:g}" for alpha in _ALPHAS])
            axes.set_xlabel("alpha")
            axes.set_ylabel(label)
            if key == "accuracy" or len(names) == 1:
                axes.set_title(name, fontsize=11)
    cells[0].plot(
        [], [], "s--", color=canvas.ORANGE, label="Wagner et al. 2023 (1 run)"
    )
    cells[0].plot(
        [],
        [],
        "o-",
        color=canvas.BLUE,
        label="ours: mean, lowest to highest seed",
    )
    figure.legend(
        loc="outside lower center", ncols=2, frameon=False, fontsize=9
    )
    return figure


def _confidence(signed: pd.DataFrame) -> tuple[str, ...]:
    """Says for each alpha which way the confidences are off."""
    lines = []
    for data, *gaps in signed.itertuples(index=False, name=None):
        words = []
        for column, gap in zip(_COLUMNS, gaps, strict=True):
            if gap == NO_RUN:
                continue
            side = "over" if gap > 0 else "under"
            words.append(f"{column} {side}-confident by {abs(gap):.2f}")
        lines.append(f"{data}: {'; '.join(words) or NO_RUN}.")
    return tuple(lines)


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    data = collect(records)
    places = {"accuracy": ".2f", "ece": ".4f", "signed_gap": "+.2f"}
    digits = {key: {c: form for c in _COLUMNS} for key, form in places.items()}
    yield Table(
        data["accuracy"],
        "accuracy",
        f"Accuracy, %. {_SPLITS} Printed: Wagner et al. 2023, table 2. "
        f"{cifar.JPEG}",
        digits["accuracy"],
    )
    yield Table(
        data["ece"],
        "ece",
        "Expected calibration error, 15 bins, no temperature scaling "
        f"(fraction). {_SPLITS} Printed: Wagner et al. 2023, table 3, whose "
        "row Multi30k is on the page of report re_fig5_bleu_sweep. "
        f"{cifar.JPEG}",
        digits["ece"],
    )
    yield Picture(
        draw(data),
        "over_alpha",
        "Accuracy and expected calibration error over alpha.",
    )
    yield Table(
        data["temperature_scaling"],
        "temperature_scaling",
        "Temperature scaling of the networks with alpha 0; means over runs. "
        "Wagner et al. choose T by the ECE of the test set on a grid, so their "
        "T is fitted on what it is measured on, and so are the rows “same "
        "images”; “other images” are the test images, where others are "
        "reported on. The last row of each fits by NLL on the even-numbered of "
        f"the reported images and measures on the odd-numbered. {cifar.JPEG}",
        {"T": ".3f", "ECE before": ".4f", "ECE after": ".4f"},
    )
    yield Text(
        "Mean confidence less accuracy, in percentage points. A network is "
        "over-confident above 0 and under-confident below: ECE alone does not "
        "tell which.",
        "Over-confident or under-confident?",
        _confidence(data["signed_gap"]),
    )
    yield Table(
        data["signed_gap"],
        "signed_gap",
        "Mean confidence less accuracy, percentage points; means over seeds.",
        digits["signed_gap"],
    )
