"""Alike and unlike classes on the plane of three templates, and distances.

The page is built from whatever records there are; a network without one says
so. ``--run_missing`` trains both networks on MNIST, with and without smoothing,
three seeds: 12 runs, about an hour and a half on two cores of a CPU.

Source: Shen et al. 2021, figure 1; Mueller et al. 2019, figure 1, row 4.
Run: python run_experiment.py --report=s_fig1
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ls_tf.analysis import stability
from ls_tf.pages import (
    cifar,
    declared,
    geometry,
    networks,
    photographs,
    projection,
)
from ls_tf.pages.blocks import Block, Picture, Text
from ls_tf.pages.canvas import Panel
from ls_tf.pages.declared import Claim, Records, or_no_run
from ls_tf.pages.networks import Network
from ls_tf.records.runs import Record

TITLE = "Alike and unlike classes in the penultimate layer"
PARTIAL = True

_ALPHAS = geometry.ALPHAS
_TRAIN = "train"


@dataclass(frozen=True, eq=False)
class _Shown:
    """A network and three classes; of alike ones, the first two are."""

    network: Network
    names: Mapping[int, str]
    alike: bool
    role: str = "report"

    @property
    def label(self) -> str:
        """Network and classes."""
        kind = "alike" if self.alike else "unlike"
        return f"{self.network.label}, {', '.join(self.names.values())}: {kind}"

    @property
    def file(self) -> str:
        """The name of its picture."""
        return f"penultimate_{self.network.experiment}"


_ALIKE = Network("MNIST, 400 + 400 units", "bench_mnist")
_UNLIKE = Network("MNIST, 1200 + 1200 units", "fc_mnist")
_SHOWN = (
    _Shown(_ALIKE, {4: "4", 9: "9", 0: "0"}, alike=True),
    _Shown(
        Network("CIFAR-10 AlexNet", "bench_cifar10_short", "test images"),
        {3: "cat", 5: "dog", 8: "ship"},
        alike=True,
    ),
    _Shown(
        photographs.INCEPTION,
        {265: "toy poodle", 266: "miniature poodle", 0: "tench"},
        alike=True,
        role="calibrate",
    ),
    _Shown(_UNLIKE, {0: "0", 1: "1", 2: "2"}, alike=False),
    _Shown(
        cifar.ALEXNET_SHORT,
        {0: "airplane", 1: "automobile", 2: "bird"},
        alike=False,
    ),
)

REQUIRES = tuple(
    need
    for shown in _SHOWN
    for need in networks.needs(
        shown.network,
        _ALPHAS,
        networks.SEEDS,
        _ALPHAS if shown.network in (_ALIKE, _UNLIKE) else (),
        networks.SEEDS,
    )
)


def _distances(record: Record, role: str, split: str) -> dict[str, float]:
    """D1, D2 and Dc of the projected points of a split."""
    arrays = record.arrays("penultimate", role, projection.forms(role))
    found = stability.pair_distances(
        arrays[f"{split}_points"],
        arrays[f"{split}_labels"],
        arrays["classes"].tolist(),
    )
    mean = (found["d1"] + found["d2"]) / 2
    found["apart_relative"] = (
        abs(found["d1_minus_d2"]) / mean if mean > 0 else float("nan")
    )
    return found


@dataclass(frozen=True)
class _Row:
    """One split of a network at one alpha."""

    shown: _Shown
    alpha: float
    split: str
    seeds: Mapping[int, Mapping[str, float]]

    @property
    def images(self) -> str:
        """The split in words."""
        return "training" if self.split == _TRAIN else "others"

    def of(self, name: str) -> dict[int, float]:
        """Seed -> one of the distances."""
        return {seed: found[name] for seed, found in self.seeds.items()}

    def mean(self, name: str) -> float | None:
        """Its mean over the seeds."""
        values = self.of(name).values()
        return sum(values) / len(values) if values else None


def _rows(records: Records) -> list[_Row]:
    return [
        _Row(
            shown,
            alpha,
            split,
            {
                seed: _distances(record, shown.role, split)
                for seed, record in networks.runs(
                    records, shown.network, alpha
                ).items()
            },
        )
        for shown in _SHOWN
        for split in (_TRAIN, shown.role)
        for alpha in _ALPHAS
    ]


_CLAIMS = (
    # Which number, and what is said of it.
    ("dc", "the alike classes are farther apart with smoothing: Dc rises"),
    (
        "dc_relative",
        "the alike classes are farther apart beside the third one with "
        "smoothing: Dc over the mean of D1 and D2 rises",
    ),
    (
        "apart_relative",
        "the third class is as far from both with smoothing: |D1 − D2| over "
        "their mean falls",
    ),
)


def _claims(rows: Iterable[_Row]) -> Iterable[Claim[_Row]]:
    """What is said of alike classes, of other images than those trained on."""
    of = {(r.shown, r.alpha): r for r in rows if r.split != _TRAIN}
    for shown in _SHOWN:
        hard, smoothed = (of[shown, alpha] for alpha in _ALPHAS)
        for name, text in _CLAIMS if shown.alike else ():
            falls = name == "apart_relative"
            whose = "Müller et al." if falls else "Shen et al."
            low, high = (smoothed, hard) if falls else (hard, smoothed)
            yield Claim(
                smoothed,
                low.of(name),
                high.of(name),
                text,
                whose,
                by_interval=True,
            )


def _pictures(records: Records) -> Iterable[Block]:
    for shown in _SHOWN:
        first = networks.first_runs(records, shown.network, _ALPHAS)
        if not first:
            continue
        panels = [
            Panel(
                f"alpha = {alpha:g}",
                record.arrays(
                    "penultimate", shown.role, projection.forms(shown.role)
                ),
            )
            for alpha, record in first.items()
        ]
        yield Picture(
            projection.projection_row(
                panels,
                {_TRAIN: "training images", shown.role: "other images"},
                shown.names,
            ),
            shown.file,
            f"{shown.label}; {networks.steps(first)} steps, first seed. "
            "Crosses are the templates. The axes of both splits of a network "
            "are the same; those of the two networks are not."
            f"{networks.missing({a: first.get(a) for a in _ALPHAS})}",
        )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = _rows(records)
    claims = list(_claims(rows))
    yield Text(
        "Two classes that are alike and one that is not, projected on the "
        "plane of their templates. Shen et al. see the alike classes move "
        "apart with smoothing; Müller et al. that smoothing puts every class "
        "at one distance from all others, and the alike ones on an arc. "
        f"{cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )
    sentence = "{of.shown.label}: {text} ({whose}): " + declared.compared(".3f")
    yield declared.findings((claims, sentence))
    yield from _pictures(records)
    yield declared.table(
        "distances",
        "Distances of the clusters' means, means over seeds, in units of the "
        "penultimate layer: D1 and D2 from the third class to the first and to "
        "the second, Dc between those two. Relative: over the mean of D1 and "
        "D2. 100 images of a class, fewer where there are no more.",
        rows,
        ("network and classes", lambda r: r.shown.label, ""),
        ("images", lambda r: r.images, ""),
        ("alpha", lambda r: r.alpha, "g"),
        ("D1", lambda r: or_no_run(r.mean("d1")), ".3f"),
        ("D2", lambda r: or_no_run(r.mean("d2")), ".3f"),
        ("Dc", lambda r: or_no_run(r.mean("dc")), ".3f"),
        ("D1 − D2", lambda r: or_no_run(r.mean("d1_minus_d2")), ".3f"),
        ("Dc, relative", lambda r: or_no_run(r.mean("dc_relative")), ".3f"),
        ("seeds", lambda r: len(r.seeds), ""),
    )
    yield declared.table(
        "claims",
        "Claims for alike classes, on other images than those trained on. "
        f"{declared.INTERVAL}",
        claims,
        ("network and classes", lambda c: c.of.shown.label, ""),
        ("claim", lambda c: c.text, ""),
        ("whose", lambda c: c.whose, ""),
        *declared.judged(".3f", by_interval=True),
    )
