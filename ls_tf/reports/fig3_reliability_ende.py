"""Reliability diagrams of the Transformer, English to German.

The page is built from whatever records there are; a diagram without one says
so. ``--run_missing`` trains Multi30k's network with alpha 0 and 0.1, seed 0.
The others are made by the commands on the page.

Source: Mueller et al. 2019, figure 3; Wagner et al. 2023, figure 4.
Run: python run_experiment.py --report=fig3_reliability_ende
"""

from collections.abc import Iterable

from ls_tf.pages import declared, diagrams, networks, quoted, translation
from ls_tf.pages.blocks import Block, Text

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
    *networks.all_needs(
        _PLACES, translation.ALPHAS, headline=translation.HEADLINE
    ),
    *networks.needs(translation.MULTI30K, _OTHERS),
)

_PAPER = quoted.numbers("table3_ece")
_PAGE = diagrams.Page(
    _PLACES,
    lambda network: (
        *translation.ALPHAS,
        *(_OTHERS if network == translation.MULTI30K else ()),
    ),
    "subwords",
    translation.title,
    {
        "ECE, Müller et al.": lambda d: _PAPER.get(
            (d.network.row, _IN_MUELLER.get((d.alpha, d.scaled), ""))
        )
    },
    translation.DIAGRAMS,
)


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    yield Text(
        "Each bar is the accuracy of the subwords that were given with a "
        "confidence in the bin; a calibrated network's bars end on the dashed "
        "line. Müller et al. show hard targets (alpha 0) at T = 1 and at the "
        f"fitted T, and alpha 0.1 at T = 1. {translation.SUBSTITUTE} "
        f"{networks.COMMANDS}"
    )
    yield from _PAGE.pictures(records)
    yield _PAGE.table(
        records,
        "The numbers of the diagrams (ECE: fractions), seed 0. "
        f"{translation.TOKENS} {translation.SPLIT} The paper takes about "
        "10,000 subwords; so does the column that says so, in whole sentences; "
        f"the others take all. {translation.FITTED} Printed: Müller et al. "
        "2019, table 3. What Wagner et al. print for Multi30k counts padding "
        "and stands on the page of report re_fig5_bleu_sweep.",
    )
