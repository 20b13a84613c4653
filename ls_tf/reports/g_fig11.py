"""What weak smoothing changes at each clean rate.

The page is built from whatever records there are.

Source: Chen et al. 2020, figure 11.
Run: python run_experiment.py --report=g_fig11
"""

from collections.abc import Iterable

import numpy as np

from ls_tf.pages import declared, networks, noise, noise_curves, noise_runs
from ls_tf.pages.blocks import Block, Picture, Text
from ls_tf.pages.declared import Claim, Records
from ls_tf.pages.noise_runs import Sweep

TITLE = "Label noise: weak smoothing against none"
PARTIAL = True

_WEAK = 0.95
_HELPS = 0.9  # the paper: from this a on
_SWEEPS = tuple(Sweep(n, targets=(_WEAK, 1.0)) for n in noise_runs.MNIST)
REQUIRES = noise_runs.needs(*_SWEEPS)


def _mean(
    records: Records, sweep: Sweep, p: float, *, clean: bool
) -> dict[int, float]:
    """Accuracy at the a where it should help, or at the others, by seed."""
    chosen = np.array([(a >= _HELPS) == clean for a in sweep.rates])
    found = {}
    for seed in networks.SEEDS:
        values = sweep.values(records, noise_runs.accuracy, seed)
        both = ~np.isnan(values).any(axis=0) & chosen
        if both.any():
            row = values[sweep.targets.index(p), both]
            found[seed] = float(row.mean())
    return found


def _claims(records: Records) -> Iterable[Claim[str]]:
    for sweep in _SWEEPS:
        weak, none = (
            {
                clean: _mean(records, sweep, p, clean=clean)
                for clean in (True, False)
            }
            for p in (_WEAK, 1.0)
        )
        for low, high, text in (
            (none[True], weak[True], "weak smoothing helps from a = .9 on"),
            (weak[False], none[False], "weak smoothing harms below a = .9"),
        ):
            name = sweep.network.label
            yield Claim(name, low, high, text, by_interval=True)


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    claims = list(_claims(records))
    yield Text(
        f"{noise.WORDS} Weak smoothing, p = {_WEAK:g}, against none, p = 1. "
        "The paper finds that it helps the accuracy where nine of ten labels "
        "or more are right, and costs up to 8 points elsewhere. "
        f"{noise_runs.protocol(records)}"
    )
    sentence = "{of}: {text}: " + declared.compared(".2f")
    yield declared.findings((claims, sentence))
    rows = []
    for sweep in _SWEEPS:
        weak, none = sweep.values(records, noise_runs.accuracy)
        if noise_runs.is_there(weak - none):
            lines = {f"p = {_WEAK:g} less p = 1": weak - none}
            yield Picture(
                noise_curves.over_rate(
                    sweep, lines, ylabel="difference of test accuracies, points"
                ),
                f"difference_{sweep.network.experiment}",
                f"{sweep.network.label}: test accuracy with p = {_WEAK:g} less "
                "that without smoothing, means over seeds. As figure 11 of "
                "Chen et al. 2020.",
            )
        for a, *pair in zip(sweep.rates, weak, none, strict=True):
            rows.append((sweep.network.label, a, *pair))
    yield declared.table(
        "accuracy",
        "Test accuracy on clean labels, %; the difference in points.",
        rows,
        ("network", lambda row: row[0], ""),
        ("a", lambda row: row[1], "g"),
        (f"p = {_WEAK:g}", lambda row: noise_runs.cell(row[2]), ".2f"),
        ("p = 1", lambda row: noise_runs.cell(row[3]), ".2f"),
        ("difference", lambda row: noise_runs.cell(row[2] - row[3]), "+.2f"),
    )
    yield noise_runs.claims_table(
        claims,
        "Claims of Chen et al. 2020; accuracies are means over the a, %.",
        ".2f",
    )
