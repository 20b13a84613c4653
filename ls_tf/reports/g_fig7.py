"""Test loss where the test labels are noisy too: theory and networks.

The page is built from whatever records there are.

Source: Chen et al. 2020, figure 7.
Run: python run_experiment.py --report=g_fig7
"""

from collections.abc import Iterable

from ls_tf.pages import declared, noise_curves, noise_runs
from ls_tf.pages.blocks import Block

TITLE = "Label noise: the test loss on noisy test labels"
PARTIAL = True

_SWEEPS = tuple(
    noise_runs.Sweep(n, (0.5, 0.95), noise_runs.TARGETS, "all")
    for n in noise_runs.NETWORKS
)
REQUIRES = noise_runs.needs(*_SWEEPS)


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    return noise_curves.losses_page(
        records,
        _SWEEPS,
        "Training and test labels are kept with the same probability a, by "
        "independent chance: what the beta type is about.",
        "noisy",
        7,
    )
