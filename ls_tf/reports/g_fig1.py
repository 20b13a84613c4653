"""The expected loss over the clean rate and the smoothing, two classes.

Source: Chen et al. 2020, figure 1.
Run: python run_experiment.py --report=g_fig1
"""

from collections.abc import Iterable

from matplotlib.figure import Figure

from ls_tf.analysis import label_noise
from ls_tf.pages import declared, noise
from ls_tf.pages.blocks import Block, Need, Picture, Text

TITLE = "Label noise: the expected loss of smoothed targets"
REQUIRES: tuple[Need, ...] = ()

_CLASSES = 2
_MOST = 2.0  # nats


def _figure() -> Figure:
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    grid = figure.subplots(1, len(label_noise.KINDS), sharey=True)
    for axes, kind in zip(grid, label_noise.KINDS, strict=True):
        mesh = noise.landscape(axes, kind, _CLASSES, most=_MOST)
    grid[0].set_ylabel("p, probability on the target's class")
    bar = figure.colorbar(mesh, ax=grid, label="loss, nats", extend="max")
    bar.ax.tick_params(labelsize=9)
    return figure


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    del records  # it needs none
    names = [(kind, _CLASSES) for kind in label_noise.KINDS]
    yield Text(
        f"{noise.WORDS} The loss is −q ln p − (1 − q) ln((1 − p) / (M − 1)), "
        "with q = a, a² + (1 − a)² / (M − 1) and a p + (1 − a)(1 − p) / "
        "(M − 1). The paper says that each type has one best p; with two "
        "classes 1 − p is as good as p in the gamma type, and of the two the "
        "one above 1/2 is meant here."
    )
    yield Picture(
        _figure(),
        "landscapes",
        "The loss in steps of .01; the line is the best p at each a. Losses "
        f"above {_MOST:g} have one colour. As figure 1 of Chen et al. 2020.",
    )
    yield noise.table(names, "As in the figure.")
