"""What a smoothed target is worth where labels are noisy.

A network that has learnt its targets puts p on one class and shares the rest
evenly over the other M - 1. It is tested on labels that agree with that class
with a probability q, and its expected loss is the same function of q in all
three types; they differ in q alone:

* alpha: one of the two labels, trained on or tested on, was kept with
  probability a: q = a;
* beta: both were, independently: q = a^2 + (1 - a)^2 / (M - 1);
* gamma: the class follows the smoothed target itself, which is right with
  probability p: q = a p + (1 - a) (1 - p) / (M - 1).

A transition matrix T has the true class as its column: T[k, j] is the
probability to observe k where j is true. A smoothing matrix S has the target
of the observed class k as its column k.

Source: Chen et al. 2020, sections 3 and 4. Where its formulas do not hold, the
right one is the default and the printed one can be asked for.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from ls_tf.analysis import outputs
from ls_tf.analysis.outputs import Array

KINDS = ("alpha", "beta", "gamma")

# Of the logit of p: beyond, 1 - p is lost in double precision.
_LARGEST_LOGIT = 36.0
_GRID = 1001  # logits of p among which a minimum is looked for
_SUM_TOLERANCE = 1e-6


def _check_kind(kind: str, kinds: tuple[str, ...] = KINDS) -> None:
    if kind not in kinds:
        raise ValueError(f"wanted a type of {', '.join(kinds)}, got {kind!r}")


def _share(values: npt.ArrayLike, name: str) -> Array:
    array = outputs.real(values, name).astype(np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"wanted {name} in [0, 1], got {values!r}")
    return array


def _others(num_classes: int) -> int:
    outputs.check_count(num_classes, "num_classes", 2)
    return num_classes - 1


def agreement(
    kind: str, p: npt.ArrayLike, a: npt.ArrayLike, num_classes: int
) -> Array:
    """Gives q, how often the class that holds p is the label tested on.

    Args:
        kind: "alpha", "beta" or "gamma".
        p: [...], probability on the target's class, in [0, 1].
        a: [...], how often a label is kept, in [0, 1].
        num_classes: M, 2 or more.

    Returns:
        float64 [...], broadcast of ``p`` and ``a``.

    Raises:
        ValueError: on a bad type, number or M.

    Source: Chen et al. 2020, equations 7 to 9 and 11, 14, 15.
    """
    _check_kind(kind)
    others = _others(num_classes)
    p, a = np.broadcast_arrays(_share(p, "p"), _share(a, "a"))
    if kind == "alpha":
        return a.copy()
    if kind == "beta":
        return a**2 + (1 - a) ** 2 / others
    result: Array = a * p + (1 - a) * (1 - p) / others
    return result


def loss(
    kind: str, p: npt.ArrayLike, a: npt.ArrayLike, num_classes: int
) -> Array:
    """Gives the expected test loss of a smoothed target.

    Args:
        kind: "alpha", "beta" or "gamma".
        p: [...], probability on the target's class, in [0, 1].
        a: [...], how often a label is kept, in [0, 1].
        num_classes: M, 2 or more.

    Returns:
        float64 [...], nats: -q ln p - (1 - q) ln((1 - p) / (M - 1)); infinite
        where a class that occurs is given no probability.

    Raises:
        ValueError: on a bad type, number or M.

    Source: Chen et al. 2020, equations 7 to 9 and 11, 14, 15.
    """
    q = agreement(kind, p, a, num_classes)
    other = (1 - np.asarray(p, np.float64)) / _others(num_classes)
    result: Array = 0.0 - special.xlogy(q, p) - special.xlogy(1 - q, other)
    return result


def optimal_p(kind: str, a: float, num_classes: int) -> float:
    """Gives the p of the least loss.

    Args:
        kind: "alpha", "beta" or "gamma".
        a: how often a label is kept, in [0, 1].
        num_classes: M, 2 or more.

    Returns:
        float: a for alpha, its q for beta. For gamma the least of those p
        that are 1 / M or more: with two classes 1 - p is as good as p.

    Raises:
        ValueError: on a bad type, number or M.

    Source: Chen et al. 2020, equations 11, 14 and 15; gamma by search.
    """
    if kind != "gamma":
        return float(agreement(kind, 1.0, a, num_classes))
    _others(num_classes)
    if _share(a, "a") == 1:
        return 1.0
    least = special.logit(1 / num_classes)

    def of_logit(x: Array) -> Array:
        return loss("gamma", special.expit(x), a, num_classes)

    best = float(special.expit(_minimum(of_logit, least)))
    flat = 1 / num_classes  # there the loss is ln M whatever a is
    if loss("gamma", best, a, num_classes) < np.log(num_classes) - 1e-13:
        return best
    return flat


def _minimum(function: Callable[[Array], Array], least: float) -> float:
    """The global minimum over logits: of a grid, then refined beside it."""
    grid = np.linspace(least, _LARGEST_LOGIT, _GRID)
    lowest = int(np.argmin(function(grid)))
    bounds = grid[max(lowest - 1, 0)], grid[min(lowest + 1, _GRID - 1)]
    refined = optimize.minimize_scalar(
        lambda x: float(function(np.asarray(x))),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-8},
    )
    return float(refined.x)


def lowest_loss(kind: str, a: float, num_classes: int) -> float:
    """Gives the loss at ``optimal_p``, nats; the same arguments and errors.

    Source: Chen et al. 2020, equations 7 to 9.
    """
    return float(loss(kind, optimal_p(kind, a, num_classes), a, num_classes))


def gamma_jump(num_classes: int) -> tuple[float, float]:
    """Gives where the best p of the gamma type leaves 1 / M.

    Below that a the uniform target is best. With three classes or more the
    best p jumps from there, as in a first-order transition; with two it goes
    continuously.

    Args:
        num_classes: M, 2 or more.

    Returns:
        (a, p): a where both are as good, and the p that is jumped to.

    Raises:
        ValueError: M is below 2.

    Source: Chen et al. 2020, section 4.3; the numbers are ours.
    """
    others = _others(num_classes)
    if num_classes == 2:
        return 0.75, 0.5  # the second derivative at 1/2 is 12 - 16 a

    def equal_at(x: Array) -> Array:
        """The a at which p is as good as 1 / M: the loss is linear in a."""
        p = special.expit(x)
        other = (1 - p) / others
        q = (-np.log(other) - np.log(num_classes)) / np.log(p / other)
        result: Array = (q - other) / (p - other)
        return result

    # The uniform target itself would be 0 / 0.
    x = _minimum(equal_at, special.logit(1 / num_classes) + 1e-3)
    return float(equal_at(np.asarray(x))), float(special.expit(x))


def gamma_of_many_classes(
    p: npt.ArrayLike, a: npt.ArrayLike, num_classes: int
) -> Array:
    """Gives the gamma type's loss less what vanishes as 1 / M.

    Args:
        p: [...], in [0, 1).
        a: [...], in [0, 1].
        num_classes: M, 2 or more.

    Returns:
        float64 [...]: a H(p) - (1 - a) ln(1 - p) + (1 - a p) ln(M - 1).

    Raises:
        ValueError: on a bad number or M.

    Source: Chen et al. 2020, section 4.3, whose form lacks
    (1 - a) (1 - p) ln(p / (1 - p)).
    """
    p, a = _share(p, "p"), _share(a, "a")
    entropy = special.entr(p) + special.entr(1 - p)
    floor = (1 - a * p) * np.log(_others(num_classes))
    result: Array = a * entropy - special.xlogy(1 - a, 1 - p) + floor
    return result


def check_transition(matrix: npt.ArrayLike) -> Array:
    """Refuses what is no transition matrix.

    Args:
        matrix: float [M, M], T[k, j] = P(observed k | true j).

    Returns:
        float64 [M, M].

    Raises:
        ValueError: not square, a number outside [0, 1], or a column that does
            not sum to 1.

    Source: ours.
    """
    array = outputs.real(matrix, "a transition matrix").astype(np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(f"wanted a matrix [M, M], got {list(array.shape)}")
    _others(len(array))
    _share(array, "probabilities")
    sums = array.sum(axis=0)
    if np.abs(sums - 1).max() > _SUM_TOLERANCE:
        raise ValueError(
            "wanted the probabilities of each true class to sum to 1, got "
            f"sums from {sums.min():g} to {sums.max():g}"
        )
    return array


def symmetric(p: float, num_classes: int) -> Array:
    """Gives p on the diagonal, (1 - p) / (M - 1) elsewhere.

    It is the smoothing matrix S_p, and the transition matrix of symmetric
    noise that keeps a label with probability p.

    Args:
        p: in [0, 1].
        num_classes: M, 2 or more.

    Returns:
        float64 [M, M].

    Raises:
        ValueError: on a bad p or M.

    Source: Chen et al. 2020, equations 1 and 2.
    """
    other = (1 - float(_share(p, "p"))) / _others(num_classes)
    return np.where(np.eye(num_classes, dtype=bool), p, other)


def pair_flip(share: float, num_classes: int) -> Array:
    """Gives the matrix of labels that move to the next class.

    Args:
        share: how often one does, in [0, 1].
        num_classes: M, 2 or more.

    Returns:
        float64 [M, M]: 1 - share kept, share moved; the last to the first.

    Raises:
        ValueError: on a bad share or M.

    Source: Chen et al. 2020, section 4.
    """
    _others(num_classes)
    moved = float(_share(share, "share"))
    kept = np.eye(num_classes)
    return (1 - moved) * kept + moved * np.roll(kept, 1, axis=0)


def optimal_smoothing(
    transition: npt.ArrayLike, kind: str = "alpha", *, printed: bool = False
) -> Array:
    """Gives the smoothing matrix of the least loss, by Bayes' rule.

    Args:
        transition: float [M, M], T.
        kind: "alpha" or "beta"; the true classes are equally frequent.
        printed: the paper's matrix instead: T, or T T' / 2. They are right,
            the second but for its half, where T is symmetric.

    Returns:
        float64 [M, M]: T' / D or T T' / D, D the row sums of T as a diagonal.

    Raises:
        ValueError: on a bad type or matrix, or where a class is never
            observed.

    Source: Chen et al. 2020, equations 10, 12 and 13, corrected.
    """
    _check_kind(kind, ("alpha", "beta"))
    matrix = check_transition(transition)
    if printed:
        return matrix if kind == "alpha" else matrix @ matrix.T / 2
    observed = matrix.sum(axis=1)
    if not observed.all():
        raise ValueError(
            "wanted every class to be observed, got none of class "
            f"{int(np.argmin(observed))}"
        )
    joint = matrix.T if kind == "alpha" else matrix @ matrix.T
    result: Array = joint / observed
    return result


def matrix_loss(
    transition: npt.ArrayLike, smoothing: npt.ArrayLike, kind: str = "alpha"
) -> float:
    """Gives the expected test loss of targets smoothed by a matrix.

    Args:
        transition: float [M, M], T.
        smoothing: float [M, M], S, of 0 or more.
        kind: "alpha": trained on observed, tested on true labels; "beta":
            tested on observed ones that were drawn anew.

    Returns:
        float, nats; infinite where S gives no probability to what occurs.

    Raises:
        ValueError: on a bad type or matrix.

    Source: Chen et al. 2020, equations 10 and 12.
    """
    _check_kind(kind, ("alpha", "beta"))
    matrix = check_transition(transition)
    targets = outputs.real(smoothing, "a smoothing matrix").astype(np.float64)
    if targets.shape != matrix.shape or not (targets >= 0).all():
        raise ValueError(
            f"wanted a smoothing matrix {list(matrix.shape)} of 0 or more, "
            f"got {list(targets.shape)}"
        )
    joint = matrix.T if kind == "alpha" else matrix @ matrix.T
    return float(-special.xlogy(joint, targets).sum() / len(matrix))


def mean_field_p(
    transition: npt.ArrayLike, kind: str = "alpha", *, printed: bool = False
) -> float:
    """Gives the best p where all classes share one.

    Args:
        transition: float [M, M], T.
        kind: "alpha" or "beta".
        printed: with the half that the paper has for beta.

    Returns:
        float: Tr T / M, or Tr(T T') / M.

    Raises:
        ValueError: on a bad type or matrix.

    Source: Chen et al. 2020, equations 16 and 17.
    """
    _check_kind(kind, ("alpha", "beta"))
    matrix = check_transition(transition)
    if kind == "alpha":
        return float(np.trace(matrix) / len(matrix))
    half = 0.5 if printed else 1.0
    return float(half * np.sum(matrix**2) / len(matrix))


def forward_loss(transition: npt.ArrayLike) -> float:
    """Gives the least training loss of forward correction.

    A network f that is trained as T f is certain of the true class, and pays
    the entropy of the observed one.

    Args:
        transition: float [M, M], T.

    Returns:
        float, nats. The least loss of the alpha type is this and ln M less
        the entropy of the observed classes: the same where T's rows sum to 1.

    Raises:
        ValueError: on a bad matrix.

    Source: Patrini et al. 2017 (arXiv 1609.03683), forward correction; Chen
    et al. 2020, equation 18.
    """
    matrix = check_transition(transition)
    return float(special.entr(matrix).sum() / len(matrix))


def log_likelihoods(
    logits: npt.ArrayLike, smoothing: npt.ArrayLike
) -> tuple[Array, Array, Array]:
    """Gives what a label is worth by three ways to allow for its noise.

    The first is never above the second, by Jensen's inequality. That the
    second is never above the third, as is printed, does not hold.

    Args:
        logits: float [..., M], z; f is their softmax.
        smoothing: float [M, M], S, whose column k is the target of class k.

    Returns:
        Three float64 [..., M], nats, by label k: label smoothing
        sum_j S[j, k] ln f_j; forward correction ln sum_j S[j, k] f_j; logit
        smoothing ln softmax(S' z)_k.

    Raises:
        ValueError: on bad logits or a bad matrix.

    Source: Chen et al. 2020, equations 18 and 19.
    """
    scores = outputs.finite(logits, "logits")
    matrix = check_transition(smoothing)
    if scores.shape[-1] != len(matrix):
        raise ValueError(
            f"wanted logits of {len(matrix)} classes, got {scores.shape[-1]}"
        )
    log_f = special.log_softmax(scores, axis=-1)
    with np.errstate(divide="ignore"):  # a class that S makes impossible
        forward = np.log(special.softmax(scores, axis=-1) @ matrix)
    return (
        log_f @ matrix,
        forward,
        special.log_softmax(scores @ matrix, axis=-1),
    )
