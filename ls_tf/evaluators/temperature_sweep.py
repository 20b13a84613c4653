"""Likelihood, calibration and accuracy over a grid of temperatures."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import calibration, temperature
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier

# From 0.5 to 4 in equal ratios, with 1 and 2 among them.
_GRID = tuple(2.0 ** (k / 3) for k in range(-3, 7))
_CURVES = ("nll", "ece", "accuracy")


@dataclass(frozen=True)
class Evaluator:
    """Divides the logits by each temperature of a grid and measures.

    Nothing is fitted: ``reliability`` does that. The accuracy is the same all
    along, but for logits so close that a division makes them equal.

    Attributes:
        role: which split: train, calibrate or report.
        temperatures: positive, each greater than the one before.
        num_bins: of the calibration error.
        edge: "left" for bins [lo, hi), "right" for (lo, hi].

    Source: Mueller et al. 2019, figure 4, whose grid is not stated.
    """

    role: str
    temperatures: tuple[float, ...] = _GRID
    num_bins: int = 15
    edge: calibration.Edge = "left"

    def __post_init__(self) -> None:
        """Refuses a bad grid and bad bins.

        Raises:
            SpecError: one line.
        """
        checks.bins("temperature_sweep", self.num_bins, self.edge)
        checks.temperatures("temperature_sweep", self.temperatures)

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: arrays ``temperatures``, ``nll`` (nats), ``ece`` and
            ``accuracy``, float64 [number of temperatures]; scalars: the
            lowest ``nll`` and ``ece`` of the grid and where they are.
        """
        labels = network.labels(self.role)
        logits = network.outputs(self.role)["logits"]
        summaries = [
            calibration.summary(
                temperature.apply(logits, t),
                labels,
                num_bins=self.num_bins,
                edge=self.edge,
            )
            for t in self.temperatures
        ]
        grid = np.asarray(self.temperatures, np.float64)
        arrays = {k: np.array([s[k] for s in summaries]) for k in _CURVES}
        scalars: dict[str, float] = {}
        for name in ("nll", "ece"):
            # Of equal values the first: the lowest temperature.
            lowest = int(np.argmin(arrays[name]))
            scalars[f"best_{name}"] = float(arrays[name][lowest])
            scalars[f"temperature_of_best_{name}"] = float(grid[lowest])
        return Measurement(
            scalars, len(labels), {"temperatures": grid, **arrays}
        )
