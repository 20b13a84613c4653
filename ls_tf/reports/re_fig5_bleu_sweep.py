"""BLEU, calibration and likelihood over temperatures and alphas: Multi30k.

Twice: as Wagner et al. drew it, from what their code measures, and as it should
be: beam search instead of greedy translations; logits that are divided, not the
hidden state before a layer with a bias; a softmax over the vocabulary and not
over positions; and no padding among the subwords. A table shows what counting
the padding makes of our own calibration error.

The page is built from whatever records there are; a network without one says
so. ``--run_missing`` trains Multi30k's small network with alpha 0 and 0.3, seed
0. The others, the replication's own network among them, are made by the
commands on the page.

Source: Wagner et al. 2023, figure 5 and table 3, row Multi30k.
Run: python run_experiment.py --report=re_fig5_bleu_sweep
"""

import functools
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ls_tf.pages import (
    canvas,
    declared,
    networks,
    paired_bootstrap,
    quoted,
    sweep_lines,
    translation,
)
from ls_tf.pages.blocks import NO_RUN, Block, Table, Text
from ls_tf.pages.declared import Number, Records, Runs
from ls_tf.pages.networks import AtAlpha, Network
from ls_tf.pages.sweep_lines import Sweep

TITLE = "BLEU, calibration and likelihood over temperatures: Multi30k"
PARTIAL = True

_ALPHAS = (0.0, 0.05, 0.1, 0.15, 0.3)
_HEADLINE = (0.0, 0.3)  # those of figure 5
_NETWORKS = (
    translation.MULTI30K_RE,
    translation.MULTI30K,
    translation.MULTI30K_BASE,
)
_AS_DRAWN = "replication_sweep"
_PANELS = (
    ("bleu_uncased", "BLEU, uncased"),
    ("ece", "ECE (fraction)"),
    ("nll", "NLL (nats per subword)"),
)
_DRAWN_PANELS = (
    ("bleu", "BLEU, greedy, tokens against words"),
    ("ece", "ECE, padding counted (fraction)"),
    ("nll", "softmax over positions (nats)"),
)
_LEAST_BLEU = 1.0  # height of a panel, in points
_PAPER = quoted.numbers("re_table2_table3")
_PADDING = (
    "Wagner et al. evaluate whole batches, filled up to their longest "
    "sentence, and count the padding as subwords to be predicted: about "
    "half of all positions, at which a network that is not trained on "
    "padding is never right. Their translations are greedy, and their "
    "temperature divides the hidden state before a last layer with a bias; "
    "their NLL normalises over the positions of a sentence instead of the "
    "vocabulary; and their BLEU compares tokens with words that punctuation "
    "sticks to. Here padding is left out, translations come from a beam "
    "search, and the logits are divided; what their code would draw of the "
    "network of their size is shown beside it, on test_2016_flickr where they "
    "have the validation captions. Beside that, our own ECE is measured with "
    "the padding counted, in batches of 128 in the order of the file, as they "
    f"do. {networks.COMMANDS}"
)

_OverAlpha = Mapping[float, Runs]

REQUIRES = tuple(
    need
    for network in _NETWORKS
    for alpha in _ALPHAS
    for need in networks.needs(
        network,
        (alpha,),
        networks.SEEDS,
        _HEADLINE if network == translation.MULTI30K else (),
    )
)


def _number(name: str, unit: str = "") -> Number:
    return Number("token_calibration", name, unit)


_COUNTED, _REAL = _number("ece_padding_counted"), _number("ece")
_AT_ONE = {
    "ECE, padding counted": _COUNTED,
    "ECE": _REAL,
    "accuracy, padding counted, %": _number("accuracy_padding_counted", "%"),
    "accuracy, %": _number("accuracy", "%"),
    "padding, %": _number("padding", "%"),
}
_SCALED = {
    "ECE": _number("ece_scaled_by_ece"),
    "accuracy, %": _number("accuracy_scaled_by_ece", "%"),
}


class _Row(NamedTuple):
    """The calibration of a network at one alpha and T: printed, or of runs."""

    network: str
    alpha: float
    temperature: object
    printed: float | None
    runs: Runs | None = None
    numbers: Mapping[str, Number] = _AT_ONE

    def mean(self, heading: str) -> object:
        if not self.runs:
            return None if self.runs is None else NO_RUN
        number = self.numbers.get(heading)
        return number and number.mean(self.runs)


def _rows(runs: Mapping[Network, _OverAlpha]) -> Iterable[_Row]:
    """With and without padding, at T = 1 and at fitted ones."""
    for network, of_network in runs.items():
        # What is printed stands beside the network of its size.
        row = network.row if network == translation.MULTI30K_RE else ""
        for alpha, of_alpha in of_network.items():
            printed = _PAPER.get((row, f"ece alpha={alpha:g}"))
            yield _Row(network.label, alpha, 1.0, printed, of_alpha)
        printed = _PAPER.get((row, "ece scaled"))
        if printed is not None:
            yield _Row(network.label, 0.0, _PAPER[row, "temperature"], printed)
        hard = of_network[0.0]
        fitted = _number("temperature_by_ece").mean(hard)
        yield _Row(network.label, 0.0, fitted, None, hard, _SCALED)


def _swept(
    value: Callable[[Sweep], float], without: object = None
) -> Callable[[AtAlpha], object]:
    """The value of a column: of the sweep of a row, or what is without one."""

    def of(row: AtAlpha) -> object:
        sweep = sweep_lines.of(row.runs)
        return without if sweep is None else value(sweep)

    return of


def _bleu_at_one(sweep: Sweep) -> float:
    return statistics.fmean(sweep.by_seed("bleu_uncased", 1.0).values())


def _lowest_bleu(sweep: Sweep) -> float:
    return float(sweep.mean("bleu_uncased").min())


def _best(name: str) -> Callable[[AtAlpha], object]:
    return _swept(lambda s: float(s.mean(name)[s.best(name)]))


def _best_t(name: str) -> Callable[[AtAlpha], object]:
    return _swept(lambda s: float(s.temperatures[s.best(name)]))


def _figure(
    sweeps: Mapping[float, Sweep],
    panels: tuple[tuple[str, str], ...] = _PANELS,
    divides: str = "the logits",
) -> Figure:
    figure = Figure(figsize=(12.6, 4.1), layout="constrained")
    drawn = figure.subplots(1, len(panels))
    for axes, (name, label) in zip(drawn, panels, strict=True):
        for alpha, sweep in sweeps.items():
            sweep_lines.curve(axes, sweep, name, translation.STYLES[alpha])
            sweep_lines.temperature_axis(axes, sweep, divides)
        axes.set_ylabel(label)
        if name == "ece":
            axes.set_ylim(bottom=0)
        if name.startswith("bleu"):
            sweep_lines.at_least(axes, _LEAST_BLEU)
        canvas.plain(axes)
    handles = [
        sweep_lines.key(style, f"alpha = {alpha:g}")
        for alpha, style in translation.STYLES.items()
        if alpha in sweeps
    ]
    handles += sweep_lines.marks()
    canvas.legend_below(figure, len(handles), handles)
    return figure


def _drawn(runs: Runs) -> Sweep | None:
    """The sweeps of the replication's code."""
    names = (*(name for name, _ in _DRAWN_PANELS), "bleu_same_tokens")
    return sweep_lines.of(runs, _AS_DRAWN, names)


def _is_drawn(network: Network) -> bool:
    return translation.is_measured(network, _AS_DRAWN, "report")


def _scalar(name: str, unit: str = "") -> Callable[[AtAlpha], object]:
    return lambda r: Number(_AS_DRAWN, name, unit).mean(r.runs)


def _of_drawn(value: Callable[[Sweep], float]) -> Callable[[AtAlpha], object]:
    def of(row: AtAlpha) -> object:
        sweep = _drawn(row.runs)
        return NO_RUN if sweep is None else value(sweep)

    return of


def _at_one(name: str) -> Callable[[Sweep], float]:
    return lambda s: statistics.fmean(s.by_seed(name, 1.0).values())


def _range(sweep: Sweep) -> float:
    return float(np.ptp(sweep.mean("bleu")))


def _temperature(name: str) -> Callable[[Sweep], float]:
    return lambda s: float(s.temperatures[s.best(name)])


def _drawn_table(rows: Iterable[AtAlpha]) -> Table:
    """What their code measures, beside what was meant."""
    return declared.table(
        "as_drawn",
        "The sweep as the code of Wagner et al. makes it: means over seeds. "
        "The BLEU of the same translations, each side split alike, is cased "
        "(13a); changed by T are the sentences whose translation is not the "
        "same at all T; of references is what a perfect translation gets as "
        "they score. What is meant is the beam search, the softmax over the "
        "vocabulary and the subwords alone.",
        rows,
        ("network", lambda r: r.network.label, ""),
        ("alpha", lambda r: r.alpha, "g"),
        ("BLEU at T = 1, as drawn", _of_drawn(_at_one("bleu")), ".2f"),
        ("most less least over T", _of_drawn(_range), ".2f"),
        ("changed by T, %", _scalar("changed_by_temperature", "%"), ".1f"),
        ("split alike", _of_drawn(_at_one("bleu_same_tokens")), ".2f"),
        ("of references", _scalar("bleu_of_references"), ".2f"),
        ("ECE at T = 1, as drawn", _of_drawn(_at_one("ece")), ".4f"),
        ("T of lowest ECE, as drawn", _of_drawn(_temperature("ece")), ".3g"),
        ("T of lowest ECE, as meant", _best_t("ece"), ".3g"),
        ("NLL at T = 1, as drawn", _of_drawn(_at_one("nll")), ".4f"),
        ("T of lowest NLL, as drawn", _of_drawn(_temperature("nll")), ".3g"),
        ("T of lowest NLL, as meant", _best_t("nll"), ".3g"),
        ("seeds", lambda r: len(r.runs), ""),
    )


def _lowest(errors: Mapping[float, float]) -> str:
    alpha = min(errors, key=lambda a: errors[a])
    return f"alpha = {alpha:g} ({errors[alpha]:.3f})"


def _findings(network: Network, runs: _OverAlpha) -> Iterable[str]:
    """What counting the padding does, and where the ECE is lowest."""
    counted, real = (
        {a: e for a, r in runs.items() if (e := number.mean(r)) is not None}
        for number in (_COUNTED, _REAL)
    )
    if not real:
        return
    printed = {a: _PAPER[network.row, f"ece alpha={a:g}"] for a in real}
    higher = sum(counted[a] > real[a] for a in real)
    yield (
        f"{network.label}: counting padding raises the ECE for {higher} of "
        f"{len(real)} alphas."
    )
    yield (
        f"{network.label}: of these alphas, the ECE at T = 1 is lowest at "
        f"{_lowest(printed)} as printed, at {_lowest(counted)} with our "
        f"padding counted, and at {_lowest(real)} without padding."
    )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    over_alpha = networks.over_alpha(records, _NETWORKS, _ALPHAS)
    runs = {
        network: {r.alpha: r.runs for r in over_alpha if r.network == network}
        for network in _NETWORKS
    }
    findings = [f for pair in runs.items() for f in _findings(*pair)]
    signed = translation.signatures(records, "translation_sweep")
    yield Text(_PADDING)
    body = "" if findings else "No network has been run."
    yield Text(body, "What the padding does", tuple(findings))
    yield declared.table(
        "padding",
        "Expected calibration error of the next subword, 15 bins (fraction), "
        "on test_2016_flickr; means over seeds. The rows with another T than 1 "
        "are after temperature scaling: T by the ECE of the test set "
        "(printed), by the ECE of the first 10,000 subwords of val (ours). "
        "Printed: Wagner et al. 2023, table 3; their network, subwords and "
        "training are others.",
        _rows(runs),
        ("network", lambda r: r.network, ""),
        ("alpha", lambda r: r.alpha, "g"),
        ("T", lambda r: r.temperature, ".3g"),
        ("ECE, Wagner et al. (1 run)", lambda r: r.printed, ".4f"),
        *declared.each(list(_AT_ONE)[:2], str, _Row.mean, ".4f", without=None),
        *declared.each(list(_AT_ONE)[2:], str, _Row.mean, ".2f", without=None),
        ("seeds", lambda r: r.runs if r.runs is None else len(r.runs), ""),
    )
    yield Text("", "Over temperatures")
    yield from sweep_lines.pictures(
        runs,
        _figure,
        lambda network: network.label,
        "Beam of 4, length penalty 0.6; ECE and NLL of the next subword, given "
        "the right ones before it. A band is the range over seeds, where there "
        "are several; a ring marks the best of the grid.",
    )
    yield from sweep_lines.pictures(
        {n: of_network for n, of_network in runs.items() if _is_drawn(n)},
        functools.partial(
            _figure, panels=_DRAWN_PANELS, divides="the hidden state"
        ),
        lambda network: network.label,
        "As drawn by the code of Wagner et al.: greedy, the hidden state "
        "divided, padding counted, softmax over positions.",
        read=_drawn,
        stem="as_drawn",
    )
    yield _drawn_table(r for r in over_alpha if _is_drawn(r.network))
    yield declared.table(
        "best",
        "The best of each sweep over T, means over seeds. BLEU is uncased, "
        "international tokenisation. With a beam of 4 a temperature moves it; "
        f"greedy translations do not depend on it. {signed}",
        over_alpha,
        ("network", lambda r: r.network.label, ""),
        ("alpha", lambda r: r.alpha, "g"),
        ("BLEU at T = 1", _swept(_bleu_at_one, NO_RUN), ".2f"),
        ("lowest BLEU", _swept(_lowest_bleu), ".2f"),
        ("best BLEU", _best("bleu_uncased"), ".2f"),
        ("T of best BLEU", _best_t("bleu_uncased"), ".3g"),
        ("best ECE", _best("ece"), ".4f"),
        ("T of best ECE", _best_t("ece"), ".3g"),
        ("best NLL", _best("nll"), ".4f"),
        ("T of best NLL", _best_t("nll"), ".3g"),
        ("seeds", lambda r: len(r.runs), ""),
    )
    yield sweep_lines.table(signed, over_alpha, lambda n: n.label)
    yield from paired_bootstrap.blocks(
        paired_bootstrap.over_alpha(runs, lambda network: network.label),
        ("bleu_uncased",),
    )
