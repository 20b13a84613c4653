"""How much a network's logits tell of which example it was shown.

X is the number of one of N examples, all equally likely. Y is the difference
of two logits on an augmented view of it, L views to each. Y given x is taken
for normal, its mean that of x's views and its deviation sigma one for all; Y
alone is then the mixture of the N normals. Values are in nats, from 0 to
log N.

The estimate from L views of each example is too high by about
``bias(L)``: the views that are judged have pulled their own means towards
themselves.
"""

import math
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ls_tf import stopping
from ls_tf.analysis import outputs

Array = npt.NDArray[Any]

# Which views the average runs over: all of them; the first of each example;
# or the last of each, which its mean then does not know.
Averaged = Literal["all", "one", "held_out"]

_BLOCK_ELEMENTS = 1 << 15  # 256 KiB of float64: a block stays in the cache


def logit_difference(logits: npt.ArrayLike, first: int, second: int) -> Array:
    """Gives Y: the logit of one class less that of another.

    Args:
        logits: float [..., K].
        first: class id.
        second: another class id.

    Returns:
        float64 [...].

    Raises:
        ValueError: if the classes are not two different ones of the K.

    Source: Mueller et al. 2019, section 4.
    """
    rows = outputs.real(logits, "logits")
    classes = rows.shape[-1] if rows.ndim else 0
    for k in (first, second):
        outputs.check_whole(k, "class ids")
    if first == second or not all(0 <= k < classes for k in (first, second)):
        raise ValueError(
            f"wanted two different classes from 0 to {classes - 1}, got "
            f"{first} and {second}"
        )
    result: Array = rows[..., first].astype(np.float64) - rows[..., second]
    return result


def estimate(
    samples: npt.ArrayLike,
    *,
    averaged: Averaged = "all",
    mc_samples: int | None = None,
    groups: npt.ArrayLike | None = None,
) -> float:
    """Estimates the information in Y about X.

    The mean over the chosen y of ``log p(y | x) - log (1/N) sum_x' p(y | x')``
    with x' running over all examples, x among them: no term is above log N.
    Given every view that there is, each as often as it occurs, this is the
    exact value of the model, not an estimate.

    Args:
        samples: float [N, L], Y of L views of each of N examples.
        averaged: "all" views; "one", the first of each example; or
            "held_out", the last of each, left out of its mean. Sigma is that
            of the same views.
        mc_samples: how many views of each to use, the first ones; None for
            all that there are.
        groups: int [N], e.g. class ids, to give each group a sigma of its
            own; None for one sigma.

    Returns:
        float, nats; at most log N.

    Raises:
        ValueError: fewer than two examples or views, values that are not
            finite, or views that do not differ.

    Source: Mueller et al. 2019, section 4, with the sum inside the logarithm
        over an index of its own; "held_out" and groups: ours.
    """
    values = _checked(samples, mc_samples)
    y, means = _judged(values, averaged)
    deviations = _deviations(y, means, _ids(groups, len(values)))
    return _mean_information(y, means, deviations)


def estimate_as_printed(
    samples: npt.ArrayLike,
    *,
    averaged: Averaged = "one",
    mc_samples: int | None = None,
) -> float:
    """Evaluates the printed formula, which is wrong, letter by letter.

    Its second sum runs over the x of the first, so that each y is compared
    with its own mean alone. Whatever the network, the result is about
    ``-1/2 + 1/2 log 2``: sigma is made of the same residuals.

    Args:
        samples: float [N, L], as in ``estimate``.
        averaged: as in ``estimate``.
        mc_samples: as in ``estimate``.

    Returns:
        float, never above 0.

    Raises:
        ValueError: as ``estimate``.

    Source: Mueller et al. 2019, section 4, as printed.
    """
    values = _checked(samples, mc_samples)
    y, means = _judged(values, averaged)
    deviations = _deviations(y, means, None)
    half_squares = 0.5 * ((y - means[:, None]) / deviations[:, None]) ** 2
    within = np.mean(np.exp(-half_squares))
    return float(-np.mean(half_squares) - np.log(within))


def noise(
    samples: npt.ArrayLike,
    *,
    averaged: Averaged = "all",
    mc_samples: int | None = None,
    groups: npt.ArrayLike | None = None,
) -> Array:
    """Gives the sigma that ``estimate`` takes for each example.

    It is the root mean square distance of the chosen y to their means, with
    no correction for the means being made of the same views.

    Args:
        samples: float [N, L], as in ``estimate``.
        averaged: as in ``estimate``.
        mc_samples: as in ``estimate``.
        groups: as in ``estimate``; without, all N values are the same.

    Returns:
        float64 [N].

    Raises:
        ValueError: as ``estimate``.

    Source: Mueller et al. 2019, section 4; groups: ours.
    """
    values = _checked(samples, mc_samples)
    y, means = _judged(values, averaged)
    return _deviations(y, means, _ids(groups, len(values)))


def bias(mc_samples: int, averaged: Averaged = "all") -> float:
    """Gives how far the estimate is off where it is far from log N.

    Args:
        mc_samples: L, the views of each example; of "held_out", those that
            its mean is made of.
        averaged: as in ``estimate``; "all" and "one" have the same bias.

    Returns:
        float, nats: ``1/2 log(L / (L - 1))``, or for "held_out" a negative
        number. Exact for normal Y whose means do not differ, N large; 0 at
        log N, where no term can rise.

    Raises:
        ValueError: if L is below 2, or an unknown choice.

    Source: ours.
    """
    outputs.check_whole(mc_samples, "mc_samples")
    if mc_samples < 2:
        raise ValueError(
            f"wanted 2 or more views of each example, got {mc_samples}"
        )
    _check_choice(averaged)
    n = mc_samples
    if averaged != "held_out":
        return 0.5 * math.log(n / (n - 1))
    # y of variance 1 against means of variance 1/n: sigma^2 = 1 + 1/n, and
    # the mixture has the variance 1 + 2/n.
    spread = (1 + 2 / n) / (1 + 1 / n)
    return -0.5 + 0.5 * math.log(spread) + 0.5 / (1 + 2 / n)


def neighbour_estimate(
    samples: npt.ArrayLike,
    *,
    neighbours: int = 3,
    mc_samples: int | None = None,
    seed: int = 0,
) -> float:
    """Estimates the information from nearest neighbours, with no model of Y.

    It knows nothing of normal distributions and has hardly any bias, which
    makes it the independent check of ``estimate``.

    Args:
        samples: float [N, L], as in ``estimate``.
        neighbours: how many to look at, below L.
        mc_samples: as in ``estimate``.
        seed: of the noise, 1e-10 of Y, that parts equal values.

    Returns:
        float, nats, 0 or more.

    Raises:
        ValueError: as ``estimate``, or too few views for the neighbours.

    Source: Ross 2014, by scikit-learn's ``mutual_info_classif``.
    """
    from sklearn import feature_selection

    values = _checked(samples, mc_samples)
    count, views = values.shape
    if not 1 <= neighbours < views:
        raise ValueError(
            f"wanted 1 to {views - 1} neighbours for {views} views of each "
            f"example, got {neighbours}"
        )
    (found,) = stopping.aside(
        lambda: feature_selection.mutual_info_classif(
            values.reshape(-1, 1),
            np.repeat(np.arange(count), views),
            discrete_features=False,
            n_neighbors=neighbours,
            random_state=seed,
        )
    )
    return float(found)


def _checked(samples: npt.ArrayLike, mc_samples: int | None) -> Array:
    """Gives the views to use, or refuses them."""
    values = outputs.real(samples, "samples").astype(np.float64, copy=False)
    if values.ndim != 2 or len(values) < 2:
        raise ValueError(
            "wanted samples [N, L] of 2 or more examples, got shape "
            f"{values.shape}"
        )
    views = values.shape[1]
    if mc_samples is not None:
        outputs.check_whole(mc_samples, "mc_samples")
        if mc_samples > views:
            raise ValueError(
                f"wanted {mc_samples} views of each example, got {views}"
            )
        views = mc_samples
    if views < 2:
        raise ValueError(
            f"wanted 2 or more views of each example, got {views}: of one "
            "alone, sigma is 0"
        )
    values = values[:, :views]
    if not np.isfinite(values).all():
        raise ValueError("wanted finite samples, got NaN or infinity")
    if np.abs(values).max() > outputs.LARGEST:
        raise ValueError(f"wanted samples of {outputs.LARGEST:g} or less")
    # Less the mean of all: a common shift then costs no digits.
    centred: Array = values - values.mean()
    return centred


def _check_choice(averaged: str) -> None:
    if averaged not in get_args(Averaged):
        raise ValueError(
            f"wanted one of {', '.join(get_args(Averaged))}, got {averaged!r}"
        )


def _judged(values: Array, averaged: Averaged) -> tuple[Array, Array]:
    """Gives the y [N, M] that the average runs over, and the means [N]."""
    _check_choice(averaged)
    if averaged == "held_out":
        if values.shape[1] < 3:
            raise ValueError(
                "wanted 3 or more views of each example to hold one out, got "
                f"{values.shape[1]}"
            )
        return values[:, -1:], values[:, :-1].mean(axis=1)
    y = values if averaged == "all" else values[:, :1]
    return y, values.mean(axis=1)


def _ids(groups: npt.ArrayLike | None, count: int) -> Array | None:
    if groups is None:
        return None
    ids = np.asarray(groups)
    if ids.shape != (count,) or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(
            f"wanted integer groups [{count}], got {ids.dtype} of shape "
            f"{ids.shape}"
        )
    return ids


def _deviations(y: Array, means: Array, groups: Array | None) -> Array:
    """Gives sigma of each example, or refuses one of 0."""
    squares = np.mean((y - means[:, None]) ** 2, axis=1)
    found = np.empty(len(y))
    if groups is None:
        found[:] = math.sqrt(squares.mean())
    else:
        for group in np.unique(groups):
            mine = groups == group
            found[mine] = math.sqrt(squares[mine].mean())
    # A mean of equal numbers may be off by its rounding.
    least = 8 * np.finfo(np.float64).eps * np.abs(y).max()
    if found.min() <= least:
        where = "" if groups is None else f" in group {groups[found.argmin()]}"
        raise ValueError(
            "wanted views of an example that differ, got equal ones"
            f"{where}: without augmentation sigma is 0"
        )
    return found


def _mean_information(y: Array, means: Array, deviations: Array) -> float:
    """Averages ``log p(y | x) - log (1/N) sum_x' p(y | x')`` over all y.

    One block of y at a time: [N * M, N] would not fit in memory.
    """
    count, per_example = y.shape
    scale = 1 / (math.sqrt(2) * deviations)
    scaled_means, height = means * scale, -np.log(deviations)
    # Rounded as below, so that no term comes out above log N.
    own = y * scale[:, None] - scaled_means[:, None]
    own = (height[:, None] - own**2).reshape(-1)
    flat = y.reshape(-1)
    one_sigma = bool((deviations == deviations[0]).all())
    if one_sigma:
        flat = flat * scale[0]
    step = max(1, _BLOCK_ELEMENTS // count)
    work = np.empty((step, count))
    mixture = np.empty(len(flat))
    for start in range(0, len(flat), step):
        stopping.look()
        block = flat[start : start + step, None]
        terms = work[: len(block)]  # [block, N]: log of p(y | x') up to pi
        if one_sigma:
            np.subtract(block, scaled_means, out=terms)
        else:
            np.multiply(block, scale, out=terms)
            terms -= scaled_means
        np.square(terms, out=terms)
        np.subtract(height, terms, out=terms)
        top = terms.max(axis=1)
        terms -= top[:, None]
        np.exp(terms, out=terms)
        mixture[start : start + step] = top + np.log(terms.sum(axis=1))
    return float(np.mean(own - mixture) + math.log(count))
