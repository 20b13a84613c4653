"""Accuracy, likelihood and calibration of a classifier on one split."""

from dataclasses import dataclass

from ls_tf.analysis import calibration
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier


@dataclass(frozen=True)
class Evaluator:
    """Measures a classifier's probabilities at temperature 1.

    Attributes:
        role: which split: train, calibrate or report.
        num_bins: of the calibration errors.
        edge: "left" for bins [lo, hi), "right" for (lo, hi].

    Source: Mueller et al. 2019, sections 2 and 3.
    """

    role: str
    num_bins: int = 15
    edge: calibration.Edge = "left"

    def __post_init__(self) -> None:
        """Refuses bad bins.

        Raises:
            SpecError: one line.
        """
        checks.bins("classification", self.num_bins, self.edge)

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: the scalars of ``calibration.summary``; fractions,
            and nats for ``nll``.
        """
        labels = network.labels(self.role)
        logits = network.outputs(self.role)["logits"]
        scalars = calibration.summary(
            logits, labels, num_bins=self.num_bins, edge=self.edge
        )
        return Measurement(scalars, len(labels))
