"""What the replication's code measures over temperatures, errors included."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import bleu, calibration
from ls_tf.measuring import checks
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Decoding, Translator

# numpy.linspace(0.5, 2, 16)
_GRID = tuple(k / 10 for k in range(5, 21))


@dataclass(frozen=True)
class Evaluator:
    """Draws Wagner et al.'s figure 5 as their code does.

    The calibration error counts padding as subwords. The likelihood's softmax
    goes over the positions of a sentence in place of the vocabulary.
    Translations are greedy; the temperature divides the activations before
    the last layer, so that it can act through that layer's bias alone; and
    BLEU compares tokens with words that punctuation sticks to.
    ``translation_sweep`` measures what was meant.

    Attributes:
        role: which split: train, calibrate or report; theirs is the
            validation split.
        temperatures: positive, each greater than the one before.
        batch_size: sentences that are filled up to the longest of them.
        extra_length: a translation may be this much longer than its source.
        num_bins: of the calibration error.

    Source: Wagner et al. 2023, figure 5, and its code.
    """

    role: str
    temperatures: tuple[float, ...] = _GRID
    batch_size: int = 128
    extra_length: int = 5
    num_bins: int = 15

    def __post_init__(self) -> None:
        """Refuses a bad grid and numbers below 1.

        Raises:
            SpecError: one line.
        """
        name = "replication_sweep"
        checks.temperatures(name, self.temperatures)
        checks.bins(name, self.num_bins, "left")
        checks.positive(name, "batch_size", self.batch_size)
        checks.positive(name, "extra_length", self.extra_length)

    def __call__(self, network: Translator) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: arrays ``temperatures``, ``bleu`` and
            ``bleu_same_tokens`` (the same translations scored as they should
            be, cased), ``nll``, ``ece``, float64 [number of temperatures];
            scalars ``bleu_of_references``, what a perfect translation gets,
            and ``changed_by_temperature``, the share of sentences whose
            translation is not the same at all temperatures. The count is
            that of the sentences.
        """
        seen = network.as_replicated(
            self.role, self.batch_size, self.temperatures
        )
        is_text = ~seen["is_padding"]
        references = network.texts(self.role).target
        arrays: dict[str, list[float]] = {
            name: [] for name in ("bleu", "bleu_same_tokens", "nll", "ece")
        }
        translations: list[list[str]] = []
        for column, temperature in enumerate(self.temperatures):
            how = Decoding(
                1, 0.0, temperature, self.extra_length, "activations"
            )
            translated = network.translate_role(self.role, how)
            texts = network.decode(translated.ids)
            translations.append(texts)
            arrays["bleu"].append(bleu.against_raw_words(texts, references))
            arrays["bleu_same_tokens"].append(
                bleu.scores(
                    texts, references, language=network.target_language
                ).values["bleu"]
            )
            nll = seen["nll_over_positions"][is_text, column]
            arrays["nll"].append(float(nll.mean(dtype=np.float64)))
            confidence = seen["confidence"][:, column].astype(np.float64)
            diagram = calibration.bins(
                np.minimum(confidence, 1.0),
                seen["correct"],
                num_bins=self.num_bins,
            )
            arrays["ece"].append(
                calibration.expected_calibration_error(diagram)
            )
        changed = [
            len(set(texts)) > 1 for texts in zip(*translations, strict=True)
        ]
        return Measurement(
            {
                "bleu_of_references": bleu.against_raw_words(
                    references, references
                ),
                "changed_by_temperature": float(np.mean(changed)),
            },
            len(references),
            {
                "temperatures": np.array(self.temperatures, np.float64),
                **{k: np.array(v, np.float64) for k, v in arrays.items()},
            },
        )
