"""Accuracy with hard and with smoothed labels on CIFAR-10 and CIFAR-100.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains the headline runs: AlexNet on CIFAR-10 and ResNet-56 on
CIFAR-100, alpha 0 and 0.1, seed 0, at full schedule. That is hours on a GPU
and days on a CPU. The shortened runs are made by the commands on the page.

Source: Mueller et al. 2019, table 2.
Run: python run_experiment.py --report=table2_accuracy
"""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import cifar, dot_plot, quoted, tables
from ls_tf.pages.blocks import NO_RUN, Need, Picture, Report, Table, Text
from ls_tf.records.runs import Record

TITLE = "Accuracy with hard and with smoothed labels: CIFAR"
PARTIAL = True

_ALPHAS = (0.0, 0.1)
_HEADLINE = (cifar.ALEXNET, cifar.RESNET_100)
_INCEPTION = "ImageNet Inception-v4"  # printed; no experiment
# Table 2 has five seeds.
_FULL_SEEDS = (0, 1, 2, 3, 4)
_POINTS = 1.0  # what counts as the same accuracy, percentage points

REQUIRES = tuple(
    need
    for network in cifar.NETWORKS
    for need in cifar.needs(
        network,
        _ALPHAS,
        cifar.SEEDS if network.is_short else _FULL_SEEDS,
        _ALPHAS if network in _HEADLINE else (),
    )
)

_Printed = dict[tuple[str, str], quoted.Printed]


def _accuracies(
    records: Mapping[Need, Record], network: cifar.Network, alpha: float
) -> dict[int, float]:
    """Accuracy in percent: seed -> accuracy."""
    return tables.percent(cifar.of(records, network, alpha))


def _printed(paper: _Printed, row: str, alpha: float) -> str | None:
    """The printed mean with its spread, as the paper writes it."""
    mean = quoted.value(paper, row, f"accuracy % alpha={alpha:g}")
    around = quoted.value(paper, row, f"plus or minus alpha={alpha:g}")
    if mean is None:
        return None
    return mean.text if around is None else f"{mean.text} ± {around.text}"


def _name(network: cifar.Network) -> str:
    note = cifar.SUBSTITUTES.get(network)
    return f"{network.name} ({note})" if note else network.name


def _table(records: Mapping[Need, Record], paper: _Printed) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for network in cifar.NETWORKS:
        for alpha in _ALPHAS:
            over = tables.spread(_accuracies(records, network, alpha).values())
            ours: tuple[Any, ...] = (NO_RUN, None, None, 0)
            if over is not None:
                ours = (over.mean, over.low, over.high, over.count)
            rows.append(
                (
                    _name(network),
                    network.schedule,
                    alpha,
                    None
                    if network.is_short
                    else _printed(paper, network.row, alpha),
                    *ours,
                    cifar.steps(cifar.of(records, network, alpha).values()),
                )
            )
    rows += [
        (
            _INCEPTION,
            None,
            alpha,
            _printed(paper, _INCEPTION, alpha),
            cifar.NO_EXPERIMENT,
            None,
            None,
            0,
            None,
        )
        for alpha in _ALPHAS
    ]
    columns = (
        "network", "schedule", "alpha", "Müller et al.", "ours, mean",
        "ours, lowest", "ours, highest", "seeds", "steps",
    )  # fmt: skip
    return tables.frame(columns, rows)


def _is_close(left: float, right: float) -> bool | None:
    if math.isnan(left) or math.isnan(right):
        return None
    return abs(left - right) <= _POINTS + 1e-9  # 1e-9: rounding of a sum


def _claims(records: Mapping[Need, Record], paper: _Printed) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for network in cifar.NETWORKS:
        hard, smoothed = (
            None
            if network.is_short
            else quoted.value(paper, network.row, f"accuracy % alpha={a:g}")
            for a in _ALPHAS
        )
        printed = None
        if hard is not None and smoothed is not None:
            printed = tables.yes_no(_is_close(smoothed, hard))
        left, right = (
            _accuracies(records, network, a) for a in reversed(_ALPHAS)
        )
        found = tables.less_over_seeds(left, right, _is_close)
        ours: tuple[Any, ...] = (NO_RUN,) * 3
        if found.seeds:
            ours = (found.right, found.left, found.left - found.right)
        rows.append(
            (
                _name(network),
                network.schedule,
                *ours,
                printed,
                tables.verdict(found),
                found.seeds_for,
                found.seeds,
            )
        )
    columns = (
        "network", "schedule", "alpha=0", "alpha=0.1", "difference",
        "Müller et al.", "ours", "seeds for it", "seeds",
    )  # fmt: skip
    return tables.frame(columns, rows)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the table beside the paper's, and the claim for each network."""
    paper = quoted.numbers("table2_accuracy")
    return {
        "accuracy": _table(records, paper),
        "claims": _claims(records, paper),
    }


def draw(records: Mapping[Need, Record]) -> Figure:
    """Draws what is printed and what was run."""
    paper = quoted.numbers("table2_accuracy")
    lines = []
    for network in cifar.NETWORKS:
        for alpha in _ALPHAS:
            printed = None
            if not network.is_short:
                printed = quoted.value(
                    paper, network.row, f"accuracy % alpha={alpha:g}"
                )
            ours = tables.spread(_accuracies(records, network, alpha).values())
            if printed is not None or ours is not None:
                name = f"{network.label}, alpha = {alpha:g}"
                lines.append(dot_plot.Line(name, printed, None, ours))
    return dot_plot.beside(lines, "accuracy, %", with_wagner=False)


def build(records: Mapping[Need, Record]) -> Report:
    """Builds the page."""
    data = collect(records)
    holds = list(data["claims"]["ours"])
    compared = sum(word != NO_RUN for word in holds)
    digits = {"alpha": "g"}
    digits |= {name: ".2f" for name in data["accuracy"].columns[4:7]}
    return Report(
        TITLE,
        (
            Text(
                "Müller et al. find that label smoothing leaves the accuracy "
                f"about where it was. Here it stays within {_POINTS:g} point "
                f"for {holds.count('yes')} of {compared} networks of which "
                f"both runs are there. {cifar.SHORTENED} {cifar.COMMANDS} "
                f"{cifar.JPEG}"
            ),
            Table(
                data["accuracy"],
                "accuracy",
                f"Accuracy, %. {cifar.SPLIT} Printed: Müller et al. 2019, "
                "table 2, mean and spread over five seeds; which images their "
                f"AlexNet sees, 32 x 32 or 24 x 24, is not said. {cifar.JPEG}",
                digits,
            ),
            Picture(
                draw(records),
                "accuracy",
                "The same numbers, without the rows that have none. The bar "
                "is the range over our seeds, not a confidence interval.",
            ),
            Table(
                data["claims"],
                "claims",
                f"Claim: smoothing leaves the accuracy within {_POINTS:g} "
                "point. For the means over the seeds that both networks have, "
                "and the number of single seeds that agree; the difference in "
                "percentage points.",
                {"alpha=0": ".2f", "alpha=0.1": ".2f", "difference": "+.2f"},
            ),
        ),
    )
