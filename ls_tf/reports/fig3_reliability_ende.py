"""Reliability diagrams of the Transformer, English to German.

The page is built from whatever records there are; a diagram without one says
so. ``--run_missing`` trains Multi30k's network with alpha 0 and 0.1, seed 0.
The others are made by the commands on the page.

Source: Mueller et al. 2019, figure 3; Wagner et al. 2023, figure 4.
Run: python run_experiment.py --report=fig3_reliability_ende
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import (
    diagrams,
    drawing,
    networks,
    quoted,
    tables,
    translation,
)
from ls_tf.pages.blocks import NO_RUN, Need, Picture, Report, Table, Text
from ls_tf.records.runs import Record

TITLE = "Reliability of the next subword: the Transformer, English to German"
PARTIAL = True

_MUELLER = "Müller et al. figure 3"
# What each network's picture stands for.
_PLACES = {
    translation.ENDE: _MUELLER,
    translation.MULTI30K: (
        f"substitute for {_MUELLER}; Wagner et al. figure 4, corrected"
    ),
    translation.MULTI30K_BASE: f"substitute for {_MUELLER}",
    translation.NUMBERS: "ours",
}
# The first three diagrams are the paper's: alpha 0, the same at the fitted
# temperature, alpha 0.1. Wagner et al. have other alphas too.
_OTHERS = (0.05, 0.15, 0.3)
_IN_MUELLER = {
    (0.0, False): "ece alpha=0",
    (0.0, True): "ece scaled",
    (0.1, False): "ece smoothed",
}

REQUIRES = (
    *translation.all_needs(_PLACES, translation.ALPHAS),
    *networks.needs(translation.MULTI30K, _OTHERS),
)


def _alphas(network: networks.Network) -> tuple[float, ...]:
    others = _OTHERS if network == translation.MULTI30K else ()
    return (*translation.ALPHAS, *others)


def _diagrams_of(
    records: Mapping[Need, Record], network: networks.Network
) -> list[diagrams.Diagram]:
    return diagrams.of(
        records, network.experiment, _alphas(network), translation.DIAGRAMS
    )


def collect(records: Mapping[Need, Record]) -> pd.DataFrame:
    """Gives one row for each diagram."""
    paper = quoted.numbers("table3_ece")
    rows: list[tuple[Any, ...]] = []
    headings = tuple(translation.DIAGRAMS.columns)
    for network in _PLACES:
        for one in _diagrams_of(records, network):
            column = _IN_MUELLER.get((one.alpha, one.scaled), "")
            rows.append(
                (
                    translation.title(network),
                    one.alpha,
                    "fitted" if one.temperature is None else one.temperature,
                    quoted.value(paper, network.row, column),
                    *(one.numbers() or (NO_RUN,) * len(headings)),
                )
            )
    columns = ("network", "alpha", "T", "ECE, Müller et al.", *headings)
    return tables.frame(columns, rows)


def draw(records: Mapping[Need, Record]) -> dict[networks.Network, Figure]:
    """Draws the diagrams of each network that has a run."""
    found = {}
    for network in _PLACES:
        data = diagrams.panels(_diagrams_of(records, network))
        if data:
            found[network] = drawing.reliability_figure(data)
    return found


def _picture(
    records: Mapping[Need, Record], network: networks.Network, figure: Figure
) -> Picture:
    found = {
        a: networks.of(records, network, a).get(0) for a in _alphas(network)
    }
    ran = [record for record in found.values() if record is not None]
    return Picture(
        figure,
        f"reliability_{network.experiment}",
        f"{network.label} ({_PLACES[network]}; {networks.steps(ran)} steps, "
        "seed 0). 15 bins, empty bins left out; underneath, how many subwords "
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
                "Each bar is the accuracy of the subwords that were given with "
                "a confidence in the bin; a calibrated network's bars end on "
                "the dashed line. Müller et al. show hard targets (alpha 0) at "
                "T = 1 and at the fitted T, and alpha 0.1 at T = 1. "
                f"{translation.SUBSTITUTE} {networks.COMMANDS}"
            ),
            *(
                _picture(records, network, figure)
                for network, figure in figures.items()
            ),
            Table(
                data,
                "reliability",
                f"The numbers of the diagrams (ECE: fractions), seed 0. "
                f"{translation.TOKENS} {translation.SPLIT} The paper takes "
                "about 10,000 subwords; so does the column that says so, in "
                f"whole sentences; the others take all. {translation.FITTED} "
                "Printed: Müller et al. 2019, table 3. What Wagner et al. "
                "print for Multi30k counts padding and stands on the page of "
                "report re_fig5_bleu_sweep.",
                diagrams.FORMATS,
            ),
        ),
    )
