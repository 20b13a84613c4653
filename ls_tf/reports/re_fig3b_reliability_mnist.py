"""Reliability diagrams of the fully connected network on MNIST.

Source: Wagner et al. 2023, figure 3b.
Run: python run_experiment.py --report=re_fig3b_reliability_mnist
"""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.reports import _draw, _paper, _tables
from ls_tf.reports._blocks import Need, Picture, Report, Table, Text
from ls_tf.runs import Record

TITLE = "Reliability on MNIST: temperature scaling against label smoothing"

_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
REQUIRES = tuple(Need("fc_mnist", {"alpha": alpha}) for alpha in _ALPHAS)


def _diagrams(
    records: Mapping[Need, Record],
) -> list[tuple[float, str, Record]]:
    """Alpha, suffix of the scaled twin, record: in the order of the figure."""
    found = [
        (alpha, _tables.record_of(records, "fc_mnist", {"alpha": alpha}))
        for alpha in _ALPHAS
    ]
    hard = found[0][1]
    return [
        (0.0, "", hard),
        (0.0, "_scaled", hard),
        *((alpha, "", record) for alpha, record in found[1:]),
    ]


def collect(records: Mapping[Need, Record]) -> pd.DataFrame:
    """Gives one row for each diagram."""
    paper = _paper.numbers("re_table2_table3")
    rows = []
    for alpha, suffix, record in _diagrams(records):
        values = record.scalars("reliability", "report")
        printed = "ece scaled" if suffix else f"ece alpha={alpha:g}"
        rows.append(
            (
                alpha,
                values["temperature"] if suffix else 1.0,
                _paper.value(paper, "MNIST", printed),
                values[f"ece{suffix}"],
                values[f"mce{suffix}"],
                values[f"signed_calibration_error{suffix}"],
                values[f"nll{suffix}"],
                100 * values[f"accuracy{suffix}"],
            )
        )
    columns = (
        "alpha", "T", "ECE, Wagner et al.", "ECE", "MCE",
        "confidence − accuracy", "NLL, nats", "accuracy, %",
    )  # fmt: skip
    return _tables.frame(columns, rows)


def panels(records: Mapping[Need, Record]) -> list[_draw.Panel]:
    """Gives the arrays of the diagrams."""
    found = []
    for alpha, suffix, record in _diagrams(records):
        t = record.scalars("reliability", "report")["temperature"]
        scaled = f", T = {t:.3g}" if suffix else ", T = 1"
        found.append(
            _draw.Panel(
                f"alpha = {alpha:g}{scaled}",
                record.arrays("reliability", "report"),
                suffix,
            )
        )
    return found


def draw(data: Sequence[_draw.Panel]) -> Figure:
    """Draws the diagrams."""
    return _draw.reliability_figure(data)


def build(records: Mapping[Need, Record]) -> Report:
    """Builds the page."""
    data = collect(records)
    best = min(data.itertuples(index=False, name=None), key=lambda r: r[3])
    return Report(
        TITLE,
        (
            Text(
                "Each bar is the accuracy of the answers that were given with "
                "a confidence in the bin; a calibrated network's bars end on "
                "the dashed line. The smallest calibration error here is that "
                f"of alpha {best[0]:g} at T = {best[1]:.3g}."
            ),
            Picture(
                draw(panels(records)),
                "reliability",
                "Reliability on the MNIST test set, 15 bins, empty bins left "
                "out; seed 0. Underneath, how many images each bin rests on "
                "(logarithmic).",
            ),
            Table(
                data,
                "reliability",
                "The numbers of the diagrams (ECE, MCE: fractions). T is "
                "fitted by NLL; Wagner et al. 2023, table 3, fit it by ECE. "
                "MCE is the worst bin's gap, however few images it holds.",
                {
                    "alpha": "g",
                    "T": ".3f",
                    "ECE, Wagner et al.": ".3f",
                    "ECE": ".4f",
                    "MCE": ".4f",
                    "confidence − accuracy": "+.4f",
                    "NLL, nats": ".4f",
                    "accuracy, %": ".2f",
                },  # fmt: skip
            ),
        ),
    )
