"""Reliability diagrams of the fully connected network on MNIST.

Source: Wagner et al. 2023, figure 3b.
Run: python run_experiment.py --report=re_fig3b_reliability_mnist
"""

from collections.abc import Iterable

from ls_tf.pages import declared, diagrams, quoted
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.networks import Network
from ls_tf.pages.reliability import reliability_figure

TITLE = "Reliability on MNIST: temperature scaling against label smoothing"

_MNIST = Network("MNIST", "fc_mnist")
_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
REQUIRES = tuple(Need("fc_mnist", {"alpha": alpha}) for alpha in _ALPHAS)

_PAPER = quoted.numbers("re_table2_table3")


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    shown = diagrams.of(records, _MNIST, _ALPHAS)
    best = min(shown, key=lambda diagram: diagram.number("ECE") or 0.0)
    yield Text(
        "Each bar is the accuracy of the answers that were given with a "
        "confidence in the bin; a calibrated network's bars end on the dashed "
        "line. The smallest calibration error here is that of alpha "
        f"{best.alpha:g} at T = {best.temperature:.3g}."
    )
    yield Picture(
        reliability_figure(diagrams.panels(shown)),
        "reliability",
        "Reliability on the MNIST test set, 15 bins, empty bins left out; seed "
        "0. Underneath, how many images each bin rests on (logarithmic).",
    )
    yield diagrams.table(
        "The numbers of the diagrams (ECE, MCE: fractions). T is fitted by "
        "NLL; Wagner et al. 2023, table 3, fit it by ECE. MCE is the worst "
        "bin's gap, however few images it holds.",
        shown,
        {"ECE, Wagner et al.": lambda d: _PAPER.get(("MNIST", d.printed))},
    )
