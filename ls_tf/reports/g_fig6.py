"""Test loss over the smoothing at some clean rates: theory and networks.

The page is built from whatever records there are.

Source: Chen et al. 2020, figure 6, whose clean rates are not said.
Run: python run_experiment.py --report=g_fig6
"""

from collections.abc import Iterable

from ls_tf.pages import declared, noise_curves, noise_runs
from ls_tf.pages.blocks import Block

TITLE = "Label noise: the test loss over p at three clean rates"
PARTIAL = True

_SWEEPS = tuple(
    noise_runs.Sweep(n, noise_runs.SLICES, noise_runs.FINE)
    for n in noise_runs.NETWORKS
)
REQUIRES = noise_runs.needs(*_SWEEPS)


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    return noise_curves.losses_page(
        records,
        _SWEEPS,
        "Trained and tested as in report g_fig5. The paper does not say which "
        "a it shows; ours are those of its other figures.",
        "clean",
        6,
    )
