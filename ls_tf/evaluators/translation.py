"""Translations of a split, scored."""

from dataclasses import dataclass

import numpy as np

from ls_tf.analysis import bleu
from ls_tf.measuring import decoding
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Decoding, Translator


@dataclass(frozen=True)
class Evaluator:
    """Translates a split and compares with its references.

    Attributes:
        role: which split: train, calibrate or report.
        beam_size: hypotheses kept; 1 is greedy.
        length_penalty: exponent of ((5 + length) / 6).
        temperature: divides the logits before the log-softmax.
        extra_length: a translation may be this much longer than its source.

    Source: Mueller et al. 2019, App. A.3 and tensor2tensor's defaults.
    """

    role: str
    beam_size: int = 4
    length_penalty: float = 0.6
    temperature: float = 1.0
    extra_length: int = 50

    def __post_init__(self) -> None:
        """Refuses a search that cannot be.

        Raises:
            SpecError: one line.
        """
        decoding.check("translation", self._search)

    @property
    def _search(self) -> Decoding:
        return Decoding(
            self.beam_size,
            self.length_penalty,
            self.temperature,
            self.extra_length,
        )

    def __call__(self, network: Translator) -> Measurement:
        """Measures.

        Args:
            network: the trained model and its data.

        Returns:
            Measurement: scalars ``bleu_uncased``, ``bleu``, ``chrf`` (0 to
            100), ``length_ratio`` and ``finished`` (part of the translations
            that ended by themselves); notes: sacreBLEU's signatures, and
            ``references``, their SHA-256; arrays: the ``hypotheses``, and
            ``counts_<score>`` int32 [N, n], what a bootstrap draws from.
        """
        translated = network.translate_role(self.role, self._search)
        hypotheses = network.decode(translated.ids)
        scores = bleu.scores(
            hypotheses,
            network.texts(self.role).target,
            language=network.target_language,
        )
        return Measurement(
            {**scores.values, "finished": float(translated.finished.mean())},
            len(hypotheses),
            {
                "hypotheses": np.array(hypotheses),
                **{f"counts_{k}": v for k, v in scores.counts.items()},
            },
            {**scores.signatures, "references": scores.references},
        )
