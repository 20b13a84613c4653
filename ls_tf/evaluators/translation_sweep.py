"""BLEU, likelihood and calibration over one grid of temperatures."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import bleu, calibration
from ls_tf.measuring import checks, decoding
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Decoding, Translator

# From 0.5 to 2 in equal ratios, with 1 in the middle.
_GRID = tuple(2.0 ** (k / 4) for k in range(-4, 5))
_SCORES = ("bleu_uncased", "bleu", "chrf")


@dataclass(frozen=True)
class Evaluator:
    """Divides the logits by each temperature of a grid and measures.

    The likelihood and the calibration of the next subword come from one set
    of logits; for BLEU the split is translated again at each temperature,
    the logits divided before the log-softmax of every step of the search.

    Attributes:
        role: which split: train, calibrate or report.
        temperatures: positive, each greater than the one before.
        beam_size: hypotheses kept; greedy translations do not depend on the
            temperature.
        length_penalty: exponent of ((5 + length) / 6).
        extra_length: a translation may be this much longer than its source.
        num_bins: of the calibration error.
        edge: "left" for bins [lo, hi), "right" for (lo, hi].

    Source: Mueller et al. 2019, figure 4, whose grid is not stated; that the
    division comes before the log-softmax: ours, tensor2tensor has none.
    """

    role: str
    temperatures: tuple[float, ...] = _GRID
    beam_size: int = 4
    length_penalty: float = 0.6
    extra_length: int = 50
    num_bins: int = 15
    edge: calibration.Edge = "left"

    def __post_init__(self) -> None:
        """Refuses a bad grid, bad bins and a search that cannot be.

        Raises:
            SpecError: one line.
        """
        checks.temperatures("translation_sweep", self.temperatures)
        checks.bins("translation_sweep", self.num_bins, self.edge)
        decoding.check("translation_sweep", self._search(1.0))

    def _search(self, temperature: float) -> Decoding:
        return Decoding(
            self.beam_size, self.length_penalty, temperature, self.extra_length
        )

    def __call__(self, network: Translator) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: arrays ``temperatures``, ``bleu_uncased``, ``bleu``,
            ``chrf``, ``nll`` (nats), ``ece``, float64 [number of
            temperatures]; scalars: the best BLEU and the lowest NLL and ECE
            of the grid, and where they are. The count is that of the
            sentences.
        """
        statistics = network.statistics(self.role, self.temperatures)
        references = network.texts(self.role).target
        arrays: dict[str, list[float]] = {
            name: [] for name in (*_SCORES, "nll", "ece", "finished")
        }
        notes: dict[str, str] = {}
        for column, temperature in enumerate(self.temperatures):
            translated = network.translate_role(
                self.role, self._search(temperature)
            )
            scores = bleu.scores(
                network.decode(translated.ids),
                references,
                language=network.target_language,
            )
            notes = dict(scores.signatures)
            for name in _SCORES:
                arrays[name].append(scores.values[name])
            arrays["finished"].append(float(translated.finished.mean()))
            confidence = statistics["confidence"][:, column].astype(np.float64)
            diagram = calibration.bins(
                np.minimum(confidence, 1.0),
                statistics["correct"],
                num_bins=self.num_bins,
                edge=self.edge,
            )
            arrays["ece"].append(
                calibration.expected_calibration_error(diagram)
            )
            nll = statistics["nll"][:, column].mean(dtype=np.float64)
            arrays["nll"].append(float(nll))
        return Measurement(
            self._best(arrays),
            len(references),
            {
                "temperatures": np.array(self.temperatures, np.float64),
                **{k: np.array(v, np.float64) for k, v in arrays.items()},
            },
            notes,
        )

    def _best(self, arrays: dict[str, list[float]]) -> dict[str, float]:
        """The best of each curve, and the temperature where it is."""
        scalars: dict[str, float] = {}
        for name, best in (
            ("bleu_uncased", np.argmax),
            ("bleu", np.argmax),
            ("nll", np.argmin),
            ("ece", np.argmin),
        ):
            at = int(best(arrays[name]))
            scalars[f"best_{name}"] = arrays[name][at]
            scalars[f"temperature_of_best_{name}"] = float(
                self.temperatures[at]
            )
        return scalars
