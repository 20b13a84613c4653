"""What smoothing gives over the number of classes.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains three seeds of the small network on 2, 5 and 10 classes
of MNIST, hard and smoothed: 18 runs, about an hour on two cores of a CPU; with
``--engine=jax`` three programs. Those on CIFAR-10, which are short, are made by
the commands on the page.

Source: Shen et al. 2021, table 4 and figure 9, whose data is ImageNet.
Run: python run_experiment.py --report=s_table4
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ls_tf.pages import cifar, declared, networks, quoted, tables
from ls_tf.pages.blocks import Block, Need, Text
from ls_tf.pages.declared import (
    ACCURACY,
    Claim,
    Records,
    Runs,
    or_no_run,
)
from ls_tf.spec import Value

TITLE = "What smoothing gives over the number of classes"
PARTIAL = True

_ALPHAS = (0.0, 0.1)


@dataclass(frozen=True)
class _Part:
    """A network on some classes of its data; none means all."""

    name: str
    experiment: str
    classes: tuple[int, ...]
    count: int

    def run(self, alpha: float) -> tuple[str, dict[str, Value]]:
        changes: dict[str, Value] = {"alpha": alpha}
        if self.classes:
            changes["data.classes"] = self.classes
        return self.experiment, changes


_MNIST = ("MNIST, fully connected", "fc_mnist_classes")
_CIFAR = ("CIFAR-10 AlexNet, steps / 120", "alexnet_cifar10_classes_120th")
_PARTS = (
    _Part(*_MNIST, (4, 9), 2),  # alike
    _Part(*_MNIST, (0, 3, 4, 8, 9), 5),
    _Part(*_MNIST, (), 10),
    _Part(*_CIFAR, (3, 5), 2),  # cat and dog
    _Part(*_CIFAR, (0, 3, 4, 5, 8), 5),
    _Part(*_CIFAR, (), 10),
)

REQUIRES = tuple(
    Need(
        *part.run(alpha),
        seed,
        optional=part.experiment != _MNIST[1],
        row=f"{part.name}, {part.count} classes, alpha = {alpha:g}",
    )
    for part in _PARTS
    for alpha in _ALPHAS
    for seed in networks.SEEDS
)

_PAPER = quoted.numbers("s_table4")
_PRINTED = tuple(dict.fromkeys(row for row, _ in _PAPER))


@dataclass(frozen=True)
class _Row:
    """A network on some classes, hard and smoothed."""

    part: _Part
    hard: Runs
    smoothed: Runs

    @property
    def gains(self) -> dict[int, float]:
        """Seed -> what smoothing gives, points."""
        hard, smoothed = ACCURACY.of(self.hard), ACCURACY.of(self.smoothed)
        return {s: smoothed[s] - hard[s] for s in hard if s in smoothed}


def _printed(row: str, alpha: float) -> float | None:
    return _PAPER.get((row, f"{alpha}"))


def _printed_gain(row: str) -> float | None:
    hard, smoothed = (_printed(row, alpha) for alpha in _ALPHAS)
    return None if hard is None or smoothed is None else smoothed - hard


def _claims(rows: Iterable[_Row]) -> Iterable[Claim[str]]:
    by_name: dict[str, list[_Row]] = {}
    for row in rows:
        by_name.setdefault(row.part.name, []).append(row)
        gains = row.gains
        yield Claim(
            row.part.name,
            dict.fromkeys(gains, 0.0),
            gains,
            f"smoothing helps with {row.part.count} classes",
            by_interval=True,
        )
    for name, of in by_name.items():
        few, many = of[0], of[-1]
        yield Claim(
            name,
            many.gains,
            few.gains,
            f"it gives less with {many.part.count} classes than with "
            f"{few.part.count}",
            by_interval=True,
        )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = [
        _Row(
            part,
            *(tables.by_seed(records, *part.run(a)) for a in _ALPHAS),
        )
        for part in _PARTS
    ]
    claims = list(_claims(rows))
    yield Text(
        "The same network trained and tested on some of the classes. Shen et "
        "al. hold that smoothing gives less the more classes there are; in "
        "their own table that is so of the mean of two networks, not of each. "
        "Ten classes are few: theirs are 100 to 1,000. "
        f"{cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )
    sentence = "{of}: {text} (Shen et al.): " + declared.compared(
        ".2f", " points"
    )
    yield declared.findings((claims, sentence))
    yield declared.table(
        "classes",
        "Accuracy on images that are not trained on, %, means over seeds; the "
        "gain is over the seeds that both have. MNIST: 4 and 9; 0, 3, 4, 8 and "
        "9; all. CIFAR-10: cat and dog; airplane, cat, deer, dog and ship; "
        f"all. {cifar.SPLITS} {cifar.JPEG}",
        rows,
        ("network", lambda r: r.part.name, ""),
        ("classes", lambda r: r.part.count, ""),
        ("alpha=0", lambda r: or_no_run(ACCURACY.mean(r.hard)), ".2f"),
        ("alpha=0.1", lambda r: or_no_run(ACCURACY.mean(r.smoothed)), ".2f"),
        ("gain", lambda r: tables.mean(r.gains.values()), "+.2f"),
        ("seeds", lambda r: len(r.gains), ""),
    )
    yield declared.table(
        "claims",
        "Claims of Shen et al. 2021; the numbers are gains, points. "
        f"{declared.INTERVAL}",
        claims,
        ("network", lambda c: c.of, ""),
        ("claim", lambda c: c.text, ""),
        *declared.judged("+.2f", by_interval=True),
    )
    yield declared.table(
        "printed",
        "Table 4 of Shen et al. 2021: top-1 accuracy on parts of ImageNet, %.",
        _PRINTED,
        ("classes and network", str, ""),
        *declared.each(_ALPHAS, "alpha={:g}".format, _printed, ""),
        ("gain", _printed_gain, "+.3f"),
    )
