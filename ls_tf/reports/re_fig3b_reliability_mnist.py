"""Reliability diagrams of the fully connected network on MNIST.

Source: Wagner et al. 2023, figure 3b.
Run: python run_experiment.py --report=re_fig3b_reliability_mnist
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import diagrams, drawing, quoted, tables
from ls_tf.pages.blocks import Block, Need, Picture, Table, Text
from ls_tf.pages.networks import Network
from ls_tf.records.runs import Record

TITLE = "Reliability on MNIST: temperature scaling against label smoothing"

_MNIST = Network("MNIST", "fc_mnist")
_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
REQUIRES = tuple(Need("fc_mnist", {"alpha": alpha}) for alpha in _ALPHAS)


def collect(records: Mapping[Need, Record]) -> pd.DataFrame:
    """Gives one row for each diagram."""
    paper = quoted.numbers("re_table2_table3")
    rows = [
        (
            one.alpha,
            one.temperature,
            paper.get(("MNIST", one.printed)),
            *(one.number(heading) for heading in diagrams.COLUMNS),
        )
        for one in diagrams.of(records, _MNIST, _ALPHAS)
    ]
    columns = ("alpha", "T", "ECE, Wagner et al.", *diagrams.COLUMNS)
    return tables.frame(columns, rows)


def panels(records: Mapping[Need, Record]) -> list[drawing.Panel]:
    """Gives the arrays of the diagrams."""
    return diagrams.panels(diagrams.of(records, _MNIST, _ALPHAS))


def draw(data: Sequence[drawing.Panel]) -> Figure:
    """Draws the diagrams."""
    return drawing.reliability_figure(data)


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    data = collect(records)
    best = min(data.itertuples(index=False, name=None), key=lambda r: r[3])
    yield Text(
        "Each bar is the accuracy of the answers that were given with a "
        "confidence in the bin; a calibrated network's bars end on the dashed "
        "line. The smallest calibration error here is that of alpha "
        f"{best[0]:g} at T = {best[1]:.3g}."
    )
    yield Picture(
        draw(panels(records)),
        "reliability",
        "Reliability on the MNIST test set, 15 bins, empty bins left out; seed "
        "0. Underneath, how many images each bin rests on (logarithmic).",
    )
    yield Table(
        data,
        "reliability",
        "The numbers of the diagrams (ECE, MCE: fractions). T is fitted by "
        "NLL; Wagner et al. 2023, table 3, fit it by ECE. MCE is the worst "
        "bin's gap, however few images it holds.",
        diagrams.FORMATS,
    )
