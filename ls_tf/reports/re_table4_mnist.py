"""Distillation on MNIST: a better teacher whose student is worse.

Source: Mueller et al. 2019, section 4; Wagner et al. 2023, table 4.
Run: python run_experiment.py --report=re_table4_mnist
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import dot_plot, quoted, tables
from ls_tf.pages.blocks import NO_RUN, Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record
from ls_tf.spec import Value

TITLE = "MNIST distillation: hard against smoothed teachers"

_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class _Network:
    name: str
    experiment: str
    changes: Mapping[str, Value] = field(default_factory=dict)


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


def _errors(
    records: Mapping[Need, Record], network: _Network
) -> dict[int, float]:
    """Test errors in percent: seed -> error."""
    found = tables.by_seed(records, network.experiment, network.changes)
    return tables.percent(found, "error")


def _claims(records: Mapping[Need, Record]) -> pd.DataFrame:
    paper = quoted.numbers("re_table4_mnist")
    rows = []
    for claim, better, worse in (
        (
            "smoothed teacher better than the one with hard targets and "
            "dropout",
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
    ):
        found = tables.less_over_seeds(
            _errors(records, better), _errors(records, worse)
        )
        low = paper.get((better.name, "M error %"))
        high = paper.get((worse.name, "M error %"))
        printed = None if low is None or high is None else low < high
        rows.append(
            (
                claim,
                None if printed is None else tables.yes_no(printed),
                tables.yes_no(found.holds),
                found.seeds_for,
                found.seeds,
            )
        )
    columns = ("claim", "Müller et al.", "ours", "seeds for it", "seeds")
    return tables.frame(columns, rows)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the table beside the papers', the errors by seed, the claims."""
    paper = quoted.numbers("re_table4_mnist")
    rows, singles = [], []
    for network in _NETWORKS:
        errors = _errors(records, network)
        over = tables.spread(errors.values())
        printed = [paper.get((network.name, f"{who} error %")) for who in "MR"]
        ours = (
            (NO_RUN, NO_RUN, NO_RUN, 0)
            if over is None
            else (over.mean, over.low, over.high, over.count)
        )
        rows.append((network.name, *printed, *ours))
        singles.append((network.name, *(errors.get(s, NO_RUN) for s in _SEEDS)))
    columns = (
        "network", "Müller et al.", "Wagner et al.", "ours, mean",
        "ours, lowest", "ours, highest", "seeds",
    )  # fmt: skip
    return {
        "errors": tables.frame(columns, rows),
        "by_seed": tables.frame(
            ("network", *(f"seed {s}" for s in _SEEDS)), singles
        ),
        "claims": _claims(records),
    }


def draw(data: pd.DataFrame) -> Figure:
    """Draws the errors: ours with their range, the papers' beside them."""
    lines = [
        dot_plot.Line(
            name,
            mueller,
            wagner,
            None if mean == NO_RUN else tables.Spread(mean, low, high, seeds),
        )
        for name, mueller, wagner, mean, low, high, seeds in data.itertuples(
            index=False, name=None
        )
    ]
    return dot_plot.figure(lines, "test error, %")


def _verdict(claims: pd.DataFrame) -> str:
    rows = list(claims.itertuples(index=False, name=None))
    teacher, student = (
        f"{ours} ({count} of {seeds} seeds)"
        for _, _, ours, count, seeds in rows[:2]
    )
    return (
        "Müller et al.'s ordering: smoothed teacher better than hard targets "
        f"and dropout: {teacher}; its student worse: {student}."
    )


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    data = collect(records)
    digits = {name: ".2f" for name in data["errors"].columns[1:6]}
    singles = {name: ".2f" for name in data["by_seed"].columns[1:]}
    yield Text(_verdict(data["claims"]))
    yield Table(
        data["errors"],
        "errors",
        "Test error on MNIST, %. Ours over the seeds counted in the last "
        "column. Printed: Müller et al. 2019, section 4; Wagner et al. 2023, "
        "tables 2 and 4 (one run each).",
        digits,
    )
    yield Picture(
        draw(data["errors"]),
        "errors",
        "The same numbers. The bar is the range over our seeds, not a "
        "confidence interval.",
    )
    yield Table(
        data["claims"],
        "claims",
        "Claims, for the means over the seeds that both networks have, and the "
        "number of single seeds that agree. The first one compares smoothing "
        "with dropout; the third, smoothing alone.",
    )
    yield Table(
        data["by_seed"],
        "by_seed",
        "Test error by seed, %. A student has the seed of its teacher.",
        singles,
    )
