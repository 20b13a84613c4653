"""BLEU, calibration and likelihood of the Transformer over temperatures.

The page is built from whatever records there are; a network without one says
so. ``--run_missing`` trains Multi30k's network with alpha 0 and 0.1, seed 0.
The others are made by the commands on the page.

Source: Mueller et al. 2019, figure 4.
Run: python run_experiment.py --report=fig4_bleu_nll_sweep
"""

import math
from collections.abc import Iterable, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ls_tf.pages import (
    canvas,
    declared,
    networks,
    paired_bootstrap,
    quoted,
    sweep_claims,
    sweep_lines,
    translation,
)
from ls_tf.pages.blocks import NO_RUN, Block, Table, Text
from ls_tf.pages.declared import Number, Records, Runs, or_no_run
from ls_tf.pages.networks import AtAlpha, Network
from ls_tf.pages.sweep_claims import Claim
from ls_tf.pages.tables import VERDICT

TITLE = "BLEU, calibration and likelihood over temperatures: English to German"
PARTIAL = True

_BLEU = (canvas.BLUE, "o")
_ECE = (canvas.ORANGE, "s")

_OverAlpha = Mapping[float, Runs]
_Claims = Iterable[tuple[Network, Claim]]

REQUIRES = networks.all_needs(
    translation.PLACES,
    translation.ALPHAS,
    networks.SEEDS,
    translation.HEADLINE,
)


def _validation_bleu(row: AtAlpha) -> float | None:
    """Cased, where the experiment measures it."""
    if not translation.is_measured(row.network, "translation", "calibrate"):
        return None
    return Number("translation", "bleu", role="calibrate").mean(row.runs)


def _perplexity(row: AtAlpha) -> float | None:
    nll = Number("token_calibration", "nll").mean(row.runs)
    return None if nll is None else math.exp(nll)


def _mean(name: str, row: AtAlpha) -> float | None:
    return Number("translation", name).mean(row.runs)


def _untested(runs: Mapping[Network, _OverAlpha]) -> _Claims:
    """One claim that stands for all those that a network has no run for."""
    for network, of_network in runs.items():
        lacking = [f"alpha = {a:g}" for a, r in of_network.items() if not r]
        if lacking:
            text = f"those that need {' and '.join(lacking)}"
            yield network, Claim(text, None, None, None, NO_RUN, 0, 0)


def _sentence(network: Network, claim: Claim) -> str:
    both = {"hard": claim.hard, "smoothed": claim.smoothed}
    numbers = [
        f"{n:#.4g} {whose}" for whose, n in both.items() if n is not None
    ]
    return (
        f"{translation.title(network)}: {claim.text}: {claim.verdict} "
        f"({'; '.join((', '.join(numbers), str(claim.what)))})."
    )


def _two_scales(axes: Axes, sweep: sweep_lines.Sweep) -> Axes:
    """Draws BLEU and, on an axis of its own to the right, ECE."""
    colour, _ = _BLEU
    sweep_lines.curve(axes, sweep, "bleu_uncased", _BLEU)
    canvas.plain(axes)
    sweep_lines.temperature_axis(axes, sweep)
    axes.set_ylabel("BLEU, uncased", color=colour)
    axes.tick_params(axis="y", colors=colour)
    right = axes.twinx()
    colour, _ = _ECE
    sweep_lines.curve(right, sweep, "ece", _ECE, dashed=True)
    right.spines[["top", "left"]].set_visible(False)
    right.set_ylabel("ECE (fraction)", color=colour)
    right.tick_params(axis="y", colors=colour, labelsize=9)
    return right


def _figure(sweeps: Mapping[float, sweep_lines.Sweep]) -> Figure:
    # Two scales' labels stand between the panels.
    layout = ConstrainedLayoutEngine(wspace=0.06)
    figure = Figure(figsize=(12.6, 4.1), layout=layout)
    *pair, last = figure.subplots(1, 3)
    left, right, keys = [], [], []
    for axes, alpha in zip(pair, translation.ALPHAS, strict=True):
        axes.set_title(f"alpha = {alpha:g}", fontsize=11)
        if alpha not in sweeps:
            canvas.no_run(axes)
            continue
        sweep, style = sweeps[alpha], translation.STYLES[alpha]
        left.append(axes)
        right.append(_two_scales(axes, sweep))
        sweep_lines.curve(last, sweep, "nll", style)
        sweep_lines.temperature_axis(last, sweep)
        keys.append(sweep_lines.key(style, f"alpha = {alpha:g}"))
    sweep_lines.same_scale(left, from_zero=False)
    sweep_lines.same_scale(right, from_zero=True)
    canvas.plain(last)
    last.set_title("both", fontsize=11)
    last.set_ylabel("NLL (nats per subword)")
    last.legend(handles=keys, frameon=False, fontsize=9)
    handles = [
        sweep_lines.key(_BLEU, "BLEU, left scale"),
        sweep_lines.key(_ECE, "ECE, right scale", dashed=True),
        *sweep_lines.marks(),
    ]
    canvas.legend_below(figure, 4, handles)
    return figure


def _quoted() -> str:
    """What the paper's table 1 says of smoothing in translation."""
    paper = quoted.numbers("fig4_bleu_nll_sweep")
    words = [
        paper["EN-DE Transformer", f"{what} alpha={alpha:g}"].text
        for what in ("bleu", "perplexity")
        for alpha in translation.ALPHAS
    ]
    return (
        "Müller et al.'s table 1 quotes, of a Transformer without and with "
        "smoothing, BLEU {} and {} and perplexity {} and {} (Vaswani et al. "
        "2017; other subwords, another BLEU).".format(*words)
    )


def _claims_table(claims: _Claims) -> Table:
    """One row for each claim; one for a network that lacks a run."""
    near = sweep_claims.NEAR
    return declared.table(
        "claims",
        "Claims of Müller et al., for the means over seeds, and the number of "
        f"single seeds that agree. Near: within {near['bleu_uncased']:g} BLEU, "
        f"or {near['ece']:g} of ECE, of the best on the grid (ours). BLEU is "
        "uncased.",
        claims,
        ("network", lambda c: translation.title(c[0]), ""),
        ("claim", lambda c: c[1].text, ""),
        ("hard targets", lambda c: c[1].hard, "#.4g"),
        ("smoothed", lambda c: c[1].smoothed, "#.4g"),
        ("what it is", lambda c: c[1].what, ""),
        (VERDICT, lambda c: c[1].verdict, ""),
    )


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    rows = networks.over_alpha(records, translation.PLACES, translation.ALPHAS)
    runs = {
        network: {row.alpha: row.runs for row in rows if row.network == network}
        for network in translation.PLACES
    }
    claims = [
        (network, claim)
        for network, of_network in runs.items()
        for claim in sweep_claims.claims(*of_network.values())
    ]
    findings = tuple(_sentence(*claim) for claim in claims)
    signed = translation.signatures(records, "translation")
    yield Text(
        "The logits are divided by a temperature T: for NLL and ECE those of "
        "the next subword, given the right ones before it; for BLEU those of "
        "every step of the beam search, before the log-softmax. Müller et al. "
        "find that smoothing gives the better BLEU and the better calibration "
        f"at T = 1, hard targets the better NLL. {translation.SUBSTITUTE} "
        f"{networks.COMMANDS}"
    )
    yield declared.table(
        "scores",
        "Translations at T = 1, beam of 4, length penalty 0.6; means over "
        f"seeds. {translation.SPLIT} BLEU, uncased, is the paper's: lower "
        "case, international tokenisation; BLEU, cased, and chrF are those of "
        "today. The 95 % interval is sacreBLEU's bootstrap over the sentences. "
        f"{signed} {_quoted()}",
        rows,
        ("network", lambda r: translation.title(r.network), ""),
        ("alpha", lambda r: r.alpha, "g"),
        ("BLEU, uncased", lambda r: or_no_run(_mean("bleu_uncased", r)), ".2f"),
        (
            "95 % of the first seed",
            lambda r: paired_bootstrap.interval(r.runs, "bleu_uncased"),
            ".2f",
        ),
        ("BLEU, cased", lambda r: _mean("bleu", r), ".2f"),
        ("chrF", lambda r: _mean("chrf", r), ".2f"),
        ("validation BLEU, cased", _validation_bleu, ".2f"),
        ("perplexity of a subword", _perplexity, ".2f"),
        ("length ratio", lambda r: _mean("length_ratio", r), ".3f"),
        ("seeds", lambda r: len(r.runs), ""),
        ("steps", lambda r: networks.steps(r.runs), ""),
    )
    yield from sweep_lines.pictures(
        runs,
        _figure,
        translation.title,
        "Left and middle have the same scales. Means over seeds, with their "
        "range as a band where there are several; a ring marks the best of the "
        "grid.",
    )
    body = "" if findings else "No network has been run."
    yield Text(body, "The claims", findings)
    yield _claims_table([*claims, *_untested(runs)])
    swept = translation.signatures(records, "translation_sweep")
    yield sweep_lines.table(
        f"{translation.SPLIT} {swept}", rows, translation.title
    )
    yield from paired_bootstrap.blocks(
        paired_bootstrap.over_alpha(runs, translation.title),
        ("bleu_uncased", "chrf"),
    )
