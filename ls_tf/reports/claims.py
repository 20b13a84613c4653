"""The claims of the study, each by one pair of numbers of our runs.

The page is built from whatever records there are; a claim without its runs says
so. Where nothing of the paper's own size has been trained, a smaller network
stands in, and its schedule is beside its name.

Source: Mueller et al. 2019, the sections named in the table.
Run: python run_experiment.py --report=claims
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ls_tf.pages import (
    cifar,
    declared,
    geometry,
    networks,
    paired_bootstrap,
    tables,
)
from ls_tf.pages.blocks import Block, Need, Text
from ls_tf.pages.declared import ACCURACY, Claim, Number, Records, Runs
from ls_tf.pages.paired_bootstrap import Pair
from ls_tf.spec import Value

TITLE = "What label smoothing does: the study's claims and our runs"
PARTIAL = True


@dataclass(frozen=True)
class _Side:
    """One of the two numbers that a claim compares.

    Attributes:
        experiment: whose.
        changes: of its run.
        number: which.
    """

    experiment: str
    changes: Mapping[str, Value]
    number: Number

    def runs(self, records: Records) -> Runs:
        """Those that there are."""
        return tables.by_seed(records, self.experiment, self.changes)


@dataclass(frozen=True)
class _Pair:
    """A claim, and what would show it.

    Attributes:
        text: the claim.
        section: of the paper.
        network: that is measured, with its schedule.
        measure: what is compared.
        lower: the side that is claimed to have less of it.
        higher: the other.
        report: which page has more.
    """

    text: str
    section: str
    network: str
    measure: str
    lower: _Side
    higher: _Side
    report: str

    def judged(self, records: Records) -> Claim["_Pair"]:
        """Compares the runs that both sides have."""
        lower, higher = (
            side.number.of(side.runs(records))
            for side in (self.lower, self.higher)
        )
        return Claim(self, lower, higher, self.text, by_interval=True)


def _translated(records: Records) -> Iterable[Pair]:
    """The runs whose translations a claim is about."""
    for pair in _PAIRS:
        if pair.lower.number == _BLEU:
            sides = pair.lower, pair.higher
            first, second = (side.changes["alpha"] for side in sides)
            yield Pair(
                pair.network,
                (f"alpha = {first:g}", f"alpha = {second:g}"),
                *(side.runs(records) for side in sides),
            )


def _of_alpha(
    text: str,
    section: str,
    where: tuple[networks.Network, str],
    measure: str,
    number: Number,
    *,
    rises: bool,
) -> _Pair:
    """A claim that smoothing makes a number of one network rise, or fall.

    Args:
        text: see ``_Pair``.
        section: see ``_Pair``.
        where: network and report.
        measure: see ``_Pair``.
        number: of the runs at alpha 0 and 0.1.
        rises: whether it is claimed to.
    """
    network, report = where
    sides = [
        _Side(network.experiment, network.changes(a), number)
        for a in (0.0, 0.1)
    ]
    lower, higher = sides if rises else reversed(sides)
    return _Pair(text, section, network.label, measure, lower, higher, report)


_MNIST = networks.Network("MNIST, fully connected", "fc_mnist")
_ALEXNET = cifar.ALEXNET_BFLOAT16
_RESNET = networks.Network("CIFAR-10 ResNet-20", "resnet20_cifar10_short")
_CAPTIONS = networks.Network(
    "Multi30k, small Transformer", "transformer_multi30k"
)
_ERROR = Number("classification", "error", "%")
_ECE = Number("reliability", "ece")
_ECE_SCALED = Number("reliability", "ece_scaled")
_TIGHTNESS = Number("penultimate", "report_tightness")
_BLEU = Number("translation", "bleu_uncased")
_TOKEN_NLL = Number("token_calibration", "nll")
_INFORMATION = Number("mutual_information", "information", role="train")

_SMALL = (_MNIST, "re_table2_table3")
_CAPTIONED = (_CAPTIONS, "fig4_bleu_nll_sweep")

_PAIRS = (
    *(
        _of_alpha(
            "Smoothing makes networks more accurate",
            "1, table 2",
            where,
            "accuracy, %",
            ACCURACY,
            rises=True,
        )
        for where in (_SMALL, (_ALEXNET, "table2_accuracy"))
    ),
    *(
        _of_alpha(
            "Smoothing calibrates",
            "3, table 3",
            where,
            "ECE",
            _ECE,
            rises=False,
        )
        for where in (_SMALL, (_ALEXNET, "table3_ece"))
    ),
    _Pair(
        "Hard labels with a temperature are calibrated better than hard labels "
        "alone",
        "3, figure 2",
        _ALEXNET.label,
        "ECE",
        _Side(_ALEXNET.experiment, _ALEXNET.changes(0.0), _ECE_SCALED),
        _Side(_ALEXNET.experiment, _ALEXNET.changes(0.0), _ECE),
        "fig2_reliability",
    ),
    _of_alpha(
        "Smoothing draws the images of a class together",
        "2, figure 1",
        (_ALEXNET, "fig1_penultimate"),
        geometry.MEASURES["tightness"][0],
        _TIGHTNESS,
        rises=False,
    ),
    _of_alpha(
        "Smoothing translates better",
        "3, figure 4",
        _CAPTIONED,
        "BLEU",
        _BLEU,
        rises=True,
    ),
    _of_alpha(
        "Smoothing makes the likelihood of translations worse",
        "3, figure 4",
        _CAPTIONED,
        "NLL of a subword, nats",
        _TOKEN_NLL,
        rises=True,
    ),
    _Pair(
        "A smoothed teacher is better than one with dropout",
        "4",
        _MNIST.label,
        "error, %",
        _Side(_MNIST.experiment, _MNIST.changes(0.1), _ERROR),
        _Side("fc_mnist_dropout", {}, _ERROR),
        "re_table4_mnist",
    ),
    _Pair(
        "A smoothed teacher teaches worse",
        "4",
        _MNIST.label,
        "error, %",
        _Side("fc_mnist_student", {}, _ERROR),
        _Side("fc_mnist_student_of_smoothed", {}, _ERROR),
        "re_table4_mnist",
    ),
    _of_alpha(
        "Smoothing erases information about the image from the logits",
        "4, figure 6",
        (_RESNET, "fig6_mutual_information"),
        "information, nats",
        _INFORMATION,
        rises=False,
    ),
)


def _needs() -> Iterable[Need]:
    """The runs of both sides of every pair, each once."""
    sides = {
        (side.experiment, tuple(side.changes.items())): pair.network
        for pair in _PAIRS
        for side in (pair.lower, pair.higher)
    }
    for (experiment, changes), network in sides.items():
        for seed in networks.SEEDS:
            yield Need(
                experiment,
                dict(changes),
                seed,
                optional=seed != 0,
                row=f"{network}, {experiment}",
            )


REQUIRES = tuple(_needs())


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    yield Text(
        "Müller et al. 2019 claim of networks trained with label smoothing "
        "what is below; each claim is put as one number that is less than "
        "another, and judged by our runs. Alpha is 0 or 0.1. "
        f"{networks.COMMANDS}"
    )
    yield declared.table(
        "claims",
        "Means over the seeds that both have. Difference: the second number "
        "less the first, its 95 % interval over the seeds (Student's). “Within "
        "noise”: the interval holds 0; one seed has none. A schedule “steps / "
        f"n” is the paper's with all step counts divided by n. {cifar.JPEG}",
        [pair.judged(records) for pair in _PAIRS],
        ("claim", lambda c: c.text, ""),
        ("section", lambda c: c.of.section, ""),
        ("our network", lambda c: c.of.network, ""),
        ("compared", lambda c: c.of.measure, ""),
        ("claimed less", lambda c: declared.or_no_run(c.low), "#.4g"),
        ("claimed more", lambda c: c.high, "#.4g"),
        declared.interval("+.3g"),
        declared.verdict(),
        ("report", lambda c: c.of.report, ""),
    )
    yield from paired_bootstrap.blocks(_translated(records), (_BLEU.name,))
