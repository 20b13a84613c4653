"""Reliability diagrams on CIFAR-100 and CIFAR-10.

The page is built from whatever records there are; a diagram without one says
so. ``--run_missing`` trains the headline runs: ResNet-56 on CIFAR-100, alpha 0
and 0.05, seed 0, at full schedule. That is hours on a GPU and days on a CPU.
The others are made by the commands on the page.

Source: Mueller et al. 2019, figure 2, left; Wagner et al. 2023, figures 3a, 9a
and 9b.
Run: python run_experiment.py --report=fig2_reliability
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import (
    cifar,
    diagrams,
    drawing,
    networks,
    quoted,
    tables,
)
from ls_tf.pages.blocks import NO_RUN, Need, Picture, Report, Table, Text
from ls_tf.records.runs import Record

TITLE = "Reliability: temperature scaling against label smoothing on CIFAR"
PARTIAL = True

_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
_MUELLER = "Müller et al. figure 2, left"
_SUBSTITUTE = f"substitute for {_MUELLER}"
_ALEXNET_PLACE = f"{_SUBSTITUTE}; Wagner et al. figure 9"
# What each network's picture stands for.
_PLACES = {
    cifar.RESNET_100: f"{_MUELLER}; Wagner et al. figure 3a",
    cifar.ALEXNET: _ALEXNET_PLACE,
    cifar.ALEXNET_24: _ALEXNET_PLACE,
    cifar.ALEXNET_TENTH: f"{_SUBSTITUTE}, shortened",
    cifar.ALEXNET_SHORT: f"{_SUBSTITUTE}, shortened",
    cifar.ALEXNET_24_SHORT: f"{_SUBSTITUTE}, shortened",
    cifar.RESNET_10: _ALEXNET_PLACE,
    cifar.RESNET_10_SHORT: f"{_SUBSTITUTE}, shortened",
}
# Figure 2: alpha 0, alpha 0 at the fitted temperature, alpha 0.05.
_HEADLINE = (0.0, 0.05)
_IN_MUELLER = {
    (0.0, False): "ece alpha=0",
    (0.0, True): "ece scaled",
    (0.05, False): "ece smoothed",
}

REQUIRES = tuple(
    need
    for network in _PLACES
    for need in cifar.needs(
        network,
        _ALPHAS,
        headline=_HEADLINE if network == cifar.RESNET_100 else (),
    )
)


def collect(records: Mapping[Need, Record]) -> pd.DataFrame:
    """Gives one row for each diagram."""
    mueller = quoted.numbers("table3_ece")
    wagner = quoted.numbers("re_table2_table3")
    rows: list[tuple[Any, ...]] = []
    for network in _PLACES:
        for one in diagrams.of(records, network.experiment, _ALPHAS):
            column = _IN_MUELLER.get((one.alpha, one.scaled), "")
            printed = (
                quoted.value(mueller, network.row, column),
                quoted.value(wagner, network.row, one.printed),
            )
            rows.append(
                (
                    network.label,
                    one.alpha,
                    "fitted" if one.temperature is None else one.temperature,
                    *((None, None) if network.is_short else printed),
                    *(one.numbers() or (NO_RUN,) * len(diagrams.COLUMNS)),
                )
            )
    columns = (
        "network", "alpha", "T", "ECE, Müller et al.", "ECE, Wagner et al.",
        *diagrams.COLUMNS,
    )  # fmt: skip
    return tables.frame(columns, rows)


def draw(records: Mapping[Need, Record]) -> dict[cifar.Network, Figure]:
    """Draws the diagrams of each network that has a run."""
    found = {}
    for network in _PLACES:
        data = diagrams.panels(
            diagrams.of(records, network.experiment, _ALPHAS)
        )
        if data:
            found[network] = drawing.reliability_figure(data)
    return found


def _picture(
    records: Mapping[Need, Record], network: cifar.Network, figure: Figure
) -> Picture:
    found = {a: cifar.of(records, network, a).get(0) for a in _ALPHAS}
    ran = [record for record in found.values() if record is not None]
    return Picture(
        figure,
        f"reliability_{network.experiment}",
        f"{network.label} ({_PLACES[network]}; {cifar.steps(ran)} steps, "
        "seed 0). 15 bins, empty bins left out; underneath, how many images "
        f"each bin rests on (logarithmic).{networks.missing(found)}",
    )


def build(records: Mapping[Need, Record]) -> Report:
    """Builds the page."""
    data = collect(records)
    figures = draw(records)
    return Report(
        TITLE,
        (
            Text(
                "Each bar is the accuracy of the answers that were given with "
                "a confidence in the bin; a calibrated network's bars end on "
                "the dashed line. Müller et al. show ResNet-56 on CIFAR-100 "
                "with alpha 0 at T = 1, with alpha 0 at the fitted T, and with "
                "alpha 0.05 at T = 1; Wagner et al. add other alphas and "
                f"CIFAR-10. {cifar.SHORTENED} {cifar.COMMANDS} "
                f"{cifar.SPLIT} {cifar.JPEG}"
            ),
            *(
                _picture(records, network, figure)
                for network, figure in figures.items()
            ),
            Table(
                data,
                "reliability",
                "The numbers of the diagrams (ECE, MCE: fractions), seed 0. T "
                "is fitted by NLL on the test images; Wagner et al. fit it by "
                "ECE on the images they report. MCE is the worst bin's gap, "
                "however few images it holds. Printed: Müller et al. 2019, "
                f"table 3; Wagner et al. 2023, table 3. {cifar.JPEG}",
                diagrams.FORMATS,
            ),
        ),
    )
