"""Distillation on MNIST: a better teacher whose student is worse.

Source: Mueller et al. 2019, section 4; Wagner et al. 2023, table 4.
Run: python run_experiment.py --report=re_table4_mnist
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ls_tf.pages import declared, dot_plot, quoted, tables
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.declared import Claim, Number, Records, Values, or_no_run
from ls_tf.pages.tables import Spread
from ls_tf.spec import Value

TITLE = "MNIST distillation: hard against smoothed teachers"

_SEEDS = (0, 1, 2)
_ERROR = Number("classification", "error", "%")
_PAPER = quoted.numbers("re_table4_mnist")


@dataclass(frozen=True)
class _Network:
    name: str
    experiment: str
    changes: Mapping[str, Value] = field(default_factory=dict, hash=False)

    def printed(self, paper: str) -> float | None:
        return _PAPER.get((self.name, f"{paper} error %"))


_HARD = _Network("teacher, hard targets and dropout", "fc_mnist_dropout")
_SMOOTHED = _Network("teacher, smoothed", "fc_mnist", {"alpha": 0.1})
_OF_HARD = _Network("student of the hard teacher", "fc_mnist_student")
_OF_SMOOTHED = _Network(
    "student of the smoothed teacher", "fc_mnist_student_of_smoothed"
)
_PLAIN = _Network("hard targets, no dropout", "fc_mnist", {"alpha": 0.0})
_NETWORKS = (_HARD, _SMOOTHED, _OF_HARD, _OF_SMOOTHED, _PLAIN)

REQUIRES = tuple(
    Need(network.experiment, network.changes, seed, optional=seed != 0)
    for seed in _SEEDS
    for network in _NETWORKS
)

# Claim, who errs less, who errs more.
_CLAIMS = (
    (
        "smoothed teacher better than the one with hard targets and dropout",
        _SMOOTHED,
        _HARD,
    ),
    (
        "its student worse than the student of the hard teacher",
        _OF_HARD,
        _OF_SMOOTHED,
    ),
    (
        "smoothed teacher better than hard targets without dropout",
        _SMOOTHED,
        _PLAIN,
    ),
)


@dataclass(frozen=True)
class _Errors:
    """The test errors of a network, percent: seed -> error."""

    network: _Network
    of: Values

    def by_seed(self, seed: int) -> float | None:
        return self.of.get(seed)

    @property
    def over(self) -> Spread | None:
        return tables.spread(self.of.values())


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    errors = {
        n: _ERROR.of(tables.by_seed(records, n.experiment, n.changes))
        for n in _NETWORKS
    }
    rows = [_Errors(network, of) for network, of in errors.items()]
    claims = [
        Claim(
            text,
            errors[better],
            errors[worse],
            printed=(better.printed("M"), worse.printed("M")),
        )
        for text, better, worse in _CLAIMS
    ]
    teacher, student = (f"{c.holds} ({c.count})" for c in claims[:2])
    yield Text(
        "Müller et al.'s ordering: smoothed teacher better than hard targets "
        f"and dropout: {teacher}; its student worse: {student}."
    )
    yield declared.table(
        "errors",
        "Test error on MNIST, %. Ours over the seeds counted in the last "
        "column. Printed: Müller et al. 2019, section 4; Wagner et al. 2023, "
        "tables 2 and 4 (one run each).",
        rows,
        ("network", lambda e: e.network.name, ""),
        ("Müller et al.", lambda e: e.network.printed("M"), ".2f"),
        ("Wagner et al.", lambda e: e.network.printed("R"), ".2f"),
        ("ours, mean", lambda e: or_no_run(e.over and e.over.mean), ".2f"),
        ("ours, lowest", lambda e: or_no_run(e.over and e.over.low), ".2f"),
        ("ours, highest", lambda e: or_no_run(e.over and e.over.high), ".2f"),
        ("seeds", lambda e: len(e.of), ""),
    )
    lines = (
        dot_plot.Line(n.name, n.printed("M"), n.printed("R"), row.over)
        for n, row in zip(_NETWORKS, rows, strict=True)
    )
    yield Picture(
        dot_plot.figure(lines, "test error, %"),
        "errors",
        "The same numbers. The bar is the range over our seeds, not a "
        "confidence interval.",
    )
    yield declared.table(
        "claims",
        "Claims, for the means over the seeds that both networks have, and the "
        "number of single seeds that agree. The first one compares smoothing "
        "with dropout; the third, smoothing alone.",
        claims,
        ("claim", lambda c: c.of, ""),
        ("Müller et al.", lambda c: c.holds_in_paper, ""),
        ("ours", lambda c: c.holds, ""),
        *declared.SEEDS,
    )
    yield declared.table(
        "by_seed",
        "Test error by seed, %. A student has the seed of its teacher.",
        rows,
        ("network", lambda e: e.network.name, ""),
        *declared.each(_SEEDS, "seed {}".format, _Errors.by_seed, ".2f"),
    )
