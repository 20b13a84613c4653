"""The penultimate layer of the Transformer, English to German.

The page is built from whatever records there are; a network without one says
so. ``--run_missing`` trains Multi30k's network with alpha 0 and 0.1, seed 0.
The others are made by the commands on the page.

Source: Mueller et al. 2019, figure 7.
Run: python run_experiment.py --report=fig7_penultimate_ende
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import drawing, geometry, networks, tables, translation
from ls_tf.pages.blocks import NO_RUN, Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record

TITLE = "The penultimate layer of the Transformer, English to German"
PARTIAL = True

_EVALUATOR = "token_projection"
_SPLITS = {"train": "training sentences", "report": "held-out sentences"}
_CLAIM = "tighter?"  # what the paper says of this figure

REQUIRES = translation.all_needs(translation.PLACES, translation.ALPHAS)


def _found(
    records: Mapping[Need, Record], network: networks.Network
) -> dict[float, Record | None]:
    """The records of seed 0: alpha -> record, None if it is not there."""
    return {
        a: networks.of(records, network, a).get(0) for a in translation.ALPHAS
    }


def _scalars(record: Record | None) -> dict[str, float] | None:
    return None if record is None else record.scalars(_EVALUATOR, "report")


def _words(record: Record) -> dict[int, str]:
    """The subwords of a record: id -> text, without the space before it."""
    notes = record.measurement(_EVALUATOR, "report").get("notes", {})
    return {
        int(name.removeprefix("token_")): str(piece).lstrip("▁")
        for name, piece in notes.items()
    }


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the measures of each network and split, and the claims."""
    numbers: list[tuple[Any, ...]] = []
    claims: list[tuple[Any, ...]] = []
    names = [scalar for scalar, _, _ in geometry.MEASURES]
    for network in translation.PLACES:
        title = translation.title(network)
        found = _found(records, network)
        for alpha, record in found.items():
            values = _scalars(record)
            words = None if record is None else _words(record).values()
            for split, heading in _SPLITS.items():
                cells: list[Any] = [NO_RUN] * len(names)
                if values is not None:
                    cells = [values[f"{split}_{name}"] for name in names]
                shown = None if words is None else ", ".join(words)
                numbers.append((title, alpha, heading, shown, *cells))
        hard, smoothed = (_scalars(found[a]) for a in translation.ALPHAS)
        claims += [
            (title, *line) for line in geometry.claims(hard, smoothed, _SPLITS)
        ]
    return {
        "geometry": tables.frame(
            ("network", "alpha", "split", "subwords", *names), numbers
        ),
        "claims": tables.frame(
            (
                "network", "measure", "split", "alpha=0", "alpha=0.1",
                "with smoothing", "holds",
            ),
            claims,
        ),
    }  # fmt: skip


def draw(records: Mapping[Need, Record]) -> dict[networks.Network, Figure]:
    """Draws two rows of two panels for each network that has a run."""
    figures = {}
    for network in translation.PLACES:
        found = {
            a: r for a, r in _found(records, network).items() if r is not None
        }
        if not found:
            continue
        names: dict[int, str] = {}
        for record in found.values():
            names |= _words(record)
        panels = [
            drawing.Panel(f"alpha = {a:g}", r.arrays(_EVALUATOR, "report"))
            for a, r in found.items()
        ]
        figures[network] = drawing.projection_figure(panels, _SPLITS, names)
    return figures


def _picture(
    network: networks.Network,
    figure: Figure,
    found: Mapping[float, Record | None],
) -> Picture:
    ran = [record for record in found.values() if record is not None]
    return Picture(
        figure,
        f"penultimate_{network.experiment}",
        f"{translation.title(network)}; {networks.steps(ran)} steps, seed 0. "
        "The decoder's activations before three subwords, given the right ones "
        "before: their first occurrences in each split, 100 at most. Crosses "
        "are the templates. The axes of a row are the same; those of the two "
        f"rows are not.{networks.missing(found)}",
    )


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    data = collect(records)
    claims = data["claims"]
    holds = list(claims[claims["with smoothing"] == _CLAIM]["holds"])
    compared = sum(word != NO_RUN for word in holds)
    yield Text(
        "The embeddings of three subwords (templates) span a plane; the "
        "decoder's last activations are projected onto it. Müller et al. see "
        "tighter clusters with smoothing; their networks, right on about 80 % "
        "of the training subwords, err on training sentences too. Here "
        f"{holds.count('yes')} of {compared} measures of tightness agree. "
        "Which subwords the paper shows is not said; ours are the three most "
        "frequent words of the training translations that are one subword of "
        f"three letters or more. {translation.SUBSTITUTE} {networks.COMMANDS}"
    )
    yield from (
        _picture(network, figure, _found(records, network))
        for network, figure in draw(records).items()
    )
    yield Table(
        data["geometry"],
        "geometry",
        "The shape of the clusters, seed 0. Tightness: spread of a cluster "
        "over the distance of the templates; by centres: over the distance of "
        "the clusters. Side spread: 0 for a regular triangle. Scale: mean "
        "distance of the clusters, in units of activation. "
        f"{translation.SPLIT}",
        {
            "alpha": "g",
            **{name: ".4f" for name in data["geometry"].columns[4:]},
        },
    )
    yield Table(
        claims,
        "claims",
        "Claim of the paper: smoothing tightens the clusters. That it makes "
        "the triangle more regular and the scale smaller is what the paper "
        "says of images. A claim holds if the number is lower with smoothing; "
        "seed 0.",
        {"alpha=0": ".4f", "alpha=0.1": ".4f"},
    )
