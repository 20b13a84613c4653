"""The expected loss over the clean rate and the smoothing, ten classes.

Source: Chen et al. 2020, figure 5, parts a and c.
Run: python run_experiment.py --report=g_fig5_theory
"""

from collections.abc import Iterable

from matplotlib.figure import Figure

from ls_tf.pages import declared, noise
from ls_tf.pages.blocks import Block, Need, Picture, Text

TITLE = "Label noise: the expected loss of ten classes, alpha type"
REQUIRES: tuple[Need, ...] = ()

_CLASSES = 10
_MOST = 4.0  # nats


def _figure() -> Figure:
    figure = Figure(figsize=(6, 4.8), layout="constrained")
    axes = figure.subplots()
    mesh = noise.landscape(axes, "alpha", _CLASSES, most=_MOST)
    axes.set_ylabel("p, probability on the target's class")
    figure.colorbar(mesh, ax=axes, label="loss, nats", extend="max")
    return figure


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    del records  # it needs none
    yield Text(f"{noise.WORDS} MNIST and CIFAR-10 have ten classes.")
    yield Picture(
        _figure(),
        "landscape",
        "The loss in steps of .01, M = 10; the line is the best p, which is a. "
        f"Losses above {_MOST:g} have one colour. As figure 5 a and c of Chen "
        "et al. 2020.",
    )
    yield noise.table((("alpha", _CLASSES),), "As in the figure.")
