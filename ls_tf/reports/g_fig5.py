"""The test loss over clean rate and smoothing: theory and trained networks.

The page is built from whatever records there are.

Source: Chen et al. 2020, figure 5.
Run: python run_experiment.py --report=g_fig5
"""

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from ls_tf.pages import canvas, declared, noise, noise_runs
from ls_tf.pages.blocks import Block, Picture, Text

TITLE = "Label noise: the test loss over a and p, expected and measured"
PARTIAL = True

_SWEEPS = tuple(noise_runs.Sweep(n) for n in noise_runs.NETWORKS)
REQUIRES = noise_runs.needs(*_SWEEPS)
_MOST = 4.0  # nats


def _figure(sweep: noise_runs.Sweep, values: np.ndarray) -> Figure:
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    noise.landscape(left, "alpha", noise_runs.CLASSES, most=_MOST)
    rates, targets = (np.array(v) for v in (sweep.rates, sweep.targets))
    mesh = noise.heat_map(right, rates, targets, values, most=_MOST)
    places = noise_runs.best(values, sweep.targets)
    right.plot(rates, places, "o", color="white", markeredgecolor=canvas.INK)
    right.set_title(sweep.network.label, fontsize=11)
    for axes in (left, right):
        mesh_of = axes.collections[0]
        mesh_of.set_clim(0, _MOST)
        axes.set(xlim=(0.05, 1.05), ylim=(0.05, 1.05))
    left.set_ylabel("p, probability on the target's class")
    figure.colorbar(mesh, ax=(left, right), label="loss, nats", extend="max")
    return figure


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    grids = {s: s.values(records, noise_runs.nll) for s in _SWEEPS}
    yield Text(
        f"{noise.WORDS} Networks are trained on labels of which a part of 1 − "
        "a is wrong, towards targets of p, and measured on clean test labels "
        "by the plain loss; means over seeds. At p = 1 the theory's loss is "
        f"infinite wherever a label is wrong, a network's is not. "
        f"{noise_runs.protocol(records)}"
    )
    for sweep, values in grids.items():
        if noise_runs.is_there(values):
            yield Picture(
                _figure(sweep, values),
                f"losses_{sweep.network.experiment}",
                "Left the alpha type's expected loss, its minimum a line; "
                "right the test loss of trained networks, their minima "
                f"circles. Losses above {_MOST:g} have one colour, white is "
                "without a run. As figure 5 of Chen et al. 2020.",
            )
    yield noise_runs.grid_table(
        "losses", "Test loss on clean labels, nats.", grids, ".4f"
    )
    yield noise_runs.minima_table(grids, "Clean test labels.")
