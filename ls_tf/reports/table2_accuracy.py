"""Accuracy with hard and with smoothed labels on CIFAR and ImageNet.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains the headline runs: AlexNet on CIFAR-10 and ResNet-56 on
CIFAR-100, alpha 0 and 0.1, seed 0, at full schedule. That is hours on a GPU
and days on a CPU. The shortened runs, and Inception-v4's on ImageNet, are made
by the commands on the page.

Source: Mueller et al. 2019, table 2.
Run: python run_experiment.py --report=table2_accuracy
"""

import math
from collections.abc import Iterable

from ls_tf.pages import (
    cifar,
    declared,
    dot_plot,
    networks,
    photographs,
    quoted,
)
from ls_tf.pages.blocks import NO_RUN, Block, Picture, Text
from ls_tf.pages.declared import ACCURACY, Claim, Records, or_no_run
from ls_tf.pages.networks import AtAlpha, Network
from ls_tf.pages.tables import AsPrinted

TITLE = "Accuracy with hard and with smoothed labels: CIFAR and ImageNet"
PARTIAL = True

_ALPHAS = (0.0, 0.1)
_HEADLINE = (cifar.ALEXNET, cifar.RESNET_100)
_NETWORKS = (*cifar.NETWORKS, photographs.INCEPTION)
# Table 2 has five seeds.
_FULL_SEEDS = (0, 1, 2, 3, 4)
_POINTS = 1.0  # what counts as the same accuracy, percentage points

REQUIRES = tuple(
    need
    for network in _NETWORKS
    for need in networks.needs(
        network,
        _ALPHAS,
        networks.SEEDS if network.is_short else _FULL_SEEDS,
        _ALPHAS if network in _HEADLINE else (),
    )
)

_PAPER = quoted.numbers("table2_accuracy")


def _name(network: Network) -> str:
    note = cifar.SUBSTITUTES.get(network)
    return f"{network.name} ({note})" if note else network.name


def _printed(row: AtAlpha, what: str = "accuracy %") -> AsPrinted | None:
    return row.network.printed(_PAPER, f"{what} alpha={row.alpha:g}")


def _as_printed(row: AtAlpha) -> str | None:
    """The printed mean with its spread, as the paper writes it."""
    mean, around = _printed(row), _printed(row, "plus or minus")
    if mean is None:
        return None
    return mean.text if around is None else f"{mean.text} ± {around.text}"


def _mean(row: AtAlpha) -> object:
    return or_no_run(ACCURACY.mean(row.runs))


def _line(row: AtAlpha) -> dot_plot.Line:
    name = f"{row.network.label}, alpha = {row.alpha:g}"
    return dot_plot.Line(name, _printed(row), None, ACCURACY.over(row.runs))


def _is_close(left: float, right: float) -> bool | None:
    if math.isnan(left) or math.isnan(right):
        return None
    return abs(left - right) <= _POINTS + 1e-9  # 1e-9: rounding of a sum


def _claims(rows: list[AtAlpha]) -> list[Claim[Network]]:
    return [
        Claim(
            hard.network,
            ACCURACY.of(smoothed.runs),
            ACCURACY.of(hard.runs),
            agrees=_is_close,
            printed=(_printed(smoothed), _printed(hard)),
        )
        for hard, smoothed in zip(rows[::2], rows[1::2], strict=True)
    ]


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = networks.over_alpha(records, _NETWORKS, _ALPHAS)
    claims = _claims(rows)
    holds = [claim.holds for claim in claims]
    compared = len(holds) - holds.count(NO_RUN)
    yield Text(
        "Müller et al. find that label smoothing leaves the accuracy about "
        f"where it was. Here it stays within {_POINTS:g} point for "
        f"{holds.count('yes')} of {compared} networks of which both runs are "
        f"there. {cifar.SHORTENED} {networks.COMMANDS} {cifar.JPEG}"
    )
    yield declared.table(
        "accuracy",
        f"Accuracy, %. {cifar.AMONG} {photographs.SPLIT} Printed: "
        "Müller et al. 2019, table 2, mean and spread over five seeds; which "
        "images their AlexNet sees, 32 x 32 or 24 x 24, is not said. "
        f"{cifar.JPEG}",
        rows,
        ("network", lambda r: _name(r.network), ""),
        ("schedule", lambda r: r.network.schedule, ""),
        ("alpha", lambda r: r.alpha, "g"),
        ("Müller et al.", _as_printed, ""),
        ("ours, mean", _mean, ".2f"),
        ("ours, lowest", lambda r: ACCURACY.low(r.runs), ".2f"),
        ("ours, highest", lambda r: ACCURACY.high(r.runs), ".2f"),
        ("seeds", lambda r: len(r.runs), ""),
        ("steps", lambda r: networks.steps(r.runs), ""),
    )
    yield Picture(
        dot_plot.figure(map(_line, rows), "accuracy, %"),
        "accuracy",
        f"The same numbers, without the rows that have none. {dot_plot.OURS}",
    )
    yield declared.table(
        "claims",
        f"Claim: smoothing leaves the accuracy within {_POINTS:g} point. For "
        "the means over the seeds that both networks have, and the number of "
        "single seeds that agree; the difference in percentage points.",
        claims,
        ("network", lambda c: _name(c.of), ""),
        ("schedule", lambda c: c.of.schedule, ""),
        ("alpha=0", lambda c: or_no_run(c.high), ".2f"),
        ("alpha=0.1", lambda c: or_no_run(c.low), ".2f"),
        ("difference", lambda c: or_no_run(c.difference), "+.2f"),
        ("Müller et al.", lambda c: c.holds_in_paper, ""),
        declared.verdict("ours"),
    )
