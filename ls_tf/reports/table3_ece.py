"""Calibration: temperature scaling and label smoothing.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains the headline runs: ResNet-56 on CIFAR-100, alpha 0 and
0.05, seed 0, at full schedule. That is hours on a GPU and days on a CPU. The
substitutes on CIFAR-10 and Multi30k are made by the commands on the page.

Source: Mueller et al. 2019, table 3.
Run: python run_experiment.py --report=table3_ece
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ls_tf.pages import (
    cifar,
    declared,
    dot_plot,
    networks,
    photographs,
    quoted,
    translation,
)
from ls_tf.pages.blocks import NO_RUN, Block, Picture, Table, Text
from ls_tf.pages.declared import Claim, Number, Records, Runs, or_no_run
from ls_tf.pages.tables import Verdict, mean, yes_no

TITLE = "Calibration: temperature scaling and label smoothing"
PARTIAL = True


class _Numbers:
    """The numbers of a network, of all it answers or of a part."""

    def __init__(
        self, evaluator: str, gap: str, part: str = "", suffix: str = ""
    ) -> None:
        self.who = f"ours, mean{part}"
        self.ece = Number(evaluator, f"ece{suffix}")
        self.temperature = Number(evaluator, "temperature")
        self.ece_scaled = Number(evaluator, f"ece_scaled{suffix}")
        # Confidence less accuracy.
        self.gap = Number(evaluator, f"{gap}{suffix}", "%")


_TOKENS = ("token_calibration", "signed_ece")
_OF_IMAGES = (_Numbers("reliability", "signed_calibration_error"),)
_OF_SUBWORDS = (  # the paper takes about 10,000
    _Numbers(*_TOKENS, ", first 10,000 subwords", "_first"),
    _Numbers(*_TOKENS, ", all subwords"),
)
_PAPER = quoted.numbers("table3_ece")
_COLUMNS = ("ece alpha=0", "temperature", "ece scaled", "alpha", "ece smoothed")


@dataclass(frozen=True)
class _Case:
    """A network, with the smoothing it is compared at.

    The table has all ``numbers``; figure and claims have the first ones.
    """

    network: networks.Network
    alphas: tuple[float, ...] = (0.05, 0.1)
    is_the_papers: bool = False
    numbers: tuple[_Numbers, ...] = _OF_IMAGES

    @property
    def name(self) -> str:
        name = self.network.name
        return name if self.is_the_papers else f"{name} (substitute)"

    def printed(self, column: str) -> float | None:
        return self.network.printed(_PAPER, column)


_CASES = (
    _Case(cifar.RESNET_100, (0.05,), is_the_papers=True),
    *(_Case(n) for n in cifar.NETWORKS if n != cifar.RESNET_100),
    _Case(photographs.INCEPTION, (0.1,), is_the_papers=True),
    _Case(translation.ENDE, (0.1,), True, _OF_SUBWORDS),
    _Case(translation.MULTI30K, (0.1,), False, _OF_SUBWORDS),
    _Case(translation.MULTI30K_BASE, (0.1,), False, _OF_SUBWORDS),
)
_NOT_OVER = "not over-confident"

REQUIRES = tuple(
    need
    for case in _CASES
    for need in networks.needs(
        case.network,
        (0.0, *case.alphas),
        networks.SEEDS,
        (0.0, 0.05) if case.network == cifar.RESNET_100 else (),
    )
)


@dataclass(frozen=True)
class _Pair:
    """A network without smoothing, and the same with alpha."""

    case: _Case
    alpha: float
    numbers: _Numbers
    hard: Runs
    smoothed: Runs

    @property
    def steps(self) -> int | str | None:
        return networks.steps(self.hard, self.smoothed)


def _pairs(
    records: Records, case: _Case, numbers: Iterable[_Numbers]
) -> list[_Pair]:
    hard = networks.runs(records, case.network, 0.0)
    return [
        _Pair(case, a, n, hard, networks.runs(records, case.network, a))
        for a in case.alphas
        for n in numbers
    ]


class _Row(NamedTuple):
    """A row of the table; its numbers are those of ``_COLUMNS``."""

    name: str
    who: str
    numbers: Sequence[object] = (None,) * len(_COLUMNS)
    pair: _Pair | None = None


def _printed(name: str, row: str) -> _Row:
    numbers = [_PAPER.get((row, column)) for column in _COLUMNS]
    return _Row(name, "Müller et al.", numbers)


def _ours(pair: _Pair) -> _Row:
    n, hard = pair.numbers, pair.hard
    means = [m.mean(hard) for m in (n.ece, n.temperature, n.ece_scaled)]
    numbers = [*means, pair.alpha, n.ece.mean(pair.smoothed)]
    return _Row(pair.case.name, n.who, [*map(or_no_run, numbers)], pair)


def _rows(records: Records) -> Iterable[_Row]:
    for case in _CASES:
        if case.is_the_papers:
            yield _printed(case.name, case.network.row)
        yield from map(_ours, _pairs(records, case, case.numbers))


class _Claim(Claim[_Pair]):
    """Smoothing lowers the ECE, if the network is over-confident without."""

    @property
    def gap(self) -> float | None:
        """Confidence less accuracy without smoothing, percentage points."""
        gaps = self.of.numbers.gap.of(self.of.hard)
        return mean(v for s, v in gaps.items() if s in self.of.smoothed)

    @property
    def is_over(self) -> str:
        return NO_RUN if self.gap is None else yes_no(self.gap > 0)

    @property
    def verdict(self) -> Verdict:
        word = _NOT_OVER if self.is_over == "no" else self.holds
        return Verdict(word, self.seeds_for, self.seeds)


def _claims(records: Records) -> list[_Claim]:
    return [
        _Claim(
            pair,
            pair.numbers.ece.of(pair.smoothed),
            pair.numbers.ece.of(pair.hard),
            printed=(case.printed("ece smoothed"), case.printed("ece alpha=0")),
        )
        for case in _CASES
        for pair in _pairs(records, case, case.numbers[:1])
    ]


def _lines(records: Records) -> Iterable[dot_plot.Line]:
    for case in _CASES:
        pairs = _pairs(records, case, case.numbers[:1])
        n, hard = pairs[0].numbers, pairs[0].hard
        kinds = [
            ("alpha = 0, T = 1", "ece alpha=0", n.ece.over(hard)),
            ("alpha = 0, at fitted T", "ece scaled", n.ece_scaled.over(hard)),
        ]
        for pair in pairs:
            title = f"alpha = {pair.alpha:g}, T = 1"
            kinds.append((title, "ece smoothed", n.ece.over(pair.smoothed)))
        for title, column, ours in kinds:
            name = f"{case.network.label}: {title}"
            yield dot_plot.Line(name, case.printed(column), None, ours)


def _claims_table(claims: Iterable[_Claim]) -> Table:
    """The claim for each network."""
    return declared.table(
        "claims",
        "Claim: smoothing lowers the ECE of the over-confident network at T = "
        "1. For the means over the seeds that both networks have, and the "
        "number of single seeds whose ECE is lower. Mean confidence less "
        "accuracy in percentage points: above 0 is over-confident.",
        claims,
        ("network", lambda c: c.of.case.name, ""),
        ("schedule", lambda c: c.of.case.network.schedule, ""),
        ("alpha", lambda c: c.of.alpha, "g"),
        ("Müller et al.", lambda c: c.holds_in_paper, ""),
        ("confidence − accuracy, alpha=0", lambda c: or_no_run(c.gap), "+.2f"),
        ("over-confident?", lambda c: c.is_over, ""),
        ("ECE, alpha=0", lambda c: or_no_run(c.high), ".4f"),
        ("ECE, smoothed", lambda c: or_no_run(c.low), ".4f"),
        declared.verdict("smoothing lowers it?"),
    )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    claims = _claims(records)
    verdicts = [claim.verdict.word for claim in claims]
    compared = sum(word not in (NO_RUN, _NOT_OVER) for word in verdicts)
    yield Text(
        "Müller et al. find that label smoothing calibrates an over-confident "
        "network about as well as temperature scaling does. Here smoothing "
        f"lowers the calibration error at T = 1 in {verdicts.count('yes')} of "
        f"{compared} comparisons whose network without smoothing is "
        "over-confident. The paper has neither CIFAR-10 nor Multi30k in this "
        f"table: those rows are substitutes. {cifar.SHORTENED} "
        f"{networks.COMMANDS} {cifar.JPEG}"
    )
    yield declared.table(
        "ece",
        "Expected calibration error, 15 bins (fraction); means over seeds. "
        f"{cifar.AMONG} Our T minimizes the NLL of the test images, "
        "which are neither trained nor reported on; how the paper chose T is "
        f"not said. {photographs.SPLIT} T is fitted on the same. "
        f"{translation.AMONG} {translation.SPLIT} "
        f"{translation.FITTED} The paper takes about 10,000 subwords; so do "
        "the rows that say so, in whole sentences. Printed: Müller et al. "
        f"2019, table 3. {cifar.JPEG}",
        _rows(records),
        ("network", lambda r: r.name, ""),
        ("schedule", lambda r: r.pair and r.pair.case.network.schedule, ""),
        ("who", lambda r: r.who, ""),
        ("ECE, alpha=0, T=1", lambda r: r.numbers[0], ".4f"),
        ("T", lambda r: r.numbers[1], ".2f"),
        ("ECE, alpha=0, at T", lambda r: r.numbers[2], ".4f"),
        ("alpha", lambda r: r.numbers[3], "g"),
        ("ECE, smoothed, T=1", lambda r: r.numbers[4], ".4f"),
        ("seeds, alpha=0", lambda r: r.pair and len(r.pair.hard), ""),
        ("seeds, smoothed", lambda r: r.pair and len(r.pair.smoothed), ""),
        ("steps", lambda r: r.pair and r.pair.steps, ""),
    )
    yield Picture(
        dot_plot.figure(
            _lines(records),
            "expected calibration error (fraction)",
            from_zero=True,
        ),
        "ece",
        f"The same numbers, without the rows that have none. {dot_plot.OURS}",
    )
    yield _claims_table(claims)
