"""Likelihood, calibration and accuracy over a grid of temperatures."""

import numpy as np

from ls_tf.analysis import calibration, temperature
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier

# From 0.5 to 4 in equal ratios, with 1 and 2 among them.
_GRID = tuple(2.0 ** (k / 3) for k in range(-3, 7))
_CURVES = ("nll", "ece", "accuracy")


def evaluate(
    trained: Classifier,
    *,
    role: str,
    temperatures: tuple[float, ...] = _GRID,
    num_bins: int = 15,
    edge: calibration.Edge = "left",
) -> Measurement:
    """Divides the logits by each temperature of a grid and measures.

    Nothing is fitted: ``reliability`` does that. The accuracy is the same all
    along, but for logits so close that a division makes them equal.

    Args:
        trained: the model and its data.
        role: which split: train, calibrate or report.
        temperatures: positive, each greater than the one before.
        num_bins: of the calibration error.
        edge: "left" for bins [lo, hi), "right" for (lo, hi].

    Returns:
        Measurement: arrays ``temperatures``, ``nll`` (nats), ``ece`` and
        ``accuracy``, float64 [number of temperatures]; scalars: the lowest
        ``nll`` and ``ece`` of the grid and where they are.

    Raises:
        ValueError: see ``check``.

    Source: Mueller et al. 2019, figure 4, whose grid is not stated.
    """
    labels = trained.labels(role)
    logits = trained.outputs(role)["logits"]
    found = [
        calibration.summary(
            temperature.apply(logits, t), labels, num_bins=num_bins, edge=edge
        )
        for t in temperatures
    ]
    grid = np.asarray(temperatures, np.float64)
    arrays = {k: np.array([values[k] for values in found]) for k in _CURVES}
    scalars: dict[str, float] = {}
    for name in ("nll", "ece"):
        # Of equal values the first: the lowest temperature.
        lowest = int(np.argmin(arrays[name]))
        scalars[f"best_{name}"] = float(arrays[name][lowest])
        scalars[f"temperature_of_best_{name}"] = float(grid[lowest])
    return Measurement(scalars, len(labels), {"temperatures": grid, **arrays})


def check(
    trained: Classifier,
    *,
    role: str,
    temperatures: tuple[float, ...] = _GRID,
    num_bins: int = 15,
    edge: calibration.Edge = "left",
) -> None:
    """Refuses a grid that is empty, not positive or not rising, and bad bins.

    Raises:
        ValueError: one line.
    """
    del trained, role
    checks.bins("temperature_sweep", num_bins, edge)
    checks.temperatures("temperature_sweep", temperatures)
