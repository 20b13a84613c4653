"""Calibration: temperature scaling and label smoothing.

The page is built from whatever records there are; a row without one says so.
``--run_missing`` trains the headline runs: ResNet-56 on CIFAR-100, alpha 0 and
0.05, seed 0, at full schedule. That is hours on a GPU and days on a CPU. The
substitutes on CIFAR-10 and Multi30k are made by the commands on the page.

Source: Mueller et al. 2019, table 3.
Run: python run_experiment.py --report=table3_ece
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import (
    cifar,
    dot_plot,
    networks,
    quoted,
    tables,
    translation,
)
from ls_tf.pages.blocks import NO_RUN, Need, Picture, Report, Table, Text
from ls_tf.records.runs import Record

TITLE = "Calibration: temperature scaling and label smoothing"
PARTIAL = True


@dataclass(frozen=True)
class _Numbers:
    """Where a network's numbers stand in its records.

    ``suffix`` ends the names of those of a part of the reported split.
    """

    evaluator: str
    gap: str
    suffix: str = ""
    who: str = "ours, mean"

    def of(self, found: Mapping[int, Record], name: str) -> dict[int, float]:
        """Reads one number of each run: seed -> value."""
        suffix = "" if name == "temperature" else self.suffix
        return tables.scalar(found, f"{name}{suffix}", self.evaluator)


_IMAGES = _Numbers("reliability", "signed_calibration_error")
# The paper takes about 10,000 subwords.
_FIRST = _Numbers(
    "token_calibration",
    "signed_ece",
    "_first",
    "ours, mean, first 10,000 subwords",
)
_ALL = _Numbers(
    "token_calibration", "signed_ece", who="ours, mean, all subwords"
)


@dataclass(frozen=True)
class _Case:
    """A network, with the smoothing it is compared at.

    The table has all ``numbers``; figure and claims have the first ones.
    """

    network: networks.Network
    alphas: tuple[float, ...]
    substitute: bool = True
    numbers: tuple[_Numbers, ...] = (_IMAGES,)

    @property
    def name(self) -> str:
        if not self.substitute:
            return self.network.name
        return f"{self.network.name} (substitute)"


_SUBSTITUTE_ALPHAS = (0.05, 0.1)
_CASES = (
    _Case(cifar.RESNET_100, (0.05,), substitute=False),
    *(
        _Case(network, _SUBSTITUTE_ALPHAS)
        for network in cifar.NETWORKS
        if network != cifar.RESNET_100
    ),
    *(
        _Case(network, (0.1,), network != translation.ENDE, (_FIRST, _ALL))
        for network in (
            translation.ENDE,
            translation.MULTI30K,
            translation.MULTI30K_BASE,
        )
    ),
)
# Printed, and has no experiment; it stands above the translations.
_NO_EXPERIMENT = "ImageNet Inception-v4"
_NOT_OVER = "not over-confident"

REQUIRES = tuple(
    need
    for case in _CASES
    for need in networks.needs(
        case.network,
        (0.0, *case.alphas),
        networks.SEEDS,
        (0.0, *case.alphas) if case.network == cifar.RESNET_100 else (),
    )
)

_Printed = dict[tuple[str, str], quoted.Printed]
_COLUMNS = ("ece alpha=0", "temperature", "ece scaled", "alpha", "ece smoothed")


def _means(
    numbers: _Numbers, found: Mapping[int, Record], *names: str
) -> list[Any]:
    """Means over seeds of a network's numbers."""
    spreads = (
        tables.spread(numbers.of(found, name).values()) for name in names
    )
    return [NO_RUN if s is None else s.mean for s in spreads]


def _row(
    records: Mapping[Need, Record],
    case: _Case,
    alpha: float,
    numbers: _Numbers,
) -> tuple[Any, ...]:
    hard = networks.of(records, case.network, 0.0)
    smoothed = networks.of(records, case.network, alpha)
    return (
        case.name,
        case.network.schedule,
        numbers.who,
        *_means(numbers, hard, "ece", "temperature", "ece_scaled"),
        alpha,
        *_means(numbers, smoothed, "ece"),
        len(hard),
        len(smoothed),
        networks.steps([*hard.values(), *smoothed.values()]),
    )


def _table(records: Mapping[Need, Record], paper: _Printed) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []

    def print_row(name: str, row: str) -> None:
        numbers = (quoted.value(paper, row, column) for column in _COLUMNS)
        rows.append((name, None, "Müller et al.", *numbers, None, None, None))

    for case in _CASES:
        if case.network == translation.ENDE:
            print_row(_NO_EXPERIMENT, _NO_EXPERIMENT)
            word = f"ours: {networks.NO_EXPERIMENT}"
            rows.append((_NO_EXPERIMENT, None, word, *(None,) * 8))
        if not case.substitute:
            print_row(case.name, case.network.row)
        rows += [
            _row(records, case, alpha, numbers)
            for alpha in case.alphas
            for numbers in case.numbers
        ]
    columns = (
        "network", "schedule", "who", "ECE, alpha=0, T=1", "T",
        "ECE, alpha=0, at T", "alpha", "ECE, smoothed, T=1",
        "seeds, alpha=0", "seeds, smoothed", "steps",
    )  # fmt: skip
    return tables.frame(columns, rows)


def _claim(
    records: Mapping[Need, Record], case: _Case, alpha: float
) -> tuple[Any, ...]:
    """Whether the network is over-confident, and whether smoothing helps."""
    hard = networks.of(records, case.network, 0.0)
    smoothed = networks.of(records, case.network, alpha)
    numbers = case.numbers[0]
    found = tables.less_over_seeds(
        numbers.of(smoothed, "ece"), numbers.of(hard, "ece")
    )
    gap = tables.spread(
        value
        for seed, value in numbers.of(hard, numbers.gap).items()
        if seed in smoothed
    )
    if gap is None:
        return (*(NO_RUN,) * 4, NO_RUN, 0, 0)
    over = gap.mean > 0
    return (
        100 * gap.mean,
        tables.yes_no(over),
        found.right,
        found.left,
        tables.verdict(found) if over else _NOT_OVER,
        found.seeds_for,
        found.seeds,
    )


def _claims(records: Mapping[Need, Record], paper: _Printed) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for case in _CASES:
        printed = None
        if not case.substitute:
            hard, smoothed = (
                quoted.value(paper, case.network.row, column)
                for column in ("ece alpha=0", "ece smoothed")
            )
            if hard is not None and smoothed is not None:
                printed = tables.yes_no(smoothed < hard)
        rows += [
            (
                case.name,
                case.network.schedule,
                alpha,
                printed,
                *_claim(records, case, alpha),
            )
            for alpha in case.alphas
        ]
    columns = (
        "network", "schedule", "alpha", "Müller et al.",
        "confidence − accuracy, alpha=0", "over-confident?", "ECE, alpha=0",
        "ECE, smoothed", "smoothing lowers it?", "seeds for it", "seeds",
    )  # fmt: skip
    return tables.frame(columns, rows)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the table beside the paper's, and the claim for each network."""
    paper = quoted.numbers("table3_ece")
    return {"ece": _table(records, paper), "claims": _claims(records, paper)}


def draw(records: Mapping[Need, Record]) -> Figure:
    """Draws what is printed and what was run."""
    paper = quoted.numbers("table3_ece")
    lines = []
    for case in _CASES:
        hard = networks.of(records, case.network, 0.0)
        kinds = [
            ("alpha = 0, T = 1", hard, "ece", "ece alpha=0"),
            ("alpha = 0, at fitted T", hard, "ece_scaled", "ece scaled"),
        ]
        kinds += [
            (
                f"alpha = {alpha:g}, T = 1",
                networks.of(records, case.network, alpha),
                "ece",
                "ece smoothed",
            )
            for alpha in case.alphas
        ]
        for title, found, name, column in kinds:
            printed = None
            if not case.substitute:
                printed = quoted.value(paper, case.network.row, column)
            ours = tables.spread(case.numbers[0].of(found, name).values())
            if printed is not None or ours is not None:
                label = f"{case.network.label}: {title}"
                lines.append(dot_plot.Line(label, printed, None, ours))
    return dot_plot.beside(
        lines,
        "expected calibration error (fraction)",
        with_wagner=False,
        from_zero=True,
    )


def build(records: Mapping[Need, Record]) -> Report:
    """Builds the page."""
    data = collect(records)
    verdicts = list(data["claims"]["smoothing lowers it?"])
    compared = sum(word not in (NO_RUN, _NOT_OVER) for word in verdicts)
    digits = {"alpha": "g", "T": ".2f"}
    digits |= {
        name: ".4f" for name in data["ece"].columns if name.startswith("ECE")
    }
    return Report(
        TITLE,
        (
            Text(
                "Müller et al. find that label smoothing calibrates an "
                "over-confident network about as well as temperature scaling "
                "does. Here smoothing lowers the calibration error at T = 1 in "
                f"{verdicts.count('yes')} of {compared} comparisons whose "
                "network without smoothing is over-confident. The paper has "
                "neither CIFAR-10 nor Multi30k in this table: those rows are "
                f"substitutes. {cifar.SHORTENED} {networks.COMMANDS} "
                f"{cifar.JPEG}"
            ),
            Table(
                data["ece"],
                "ece",
                "Expected calibration error, 15 bins (fraction); means over "
                f"seeds. CIFAR: {cifar.SPLIT} Our T minimizes the NLL of the "
                "test images, which are neither trained nor reported on; how "
                "the paper chose T is not said. Translations: "
                f"{translation.TOKENS} {translation.SPLIT} "
                f"{translation.FITTED} The paper takes about 10,000 subwords; "
                "so do the rows that say so, in whole sentences. Printed: "
                f"Müller et al. 2019, table 3. {cifar.JPEG}",
                digits,
            ),
            Picture(
                draw(records),
                "ece",
                "The same numbers, without the rows that have none. The bar "
                "is the range over our seeds, not a confidence interval.",
            ),
            Table(
                data["claims"],
                "claims",
                "Claim: smoothing lowers the ECE of the over-confident network "
                "at T = 1. For the means over the seeds that both networks "
                "have, and the number of single seeds whose ECE is lower. Mean "
                "confidence less accuracy in percentage points: above 0 is "
                "over-confident.",
                {
                    "alpha": "g",
                    "confidence − accuracy, alpha=0": "+.2f",
                    "ECE, alpha=0": ".4f",
                    "ECE, smoothed": ".4f",
                },
            ),
        ),
    )
