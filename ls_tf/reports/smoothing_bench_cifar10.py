"""Which smoothing method is best for what, on CIFAR-10, cut short.

Source: ours; the methods are those of ``ls_tf/losses``, each with its paper.
Run: python run_experiment.py --report=smoothing_bench_cifar10
"""

from collections.abc import Iterable

from ls_tf.pages import networks, smoothing_bench, smoothing_methods
from ls_tf.pages.blocks import Block
from ls_tf.pages.declared import Records

TITLE = "Smoothing methods on CIFAR-10, cut short"
PARTIAL = True

_BENCH = smoothing_methods.Bench(
    "bench_cifar10_short", "", smoothing_methods.METHODS, networks.SEEDS
)
REQUIRES = _BENCH.needs()


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    return smoothing_bench.build(
        records,
        _BENCH,
        "CIFAR-10, cut short",
        ("mnist", "noise"),
        "AlexNet for 3,250 steps (10 epochs, of 1,248): networks that are not "
        "trained to their end, whose numbers are nobody's. Foreign images are "
        "MNIST's and pixels drawn by chance; linear transfer is to MNIST.",
    )
