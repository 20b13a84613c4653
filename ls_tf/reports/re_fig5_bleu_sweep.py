"""BLEU, calibration and likelihood over temperatures and alphas: Multi30k.

What Wagner et al. measured, without the errors of their code: beam search
instead of greedy translations, whose BLEU no temperature can change; logits
that are divided, not the hidden state before a layer with a bias; and no
padding among the subwords. A second table shows what counting the padding
makes of our own calibration error.

The page is built from whatever records there are; a network without one says
so. ``--run_missing`` trains Multi30k's network with alpha 0 and 0.3, seed 0.
The others are made by the commands on the page.

Source: Wagner et al. 2023, figure 5 and table 3, row Multi30k.
Run: python run_experiment.py --report=re_fig5_bleu_sweep
"""

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ls_tf.pages import (
    canvas,
    networks,
    quoted,
    sweep_lines,
    translation,
)
from ls_tf.pages import tables as page_tables
from ls_tf.pages.blocks import NO_RUN, Block, Need, Picture, Table, Text
from ls_tf.records.runs import Record

TITLE = "BLEU, calibration and likelihood over temperatures: Multi30k"
PARTIAL = True

_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
_HEADLINE = (0.0, 0.3)  # those of figure 5
_NETWORKS = (translation.MULTI30K, translation.MULTI30K_BASE)
_EVALUATOR = "token_calibration"
_PANELS = (
    ("bleu_uncased", "BLEU, uncased"),
    ("ece", "ECE (fraction)"),
    ("nll", "NLL (nats per subword)"),
)
# Columns of the first table.
_PRINTED = "ECE, Wagner et al. (1 run)"
_COUNTED = "ECE, padding counted"
_REAL = "ECE"

REQUIRES = tuple(
    need
    for network in _NETWORKS
    for alpha in _ALPHAS
    for need in networks.needs(
        network,
        (alpha,),
        networks.SEEDS if alpha in translation.ALPHAS else (0,),
        _HEADLINE if network == translation.MULTI30K else (),
    )
)


def _found(
    records: Mapping[Need, Record], network: networks.Network
) -> dict[float, dict[int, Record]]:
    return {a: networks.of(records, network, a) for a in _ALPHAS}


def _over_seeds(found: Mapping[int, Record], name: str) -> float:
    return statistics.fmean(
        page_tables.scalar(found, name, _EVALUATOR).values()
    )


def _mean(found: Mapping[int, Record], name: str) -> float | str:
    return _over_seeds(found, name) if found else NO_RUN


def _percent(value: float | str) -> float | str:
    return value if isinstance(value, str) else 100 * value


def _padding(records: Mapping[Need, Record]) -> pd.DataFrame:
    """The calibration error with and without padding, T = 1 and fitted."""
    paper = quoted.numbers("re_table2_table3")
    rows: list[tuple[Any, ...]] = []
    for network in _NETWORKS:
        # The printed network is neither of ours; it stands beside one.
        row = network.row if network == translation.MULTI30K else ""
        for alpha, found in _found(records, network).items():
            rows.append(
                (
                    network.label,
                    alpha,
                    1.0,
                    paper.get((row, f"ece alpha={alpha:g}")),
                    _mean(found, "ece_padding_counted"),
                    _mean(found, "ece"),
                    *(
                        _percent(_mean(found, name))
                        for name in (
                            "accuracy_padding_counted",
                            "accuracy",
                            "padding",
                        )
                    ),
                    len(found),
                )
            )
        printed = paper.get((row, "ece scaled"))
        if printed is not None:
            at = paper.get((row, "temperature"))
            rows.append((network.label, 0.0, at, printed, *(None,) * 6))
        hard = networks.of(records, network, 0.0)
        fitted, scaled, accuracy = (
            _mean(hard, f"{name}_by_ece")
            for name in ("temperature", "ece_scaled", "accuracy_scaled")
        )
        rows.append(
            (
                network.label, 0.0, fitted, None, None, scaled, None,
                _percent(accuracy), None, len(hard),
            )
        )  # fmt: skip
    columns = (
        "network", "alpha", "T", _PRINTED, _COUNTED, _REAL,
        "accuracy, padding counted, %", "accuracy, %", "padding, %", "seeds",
    )  # fmt: skip
    return page_tables.frame(columns, rows)


def _best(records: Mapping[Need, Record]) -> pd.DataFrame:
    """The best of each sweep, and how far BLEU moves over it."""
    rows: list[tuple[Any, ...]] = []
    for network in _NETWORKS:
        for alpha, found in _found(records, network).items():
            sweep = sweep_lines.of(found)
            if sweep is None:
                rows.append((network.label, alpha, NO_RUN, *(None,) * 7, 0))
                continue
            at_one = sweep.by_seed("bleu_uncased", 1.0).values()
            cells = [
                statistics.fmean(at_one),
                float(sweep.mean("bleu_uncased").min()),
            ]
            for name, _ in _PANELS:
                place = sweep.best(name)
                cells += [
                    float(sweep.mean(name)[place]),
                    float(sweep.temperatures[place]),
                ]
            rows.append((network.label, alpha, *cells, len(found)))
    columns = (
        "network", "alpha", "BLEU at T = 1", "lowest BLEU", "best BLEU",
        "T of best BLEU", "best ECE", "T of best ECE", "best NLL",
        "T of best NLL", "seeds",
    )  # fmt: skip
    return page_tables.frame(columns, rows)


def collect(records: Mapping[Need, Record]) -> dict[str, pd.DataFrame]:
    """Gives the ECE with and without padding, the best T, the sweeps."""
    return {
        "padding": _padding(records),
        "best": _best(records),
        "sweep": sweep_lines.table(
            {n.label: _found(records, n) for n in _NETWORKS}
        ),
    }


def _figure(sweeps: Mapping[float, sweep_lines.Sweep]) -> Figure:
    figure = Figure(figsize=(12.6, 4.1), layout="constrained")
    panels = figure.subplots(1, len(_PANELS))
    for axes, (name, label) in zip(panels, _PANELS, strict=True):
        for alpha, sweep in sweeps.items():
            colour, marker = translation.STYLES[alpha]
            sweep_lines.curve(axes, sweep, name, colour=colour, marker=marker)
            sweep_lines.temperature_axis(axes, sweep)
        axes.set_ylabel(label)
        if name == "ece":
            axes.set_ylim(bottom=0)
        canvas.plain(axes)
    handles = [
        sweep_lines.key(*style, f"alpha = {alpha:g}")
        for alpha, style in translation.STYLES.items()
        if alpha in sweeps
    ]
    handles += sweep_lines.marks()
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
        fontsize=9,
    )
    return figure


def draw(records: Mapping[Need, Record]) -> dict[networks.Network, Figure]:
    """Draws BLEU, ECE and NLL of each network that has a run."""
    figures = {}
    for network in _NETWORKS:
        sweeps = {
            alpha: sweep
            for alpha, found in _found(records, network).items()
            if (sweep := sweep_lines.of(found)) is not None
        }
        if sweeps:
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
        f"{network.label}; {networks.steps(ran)} steps. Beam of 4, length "
        "penalty 0.6; ECE and NLL of the next subword, given the right ones "
        "before it. A band is the range over seeds, where there are several; a "
        f"ring marks the best of the grid.{networks.missing(found)}",
    )


def _lowest(errors: Mapping[float, float]) -> str:
    alpha = min(errors, key=lambda a: errors[a])
    return f"alpha = {alpha:g} ({errors[alpha]:.3f})"


def _findings(records: Mapping[Need, Record]) -> tuple[str, ...]:
    """What counting the padding does, and where the ECE is lowest."""
    paper = quoted.numbers("re_table2_table3")
    lines = []
    for network in _NETWORKS:
        found = {a: s for a, s in _found(records, network).items() if s}
        if not found:
            continue
        counted, real = (
            {a: _over_seeds(some, name) for a, some in found.items()}
            for name in ("ece_padding_counted", "ece")
        )
        printed = {a: paper[network.row, f"ece alpha={a:g}"] for a in found}
        higher = sum(counted[a] > real[a] for a in found)
        lines += [
            f"{network.label}: counting padding raises the ECE for {higher} of "
            f"{len(found)} alphas.",
            f"{network.label}: of these alphas, the ECE at T = 1 is lowest at "
            f"{_lowest(printed)} as printed, at {_lowest(counted)} with our "
            f"padding counted, and at {_lowest(real)} without padding.",
        ]
    return tuple(lines)


def _tables_of(
    records: Mapping[Need, Record], data: Mapping[str, pd.DataFrame]
) -> dict[str, Table]:
    signed = translation.signatures(records, "translation_sweep")
    shares = [c for c in data["padding"].columns if c.endswith("%")]
    tables = (
        Table(
            data["padding"],
            "padding",
            "Expected calibration error of the next subword, 15 bins "
            "(fraction), on test_2016_flickr; means over seeds. The rows with "
            "another T than 1 are after temperature scaling: T by the ECE of "
            "the test set (printed), by the ECE of the first 10,000 subwords "
            "of val (ours). Printed: Wagner et al. 2023, table 3; their "
            "network, subwords and training are others.",
            {
                "alpha": "g",
                "T": ".3g",
                **{name: ".4f" for name in (_PRINTED, _COUNTED, _REAL)},
                **{name: ".2f" for name in shares},
            },
        ),
        Table(
            data["best"],
            "best",
            "The best of each sweep over T, means over seeds. BLEU is uncased, "
            "international tokenisation. With a beam of 4 a temperature moves "
            f"it; greedy translations do not depend on it. {signed}",
            {
                "alpha": "g",
                **{name: ".2f" for name in data["best"].columns[2:5]},
                **{name: ".3g" for name in data["best"].columns[5:10:2]},
                **{name: ".4f" for name in data["best"].columns[6:10:2]},
            },
        ),
        Table(
            data["sweep"],
            "sweep",
            f"{sweep_lines.CAPTION} {signed}",
            sweep_lines.FORMATS,
        ),
    )
    return {table.name: table for table in tables}


def build(records: Mapping[Need, Record]) -> Iterable[Block]:
    """Builds the page."""
    tables = _tables_of(records, collect(records))
    findings = _findings(records)
    yield Text(
        "Wagner et al. evaluate whole batches, filled up to their longest "
        "sentence, and count the padding as subwords to be predicted: about "
        "half of all positions, at which a network that is not trained on "
        "padding is never right. Their translations are greedy, and their "
        "temperature divides the hidden state before a last layer with a bias. "
        "Here padding is left out, translations come from a beam search, and "
        "the logits are divided. Beside that, our own ECE is measured with the "
        "padding counted, in batches of 128 in the order of the file, as they "
        f"do. {networks.COMMANDS}"
    )
    yield Text(
        "" if findings else "No network has been run.",
        "What the padding does",
        findings,
    )
    yield tables["padding"]
    yield from (
        _picture(records, network, figure)
        for network, figure in draw(records).items()
    )
    yield tables["best"]
    yield tables["sweep"]
