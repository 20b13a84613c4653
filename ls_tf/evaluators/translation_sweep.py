"""BLEU, likelihood and calibration over one grid of temperatures."""

import numpy as np

from ls_tf.analysis import bleu, calibration
from ls_tf.measuring import checks, decoding
from ls_tf.measuring.measurement import Measurement
from ls_tf.protocols import Decoding, Translator

MEASURES = "translators"

# From 0.5 to 2 in equal ratios, with 1 in the middle.
_GRID = tuple(2.0 ** (k / 4) for k in range(-4, 5))


def evaluate(
    trained: Translator,
    *,
    role: str,
    temperatures: tuple[float, ...] = _GRID,
    beam_size: int = 4,
    length_penalty: float = 0.6,
    extra_length: int = 50,
    num_bins: int = 15,
    edge: calibration.Edge = "left",
) -> Measurement:
    """Divides the logits by each temperature of a grid and measures.

    The likelihood and the calibration of the next subword come from one set
    of logits; for BLEU the split is translated again at each temperature,
    the logits divided before the log-softmax of every step of the search.

    Args:
        trained: the model and its data.
        role: which split: train, calibrate or report.
        temperatures: positive, each greater than the one before.
        beam_size: hypotheses kept; greedy translations do not depend on the
            temperature.
        length_penalty: exponent of ((5 + length) / 6).
        extra_length: a translation may be this much longer than its source.
        num_bins: of the calibration error.
        edge: "left" for bins [lo, hi), "right" for (lo, hi].

    Returns:
        Measurement: arrays ``temperatures``, ``bleu_uncased``, ``bleu``,
        ``chrf``, ``nll`` (nats), ``ece``, float64 [number of temperatures];
        scalars: the best BLEU and the lowest NLL and ECE of the grid, and
        where they are. The count is that of the sentences.

    Raises:
        ValueError: see ``check``.

    Source: Mueller et al. 2019, figure 4, whose grid is not stated; that the
    division comes before the log-softmax: ours, tensor2tensor has none.
    """
    found = trained.statistics(role, temperatures)
    references = trained.texts(role).target
    arrays: dict[str, list[float]] = {
        name: []
        for name in ("bleu_uncased", "bleu", "chrf", "nll", "ece", "finished")
    }
    notes: dict[str, str] = {}
    for column, temperature in enumerate(temperatures):
        how = Decoding(beam_size, length_penalty, temperature, extra_length)
        translated = trained.translate_role(role, how)
        scores = bleu.scores(trained.decode(translated.ids), references)
        notes = dict(scores.signatures)
        for name in ("bleu_uncased", "bleu", "chrf"):
            arrays[name].append(scores.values[name])
        arrays["finished"].append(float(translated.finished.mean()))
        confidence = found["confidence"][:, column].astype(np.float64)
        diagram = calibration.bins(
            np.minimum(confidence, 1.0),
            found["correct"],
            num_bins=num_bins,
            edge=edge,
        )
        arrays["ece"].append(calibration.expected_calibration_error(diagram))
        nll = found["nll"][:, column].mean(dtype=np.float64)
        arrays["nll"].append(float(nll))
    scalars: dict[str, float] = {}
    for name, best in (
        ("bleu_uncased", np.argmax),
        ("bleu", np.argmax),
        ("nll", np.argmin),
        ("ece", np.argmin),
    ):
        at = int(best(arrays[name]))
        scalars[f"best_{name}"] = arrays[name][at]
        scalars[f"temperature_of_best_{name}"] = float(temperatures[at])
    return Measurement(
        scalars,
        len(references),
        {
            "temperatures": np.array(temperatures, np.float64),
            **{k: np.array(v, np.float64) for k, v in arrays.items()},
        },
        notes,
    )


def check(
    trained: Translator,
    *,
    role: str,
    temperatures: tuple[float, ...] = _GRID,
    beam_size: int = 4,
    length_penalty: float = 0.6,
    extra_length: int = 50,
    num_bins: int = 15,
    edge: calibration.Edge = "left",
) -> None:
    """Refuses options that would fail after the training.

    Args:
        trained: the model and its data.
        role: see ``evaluate``, as are the others.
        temperatures: one or more, positive and rising.
        beam_size: 1 or more.
        length_penalty: 0 or more.
        extra_length: 1 or more.
        num_bins: 1 or more.
        edge: one that exists.

    Raises:
        ValueError: one line.
    """
    checks.temperatures("translation_sweep", temperatures)
    checks.bins("translation_sweep", num_bins, edge)
    decoding.check(
        "translation_sweep",
        Decoding(beam_size, length_penalty, 1.0, extra_length),
    )
