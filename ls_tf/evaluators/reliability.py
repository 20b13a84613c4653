"""The reliability diagram before and after temperature scaling."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import calibration, probabilities, temperature
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier


@dataclass(frozen=True)
class Evaluator:
    """Fits a temperature on the calibrate split, measures on the role's.

    Both criteria are fitted and recorded; ``criterion`` says which one the
    scaled diagram uses. The papers fit and report on the same images; what an
    honest hold-out gives is measured too, by fitting on the even-numbered
    examples of the role's split and measuring on the odd-numbered ones.

    Attributes:
        role: the split to report on.
        criterion: "nll" or "ece".
        num_bins: of the diagram.
        edge: "left" for bins [lo, hi), "right" for (lo, hi].

    Source: Mueller et al. 2019, section 3; the hold-out: ours.
    """

    role: str
    criterion: temperature.Criterion = "nll"
    num_bins: int = 15
    edge: calibration.Edge = "left"

    def __post_init__(self) -> None:
        """Refuses an unknown criterion and bad bins.

        Raises:
            SpecError: one line.
        """
        checks.choice(
            "reliability", "criterion", self.criterion, temperature.Criterion
        )
        checks.bins("reliability", self.num_bins, self.edge)

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: scalars ``temperature``, ``ece``, ``ece_scaled`` and
            so on; arrays: both diagrams.
        """
        labels = network.labels(self.role)
        logits = network.outputs(self.role)["logits"]
        fit_labels = network.labels("calibrate")
        fit_logits = network.outputs("calibrate")["logits"]
        scalars: dict[str, float] = {}
        names: tuple[temperature.Criterion, ...] = ("nll", "ece")
        for name in names:
            fit = self._fit(fit_logits, fit_labels, name)
            scalars[f"temperature_by_{name}"] = fit.temperature
            scaled = self._summary(logits, labels, fit.temperature)
            scalars[f"ece_scaled_by_{name}"] = scaled["ece"]
            if name == self.criterion:
                scalars["temperature"] = fit.temperature
                scalars["temperature_at_bound"] = float(fit.at_bound)
                scalars.update({f"{k}_scaled": v for k, v in scaled.items()})
        scalars.update(self._summary(logits, labels))
        scalars.update(self._held_out(logits, labels))
        arrays: dict[str, np.ndarray] = {}
        for suffix, t in (("", 1.0), ("_scaled", scalars["temperature"])):
            arrays.update(self._diagram(logits, labels, t, suffix))
        return Measurement(scalars, len(labels), arrays)

    def _fit(
        self,
        logits: np.ndarray,
        labels: np.ndarray,
        criterion: temperature.Criterion,
    ) -> temperature.Fit:
        return temperature.fit(
            logits,
            labels,
            criterion=criterion,
            num_bins=self.num_bins,
            edge=self.edge,
        )

    def _summary(
        self, logits: np.ndarray, labels: np.ndarray, t: float = 1.0
    ) -> dict[str, float]:
        return calibration.summary(
            temperature.apply(logits, t),
            labels,
            num_bins=self.num_bins,
            edge=self.edge,
        )

    def _held_out(
        self, logits: np.ndarray, labels: np.ndarray
    ) -> dict[str, float]:
        """Fits on the even-numbered examples, measures on the odd-numbered."""
        if len(labels) < 2:
            return {}
        fit = self._fit(logits[::2], labels[::2], self.criterion)
        scalars = {"temperature_held_out": fit.temperature}
        for suffix, t in (("", 1.0), ("_scaled", fit.temperature)):
            values = self._summary(logits[1::2], labels[1::2], t)
            scalars[f"ece_held_out{suffix}"] = values["ece"]
        return scalars

    def _diagram(
        self, logits: np.ndarray, labels: np.ndarray, t: float, suffix: str
    ) -> dict[str, np.ndarray]:
        probs = probabilities.softmax(logits, t)
        bins = calibration.bins(
            probs.max(axis=-1),
            probs.argmax(axis=-1) == labels,
            num_bins=self.num_bins,
            edge=self.edge,
        )
        return {
            f"bin_edges{suffix}": bins.edges,
            f"bin_count{suffix}": bins.count,
            f"bin_confidence{suffix}": bins.confidence,
            f"bin_accuracy{suffix}": bins.accuracy,
        }
