"""Translations of a split, scored."""

import numpy as np

from ls_tf.analysis import bleu
from ls_tf.measuring import decoding
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Decoding, Translator

MEASURES = "translators"


def evaluate(
    trained: Translator,
    *,
    role: str,
    beam_size: int = 4,
    length_penalty: float = 0.6,
    temperature: float = 1.0,
    extra_length: int = 50,
) -> Measurement:
    """Translates a split and compares with its references.

    Args:
        trained: the model and its data.
        role: which split: train, calibrate or report.
        beam_size: hypotheses kept; 1 is greedy.
        length_penalty: exponent of ((5 + length) / 6).
        temperature: divides the logits before the log-softmax.
        extra_length: a translation may be this much longer than its source.

    Returns:
        Measurement: scalars ``bleu_uncased``, ``bleu``, ``chrf`` (0 to 100),
        ``length_ratio`` and ``finished`` (part of the translations that
        ended by themselves); notes: sacreBLEU's signatures; arrays: the
        ``hypotheses``.

    Raises:
        ValueError: see ``check``.

    Source: Mueller et al. 2019, App. A.3 and tensor2tensor's defaults.
    """
    how = Decoding(beam_size, length_penalty, temperature, extra_length)
    found = trained.translate_role(role, how)
    hypotheses = trained.decode(found.ids)
    scores = bleu.scores(hypotheses, trained.texts(role).target)
    return Measurement(
        {**scores.values, "finished": float(found.finished.mean())},
        len(hypotheses),
        {"hypotheses": np.array(hypotheses)},
        scores.signatures,
    )


def check(
    trained: Translator,
    *,
    role: str,
    beam_size: int = 4,
    length_penalty: float = 0.6,
    temperature: float = 1.0,
    extra_length: int = 50,
) -> None:
    """Refuses a search that cannot be.

    Args:
        trained: the model and its data.
        role: see ``evaluate``, as are the others.
        beam_size: 1 or more.
        length_penalty: 0 or more.
        temperature: more than 0.
        extra_length: 1 or more.

    Raises:
        ValueError: one line.
    """
    decoding.check(
        "translation",
        Decoding(beam_size, length_penalty, temperature, extra_length),
    )
