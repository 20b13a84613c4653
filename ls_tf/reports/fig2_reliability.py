"""Reliability diagrams on CIFAR-100, CIFAR-10 and ImageNet.

The page is built from whatever records there are; a diagram without one says
so. ``--run_missing`` trains the headline runs: ResNet-56 on CIFAR-100, alpha 0
and 0.05, seed 0, at full schedule. That is hours on a GPU and days on a CPU.
The others are made by the commands on the page.

Source: Mueller et al. 2019, figure 2; Wagner et al. 2023, figures 3a, 9a and
9b.
Run: python run_experiment.py --report=fig2_reliability
"""

from collections.abc import Iterable

from ls_tf.pages import (
    cifar,
    declared,
    diagrams,
    networks,
    photographs,
    quoted,
)
from ls_tf.pages.blocks import Block, Text
from ls_tf.pages.networks import Network

TITLE = (
    "Reliability: temperature scaling against label smoothing on CIFAR and "
    "ImageNet"
)
PARTIAL = True

_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
_MUELLER = "Müller et al. figure 2, left"
_SUBSTITUTE = f"substitute for {_MUELLER}"
_ALEXNET_PLACE = f"{_SUBSTITUTE}; Wagner et al. figure 9"
# What each network's picture stands for.
_PLACES = {
    cifar.RESNET_100: f"{_MUELLER}; Wagner et al. figure 3a",
    cifar.ALEXNET: _ALEXNET_PLACE,
    cifar.ALEXNET_BFLOAT16: _ALEXNET_PLACE,
    cifar.ALEXNET_24: _ALEXNET_PLACE,
    cifar.ALEXNET_TENTH: f"{_SUBSTITUTE}, shortened",
    cifar.ALEXNET_SHORT: f"{_SUBSTITUTE}, shortened",
    cifar.ALEXNET_24_SHORT: f"{_SUBSTITUTE}, shortened",
    cifar.RESNET_10: _ALEXNET_PLACE,
    cifar.RESNET_10_BFLOAT16: _ALEXNET_PLACE,
    cifar.RESNET_10_SHORT: f"{_SUBSTITUTE}, shortened",
    photographs.INCEPTION: "Müller et al. figure 2, right",
}
_IN_MUELLER_ALONE = {photographs.INCEPTION: (0.0, 0.1)}


def _alphas(network: Network) -> tuple[float, ...]:
    return _IN_MUELLER_ALONE.get(network, _ALPHAS)


REQUIRES = tuple(
    need
    for network in _PLACES
    for need in networks.needs(
        network,
        _alphas(network),
        headline=(0.0, 0.05) if network == cifar.RESNET_100 else (),
    )
)

_MUELLERS = quoted.numbers("table3_ece")


def _in_mueller(diagram: diagrams.Diagram) -> float | None:
    """Its printed ECE: alpha 0, alpha 0 at T, the alpha of the figure."""
    network, alpha = diagram.network, diagram.alpha
    if alpha == 0:
        column = "ece scaled" if diagram.scaled else "ece alpha=0"
        return network.printed(_MUELLERS, column)
    if alpha != network.printed(_MUELLERS, "alpha"):
        return None
    return network.printed(_MUELLERS, "ece smoothed")


_WAGNERS = quoted.numbers("re_table2_table3")
_PAGE = diagrams.Page(
    _PLACES,
    _alphas,
    "images",
    lambda network: network.label,
    {
        "ECE, Müller et al.": _in_mueller,
        "ECE, Wagner et al.": lambda d: d.network.printed(_WAGNERS, d.printed),
    },
)


def build(records: declared.Records) -> Iterable[Block]:
    """Builds the page."""
    yield Text(
        "Each bar is the accuracy of the answers that were given with a "
        "confidence in the bin; a calibrated network's bars end on the dashed "
        "line. Müller et al. show ResNet-56 on CIFAR-100 with alpha 0 at T = "
        "1, with alpha 0 at the fitted T, and with alpha 0.05 at T = 1, and "
        "Inception-v4 on ImageNet with 0.1; Wagner et al. add other alphas and "
        f"CIFAR-10. {cifar.SHORTENED} {networks.COMMANDS} {cifar.AMONG} "
        f"{photographs.SPLIT} {cifar.JPEG}"
    )
    yield from _PAGE.pictures(records)
    yield _PAGE.table(
        records,
        "The numbers of the diagrams (ECE, MCE: fractions), seed 0. T is "
        "fitted by NLL on the test images, of ImageNet on the validation "
        "images; Wagner et al. fit it by ECE on the "
        "images they report. MCE is the worst bin's gap, however few images it "
        "holds. Printed: Müller et al. 2019, table 3; Wagner et al. 2023, "
        f"table 3. {cifar.JPEG}",
    )
