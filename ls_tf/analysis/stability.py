"""How alike a network's answers are within a class, and how unlike across.

Shen et al. call 1 less the spread within classes the stability of a network.
Their formula, their code and their tables do not agree on what the spread is;
three readings are offered:

* "std": the standard deviation, with n - 1, of the probability of the class
  itself. Their code, and the one that fits their tables.
* "variance": the variance of that probability, with n.
* "vector": the mean squared distance of the whole vector of probabilities to
  its mean. Their formula, literally.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ls_tf.analysis import outputs, projection

Array = npt.NDArray[Any]
Reading = Literal["std", "variance", "vector"]


def intra_class_spread(
    probs: npt.ArrayLike, labels: npt.ArrayLike, *, reading: Reading = "std"
) -> float:
    """Gives 1 - S: how far answers to one class lie apart, averaged.

    Args:
        probs: float [N, K], rows that sum to 1.
        labels: int [N].
        reading: see the module.

    Returns:
        float, 0 or more: the mean over the classes that occur.

    Raises:
        ValueError: on bad rows, an unknown reading, or for "std" a class
            with one example.

    Source: Shen et al. 2021, equation 2 ("vector"; "variance" of the target
        alone) and algorithm 1 ("std").
    """
    return float(np.mean(class_spreads(probs, labels, reading=reading)))


def class_spreads(
    probs: npt.ArrayLike, labels: npt.ArrayLike, *, reading: Reading = "std"
) -> Array:
    """Gives the spread of each class that ``intra_class_spread`` averages.

    Args:
        probs: float [N, K], rows that sum to 1.
        labels: int [N].
        reading: see the module.

    Returns:
        float64 [C], by rising id of the C classes that occur.

    Raises:
        ValueError: as ``intra_class_spread``.

    Source: Shen et al. 2021, equation 2 and algorithm 1.
    """
    rows, ids = _checked(probs, labels, reading)
    found = []
    for k in np.unique(ids):
        mine = rows[ids == k]
        if reading == "vector":
            found.append(np.sum((mine - mine.mean(axis=0)) ** 2, axis=1).mean())
        elif reading == "variance":
            found.append(mine[:, k].var())
        elif len(mine) > 1:
            found.append(mine[:, k].std(ddof=1))
        else:
            raise ValueError(
                f"wanted 2 or more examples of class {k} for a standard "
                "deviation, got 1"
            )
    return np.array(found)


def inter_class_spread(
    probs: npt.ArrayLike, labels: npt.ArrayLike, *, reading: Reading = "std"
) -> float:
    """Gives 1 less the stability between classes: how unlike their means are.

    Args:
        probs: float [N, K], rows that sum to 1.
        labels: int [N].
        reading: of the means of the classes that occur: "std", with n - 1, or
            "variance", with n, of the mean probabilities of the classes
            themselves; or "vector", the mean squared distance of the mean
            vectors to their own mean.

    Returns:
        float, 0 or more.

    Raises:
        ValueError: on bad rows, an unknown reading, or for "std" one class.

    Source: Shen et al. 2021, equations 5 to 7 ("vector"); table 10 ("std").
    """
    rows, ids = _checked(probs, labels, reading)
    classes = np.unique(ids)
    means = np.stack([rows[ids == k].mean(axis=0) for k in classes])
    if reading == "vector":
        return float(np.sum((means - means.mean(axis=0)) ** 2, axis=1).mean())
    own = means[np.arange(len(classes)), classes]
    if reading == "variance":
        return float(own.var())
    if len(classes) < 2:
        raise ValueError("wanted 2 or more classes, got 1")
    return float(own.std(ddof=1))


def class_moments(
    probs: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[Array, Array]:
    """Gives mean and variance of each probability, class by class.

    Args:
        probs: float [N, K], rows that sum to 1.
        labels: int [N].

    Returns:
        (mean, variance), float64 [K, K]: row by label, column by the class
        whose probability it is; NaN for a label that does not occur.

    Raises:
        ValueError: on bad rows.

    Source: Shen et al. 2021, figure 4.
    """
    rows, ids = _checked(probs, labels, "vector")
    shape = (rows.shape[1], rows.shape[1])
    mean, variance = np.full(shape, np.nan), np.full(shape, np.nan)
    for k in np.unique(ids):
        mine = rows[ids == k]
        mean[k], variance[k] = mine.mean(axis=0), mine.var(axis=0)
    return mean, variance


def pair_distances(
    points2d: npt.ArrayLike, labels: npt.ArrayLike, classes: Sequence[int]
) -> dict[str, float]:
    """Measures two similar classes and a third one on the plane.

    Args:
        points2d: float [N, 2], projected activations; points of other
            classes are left out.
        labels: int [N].
        classes: three different class ids: the two that are alike, then the
            one that is not.

    Returns:
        dict of floats, distances of cluster means: ``d1`` and ``d2`` of the
        third class to the first and to the second, ``dc`` of the two that
        are alike; ``d1_minus_d2``; ``dc_relative``, dc over the mean of d1
        and d2, which has no unit (NaN where that is 0).

    Raises:
        ValueError: on bad shapes or if a class has no point.

    Source: Shen et al. 2021, figure 1; its text names the distances, which
        of them is which is our reading; the ratio: ours.
    """
    first, second, third = projection.cluster_centres(points2d, labels, classes)
    d1 = float(np.linalg.norm(third - first))
    d2 = float(np.linalg.norm(third - second))
    dc = float(np.linalg.norm(second - first))
    mean = (d1 + d2) / 2
    return {
        "d1": d1,
        "d2": d2,
        "dc": dc,
        "d1_minus_d2": d1 - d2,
        "dc_relative": dc / mean if mean > 0 else float("nan"),
    }


def _checked(
    probs: npt.ArrayLike, labels: npt.ArrayLike, reading: str
) -> tuple[Array, Array]:
    if reading not in get_args(Reading):
        raise ValueError(
            f"wanted one of {', '.join(get_args(Reading))}, got {reading!r}"
        )
    rows, ids, _ = outputs.check_scores(probs, labels, None, "probabilities")
    outputs.check_probs(rows)
    return rows.astype(np.float64), ids
