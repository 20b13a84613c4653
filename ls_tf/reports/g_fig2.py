"""The best smoothing over the clean rate: three types, two classes.

Source: Chen et al. 2020, figure 2.
Run: python run_experiment.py --report=g_fig2
"""

from collections.abc import Iterable

from ls_tf.analysis import label_noise
from ls_tf.pages import declared, noise
from ls_tf.pages.blocks import Block, Need, Picture, Text

TITLE = "Label noise: the best p of three types, two classes"
REQUIRES: tuple[Need, ...] = ()

_NAMES = tuple((kind, 2) for kind in label_noise.KINDS)


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    del records  # it needs none
    yield Text(
        f"{noise.WORDS} Alpha wants p = a, beta p = a² + (1 − a)². Gamma wants "
        "no information at all, p = 1/2, up to a = 3/4, where the second "
        "derivative 12 − 16 a of its loss at 1/2 changes sign; from there its "
        "best p rises above a. Of p and 1 − p, which are equally good, the one "
        "of 1/2 or more is shown."
    )
    titles = [f"{kind} type" for kind, _ in _NAMES]
    yield Picture(
        noise.curves(_NAMES, titles),
        "best_p",
        "The p of the least expected loss, M = 2. As figure 2 of Chen et al. "
        "2020.",
    )
    yield noise.table(_NAMES, "As in the figure.")
