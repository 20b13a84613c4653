"""The penultimate layer on MNIST with hard and with smoothed labels.

Source: Mueller et al. 2019, figure 1; Wagner et al. 2023, figure 2, MNIST.
Run: python run_experiment.py --report=re_fig2_penultimate_mnist
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import drawing, geometry, tables
from ls_tf.pages.blocks import Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record

TITLE = "The penultimate layer on MNIST, classes 0, 1 and 2"

_HARD, _SMOOTHED = {"alpha": 0.0}, {"alpha": 0.1}
REQUIRES = (Need("fc_mnist", _HARD), Need("fc_mnist", _SMOOTHED))

_SPLITS = {"train": "training images", "report": "test images"}


def collect(records: Mapping[Need, Record]) -> pd.DataFrame:
    """Gives one row for each measure and split, and whether it fell."""
    hard, smoothed = (
        tables.record_of(records, "fc_mnist", changes).scalars(
            "penultimate", "report"
        )
        for changes in (_HARD, _SMOOTHED)
    )
    rows = geometry.claims(hard, smoothed, _SPLITS)
    columns = (
        "measure", "split", "alpha=0", "alpha=0.1", "with smoothing", "holds",
    )  # fmt: skip
    return tables.frame(columns, rows)


def panels(records: Mapping[Need, Record]) -> list[drawing.Panel]:
    """Gives the projected points of both networks."""
    return [
        drawing.Panel(
            f"alpha = {changes['alpha']:g}",
            tables.record_of(records, "fc_mnist", changes).arrays(
                "penultimate", "report"
            ),
        )
        for changes in (_HARD, _SMOOTHED)
    ]


def draw(data: Sequence[drawing.Panel]) -> Figure:
    """Draws the projections."""
    return drawing.projection_figure(data, _SPLITS)


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    data = collect(records)
    count = sum(data["holds"] == "yes")
    yield Text(
        "Three classes' last-layer weights (templates) span a plane; the "
        "activations before the last layer are projected onto it. Müller et "
        "al. see tight, regular clusters of a smaller scale with smoothed "
        f"labels. Here {count} of {len(data)} measures agree."
    )
    yield Picture(
        draw(panels(records)),
        "penultimate",
        "100 images of each class and split; crosses are the templates. The "
        "axes of a row are the same, those of the two rows are not. Seed 0.",
    )
    yield Table(
        data,
        "geometry",
        "The shape of the clusters, lower meaning as claimed; seed 0. Lengths "
        "are in units of activation (of weights for the templates).",
        {"alpha=0": ".4f", "alpha=0.1": ".4f"},
    )
