"""The best smoothing for the loss and for the accuracy, over the clean rate.

The page is built from whatever records there are.

Source: Chen et al. 2020, figure 8.
Run: python run_experiment.py --report=g_fig8
"""

from collections.abc import Iterable

import numpy as np

from ls_tf.pages import declared, networks, noise, noise_curves, noise_runs
from ls_tf.pages.blocks import Block, Picture, Text
from ls_tf.pages.declared import Claim, Records

TITLE = "Label noise: the best p for the loss and for the accuracy"
PARTIAL = True

_SWEEPS = tuple(noise_runs.Sweep(n) for n in noise_runs.MNIST)
REQUIRES = noise_runs.needs(*_SWEEPS)

_NUMBERS = {
    "loss": noise_runs.nll,
    "accuracy": noise_runs.error,  # best where the error is least
}


def _best(
    records: Records,
    sweep: noise_runs.Sweep,
    name: str,
    seed: int | None = None,
) -> np.ndarray:
    values = sweep.values(records, _NUMBERS[name], seed)
    return noise_runs.best(values, sweep.targets)


def _by_seed(
    records: Records, sweep: noise_runs.Sweep, name: str
) -> dict[int, float]:
    """The best p, mean over those a that have runs: seed -> p."""
    lines = {s: _best(records, sweep, name, s) for s in networks.SEEDS}
    return {
        seed: float(np.nanmean(line))
        for seed, line in lines.items()
        if not np.isnan(line).all()
    }


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    claims = [
        Claim(
            sweep.network.label,
            _by_seed(records, sweep, "accuracy"),
            _by_seed(records, sweep, "loss"),
            "the best p for the accuracy is smaller than for the loss",
            by_interval=True,
        )
        for sweep in _SWEEPS
    ]
    yield Text(
        f"{noise.WORDS} Of the trained networks of report g_fig5: which p is "
        "best for the loss on clean test labels, and which for the accuracy. "
        f"Means over seeds. {noise_runs.protocol(records)}"
    )
    sentence = "{of}: {text}: " + declared.compared(".3f")
    yield declared.findings((claims, sentence))
    rows = []
    for sweep in _SWEEPS:
        lines = {name: _best(records, sweep, name) for name in _NUMBERS}
        if not np.isnan(lines["loss"]).all():
            yield Picture(
                noise_curves.over_rate(
                    sweep,
                    {f"best for the {k}": v for k, v in lines.items()},
                    ylabel="best p",
                    kinds=noise.STYLES,
                ),
                f"best_{sweep.network.experiment}",
                f"{sweep.network.label}: the best p of those that have a run, "
                "and that of the expected losses. As figure 8 of Chen et al. "
                "2020.",
            )
        places = zip(*lines.values(), strict=True)
        for a, (of_loss, of_accuracy) in zip(sweep.rates, places, strict=True):
            rows.append((sweep.network.label, a, of_loss, of_accuracy))
    yield declared.table(
        "best",
        "The best p of those that have a run.",
        rows,
        ("network", lambda row: row[0], ""),
        ("a", lambda row: row[1], "g"),
        ("best p, loss", lambda row: noise_runs.cell(row[2]), "g"),
        ("best p, accuracy", lambda row: noise_runs.cell(row[3]), "g"),
    )
    yield noise_runs.claims_table(
        claims,
        "Claim of Chen et al. 2020; the means over a of the best p.",
        ".3f",
    )
