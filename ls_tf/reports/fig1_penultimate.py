"""The penultimate layer on CIFAR-10 and CIFAR-100.

The page is built from whatever records there are; a network without one says
so. ``--run_missing`` trains the headline runs: AlexNet on CIFAR-10 and
ResNet-56 on CIFAR-100, alpha 0 and 0.1, seed 0, at full schedule. That is hours
on a GPU and days on a CPU. The others are made by the commands on the page.

Source: Mueller et al. 2019, figure 1, rows 1 and 2.
Run: python run_experiment.py --report=fig1_penultimate
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import cifar, drawing, geometry, networks, tables
from ls_tf.pages.blocks import NO_RUN, Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record

TITLE = "The penultimate layer with hard and with smoothed labels: CIFAR"
PARTIAL = True

_ALPHAS = (0.0, 0.1)
_SPLITS = {"train": "training images", "report": "validation images"}
_CIFAR10 = {0: "airplane", 1: "automobile", 2: "bird"}
_CIFAR100 = {4: "beaver", 30: "dolphin", 55: "otter"}
_ROW_1, _ROW_2 = "figure 1, row 1", "figure 1, row 2"
_FOR_2 = f"substitute for {_ROW_2}"


@dataclass(frozen=True, eq=False)
class _Row:
    """A network, the row of the figure it stands for, and its classes."""

    network: networks.Network
    place: str
    names: Mapping[int, str]


_ROWS = (
    _Row(cifar.ALEXNET, _ROW_1, _CIFAR10),
    _Row(cifar.ALEXNET_24, _ROW_1, _CIFAR10),
    _Row(cifar.ALEXNET_TENTH, f"{_ROW_1}, shortened", _CIFAR10),
    _Row(cifar.ALEXNET_SHORT, f"{_ROW_1}, shortened", _CIFAR10),
    _Row(cifar.ALEXNET_24_SHORT, f"{_ROW_1}, shortened", _CIFAR10),
    _Row(cifar.RESNET_100, _ROW_2, _CIFAR100),
    _Row(cifar.RESNET_10, _FOR_2, _CIFAR10),
    _Row(cifar.RESNET_10_SHORT, f"{_FOR_2}, shortened", _CIFAR10),
)
_HEADLINE = (cifar.ALEXNET, cifar.RESNET_100)

REQUIRES = tuple(
    need
    for row in _ROWS
    for need in networks.needs(
        row.network,
        _ALPHAS,
        headline=_ALPHAS if row.network in _HEADLINE else (),
    )
)


def _found(
    records: Mapping[Need, Record], network: networks.Network
) -> dict[float, Record | None]:
    """The records of seed 0: alpha -> record, None if it is not there."""
    return {a: networks.of(records, network, a).get(0) for a in _ALPHAS}


def _scalars(record: Record | None) -> dict[str, float] | None:
    return None if record is None else record.scalars("penultimate", "report")


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the measures of each network and split, and the claims."""
    numbers: list[tuple[Any, ...]] = []
    claims: list[tuple[Any, ...]] = []
    names = [scalar for scalar, _, _ in geometry.MEASURES]
    for row in _ROWS:
        found = _found(records, row.network)
        for alpha, record in found.items():
            values = _scalars(record)
            for split, title in _SPLITS.items():
                cells: list[Any] = [NO_RUN] * len(names)
                if values is not None:
                    cells = [values[f"{split}_{name}"] for name in names]
                numbers.append((row.network.label, alpha, title, *cells))
        hard, smoothed = (_scalars(found[alpha]) for alpha in _ALPHAS)
        claims += [
            (row.network.label, *line)
            for line in geometry.claims(hard, smoothed, _SPLITS)
        ]
    return {
        "geometry": tables.frame(
            ("network", "alpha", "split", *names), numbers
        ),
        "claims": tables.frame(
            (
                "network", "measure", "split", "alpha=0", "alpha=0.1",
                "with smoothing", "holds",
            ),
            claims,
        ),
    }  # fmt: skip


def panels(
    records: Mapping[Need, Record], network: networks.Network
) -> list[drawing.Panel]:
    """Gives the projected points of a network's runs."""
    return [
        drawing.Panel(
            f"alpha = {alpha:g}", record.arrays("penultimate", "report")
        )
        for alpha, record in _found(records, network).items()
        if record is not None
    ]


def draw(
    records: Mapping[Need, Record],
) -> dict[_Row, Figure]:
    """Draws one row of panels for each network that has a run."""
    found = {}
    for row in _ROWS:
        data = panels(records, row.network)
        if data:
            found[row] = drawing.projection_row(data, _SPLITS, row.names)
    return found


def _picture(
    row: _Row, figure: Figure, found: Mapping[float, Record | None]
) -> Picture:
    ran = [record for record in found.values() if record is not None]
    missing = [
        f"alpha = {a:g}" for a, record in found.items() if record is None
    ]
    note = f" No run: {', '.join(missing)}." if missing else ""
    return Picture(
        figure,
        f"penultimate_{row.network.experiment}",
        f"{row.network.label} ({row.place}; {networks.steps(ran)} steps, seed "
        f"0): {', '.join(row.names.values())}. Crosses are the templates. The "
        "axes of both splits of a network are the same; those of the two "
        f"networks are not.{note}",
    )


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    data = collect(records)
    holds = list(data["claims"]["holds"])
    compared = sum(word != NO_RUN for word in holds)
    figures = draw(records)
    yield Text(
        "Three classes' last-layer weights (templates) span a plane; the "
        "activations before the last layer are projected onto it. Müller et "
        "al. see tight, regular clusters of a smaller scale with smoothed "
        f"labels. Here {holds.count('yes')} of {compared} measures agree. "
        f"{cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )
    yield from (
        _picture(row, figure, _found(records, row.network))
        for row, figure in figures.items()
    )
    yield Table(
        data["geometry"],
        "geometry",
        "The shape of the clusters, seed 0. Tightness: spread of a cluster "
        "over the distance of the templates; by centres: over the distance of "
        "the clusters. Side spread: 0 for a regular triangle. Scale: mean "
        f"distance of the clusters, in units of activation. {cifar.JPEG}",
        {
            "alpha": "g",
            **{name: ".4f" for name in data["geometry"].columns[3:]},
        },
    )
    yield Table(
        data["claims"],
        "claims",
        "Claims: smoothing tightens the clusters of training and of validation "
        "images, makes the triangle more regular, and shrinks the projection's "
        "scale. A claim holds if the number is lower with smoothing; seed 0.",
        {"alpha=0": ".4f", "alpha=0.1": ".4f"},
    )
