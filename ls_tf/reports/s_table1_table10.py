"""Accuracy and stability of networks of several sizes, hard and smoothed.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains four networks on MNIST, hard and smoothed, three seeds:
24 runs, about two hours on two cores of a CPU; with ``--engine=jax`` four
programs.

Source: Shen et al. 2021, tables 1 and 10, whose data is ImageNet.
Run: python run_experiment.py --report=s_table1_table10
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ls_tf.analysis import ranks
from ls_tf.pages import cifar, declared, networks, quoted, tables
from ls_tf.pages.blocks import Block, Need, Text
from ls_tf.pages.declared import (
    ACCURACY,
    Claim,
    Number,
    Records,
    Runs,
    or_no_run,
)
from ls_tf.spec import Value

TITLE = "Accuracy and stability of networks of several sizes"
PARTIAL = True

_ALPHAS = (0.0, 0.1)
# Name of the number -> where it stands, and its format.
_WITHIN, _BETWEEN = "within", "between"
_NUMBERS = {
    "accuracy": (ACCURACY, ".2f"),
    _WITHIN: (Number("stability", "intra_std"), ".4f"),
    _BETWEEN: (Number("stability", "inter_std"), ".4f"),
}


@dataclass(frozen=True, eq=False)
class _Network:
    """A network, and what sets it apart."""

    name: str
    experiment: str
    changes: Mapping[str, Value] = field(default_factory=dict)

    @property
    def is_mnist(self) -> bool:
        return self.experiment.startswith("fc_mnist")

    def run(self, alpha: float) -> tuple[str, dict[str, Value]]:
        return self.experiment, {**self.changes, "alpha": alpha}


_SMALL = "fc_mnist_small"
_WIDE = _Network("MNIST, 800 + 800 units", _SMALL)
_LONG = _Network(
    "MNIST, 800 + 800 units, twice as long", _SMALL, {"train.epochs": 200}
)
_NETWORKS = (
    *(
        _Network(
            f"MNIST, {width} + {width} units",
            _SMALL,
            {"model.options.hidden": (width, width)},
        )
        for width in (50, 200)
    ),
    _WIDE,
    _LONG,
    _Network("CIFAR-10 ResNet-20, steps / 10", "resnet20_cifar10_short"),
    _Network("CIFAR-10 ResNet-56", "resnet56_cifar10_teacher"),
)
_OF_MNIST = tuple(n for n in _NETWORKS if n.is_mnist)

REQUIRES = tuple(
    Need(
        *network.run(alpha),
        seed,
        optional=not network.is_mnist,
        row=f"{network.name}, alpha = {alpha:g}",
    )
    for network in _NETWORKS
    for alpha in _ALPHAS
    for seed in networks.SEEDS
)

_PAPER = quoted.numbers("s_table1_table10")
_PRINTED = tuple(dict.fromkeys(row for row, _ in _PAPER))


def _printed(row: str, column: tuple[str, float]) -> float | None:
    name, alpha = column
    return _PAPER.get((row, f"{name}, {alpha}"))


def printed_order(alpha: float) -> float | None:
    """The rank correlation of printed accuracies and spreads within classes."""
    found = (
        [_printed(row, (name, alpha)) for row in _PRINTED]
        for name in ("accuracy", _WITHIN)
    )
    return ranks.correlation(
        *([math.nan if v is None else v for v in side] for side in found)
    )


_ByAlpha = Mapping[float, Runs]


def _of(name: str, runs: Runs) -> dict[int, float]:
    """Seed -> one of _NUMBERS."""
    return _NUMBERS[name][0].of(runs)


def _order(rows: Iterable[_ByAlpha], alpha: float) -> dict[int, float]:
    """Seed -> rank correlation of accuracy and spread over the networks.

    Of the seeds that all networks have, but for networks without any: the
    order of other networks is another.
    """
    of = [row[alpha] for row in rows if row[alpha]]
    found = {}
    for seed in declared.shared(of):
        sides = (
            [_of(name, runs)[seed] for runs in of]
            for name in ("accuracy", _WITHIN)
        )
        order = ranks.correlation(*sides)
        if order is not None:
            found[seed] = order
    return found


def _claims(rows: Mapping[_Network, _ByAlpha]) -> Iterable[Claim[str]]:
    hard, smoothed = _ALPHAS
    for network, of in rows.items():
        for name, text in (
            (_WITHIN, "smoothing lowers the spread within classes (table 1)"),
            (
                _BETWEEN,
                "smoothing lowers the spread between classes (table 10)",
            ),
        ):
            pair = _of(name, of[smoothed]), _of(name, of[hard])
            yield Claim(network.name, *pair, text, by_interval=True)
        pair = _of("accuracy", of[hard]), _of("accuracy", of[smoothed])
        text = "smoothing raises the accuracy, % (table 1)"
        yield Claim(network.name, *pair, text, by_interval=True)
    for alpha in _ALPHAS:
        pair = (
            _of(_WITHIN, rows[_LONG][alpha]),
            _of(_WITHIN, rows[_WIDE][alpha]),
        )
        text = f"longer training lowers the spread, alpha = {alpha:g}"
        yield Claim(_WIDE.name, *pair, text, by_interval=True)
        order = _order([rows[n] for n in _OF_MNIST], alpha)
        yield Claim(
            "MNIST, all sizes",
            order,
            dict.fromkeys(order, 0.0),
            "the more accurate, the lower the spread (rank correlation), "
            f"alpha = {alpha:g}",
            by_interval=True,
        )


def _columns() -> Sequence[tuple[str, float]]:
    return [(name, alpha) for name in _NUMBERS for alpha in _ALPHAS]


def _heading(column: tuple[str, float]) -> str:
    name, alpha = column
    words = "accuracy, %" if name == "accuracy" else f"spread {name} classes"
    return f"{words}, alpha={alpha:g}"


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows: dict[_Network, _ByAlpha] = {
        n: {a: tables.by_seed(records, *n.run(a)) for a in _ALPHAS}
        for n in _NETWORKS
    }
    claims = list(_claims(rows))
    orders = [tables.cell(printed_order(a), "+.2f") for a in _ALPHAS]
    yield Text(
        "1 less the stability of Shen et al.: within classes, the deviation of "
        "the target's probability over the images of a class, mean over the "
        "classes; between them, the deviation of the classes' mean "
        "probabilities. They hold that smoothing lowers the first, that the "
        "more accurate network has the lower one, and print a lower second as "
        "the better. Their own accuracies and spreads within classes have the "
        f"rank correlation {orders[0]} without smoothing and {orders[1]} with; "
        "longer training leaves the first as it is without smoothing (0.3217, "
        "0.3222), and smoothing raises the second in 3 of 8 networks. "
        f"{cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )
    sentence = "{of}: {text}: " + declared.compared("#.4g")
    yield declared.findings((claims, sentence))

    def mean(
        row: tuple[_Network, _ByAlpha], column: tuple[str, float]
    ) -> object:
        name, alpha = column
        return or_no_run(tables.mean(_of(name, row[1][alpha]).values()))

    yield declared.table(
        "networks",
        "Means over seeds, on images that are not trained on. "
        f"{cifar.SPLITS} {cifar.JPEG}",
        rows.items(),
        ("network", lambda row: row[0].name, ""),
        *(
            column
            for key in _columns()
            for column in declared.each(
                [key], _heading, mean, _NUMBERS[key[0]][1]
            )
        ),
        ("seeds", lambda row: min(len(of) for of in row[1].values()), ""),
    )
    yield declared.table(
        "claims",
        f"Claims of Shen et al. 2021. {declared.INTERVAL}",
        claims,
        ("network", lambda c: c.of, ""),
        ("claim", lambda c: c.text, ""),
        *declared.judged("#.4g", by_interval=True),
    )
    yield declared.table(
        "printed",
        "Tables 1 and 10 of Shen et al. 2021, ImageNet, top-1 accuracy. "
        "MobileNetV2 and DenseNet-121 stand in table 10 with smoothing and in "
        "table 1 without.",
        _PRINTED,
        ("network", str, ""),
        *declared.each(_columns(), _heading, _printed, "", without=None),
    )
