"""Risk and coverage of a classifier that answers only when it is sure."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import selective
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier
from ls_tf.spec import SpecError

_COVERAGES = np.arange(1, 101) / 100


@dataclass(frozen=True)
class Evaluator:
    """Measures risk-coverage curves by two scores of the same answers.

    Attributes:
        role: which split: train, calibrate or report.
        order: p of the norm that normalises logits.

    Source: Xia et al. 2025 (arXiv 2403.14715): smoothing harms the ranking by
    the largest probability, and normalised logits repair it.
    """

    role: str
    order: float = 2.0

    def __post_init__(self) -> None:
        """Refuses an order that is no norm's.

        Raises:
            SpecError: one line.
        """
        if not self.order >= 1:
            raise SpecError(
                f"selective: order: wanted 1 or more, got {self.order}"
            )

    def __call__(self, network: Classifier) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: scalars ``aurc``, ``excess_aurc`` (less the least for
            the same errors), ``risk_at_80``, ``risk_at_90``, and the same
            with ``_normalised``. Arrays: ``coverage`` float64 [100], and
            ``risk`` and ``risk_normalised`` at these.
        """
        labels = network.labels(self.role)
        logits = network.outputs(self.role)["logits"]
        correct = logits.argmax(axis=-1) == labels
        scalars: dict[str, float] = {}
        arrays = {"coverage": _COVERAGES}
        for suffix, score in (
            ("", selective.confidence(logits)),
            (
                "_normalised",
                selective.normalised_confidence(logits, self.order),
            ),
        ):
            curve = selective.curve(score, correct)
            area = selective.area(curve)
            scalars[f"aurc{suffix}"] = area
            scalars[f"excess_aurc{suffix}"] = area - selective.least_area(curve)
            for percent in (80, 90):
                scalars[f"risk_at_{percent}{suffix}"] = selective.risk_at(
                    curve, percent / 100
                )
            arrays[f"risk{suffix}"] = np.array(
                [selective.risk_at(curve, c) for c in _COVERAGES]
            )
        return Measurement(scalars, len(labels), arrays)
