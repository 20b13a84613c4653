"""Calibration of the next subword, given the right ones before."""

from typing import Any

import numpy as np

from ls_tf.analysis import calibration, temperature
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Translator

MEASURES = "translators"


def evaluate(
    trained: Translator,
    *,
    role: str,
    criterion: temperature.Criterion = "nll",
    num_bins: int = 15,
    edge: calibration.Edge = "left",
    first_tokens: int = 10_000,
    padded_batch: int = 128,
) -> Measurement:
    """Measures next-subword probabilities before and after scaling.

    End marks count, padding does not. The temperature is fitted on the first
    ``first_tokens`` subwords of the calibrate split, in whole sentences, by
    both criteria; ``criterion`` says which one the scaled numbers use.

    What counting padding as text makes of the error is measured too, under
    names with ``padding_counted``: an error of the replication.

    Args:
        trained: the model and its data.
        role: the split to report on.
        criterion: "nll" or "ece".
        num_bins: of the calibration errors.
        edge: "left" for bins [lo, hi), "right" for (lo, hi].
        first_tokens: the paper measures on about 10,000 subwords; what they
            give stands under names that end in ``_first``.
        padded_batch: sentences of a batch where padding counts.

    Returns:
        Measurement: scalars ``nll`` (nats), ``accuracy``, ``confidence``,
        ``ece``, the same with ``_scaled``, ``temperature``; arrays: both
        diagrams. The count is that of all subwords of the split.

    Raises:
        ValueError: see ``check``.

    Source: Mueller et al. 2019, section 3 and App. A.3; R-F4 is Wagner et
    al. 2023, figure 4.
    """
    fit_logits, fit_labels = trained.logits("calibrate", first_tokens)
    scalars: dict[str, float] = {}
    names: tuple[temperature.Criterion, ...] = ("nll", "ece")
    for name in names:
        fit = temperature.fit(
            fit_logits, fit_labels, criterion=name, num_bins=num_bins
        )
        scalars[f"temperature_by_{name}"] = fit.temperature
        if name == criterion:
            scalars["temperature"] = fit.temperature
            scalars["temperature_at_bound"] = float(fit.at_bound)
    del fit_logits
    temperatures = (
        1.0,
        *(scalars[f"temperature_by_{name}"] for name in names),
    )
    found = trained.statistics(role, temperatures)
    first = _first_sentences(trained, role, first_tokens)
    arrays: dict[str, np.ndarray] = {}
    for column, suffix in enumerate(("", *(f"_scaled_by_{n}" for n in names))):
        for part, ending in ((slice(None), ""), (slice(first), "_first")):
            values, diagram = _summary(found, column, part, num_bins, edge)
            scalars.update(
                {f"{k}{suffix}{ending}": v for k, v in values.items()}
            )
            if suffix.endswith(f"_{criterion}"):
                scalars.update(
                    {f"{k}_scaled{ending}": v for k, v in values.items()}
                )
            if not ending and not suffix:
                arrays.update(_arrays(diagram, ""))
            if not ending and suffix.endswith(f"_{criterion}"):
                arrays.update(_arrays(diagram, "_scaled"))
    scalars["num_tokens_first"] = float(first)
    scalars.update(_padding_counted(trained, role, padded_batch, num_bins))
    return Measurement(scalars, len(found["correct"]), arrays)


def _first_sentences(trained: Translator, role: str, limit: int) -> int:
    """Subwords of the first whole sentences that hold ``limit`` of them."""
    offsets = trained.targets(role).offsets
    place = min(int(np.searchsorted(offsets, limit)), len(offsets) - 1)
    return int(offsets[place])


def _summary(
    found: Any, column: int, part: slice, num_bins: int, edge: calibration.Edge
) -> tuple[dict[str, float], calibration.Bins]:
    confidence = found["confidence"][part, column].astype(np.float64)
    correct = found["correct"][part]
    diagram = calibration.bins(
        np.minimum(confidence, 1.0), correct, num_bins=num_bins, edge=edge
    )
    values = {
        "nll": float(found["nll"][part, column].mean(dtype=np.float64)),
        "accuracy": float(correct.mean()),
        "confidence": float(confidence.mean()),
        "ece": calibration.expected_calibration_error(diagram),
        "signed_ece": calibration.signed_calibration_error(diagram),
    }
    return values, diagram


def _arrays(diagram: calibration.Bins, suffix: str) -> dict[str, np.ndarray]:
    return {
        f"bin_edges{suffix}": diagram.edges,
        f"bin_count{suffix}": diagram.count,
        f"bin_confidence{suffix}": diagram.confidence,
        f"bin_accuracy{suffix}": diagram.accuracy,
    }


def _padding_counted(
    trained: Translator, role: str, batch_size: int, num_bins: int
) -> dict[str, float]:
    found = trained.with_padding(role, batch_size)
    values, _ = _summary(found, 0, slice(None), num_bins, "left")
    return {
        "ece_padding_counted": values["ece"],
        "accuracy_padding_counted": values["accuracy"],
        "confidence_padding_counted": values["confidence"],
        "padding": float(found["is_padding"].mean()),
    }


def check(
    trained: Translator,
    *,
    role: str,
    criterion: temperature.Criterion = "nll",
    num_bins: int = 15,
    edge: calibration.Edge = "left",
    first_tokens: int = 10_000,
    padded_batch: int = 128,
) -> None:
    """Refuses options that would fail after the training.

    Args:
        trained: the model and its data.
        role: see ``evaluate``, as are the others.
        criterion: one that exists.
        num_bins: 1 or more.
        edge: one that exists.
        first_tokens: 1 or more.
        padded_batch: 1 or more.

    Raises:
        ValueError: one line.
    """
    checks.choice(
        "token_calibration", "criterion", criterion, temperature.Criterion
    )
    checks.bins("token_calibration", num_bins, edge)
    checks.positive("token_calibration", "first_tokens", first_tokens)
    checks.positive("token_calibration", "padded_batch", padded_batch)
