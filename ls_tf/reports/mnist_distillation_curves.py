"""Distillation on MNIST over alpha and T, against the smoothness gamma.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains three seeds, of each six teachers, six students on
labels, six of the hard teacher and five of the smoothed ones. That is about
seven hours on two cores of a CPU; with ``--engine=jax`` three programs, one
after the other.

Source: Wagner et al. 2023, figure 7; Mueller et al. 2019, figure 5.
Run: python run_experiment.py --report=mnist_distillation_curves
"""

from collections.abc import Iterable

from ls_tf.pages import canvas, declared, distillation, networks
from ls_tf.pages.blocks import Block, Text

TITLE = "Distillation on MNIST against the smoothness of the teacher"
PARTIAL = True

_SETTING = distillation.Setting(
    "MNIST",
    alone="fc_mnist_small",
    student="fc_mnist_distillation",
    temperatures=(1.0, 2.0, 4.0, 8.0, 12.0, 16.0),  # Wagner et al.: without 3
    seeds=networks.SEEDS,
    headline=networks.SEEDS,
    by_interval=True,
)

REQUIRES = tuple(distillation.needs(_SETTING))


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    yield Text(
        "Does a more accurate teacher teach better? Teachers with more and "
        "more label smoothing, and students of 800 + 800 units: on labels "
        "smoothed the same, on the answers of the hard teacher at temperature "
        "T, and on the answers of the smoothed teachers. Students of a teacher "
        "see its probabilities alone (beta = 1, student's temperature 1). All "
        f"teachers are trained without dropout. {networks.COMMANDS}"
    )
    caption = (
        "Test accuracy against gamma: the probability that the labels, or the "
        "teacher's answers, leave to the other classes, times K / (K - 1). "
        f"{canvas.BAND} The numbers are temperatures. A student has the seed "
        "of its teacher."
    )
    yield from distillation.blocks(
        records,
        {_SETTING: caption},
        "Accuracy on the 10,000 test images, %, and gamma on the training "
        "images as the student sees them; of labels it is alpha. The first "
        "student of smoothed teachers, alpha = 0, is that of the hard one at T "
        "= 1.",
    )
