"""The reliability diagram before and after temperature scaling."""

import numpy as np

from ls_tf.analysis import calibration, temperature
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Classifier


def evaluate(
    trained: Classifier,
    *,
    role: str,
    criterion: temperature.Criterion = "nll",
    num_bins: int = 15,
    edge: calibration.Edge = "left",
) -> Measurement:
    """Fits a temperature on the calibrate split, measures on the role's.

    Both criteria are fitted and recorded; ``criterion`` says which one the
    scaled diagram uses. The papers fit and report on the same images; what an
    honest hold-out gives is measured too, by fitting on the even-numbered
    examples of the role's split and measuring on the odd-numbered ones.

    Args:
        trained: the model and its data.
        role: the split to report on.
        criterion: "nll" or "ece".
        num_bins: of the diagram.
        edge: "left" for bins [lo, hi), "right" for (lo, hi].

    Returns:
        Measurement: scalars ``temperature``, ``ece``, ``ece_scaled`` and so
        on; arrays: both diagrams.

    Source: Mueller et al. 2019, section 3; the hold-out: ours.
    """
    labels = trained.labels(role)
    logits = trained.outputs(role)["logits"]
    fit_labels = trained.labels("calibrate")
    fit_logits = trained.outputs("calibrate")["logits"]
    scalars: dict[str, float] = {}
    names: tuple[temperature.Criterion, ...] = ("nll", "ece")
    for name in names:
        fit = temperature.fit(
            fit_logits, fit_labels, criterion=name, num_bins=num_bins
        )
        scalars[f"temperature_by_{name}"] = fit.temperature
        scaled = calibration.summary(
            temperature.apply(logits, fit.temperature),
            labels,
            num_bins=num_bins,
            edge=edge,
        )
        scalars[f"ece_scaled_by_{name}"] = scaled["ece"]
        if name == criterion:
            scalars["temperature"] = fit.temperature
            scalars["temperature_at_bound"] = float(fit.at_bound)
            scalars.update({f"{k}_scaled": v for k, v in scaled.items()})
    scalars.update(
        calibration.summary(logits, labels, num_bins=num_bins, edge=edge)
    )
    scalars.update(_held_out(logits, labels, criterion, num_bins, edge))
    arrays: dict[str, np.ndarray] = {}
    for suffix, t in (("", 1.0), ("_scaled", scalars["temperature"])):
        arrays.update(_diagram(logits, labels, t, num_bins, edge, suffix))
    return Measurement(scalars, len(labels), arrays)


def check(
    trained: Classifier,
    *,
    role: str,
    criterion: temperature.Criterion = "nll",
    num_bins: int = 15,
    edge: calibration.Edge = "left",
) -> None:
    """Refuses an unknown criterion and bad bins.

    Raises:
        ValueError: one line.
    """
    del trained, role
    checks.choice("reliability", "criterion", criterion, temperature.Criterion)
    checks.bins("reliability", num_bins, edge)


def _held_out(
    logits: np.ndarray,
    labels: np.ndarray,
    criterion: temperature.Criterion,
    num_bins: int,
    edge: calibration.Edge,
) -> dict[str, float]:
    """Fits on the even-numbered examples, measures on the odd-numbered."""
    if len(labels) < 2:
        return {}
    fit = temperature.fit(
        logits[::2], labels[::2], criterion=criterion, num_bins=num_bins
    )
    found = {"temperature_held_out": fit.temperature}
    for suffix, t in (("", 1.0), ("_scaled", fit.temperature)):
        values = calibration.summary(
            temperature.apply(logits[1::2], t),
            labels[1::2],
            num_bins=num_bins,
            edge=edge,
        )
        found[f"ece_held_out{suffix}"] = values["ece"]
    return found


def _diagram(
    logits: np.ndarray,
    labels: np.ndarray,
    t: float,
    num_bins: int,
    edge: calibration.Edge,
    suffix: str,
) -> dict[str, np.ndarray]:
    probs = calibration.softmax(logits, t)
    bins = calibration.bins(
        probs.max(axis=-1),
        probs.argmax(axis=-1) == labels,
        num_bins=num_bins,
        edge=edge,
    )
    return {
        f"bin_edges{suffix}": bins.edges,
        f"bin_count{suffix}": bins.count,
        f"bin_confidence{suffix}": bins.confidence,
        f"bin_accuracy{suffix}": bins.accuracy,
    }
