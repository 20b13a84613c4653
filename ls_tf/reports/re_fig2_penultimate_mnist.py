"""The penultimate layer on MNIST with hard and with smoothed labels.

Source: Mueller et al. 2019, figure 1; Wagner et al. 2023, figure 2, MNIST.
Run: python run_experiment.py --report=re_fig2_penultimate_mnist
"""

from collections.abc import Iterable

from ls_tf.pages import declared, geometry
from ls_tf.pages.blocks import Block, Need, Picture, Text
from ls_tf.pages.declared import Records
from ls_tf.pages.projection import projection_figure

TITLE = "The penultimate layer on MNIST, classes 0, 1 and 2"

_NEEDS = {
    alpha: Need("fc_mnist", {"alpha": alpha}) for alpha in geometry.ALPHAS
}
REQUIRES = tuple(_NEEDS.values())

_SPLITS = {"train": "training images", "report": "test images"}


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    clusters = geometry.Clusters(
        "MNIST", {alpha: records[need] for alpha, need in _NEEDS.items()}
    )
    claims = geometry.claims([clusters], _SPLITS)
    yield Text(
        "Three classes' last-layer weights (templates) span a plane; the "
        "activations before the last layer are projected onto it. Müller et "
        "al. see tight, regular clusters of a smaller scale with smoothed "
        f"labels. Here {geometry.agreement(claims)} measures agree."
    )
    yield Picture(
        projection_figure(clusters.panels(), _SPLITS),
        "penultimate",
        "100 images of each class and split; crosses are the templates. The "
        "axes of a row are the same, those of the two rows are not. Seed 0.",
    )
    yield declared.table(
        "geometry",
        "The shape of the clusters, lower meaning as claimed; seed 0. Lengths "
        "are in units of activation (of weights for the templates).",
        claims,
        *geometry.CLAIM_COLUMNS,
    )
