"""Calibration errors of several kinds, each with an interval."""

from dataclasses import dataclass

import numpy as np

from ls_tf import seeds
from ls_tf.analysis import calibration, calibration_bias, probabilities
from ls_tf.analysis.outputs import Array
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError

_LEAST = 10  # resamples


@dataclass(frozen=True)
class Evaluator:
    """Measures errors of calibration and how far chance moves them.

    Attributes:
        role: which split: train, calibrate or report.
        num_bins: of the binned errors.
        resamples: of the bootstrap, 10 or more.
        level: of the intervals, in (0, 1).

    Source: see ``analysis.calibration_bias``.
    """

    role: str
    num_bins: int = 15
    resamples: int = 200
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuses bad options.

        Raises:
            SpecError: one line.
        """
        checks.positive("calibration_intervals", "num_bins", self.num_bins)
        if self.resamples < _LEAST:
            raise SpecError(
                f"calibration_intervals: resamples: wanted {_LEAST} or more, "
                f"got {self.resamples}"
            )
        if not 0 < self.level < 1:
            raise SpecError(
                "calibration_intervals: level: wanted more than 0 and less "
                f"than 1, got {self.level}"
            )

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: scalars ``ece``, ``equal_mass_ece``,
            ``classwise_ece``, ``debiased_ece``, ``monotone_sweep_ece``,
            ``smooth_ece``; and of each the ends of its interval, with
            ``_low`` and ``_high``.
        """
        labels = network.labels(self.role)
        logits = network.outputs(self.role)["logits"]
        probs = probabilities.softmax(logits)
        sure = probs.max(axis=-1)
        correct = logits.argmax(axis=-1) == labels

        def errors(index: Array) -> dict[str, float]:
            return self._errors(
                probs[index], labels[index], sure[index], correct[index]
            )

        scalars = errors(np.arange(len(labels)))
        intervals = calibration_bias.bootstrap(
            errors,
            len(labels),
            seeds.philox(network.spec.seed, "calibration_intervals", self.role),
            resamples=self.resamples,
            level=self.level,
        )
        for name, (low, high) in intervals.items():
            scalars[f"{name}_low"], scalars[f"{name}_high"] = low, high
        return Measurement(scalars, len(labels))

    def _errors(
        self, probs: Array, labels: Array, sure: Array, correct: Array
    ) -> dict[str, float]:
        """The errors of some examples."""
        bins = self.num_bins
        return {
            "ece": calibration.expected_calibration_error(
                calibration.bins(sure, correct, num_bins=bins)
            ),
            "equal_mass_ece": calibration.equal_mass_ece(sure, correct, bins),
            "classwise_ece": calibration.classwise_ece(probs, labels, bins),
            "debiased_ece": calibration_bias.debiased_ece(sure, correct, bins),
            "monotone_sweep_ece": calibration_bias.monotone_sweep_ece(
                sure, correct
            ),
            "smooth_ece": calibration_bias.smooth_ece(sure, correct),
        }
