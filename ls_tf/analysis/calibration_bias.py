"""Calibration errors that depend less on bins and on how many examples.

A binned error of N examples is too high, most for a network that is well
calibrated: the accuracy of a bin is a random number. Here are estimates that
take that off, choose the number of bins by the data or have no bins, and an
interval for any of them.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import fft, optimize, special

from ls_tf import stopping
from ls_tf.analysis import outputs
from ls_tf.analysis.outputs import Array

Statistic = Callable[[Array], Mapping[str, float]]

_CELLS = 4096  # of confidence, for smooth ECE: a step of 1/4 of a thousandth


def equal_mass_bins(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, num_bins: int = 15
) -> tuple[Array, Array, Array]:
    """Parts predictions into bins of about equal size.

    Equal confidences stay in one bin, so that the order of the examples does
    not matter; a bin may then be larger, and another missing.

    Args:
        confidence: float [N] in [0, 1].
        correct: bool or 0/1 [N].
        num_bins: most bins.

    Returns:
        (count, mean confidence, accuracy), float64 [B] each, of the B bins
        that are not empty, by rising confidence.

    Raises:
        ValueError: bad shapes, values or number of bins.

    Source: Nguyen and O'Connor 2015; ties together: ours.
    """
    outputs.check_count(num_bins, "num_bins", 1)
    conf, hits = _predictions(confidence, correct)
    _, group, sizes = np.unique(conf, return_inverse=True, return_counts=True)
    first = np.cumsum(sizes) - sizes
    index = (first * num_bins // len(conf))[group]
    count = np.bincount(index, minlength=num_bins).astype(np.float64)
    some = count > 0
    mean = np.bincount(index, conf, num_bins)[some] / count[some]
    accuracy = np.bincount(index, hits, num_bins)[some] / count[some]
    return count[some], mean, accuracy


def debiased_ece(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, num_bins: int = 15
) -> float:
    """Gives the ECE of equal-mass bins less what chance adds to it.

    The accuracy of a bin of n is taken as normal about its mean a, with the
    variance a (1 - a) / n. What that adds to the absolute gap is the bias.

    Args:
        confidence: float [N] in [0, 1].
        correct: bool or 0/1 [N].
        num_bins: most bins.

    Returns:
        float of at most 1; may be a little below 0 for a network that is
        calibrated.

    Raises:
        ValueError: as ``equal_mass_bins``.

    Source: Kumar et al. 2019 (arXiv 1909.10155), whose code draws for the L1
    error; here by the mean of a folded normal distribution.
    """
    count, mean, accuracy = equal_mass_bins(confidence, correct, num_bins)
    gap = np.abs(mean - accuracy)
    spread = np.sqrt(accuracy * (1 - accuracy) / count)
    # Mean of |N(gap, spread**2)|; 0 spread leaves the gap.
    ratio = np.divide(
        gap, spread, out=np.full(gap.shape, np.inf), where=spread > 0
    )
    folded = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2)
    folded += gap * special.erf(ratio / np.sqrt(2))
    return float(np.sum(count * (2 * gap - folded)) / count.sum())


def debiased_squared_error(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, num_bins: int = 15
) -> float:
    """Gives the mean squared gap of equal-mass bins less its bias.

    Args:
        confidence: float [N] in [0, 1].
        correct: bool or 0/1 [N].
        num_bins: most bins; those with one example are left out.

    Returns:
        float: sum_b n_b / N ((c_b - a_b)^2 - a_b (1 - a_b) / (n_b - 1)).

    Raises:
        ValueError: as ``equal_mass_bins``, or no bin with two examples.

    Source: Kumar et al. 2019 (arXiv 1909.10155), debiased estimator.
    """
    count, mean, accuracy = equal_mass_bins(confidence, correct, num_bins)
    kept = count > 1
    if not kept.any():
        raise ValueError("wanted a bin with 2 examples, got none")
    count, gap, a = count[kept], (mean - accuracy)[kept], accuracy[kept]
    parts = gap**2 - a * (1 - a) / (count - 1)
    return float(np.sum(count * parts) / count.sum())


def monotone_sweep_ece(
    confidence: npt.ArrayLike, correct: npt.ArrayLike
) -> float:
    """Gives the ECE of as many equal-mass bins as keep accuracies rising.

    Args:
        confidence: float [N] in [0, 1].
        correct: bool or 0/1 [N].

    Returns:
        float in [0, 1]: of B bins, where B + 1 is the first number of bins
        whose accuracies do not all rise, or stay, with the confidence.

    Raises:
        ValueError: as ``equal_mass_bins``.

    Source: Roelofs et al. 2022 (arXiv 2012.08668), monotonic sweep.
    """
    conf, hits = _predictions(confidence, correct)
    found = equal_mass_bins(conf, hits, 1)
    for num_bins in range(2, len(conf) + 1):
        stopping.look()
        bins = equal_mass_bins(conf, hits, num_bins)
        if (np.diff(bins[2]) < 0).any():
            break
        found = bins
    count, mean, accuracy = found
    return float(np.sum(count * np.abs(mean - accuracy)) / count.sum())


def smooth_ece(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Gives the calibration error smoothed at its own scale.

    The residuals, verdict less confidence, are spread along the confidences
    by a Gaussian that is reflected at 0 and 1; the error is the integral of
    their absolute sum. The width of the Gaussian is the one that equals the
    error: there is exactly one, since the error falls with the width.

    Args:
        confidence: float [N] in [0, 1].
        correct: bool or 0/1 [N].

    Returns:
        float in [0, 1].

    Raises:
        ValueError: bad shapes or values.

    Source: Blasiok and Nakkiran 2023 (arXiv 2309.12236), smECE; the reflected
    Gaussian by a cosine transform on 4,096 cells: ours.
    """
    conf, hits = _predictions(confidence, correct)
    cell = np.minimum((conf * _CELLS).astype(np.int64), _CELLS - 1)
    mass = np.bincount(cell, hits - conf, _CELLS) / len(conf)
    waves = fft.dct(mass, type=2, norm="ortho")
    rate = (np.pi * np.arange(_CELLS)) ** 2 / 2

    def error(width: float) -> float:
        spread = fft.idct(waves * np.exp(-rate * width**2), norm="ortho")
        return float(np.abs(spread).sum())

    widest = error(0.0)
    if widest < 1e-12:
        return 0.0
    # A Gaussian narrower than a cell rings on the cells, which makes the sum of
    # what it spreads larger; without cells none is larger than that of width 0.
    return float(
        optimize.brentq(
            lambda width: min(error(width), widest) - width,
            0.0,
            widest + 1e-9,
            xtol=1e-10,
        )
    )


def bootstrap(
    statistic: Statistic,
    count: int,
    generator: np.random.Generator,
    *,
    resamples: int = 200,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Gives intervals by drawing the examples again, with replacement.

    The interval is the basic one: the estimate less the quantiles of how far
    the resamples' lie from it. Where resampling adds a bias, as it does to a
    binned error, this takes it off and the percentiles themselves would not.

    Args:
        statistic: takes int64 [count], positions of examples, and gives
            numbers by name.
        count: N.
        generator: draws the examples.
        resamples: how often, 10 or more.
        level: of the interval, in (0, 1).

    Returns:
        name -> (low, high).

    Raises:
        ValueError: too few resamples or a level out of range.

    Source: Davison and Hinkley 1997, basic bootstrap interval.
    """
    outputs.check_count(resamples, "resamples", 10)
    if not 0 < level < 1:
        raise ValueError(f"wanted a level in (0, 1), got {level}")
    estimate = statistic(np.arange(count))
    drawn: dict[str, list[float]] = {name: [] for name in estimate}
    for _ in range(resamples):
        stopping.look()
        found = statistic(generator.integers(0, count, count))
        for name, value in found.items():
            drawn[name].append(value)
    tails = [(1 + level) / 2, (1 - level) / 2]
    found_tails = {k: np.quantile(v, tails) for k, v in drawn.items()}
    return {
        name: (2 * estimate[name] - high, 2 * estimate[name] - low)
        for name, (high, low) in (
            (k, map(float, v)) for k, v in found_tails.items()
        )
    }


def _predictions(
    confidence: npt.ArrayLike, correct: npt.ArrayLike
) -> tuple[Array, Array]:
    conf = outputs.real(confidence, "confidences").astype(np.float64)
    hits = np.asarray(correct).astype(np.float64)
    if conf.ndim != 1 or not len(conf) or hits.shape != conf.shape:
        raise ValueError(
            "wanted confidences and verdicts [N] with N of 1 or more, got "
            f"shapes {conf.shape} and {hits.shape}"
        )
    if not ((conf >= 0) & (conf <= 1)).all():
        raise ValueError("wanted confidences in [0, 1]")
    if not np.isin(hits, (0, 1)).all():
        raise ValueError("wanted verdicts of 0 or 1")
    return conf, hits
