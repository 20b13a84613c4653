"""Calibration of the next subword, given the right ones before."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import calibration, temperature
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Arrays, Translator

_CRITERIA: tuple[temperature.Criterion, ...] = ("nll", "ece")


@dataclass(frozen=True)
class Evaluator:
    """Measures next-subword probabilities before and after scaling.

    End marks count, padding does not. The temperature is fitted on the first
    ``first_tokens`` subwords of the calibrate split, in whole sentences, by
    both criteria; ``criterion`` says which one the scaled numbers use.

    What counting padding as text makes of the error is measured too, under
    names with ``padding_counted``: an error of the replication.

    Attributes:
        role: the split to report on.
        criterion: "nll" or "ece".
        num_bins: of the calibration errors.
        edge: "left" for bins [lo, hi), "right" for (lo, hi].
        first_tokens: the paper measures on about 10,000 subwords; what they
            give stands under names that end in ``_first``.
        padded_batch: sentences of a batch where padding counts.

    Source: Mueller et al. 2019, section 3 and App. A.3; R-F4 is Wagner et
    al. 2023, figure 4.
    """

    role: str
    criterion: temperature.Criterion = "nll"
    num_bins: int = 15
    edge: calibration.Edge = "left"
    first_tokens: int = 10_000
    padded_batch: int = 128

    def __post_init__(self) -> None:
        """Refuses options that would fail after the training.

        Raises:
            SpecError: one line.
        """
        name = "token_calibration"
        checks.choice(name, "criterion", self.criterion, temperature.Criterion)
        checks.bins(name, self.num_bins, self.edge)
        checks.positive(name, "first_tokens", self.first_tokens)
        checks.positive(name, "padded_batch", self.padded_batch)

    def __call__(self, network: Translator) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: scalars ``nll`` (nats), ``accuracy``,
            ``confidence``, ``ece``, the same with ``_scaled``,
            ``temperature``; arrays: both diagrams. The count is that of all
            subwords of the split.
        """
        scalars = self._temperatures(network)
        grid = (1.0, *(scalars[f"temperature_by_{n}"] for n in _CRITERIA))
        statistics = network.statistics(self.role, grid)
        first = self._first_sentences(network)
        arrays: dict[str, np.ndarray] = {}
        suffixes = ("", *(f"_scaled_by_{n}" for n in _CRITERIA))
        for column, suffix in enumerate(suffixes):
            is_chosen = suffix.endswith(f"_{self.criterion}")
            for part, ending in ((slice(None), ""), (slice(first), "_first")):
                values, diagram = _summary(
                    statistics, column, part, self.num_bins, self.edge
                )
                scalars.update(
                    {f"{k}{suffix}{ending}": v for k, v in values.items()}
                )
                if is_chosen:
                    scalars.update(
                        {f"{k}_scaled{ending}": v for k, v in values.items()}
                    )
                if not ending and not suffix:
                    arrays.update(_arrays(diagram, ""))
                if not ending and is_chosen:
                    arrays.update(_arrays(diagram, "_scaled"))
        scalars["num_tokens_first"] = float(first)
        scalars.update(self._padding_counted(network))
        return Measurement(scalars, len(statistics["correct"]), arrays)

    def _temperatures(self, network: Translator) -> dict[str, float]:
        """The fitted temperatures, and the chosen one of them."""
        logits, labels = network.logits("calibrate", self.first_tokens)
        scalars: dict[str, float] = {}
        for name in _CRITERIA:
            fit = temperature.fit(
                logits,
                labels,
                criterion=name,
                num_bins=self.num_bins,
                edge=self.edge,
            )
            scalars[f"temperature_by_{name}"] = fit.temperature
            if name == self.criterion:
                scalars["temperature"] = fit.temperature
                scalars["temperature_at_bound"] = float(fit.at_bound)
        return scalars

    def _first_sentences(self, network: Translator) -> int:
        """Subwords of the first whole sentences with ``first_tokens``."""
        offsets = network.targets(self.role).offsets
        place = int(np.searchsorted(offsets, self.first_tokens))
        return int(offsets[min(place, len(offsets) - 1)])

    def _padding_counted(self, network: Translator) -> dict[str, float]:
        statistics = network.with_padding(self.role, self.padded_batch)
        values, _ = _summary(statistics, 0, slice(None), self.num_bins, "left")
        return {
            "ece_padding_counted": values["ece"],
            "accuracy_padding_counted": values["accuracy"],
            "confidence_padding_counted": values["confidence"],
            "padding": float(statistics["is_padding"].mean()),
        }


def _summary(
    statistics: Arrays,
    column: int,
    part: slice,
    num_bins: int,
    edge: calibration.Edge,
) -> tuple[dict[str, float], calibration.Bins]:
    confidence = statistics["confidence"][part, column].astype(np.float64)
    correct = statistics["correct"][part]
    diagram = calibration.bins(
        np.minimum(confidence, 1.0), correct, num_bins=num_bins, edge=edge
    )
    values = {
        "nll": float(statistics["nll"][part, column].mean(dtype=np.float64)),
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
