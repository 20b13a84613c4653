"""The best smoothing of the gamma type, several numbers of classes.

Source: Chen et al. 2020, figure 4.
Run: python run_experiment.py --report=g_fig4
"""

from collections.abc import Iterable

from ls_tf.analysis import label_noise
from ls_tf.pages import declared, noise
from ls_tf.pages.blocks import Block, Need, Picture, Text

TITLE = "Label noise: the best p of the gamma type"
REQUIRES: tuple[Need, ...] = ()

_CLASSES = (2, 3, 5, 10, 100, 1000)
_NAMES = tuple(("gamma", classes) for classes in _CLASSES)


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    del records  # it needs none
    yield Text(
        f"{noise.WORDS} Where labels are noisier than a threshold, the gamma "
        "type wants no information at all: p = 1/M. With two classes the best "
        "p leaves 1/2 continuously at a = 3/4. With three or more it jumps, as "
        "in a phase transition of first order: at the threshold two different "
        "p have the loss ln M."
    )
    yield Picture(
        noise.curves(_NAMES, [f"M = {m}" for m in _CLASSES]),
        "best_p",
        "The p of the least expected loss, of those of 1/M or more. As figure "
        "4 of Chen et al. 2020.",
    )
    yield declared.table(
        "jumps",
        "The threshold of a, and from where to where the best p goes there.",
        [(m, *label_noise.gamma_jump(m)) for m in _CLASSES],
        ("M", lambda row: row[0], ""),
        ("threshold of a", lambda row: row[1], ".5f"),
        ("p below", lambda row: 1 / row[0], ".4f"),
        ("p above", lambda row: row[2], ".4f"),
    )
    yield noise.table(_NAMES, "As in the figure.")
