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

from ls_tf.pages import cifar, declared, geometry, networks
from ls_tf.pages.blocks import Block, Picture, Text
from ls_tf.pages.declared import Records
from ls_tf.pages.projection import projection_row

TITLE = "The penultimate layer with hard and with smoothed labels: CIFAR"
PARTIAL = True

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

REQUIRES = networks.all_needs(
    (row.network for row in _ROWS), geometry.ALPHAS, headline=_HEADLINE
)


def _clusters(records: Records, row: _Row) -> geometry.Clusters:
    runs = (networks.runs(records, row.network, a) for a in geometry.ALPHAS)
    first = dict(zip(geometry.ALPHAS, (r.get(0) for r in runs), strict=True))
    return geometry.Clusters(row.network.label, first)


def _picture(row: _Row, clusters: geometry.Clusters) -> Picture:
    missing = [
        f"alpha = {a:g}" for a in clusters.records if a not in clusters.finished
    ]
    note = f" No run: {', '.join(missing)}." if missing else ""
    steps = networks.steps(clusters.finished.values())
    return Picture(
        projection_row(clusters.panels(), _SPLITS, row.names),
        f"penultimate_{row.network.experiment}",
        f"{row.network.label} ({row.place}; {steps} steps, seed 0): "
        f"{', '.join(row.names.values())}. Crosses are the templates. The axes "
        "of both splits of a network are the same; those of the two networks "
        f"are not.{note}",
    )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = {row: _clusters(records, row) for row in _ROWS}
    claims = geometry.claims(rows.values(), _SPLITS)
    yield Text(
        "Three classes' last-layer weights (templates) span a plane; the "
        "activations before the last layer are projected onto it. Müller et "
        "al. see tight, regular clusters of a smaller scale with smoothed "
        f"labels. Here {geometry.agreement(claims)} measures agree. "
        f"{cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )
    for row, clusters in rows.items():
        if clusters.finished:
            yield _picture(row, clusters)
    yield geometry.table(rows.values(), _SPLITS, cifar.JPEG)
    yield declared.table(
        "claims",
        "Claims: smoothing tightens the clusters of training and of validation "
        "images, makes the triangle more regular, and shrinks the projection's "
        "scale. A claim holds if the number is lower with smoothing; seed 0.",
        claims,
        ("network", lambda c: c.of.clusters.network, ""),
        *geometry.CLAIM_COLUMNS,
    )
