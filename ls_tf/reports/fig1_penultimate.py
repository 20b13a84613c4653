"""The penultimate layer on CIFAR-10, CIFAR-100 and ImageNet.

The page is built from whatever records there are; a network without one says
so. ``--run_missing`` trains the headline runs: AlexNet on CIFAR-10 and
ResNet-56 on CIFAR-100, alpha 0 and 0.1, seed 0, at full schedule. That is hours
on a GPU and days on a CPU. The others are made by the commands on the page.

Source: Mueller et al. 2019, figure 1; Wagner et al. 2023, figure 2, CIFAR.
Run: python run_experiment.py --report=fig1_penultimate
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ls_tf.pages import cifar, declared, geometry, networks, photographs
from ls_tf.pages.blocks import Block, Picture, Text
from ls_tf.pages.declared import Records
from ls_tf.pages.networks import Network
from ls_tf.pages.projection import projection_row

TITLE = (
    "The penultimate layer with hard and with smoothed labels: CIFAR and "
    "ImageNet"
)
PARTIAL = True

_SPLITS = {"train": "training images", "report": "validation images"}
_CIFAR10 = {0: "airplane", 1: "automobile", 2: "bird"}
_CIFAR100 = {4: "beaver", 30: "dolphin", 55: "otter"}
_ROW_1, _ROW_2 = "figure 1, row 1", "figure 1, row 2"
_FOR_2 = f"substitute for {_ROW_2}"


_IMAGENET = {0: "tench", 299: "meerkat", 499: "cleaver"}
_WAGNERS_100 = {0: "apple", 1: "aquarium_fish", 2: "baby"}
_POODLES = {265: "toy poodle", 266: "miniature poodle", 0: "tench"}


@dataclass(frozen=True, eq=False)
class _Shown:
    """A network, what its picture stands for, and the classes it shows."""

    network: Network
    place: str
    names: Mapping[int, str]
    role: str = "report"
    # What sets it apart from another picture of the same network.
    variant: str = ""
    images: str = "validation images"  # of the role

    @property
    def label(self) -> str:
        """Its name in tables."""
        return ", ".join(filter(None, (self.network.label, self.variant)))

    @property
    def file(self) -> str:
        """The name of its picture."""
        words = ["penultimate", self.network.file, *self.variant.split()]
        return "_".join(words[:3])


_SHOWN = (
    _Shown(cifar.ALEXNET, _ROW_1, _CIFAR10),
    _Shown(cifar.ALEXNET_BFLOAT16, _ROW_1, _CIFAR10),
    _Shown(cifar.ALEXNET_24, _ROW_1, _CIFAR10),
    _Shown(cifar.ALEXNET_TENTH, f"{_ROW_1}, shortened", _CIFAR10),
    _Shown(cifar.ALEXNET_SHORT, f"{_ROW_1}, shortened", _CIFAR10),
    _Shown(cifar.ALEXNET_24_SHORT, f"{_ROW_1}, shortened", _CIFAR10),
    _Shown(cifar.RESNET_100, _ROW_2, _CIFAR100),
    _Shown(cifar.RESNET_10, _FOR_2, _CIFAR10),
    _Shown(cifar.RESNET_10_BFLOAT16, _FOR_2, _CIFAR10),
    _Shown(cifar.RESNET_10_SHORT, f"{_FOR_2}, shortened", _CIFAR10),
    _Shown(photographs.INCEPTION, "figure 1, row 3", _IMAGENET),
    _Shown(
        photographs.INCEPTION,
        "figure 1, row 4",
        _POODLES,
        "calibrate",
        "similar classes",
    ),
    _Shown(
        cifar.RESNET_100,
        "Wagner et al. 2023, figure 2",
        _WAGNERS_100,
        "calibrate",
        "first classes",
        "test images",
    ),
)
_HEADLINE = (cifar.ALEXNET, cifar.RESNET_100)

REQUIRES = networks.all_needs(
    dict.fromkeys(shown.network for shown in _SHOWN),
    geometry.ALPHAS,
    headline=dict.fromkeys(_HEADLINE, geometry.ALPHAS),
)


def _picture(shown: _Shown, clusters: geometry.Clusters) -> Picture:
    missing = [
        f"alpha = {a:g}" for a in clusters.records if a not in clusters.finished
    ]
    note = f" No run: {', '.join(missing)}." if missing else ""
    steps = networks.steps(clusters.finished)
    return Picture(
        projection_row(
            clusters.panels(),
            _SPLITS | {shown.role: shown.images},
            shown.names,
        ),
        shown.file,
        f"{shown.label} ({shown.place}; {steps} steps, seed 0): "
        f"{', '.join(shown.names.values())}. Crosses are the templates. The "
        "axes of both splits of a network are the same; those of the two "
        f"networks are not.{note}",
    )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = {
        shown: geometry.Clusters(
            shown.label,
            networks.seed_0(records, shown.network, geometry.ALPHAS),
            role=shown.role,
        )
        for shown in _SHOWN
    }
    claims = geometry.claims(rows.values(), _SPLITS)
    yield Text(
        "Three classes' last-layer weights (templates) span a plane; the "
        "activations before the last layer are projected onto it. Müller et "
        "al. see tight, regular clusters of a smaller scale with smoothed "
        f"labels. Here {geometry.agreement(claims)} measures agree. "
        f"{cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )
    for shown, clusters in rows.items():
        if clusters.finished:
            yield _picture(shown, clusters)
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
