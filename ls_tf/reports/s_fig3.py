"""The smoothed logistic loss over the logit, two classes.

Source: Shen et al. 2021, figure 3; the amounts of smoothing are ours, theirs
are not said.
Run: python run_experiment.py --report=s_fig3
"""

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from ls_tf.analysis import soft_labels
from ls_tf.pages import canvas, declared
from ls_tf.pages.blocks import Block, Need, Picture, Text

TITLE = "Smoothing gives the logistic loss a minimum"
REQUIRES: tuple[Need, ...] = ()

_EPS = (0.0, 0.05, 0.1, 0.2, 0.3)
_COLOURS = (
    canvas.INK,
    canvas.BLUE,
    canvas.VERMILION,
    canvas.GREEN,
    canvas.ORANGE,
)
_LOGITS = np.linspace(-4.0, 8.0, 481)


def _least(eps: float) -> tuple[float, float]:
    """Where the loss is least, and how low: nothing of hard labels is."""
    alpha = soft_labels.alpha_from_eps(eps, 2)
    return (
        soft_labels.optimal_logit_gap(alpha=alpha, num_classes=2),
        soft_labels.minimum_loss(alpha=alpha, num_classes=2),
    )


def _figure() -> Figure:
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    for eps, colour in zip(_EPS, _COLOURS, strict=True):
        loss = soft_labels.binary_loss(_LOGITS, eps=eps)
        axes.plot(_LOGITS, loss, color=colour, label=f"alpha = {eps:g}")
        if eps:
            axes.plot(*_least(eps), "o", color=colour, markersize=6)
    axes.set(xlabel="logit of the label's class", ylabel="loss, nats")
    axes.set_ylim(0, 4.2)
    canvas.plain(axes)
    axes.legend(frameon=False, fontsize=9)
    return figure


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    del records  # it needs none
    yield Text(
        "With two classes and one logit z the loss is (1 − alpha) ln(1 + "
        "exp(−z)) + alpha ln(1 + exp(z)), alpha the target of the other class. "
        "Without smoothing it falls for ever, and weights grow with it; with "
        "smoothing it is least at z = ln((1 − alpha) / alpha), where the "
        "answer is the target itself, and grows beyond."
    )
    yield Picture(
        _figure(),
        "logistic_loss",
        "The loss over the logit; a dot is the minimum. As figure 3 of Shen et "
        "al. 2021.",
    )
    yield declared.table(
        "minimum",
        "Where the loss is least, by the formulas. Shen et al. give alpha / "
        "(K − 1) to each of the other classes, which with two classes is "
        "alpha; Müller et al., as all classifiers here, alpha / K: then the "
        "minimum is at ln((2 − alpha) / alpha).",
        _EPS,
        ("alpha", lambda eps: eps, "g"),
        ("logit", lambda eps: _least(eps)[0], ".4f"),
        ("loss there, nats", lambda eps: _least(eps)[1], ".4f"),
        ("logit, alpha / K", lambda eps: _least(eps / 2)[0], ".4f"),
        ("loss there, alpha / K", lambda eps: _least(eps / 2)[1], ".4f"),
    )
