"""BLEU, calibration and likelihood of the Transformer over temperatures.

The page is built from whatever records there are; a network without one says
so. ``--run_missing`` trains Multi30k's network with alpha 0 and 0.1, seed 0.
The others are made by the commands on the page.

Source: Mueller et al. 2019, figure 4.
Run: python run_experiment.py --report=fig4_bleu_nll_sweep
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ls_tf.pages import (
    canvas,
    networks,
    quoted,
    sweep_claims,
    sweep_lines,
    translation,
)
from ls_tf.pages import tables as page_tables
from ls_tf.pages.blocks import NO_RUN, Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record

TITLE = "BLEU, calibration and likelihood over temperatures: English to German"
PARTIAL = True

_BLEU = (canvas.BLUE, "o")
_ECE = (canvas.ORANGE, "s")

REQUIRES = translation.all_needs(
    translation.PLACES, translation.ALPHAS, networks.SEEDS
)


def _found(
    records: Mapping[Need, Record], network: networks.Network
) -> dict[float, dict[int, Record]]:
    """The records of a network: alpha -> seed -> record."""
    return {a: networks.of(records, network, a) for a in translation.ALPHAS}


def _score(
    found: Mapping[int, Record],
    name: str,
    evaluator: str = "translation",
    role: str = "report",
) -> float | None:
    """The mean over seeds of one number; None without a run."""
    over = page_tables.spread(
        record.scalars(evaluator, role)[name] for record in found.values()
    )
    return None if over is None else over.mean


def _scores(records: Mapping[Need, Record]) -> pd.DataFrame:
    """The translations at T = 1, one row for each network and alpha."""
    rows: list[tuple[Any, ...]] = []
    for network in translation.PLACES:
        validated = translation.is_measured(network, "translation", "calibrate")
        for alpha, found in _found(records, network).items():
            cells: list[Any] = [NO_RUN, *(None,) * 5]
            if found:
                nll = _score(found, "nll", "token_calibration")
                cells = [
                    *(
                        _score(found, name)
                        for name in ("bleu_uncased", "bleu", "chrf")
                    ),
                    _score(found, "bleu", role="calibrate")
                    if validated
                    else None,
                    None if nll is None else math.exp(nll),
                    _score(found, "length_ratio"),
                ]
            rows.append(
                (
                    translation.title(network),
                    alpha,
                    *cells,
                    len(found),
                    networks.steps(found.values()),
                )
            )
    columns = (
        "network", "alpha", "BLEU, uncased", "BLEU, cased", "chrF",
        "validation BLEU, cased", "perplexity of a subword", "length ratio",
        "seeds", "steps",
    )  # fmt: skip
    return page_tables.frame(columns, rows)


def _claims(
    records: Mapping[Need, Record],
) -> list[tuple[networks.Network, sweep_claims.Claim]]:
    return [
        (network, claim)
        for network in translation.PLACES
        for claim in sweep_claims.claims(*_found(records, network).values())
    ]


def _claim_rows(records: Mapping[Need, Record]) -> pd.DataFrame:
    """One row for each claim; one for a network that lacks a run."""
    rows: list[tuple[Any, ...]] = [
        (translation.title(network), *dataclasses.astuple(claim))
        for network, claim in _claims(records)
    ]
    for network in translation.PLACES:
        lacking = [
            f"alpha = {a:g}"
            for a, found in _found(records, network).items()
            if not found
        ]
        if lacking:
            claim = f"those that need {' and '.join(lacking)}"
            name = translation.title(network)
            rows.append((name, claim, None, None, None, NO_RUN, 0, 0))
    columns = (
        "network", "claim", "hard targets", "smoothed", "what it is", "holds",
        "seeds for it", "seeds",
    )  # fmt: skip
    return page_tables.frame(columns, rows)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the scores at T = 1, the sweeps, and the claims."""
    return {
        "scores": _scores(records),
        "sweep": sweep_lines.table(
            {
                translation.title(network): _found(records, network)
                for network in translation.PLACES
            }
        ),
        "claims": _claim_rows(records),
    }


def _two_scales(axes: Axes, sweep: sweep_lines.Sweep) -> Axes:
    """Draws BLEU and, on an axis of its own to the right, ECE."""
    colour, marker = _BLEU
    sweep_lines.curve(axes, sweep, "bleu_uncased", colour=colour, marker=marker)
    canvas.plain(axes)
    sweep_lines.temperature_axis(axes, sweep)
    axes.set_ylabel("BLEU, uncased", color=colour)
    axes.tick_params(axis="y", colors=colour)
    right = axes.twinx()
    colour, marker = _ECE
    sweep_lines.curve(
        right, sweep, "ece", colour=colour, marker=marker, dashed=True
    )
    right.spines[["top", "left"]].set_visible(False)
    right.set_ylabel("ECE (fraction)", color=colour)
    right.tick_params(axis="y", colors=colour, labelsize=9)
    return right


def _same_scale(panels: list[Axes], *, from_zero: bool) -> None:
    low = min(axes.get_ylim()[0] for axes in panels)
    high = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(0 if from_zero else low, high)


def _figure(sweeps: Mapping[float, sweep_lines.Sweep | None]) -> Figure:
    # Two scales' labels stand between the panels.
    layout = ConstrainedLayoutEngine(wspace=0.06)
    figure = Figure(figsize=(12.6, 4.1), layout=layout)
    *pair, last = figure.subplots(1, 3)
    left, right = [], []
    for axes, (alpha, sweep) in zip(pair, sweeps.items(), strict=True):
        axes.set_title(f"alpha = {alpha:g}", fontsize=11)
        if sweep is None:
            axes.text(0.5, 0.5, NO_RUN, ha="center", color=canvas.GREY)
            axes.set_axis_off()
            continue
        left.append(axes)
        right.append(_two_scales(axes, sweep))
        colour, marker = translation.STYLES[alpha]
        sweep_lines.curve(last, sweep, "nll", colour=colour, marker=marker)
        sweep_lines.temperature_axis(last, sweep)
    _same_scale(left, from_zero=False)
    _same_scale(right, from_zero=True)
    canvas.plain(last)
    last.set_title("both", fontsize=11)
    last.set_ylabel("NLL (nats per subword)")
    last.legend(
        handles=[
            sweep_lines.key(*translation.STYLES[alpha], f"alpha = {alpha:g}")
            for alpha, sweep in sweeps.items()
            if sweep is not None
        ],
        frameon=False,
        fontsize=9,
    )
    figure.legend(
        handles=[
            sweep_lines.key(*_BLEU, "BLEU, left scale"),
            sweep_lines.key(*_ECE, "ECE, right scale", dashed=True),
            *sweep_lines.marks(),
        ],
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=9,
    )
    return figure


def draw(records: Mapping[Need, Record]) -> dict[networks.Network, Figure]:
    """Draws the three panels of each network that has a run."""
    figures = {}
    for network in translation.PLACES:
        sweeps = {
            alpha: sweep_lines.of(found)
            for alpha, found in _found(records, network).items()
        }
        if any(sweep is not None for sweep in sweeps.values()):
            figures[network] = _figure(sweeps)
    return figures


def _picture(
    records: Mapping[Need, Record], network: networks.Network, figure: Figure
) -> Picture:
    found = _found(records, network)
    ran = [record for some in found.values() for record in some.values()]
    return Picture(
        figure,
        f"sweep_{network.experiment}",
        f"{translation.title(network)}; {networks.steps(ran)} steps. Left and "
        "middle have the same scales. Means over seeds, with their range as a "
        "band where there are several; a ring marks the best of the "
        f"grid.{networks.missing(found)}",
    )


def _findings(records: Mapping[Need, Record]) -> tuple[str, ...]:
    """One line for each claim that was tested."""
    lines = []
    for network, claim in _claims(records):
        numbers = [
            f"{number:.4g} {who}"
            for number, who in (
                (claim.hard, "hard"),
                (claim.smoothed, "smoothed"),
            )
            if number is not None
        ]
        lines.append(
            f"{translation.title(network)}: {claim.text}: {claim.holds} "
            f"({'; '.join((', '.join(numbers), claim.what))})."
        )
    return tuple(lines)


def _quoted() -> str:
    """What the paper's table 1 says of smoothing in translation."""
    paper = quoted.numbers("fig4_bleu_nll_sweep")
    words = (
        printed.text
        for what in ("bleu", "perplexity")
        for printed in (
            paper["EN-DE Transformer", f"{what} alpha={a:g}"]
            for a in translation.ALPHAS
        )
    )
    return (
        "Müller et al.'s table 1 quotes, of a Transformer without and with "
        "smoothing, BLEU {} and {} and perplexity {} and {} (Vaswani et al. "
        "2017; other subwords, another BLEU).".format(*words)
    )


def _blocks_of_tables(
    records: Mapping[Need, Record], data: Mapping[str, pd.DataFrame]
) -> dict[str, Table]:
    signed = translation.signatures(records, "translation")
    swept = translation.signatures(records, "translation_sweep")
    near = sweep_claims.NEAR
    tables = (
        Table(
            data["scores"],
            "scores",
            "Translations at T = 1, beam of 4, length penalty 0.6; means over "
            f"seeds. {translation.SPLIT} BLEU, uncased, is the paper's: lower "
            "case, international tokenisation; BLEU, cased, and chrF are those "
            f"of today. {signed} {_quoted()}",
            {
                "alpha": "g",
                **{name: ".2f" for name in data["scores"].columns[2:7]},
                "length ratio": ".3f",
            },
        ),
        Table(
            data["claims"],
            "claims",
            "Claims of Müller et al., for the means over seeds, and the number "
            "of single seeds that agree. Near: within "
            f"{near['bleu_uncased']:g} BLEU, or {near['ece']:g} of ECE, of the "
            "best on the grid (ours). BLEU is uncased.",
        ),
        Table(
            data["sweep"],
            "sweep",
            f"{sweep_lines.CAPTION} {translation.SPLIT} {swept}",
            sweep_lines.FORMATS,
        ),
    )
    return {table.name: table for table in tables}


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    tables = _blocks_of_tables(records, collect(records))
    findings = _findings(records)
    yield Text(
        "The logits are divided by a temperature T: for NLL and ECE those of "
        "the next subword, given the right ones before it; for BLEU those of "
        "every step of the beam search, before the log-softmax. Müller et al. "
        "find that smoothing gives the better BLEU and the better calibration "
        f"at T = 1, hard targets the better NLL. {translation.SUBSTITUTE} "
        f"{networks.COMMANDS}"
    )
    yield tables["scores"]
    yield from (
        _picture(records, network, figure)
        for network, figure in draw(records).items()
    )
    yield Text(
        "" if findings else "No network has been run.",
        "The claims",
        findings,
    )
    yield tables["claims"]
    yield tables["sweep"]
