"""The best smoothing of the alpha and the beta type over the clean rate.

Source: Chen et al. 2020, figure 3.
Run: python run_experiment.py --report=g_fig3
"""

from collections.abc import Iterable

from ls_tf.analysis import label_noise
from ls_tf.pages import declared, noise
from ls_tf.pages.blocks import Block, Need, Picture, Text

TITLE = "Label noise: the best p of the alpha and the beta type"
REQUIRES: tuple[Need, ...] = ()

_CLASSES = (2, 3, 5, 10, 1000)
_BETA = tuple(("beta", classes) for classes in _CLASSES)
_NAMES = (("alpha", 2), *_BETA)


def _over_square(a: float, classes: int) -> float:
    return label_noise.optimal_p("beta", a, classes) - a**2


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    del records  # it needs none
    yield Text(
        f"{noise.WORDS} The best p of alpha is a, whatever M is. That of beta "
        "is (1 − 2a + a² M) / (M − 1), which is a² and exactly (1 − a)² / "
        "(M − 1) more: it goes to a² with many classes."
    )
    titles = ["alpha, every M", *(f"beta, M = {m}" for m in _CLASSES)]
    yield Picture(
        noise.curves(_NAMES, titles),
        "best_p",
        "The p of the least expected loss. As figure 3 of Chen et al. 2020.",
    )
    yield noise.table(_NAMES, "As in the figure.")
    yield declared.table(
        "over_square",
        "The best p of the beta type less a².",
        noise.RATES,
        ("a", lambda a: a, "g"),
        *declared.each(_CLASSES, "M = {}".format, _over_square, ".5f"),
    )
