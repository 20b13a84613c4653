"""Accuracy, likelihood and calibration of a classifier on one split."""

from ls_tf.analysis import calibration
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier


def evaluate(
    trained: Classifier,
    *,
    role: str,
    num_bins: int = 15,
    edge: calibration.Edge = "left",
) -> Measurement:
    """Measures a classifier's probabilities at temperature 1.

    Args:
        trained: the model and its data.
        role: which split: train, calibrate or report.
        num_bins: of the calibration errors.
        edge: "left" for bins [lo, hi), "right" for (lo, hi].

    Returns:
        Measurement: the scalars of ``calibration.summary``; fractions, and
        nats for ``nll``.

    Source: Mueller et al. 2019, sections 2 and 3.
    """
    labels = trained.labels(role)
    logits = trained.outputs(role)["logits"]
    scalars = calibration.summary(logits, labels, num_bins=num_bins, edge=edge)
    return Measurement(scalars, len(labels))


def check(
    trained: Classifier,
    *,
    role: str,
    num_bins: int = 15,
    edge: calibration.Edge = "left",
) -> None:
    """Refuses bad bins.

    Raises:
        ValueError: one line.
    """
    del trained, role
    checks.bins("classification", num_bins, edge)
