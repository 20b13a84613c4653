"""Which smoothing method is best for what, on MNIST.

Source: ours; the methods are those of ``ls_tf/losses``, each with its paper.
Run: python run_experiment.py --report=smoothing_bench
"""

from collections.abc import Iterable

from ls_tf.pages import networks, smoothing_bench, smoothing_methods
from ls_tf.pages.blocks import Block
from ls_tf.pages.declared import Records

TITLE = "Smoothing methods on MNIST"
PARTIAL = True

_BENCH = smoothing_methods.Bench(
    "bench_mnist",
    "bench_mnist_student",
    smoothing_methods.METHODS,
    networks.SEEDS,
)
REQUIRES = _BENCH.needs()


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    return smoothing_bench.build(
        records,
        _BENCH,
        "MNIST",
        ("digits", "noise"),
        "Fully connected networks of two hidden layers of 400 units, 100 "
        "epochs of 50,000 images; a student has 50 units a layer and learns "
        "from its teacher's probabilities alone. Foreign images are "
        "scikit-learn's digits and pixels drawn by chance; linear transfer is "
        "to the digits.",
    )
