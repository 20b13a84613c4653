"""The error over the smoothing, and how many minima it has.

The page is built from whatever records there are.

Source: Chen et al. 2020, figure 10.
Run: python run_experiment.py --report=g_fig10
"""

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure
from scipy import signal

from ls_tf.pages import (
    canvas,
    declared,
    noise,
    noise_curves,
    noise_runs,
)
from ls_tf.pages.blocks import Block, Picture, Text
from ls_tf.pages.declared import Records
from ls_tf.pages.noise_runs import Sweep

TITLE = "Label noise: two minima of the error over p"
PARTIAL = True

# The paper shows four examples and does not say which.
_RATES = (0.3, *noise_runs.SLICES)
_SWEEPS = tuple(Sweep(n, _RATES, noise_runs.FINE) for n in noise_runs.MNIST)
REQUIRES = noise_runs.needs(*_SWEEPS)


def _minima(errors: np.ndarray) -> list[int]:
    """The places that are lower than both neighbours, of those with a run.

    Of equal neighbours the middle one stands for all: two networks that are
    wrong on as many images are no rarity.
    """
    (known,) = np.nonzero(np.isfinite(errors))
    heights = np.concatenate([[-np.inf], -errors[known], [-np.inf]])
    places, _ = signal.find_peaks(heights)
    return [int(known[place - 1]) for place in places]


def _figure(sweep: Sweep, values: np.ndarray) -> Figure:
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    targets = np.array(sweep.targets)
    panels = figure.subplots(1, len(sweep.rates))
    for axes, a, errors in zip(panels, sweep.rates, values.T, strict=True):
        axes.set_title(f"a = {a:g}", fontsize=11)
        # Through those that have a run: fewer may have one than the grid has.
        known = np.isfinite(errors)
        if not known.any():
            canvas.no_run(axes)
            continue
        axes.plot(
            *(targets[known], errors[known], "o-"),
            color=canvas.BLUE,
            markersize=4,
        )
        noise_curves.mark(axes, targets, errors, canvas.VERMILION)
        axes.set_xlabel("p, probability on the target's class")
        axes.set(xlim=(0, 1.03), ylabel="test error, %")
        canvas.plain(axes)
    return figure


def build(records: Records) -> Iterable[Block]:
    """Builds the page."""
    grids = {s: s.values(records, noise_runs.error) for s in _SWEEPS}
    yield Text(
        f"{noise.WORDS} The paper finds two minima of the error over p where a "
        "is .85 or less: one at a small p, one at p = 1, without smoothing. "
        "One curve has many small dents of chance; what is listed below is "
        "every point lower than both its neighbours among those that have a "
        f"run; of equal ones, the middle. {noise_runs.protocol(records)}"
    )
    rows = []
    for sweep, values in grids.items():
        if noise_runs.is_there(values):
            yield Picture(
                _figure(sweep, values),
                f"errors_{sweep.network.experiment}",
                f"{sweep.network.label}: test error on clean labels, means "
                "over seeds; a ring is the lowest. As figure 10 of Chen et "
                "al. 2020.",
            )
        for a, errors in zip(sweep.rates, values.T, strict=True):
            words = ", ".join(
                f"{sweep.targets[k]:g} ({errors[k]:.2f} %)"
                for k in _minima(errors)
            )
            count = int(np.isfinite(errors).sum())
            rows.append((sweep.network.label, a, words or None, count))
    yield declared.table(
        "minima",
        "The p of every minimum of the error over those p that have a run, and "
        "the error there.",
        rows,
        ("network", lambda row: row[0], ""),
        ("a", lambda row: row[1], "g"),
        ("minima", lambda row: declared.or_no_run(row[2]), ""),
        ("p with a run", lambda row: row[3], ""),
    )
    yield noise_runs.grid_table(
        "errors", "Test error on clean labels, %.", grids, ".2f"
    )
