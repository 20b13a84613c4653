"""How well a network's confidence matches its accuracy, in one call each.

Logits and labels in, a number out; arrays may be of NumPy, PyTorch, JAX or
TensorFlow, of examples or of sequences of tokens. Every function takes

* ``logits``: float [N, K] or [..., K];
* ``labels``: int [N] or [...], class ids;
* ``mask``: bool like the labels, False where a row does not count;
* ``from_probabilities``: whether probabilities are given in place of logits.
  Rows that look like them are noticed (``ProbabilityWarning``).

and most take ``weight``, float like the labels. A whole weight w counts like
w copies. All raise ``ValueError``, one line that says what was wanted and what
came. NumPy and SciPy are all that is needed.
"""

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ls_tf.analysis import calibration as _calibration
from ls_tf.analysis import calibration_bias as _bias
from ls_tf.analysis import given, outputs, probabilities, scores
from ls_tf.analysis.calibration import Bins, Edge
from ls_tf.analysis.given import ProbabilityWarning

__all__ = [
    "Bins",
    "ProbabilityWarning",
    "accuracy",
    "brier",
    "classwise_ece",
    "debiased_ece",
    "debiased_squared_error",
    "ece",
    "equal_mass_ece",
    "interval",
    "nll",
    "reliability",
    "smooth_ece",
    "summary",
]


def accuracy(
    logits: Any,
    labels: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> float:
    """The share of examples whose largest logit is the label's.

    Returns:
        float in [0, 1]. Of tied classes the lowest id is the answer.

    Source: ours; arguments and errors: see the module.
    """
    return scores.accuracy(
        *_examples(logits, labels, weight, mask, from_probabilities)
    )


def nll(
    logits: Any,
    labels: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> float:
    """The mean negative log-likelihood of the labels, unsmoothed.

    Returns:
        float, nats.

    Source: Mueller et al. 2019, section 1.1; arguments: see the module.
    """
    return scores.nll(
        *_examples(logits, labels, weight, mask, from_probabilities)
    )


def brier(
    logits: Any,
    labels: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> float:
    """The mean over examples of ``sum_k (p_k - y_k)**2``.

    Returns:
        float in [0, 2]: the sum over classes, not their mean.

    Source: Brier 1950; arguments: see the module.
    """
    rows, ids, mass = _examples(
        logits, labels, weight, mask, from_probabilities
    )
    return scores.brier_score(probabilities.softmax(rows), ids, mass)


def reliability(
    logits: Any,
    labels: Any,
    *,
    bins: int = 15,
    edge: Edge = "left",
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> Bins:
    """Sorts the answers into equal bins of confidence.

    Args:
        logits: see the module.
        labels: see the module.
        bins: how many.
        edge: the closed side of a bin, "left" ([lo, hi)) or "right".
        weight: see the module.
        mask: see the module.
        from_probabilities: see the module.

    Returns:
        Bins: edges [B + 1]; count, confidence and accuracy [B].

    Source: Guo et al. 2017, section 2.
    """
    confidence, hits, mass = _answers(
        logits, labels, weight, mask, from_probabilities
    )
    return _calibration.bins(
        confidence, hits, num_bins=bins, edge=edge, weight=mass
    )


def ece(
    logits: Any,
    labels: Any,
    *,
    bins: int = 15,
    edge: Edge = "left",
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> float:
    """The expected calibration error of the answers, over equal bins.

    Args:
        logits: see the module.
        labels: see the module.
        bins: how many.
        edge: the closed side of a bin, "left" ([lo, hi)) or "right".
        weight: see the module.
        mask: see the module.
        from_probabilities: see the module.

    Returns:
        float in [0, 1]: ``sum_b n_b / N |confidence_b - accuracy_b|``.

    Source: Guo et al. 2017, equation 3.
    """
    return _calibration.expected_calibration_error(
        reliability(
            logits,
            labels,
            bins=bins,
            edge=edge,
            weight=weight,
            mask=mask,
            from_probabilities=from_probabilities,
        )
    )


def equal_mass_ece(
    logits: Any,
    labels: Any,
    *,
    bins: int = 15,
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> float:
    """The calibration error over bins that hold equal mass.

    Returns:
        float in [0, 1].

    Source: Nguyen and O'Connor 2015; arguments: as ``ece``.
    """
    confidence, hits, mass = _answers(
        logits, labels, weight, mask, from_probabilities
    )
    return _calibration.equal_mass_ece(confidence, hits, bins, mass)


def classwise_ece(
    logits: Any,
    labels: Any,
    *,
    bins: int = 15,
    edge: Edge = "left",
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> float:
    """The mean over the classes of the one-against-rest ECE.

    Returns:
        float in [0, 1].

    Source: Kull et al. 2019; arguments: as ``ece``.
    """
    rows, ids, mass = _examples(
        logits, labels, weight, mask, from_probabilities
    )
    probs = probabilities.softmax(rows)
    return _calibration.classwise_ece(probs, ids, bins, edge, mass)


def debiased_ece(
    logits: Any,
    labels: Any,
    *,
    bins: int = 15,
    mask: Any = None,
    from_probabilities: bool = False,
) -> float:
    """The ECE of equal-mass bins less what chance adds to it.

    Returns:
        float of at most 1; may be a little below 0.

    Source: Kumar et al. 2019 (arXiv 1909.10155); arguments: as ``ece``, but
    no weights.
    """
    confidence, hits, _ = _answers(
        logits, labels, None, mask, from_probabilities
    )
    return _bias.debiased_ece(confidence, hits, bins)


def debiased_squared_error(
    logits: Any,
    labels: Any,
    *,
    bins: int = 15,
    mask: Any = None,
    from_probabilities: bool = False,
) -> float:
    """The mean squared gap of equal-mass bins less its bias.

    Unlike ``debiased_ece`` it is unbiased for the bins' true gaps.

    Returns:
        float of at most 1; may be a little below 0.

    Source: Kumar et al. 2019 (arXiv 1909.10155), equation of the debiased
    estimator; arguments: as ``ece``, but no weights.
    """
    confidence, hits, _ = _answers(
        logits, labels, None, mask, from_probabilities
    )
    return _bias.debiased_squared_error(confidence, hits, bins)


def smooth_ece(
    logits: Any,
    labels: Any,
    *,
    mask: Any = None,
    from_probabilities: bool = False,
) -> float:
    """The calibration error smoothed at its own scale, without bins.

    Returns:
        float in [0, 1].

    Source: Blasiok and Nakkiran 2023 (arXiv 2309.12236); arguments: see the
    module, but no weights.
    """
    confidence, hits, _ = _answers(
        logits, labels, None, mask, from_probabilities
    )
    return _bias.smooth_ece(confidence, hits)


def summary(
    logits: Any,
    labels: Any,
    *,
    bins: int = 15,
    edge: Edge = "left",
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
) -> dict[str, float]:
    """Every score of a classifier on one split, in one pass.

    Returns:
        dict: accuracy, error, top5_accuracy, nll (nats), brier, ece, mce,
        rms_calibration_error, signed_calibration_error, classwise_ece,
        equal_mass_ece, confidence.

    Source: the functions of this module; arguments: as ``ece``.
    """
    rows, ids, mass = _examples(
        logits, labels, weight, mask, from_probabilities
    )
    return _calibration.summary(
        rows, ids, num_bins=bins, edge=edge, weight=mass
    )


def interval(
    measure: Callable[..., float],
    logits: Any,
    labels: Any,
    *,
    weight: Any = None,
    mask: Any = None,
    from_probabilities: bool = False,
    resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
    **options: Any,
) -> tuple[float, float]:
    """An interval of a measure, by drawing the examples again.

    Args:
        measure: a function of this module that gives a number, or any of
            logits [N, K] and labels [N].
        logits: see the module.
        labels: see the module.
        weight: see the module; only for a measure that takes one.
        mask: see the module.
        from_probabilities: see the module.
        resamples: how often, 10 or more.
        level: of the interval, in (0, 1).
        seed: of the draws; the same seed gives the same interval.
        **options: of the measure, such as ``bins``.

    Returns:
        (low, high) of the basic bootstrap interval, which takes off the bias
        that drawing again adds to a binned error.

    Raises:
        ValueError: see the module; also for a measure that gives no number or
            does not take what it is given.

    Source: Davison and Hinkley 1997.
    """
    if not callable(measure):
        raise ValueError(f"wanted a function as the measure, got {measure!r}")
    outputs.check_count(seed, "a seed", 0)
    rows, ids, mass = _examples(
        logits, labels, weight, mask, from_probabilities
    )

    def statistic(index: np.ndarray) -> dict[str, float]:
        mine = {} if weight is None else {"weight": mass[index]}
        found = measure(rows[index], ids[index], **mine, **options)
        try:
            return {"": float(found)}
        except TypeError:
            raise ValueError(
                "wanted a measure that gives a number, got "
                f"{type(found).__name__} of {_name(measure)}"
            ) from None

    names = [*options, *(() if weight is None else ("weight",))]
    _check_options(measure, names)

    with warnings.catch_warnings():  # it has been said once
        warnings.simplefilter("ignore", ProbabilityWarning)
        return _bias.bootstrap(
            statistic,
            len(ids),
            np.random.default_rng(seed),
            resamples=resamples,
            level=level,
        )[""]


def _name(measure: Callable[..., float]) -> str:
    return str(getattr(measure, "__name__", measure))


def _check_options(measure: Callable[..., float], names: list[str]) -> None:
    """Refuses what a measure does not take, where it says what it takes."""
    try:
        signature = inspect.signature(measure)
    except (TypeError, ValueError):  # one of C
        return
    try:
        signature.bind(None, None, **dict.fromkeys(names))
    except TypeError as error:
        raise ValueError(f"{_name(measure)}: {error}") from None


def _examples(
    logits: Any, labels: Any, weight: Any, mask: Any, from_probabilities: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return given.examples(
        logits,
        labels,
        weight=weight,
        mask=mask,
        from_probabilities=from_probabilities,
    )


def _answers(
    logits: Any, labels: Any, weight: Any, mask: Any, from_probabilities: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence [N], verdicts [N] and weights [N]."""
    rows, ids, mass = _examples(
        logits, labels, weight, mask, from_probabilities
    )
    confidence, hits = probabilities.confidence_and_correct(rows, ids)
    return confidence, hits, mass
