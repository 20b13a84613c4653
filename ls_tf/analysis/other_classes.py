"""What a network's logits tell of the classes that are not its answer.

Where a network is wrong its answer is taken away. What is left of its softmax
is a forecast of the label among the K - 1 other classes, and how much better
it is than an even guess is information on other classes that the logits hold.
It is a lower bound, and noise lowers it: labels are the judge.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ls_tf.analysis import outputs, temperature
from ls_tf.analysis.outputs import Array

FEWEST = 50  # wrong answers, for a temperature and an interval of their own


@dataclass(frozen=True, eq=False)
class OtherClasses:
    """The forecasts of the wrong answers of a network.

    Attributes:
        wrong: bool [N], where the answer is not the label.
        gain: float64 [N], nats: ``log(K - 1)`` less the NLL of the label among
            the other classes, at the temperature of the other half of the
            wrong answers; NaN where the answer is right, or where too few
            are wrong.
        temperature: T of least NLL of all wrong answers; NaN likewise.
        at_bound: whether that is a bound of the search.
    """

    wrong: Array
    gain: Array
    temperature: float
    at_bound: bool

    def information(self, index: Array | None = None) -> float:
        """Gives the mean gain of the wrong answers among some examples.

        Args:
            index: int [n], positions, which may repeat; None for all.

        Returns:
            float of at most log(K - 1), nats; below 0 for forecasts that are
            worse than an even guess; NaN without a wrong answer.

        Source: ours.
        """
        gains = self.gain if index is None else self.gain[index]
        wrong = self.wrong if index is None else self.wrong[index]
        return float(gains[wrong].mean()) if wrong.any() else math.nan


def without_answers(
    logits: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[Array, Array, Array]:
    """Takes the answers of wrong examples away.

    Args:
        logits: float [N, K], K of 2 or more.
        labels: int [N].

    Returns:
        (float [n, K - 1] of the n wrong examples, int64 [n] their labels among
        these classes, bool [N] which they are).

    Raises:
        ValueError: bad shapes, values or labels.

    Source: ours.
    """
    rows, ids, _ = outputs.check_scores(logits, labels, None)
    outputs.check_count(rows.shape[1], "classes", 2)
    answers = np.argmax(rows, axis=-1)
    wrong = answers != ids
    rows, ids, answers = rows[wrong], ids[wrong], answers[wrong]
    others = np.arange(rows.shape[1]) != answers[:, None]
    left = rows[others].reshape(len(rows), rows.shape[1] - 1)
    return left, ids - (ids > answers), wrong


def forecasts(
    logits: npt.ArrayLike, labels: npt.ArrayLike, seed: int = 0
) -> OtherClasses:
    """Measures what the logits of wrong answers tell of other classes.

    Args:
        logits: float [N, K], K of 2 or more.
        labels: int [N].
        seed: of the halves.

    Returns:
        OtherClasses; without numbers for K = 2, where one class is left.

    Raises:
        ValueError: bad shapes, values or labels.

    Source: ours; a bound on the mutual information of label and logits, given
    the answer and that it is wrong, by the cross-entropy of a forecast.
    """
    rows, ids, wrong = without_answers(logits, labels)
    gain = np.full(len(wrong), math.nan)
    if len(rows) < FEWEST or rows.shape[1] < 2:
        return OtherClasses(wrong, gain, math.nan, False)
    scaled = cross_fitted(rows, ids, seed)
    even = math.log(rows.shape[1])
    gain[wrong] = even - outputs.map_rows(outputs.nll, scaled, ids)
    found = temperature.fit(rows, ids)
    return OtherClasses(wrong, gain, found.temperature, found.at_bound)


def cross_fitted(rows: Array, labels: Array, seed: int) -> Array:
    """Divides each half of the logits by the temperature of the other half.

    Args:
        rows: float [N, K], N of 2 or more.
        labels: int [N].
        seed: of the halves.

    Returns:
        float64 [N, K].

    Source: ours; two-fold cross-fitting of Guo et al. 2017, section 4.2.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    half = len(rows) // 2
    scaled = np.empty(rows.shape)
    for held, others in (
        (order[:half], order[half:]),
        (order[half:], order[:half]),
    ):
        found = temperature.fit(rows[others], labels[others])
        scaled[held] = temperature.apply(rows[held], found.temperature)
    return scaled
