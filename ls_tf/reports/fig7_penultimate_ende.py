"""The penultimate layer of the Transformer, English to German.

The page is built from whatever records there are; a network without one says
so. ``--run_missing`` trains Multi30k's network with alpha 0 and 0.1, seed 0.
The others are made by the commands on the page.

Source: Mueller et al. 2019, figure 7.
Run: python run_experiment.py --report=fig7_penultimate_ende
"""

from collections.abc import Iterable

from ls_tf.pages import declared, geometry, networks, translation
from ls_tf.pages.blocks import Block, Picture, Text
from ls_tf.pages.declared import Records
from ls_tf.pages.projection import projection_figure
from ls_tf.records.runs import Record

TITLE = "The penultimate layer of the Transformer, English to German"
PARTIAL = True

_EVALUATOR = "token_projection"
_SPLITS = {"train": "training sentences", "report": "held-out sentences"}

REQUIRES = networks.all_needs(
    translation.PLACES, translation.ALPHAS, headline=translation.HEADLINE
)


def _words(record: Record) -> dict[int, str]:
    """The subwords of a record: id -> text, without the space before it."""
    notes = record.measurement(_EVALUATOR, "report").get("notes", {})
    return {
        int(number): str(piece).lstrip("▁")
        for name, piece in notes.items()
        if (number := name.removeprefix("token_")).isdecimal()
    }


def _shown_words(shape: geometry.Shape) -> str | None:
    if shape.record is None:
        return None
    return ", ".join(_words(shape.record).values())


def _picture(network: networks.Network, clusters: geometry.Clusters) -> Picture:
    """Draws two rows of two panels."""
    names: dict[int, str] = {}
    for record in clusters.finished.values():
        names |= _words(record)
    steps = networks.steps(clusters.finished)
    return Picture(
        projection_figure(clusters.panels(), _SPLITS, names),
        f"penultimate_{network.experiment}",
        f"{clusters.network}; {steps} steps, seed 0. The decoder's activations "
        "before three subwords, given the right ones before: their first "
        "occurrences in each split, 100 at most. Crosses are the templates. "
        "The axes of a row are the same; those of the two rows are "
        f"not.{networks.missing(clusters.records)}",
    )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = {
        n: geometry.Clusters(
            translation.title(n),
            networks.seed_0(records, n, translation.ALPHAS),
            _EVALUATOR,
        )
        for n in translation.PLACES
    }
    claims = geometry.claims(rows.values(), _SPLITS)
    # What the paper says of this figure.
    tightness = [c for c in claims if c.text in geometry.TIGHTNESS]
    yield Text(
        "The embeddings of three subwords (templates) span a plane; the "
        "decoder's last activations are projected onto it. Müller et al. see "
        "tighter clusters with smoothing; their networks, right on about 80 % "
        "of the training subwords, err on training sentences too. Here "
        f"{geometry.agreement(tightness)} measures of tightness agree. Which "
        "subwords the paper shows is not said; ours are the three most "
        "frequent words of the training translations that are one subword of "
        f"three letters or more. {translation.SUBSTITUTE} {networks.COMMANDS}"
    )
    for network, clusters in rows.items():
        if clusters.finished:
            yield _picture(network, clusters)
    yield geometry.table(
        rows.values(),
        _SPLITS,
        translation.SPLIT,
        ("subwords", _shown_words, ""),
    )
    yield declared.table(
        "claims",
        "Claim of the paper: smoothing tightens the clusters. That it makes "
        "the triangle more regular and the scale smaller is what the paper "
        "says of images. A claim holds if the number is lower with smoothing; "
        "seed 0.",
        claims,
        ("network", lambda c: c.of.clusters.network, ""),
        *geometry.CLAIM_COLUMNS,
    )
