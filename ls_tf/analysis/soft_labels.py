"""Soft label distributions, and what a model that fits them reaches.

Three notations of one family: the label's class gets p, the other K - 1
classes share the rest evenly.

* alpha: (1 - alpha) * y + alpha / K, so p = 1 - alpha + alpha / K;
* eps: eps / (K - 1) for each other class, so p = 1 - eps;
* p itself, which may lie below 1 / K.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from ls_tf.analysis import outputs

Array = npt.NDArray[Any]


def soften_uniform(
    labels: npt.ArrayLike, *, alpha: float, num_classes: int
) -> Array:
    """Mixes one-hot labels with the uniform distribution over all classes.

    Args:
        labels: int [...], class ids.
        alpha: weight of the uniform distribution, in [0, 1].
        num_classes: K, 2 or more.

    Returns:
        float64 [..., K]: (1 - alpha) * onehot + alpha / K.

    Raises:
        ValueError: on bad labels, alpha or K.

    Source: Mueller et al. 2019, section 1.1.
    """
    p = _p_from_alpha(alpha, num_classes)
    return _distribution(labels, p, alpha / num_classes, num_classes)


def soften_others(
    labels: npt.ArrayLike, *, eps: float, num_classes: int
) -> Array:
    """Takes eps from the label and spreads it over the other classes.

    Args:
        labels: int [...], class ids.
        eps: weight of the other classes together, in [0, 1).
        num_classes: K, 2 or more.

    Returns:
        float64 [..., K]: 1 - eps at the label, eps / (K - 1) elsewhere.

    Raises:
        ValueError: on bad labels, eps or K.

    Source: Shen et al. 2021, equation 1.
    """
    if not 0 <= eps < 1:
        raise ValueError(f"wanted eps in [0, 1), got {eps}")
    _check_classes(num_classes)
    return _distribution(labels, 1 - eps, eps / (num_classes - 1), num_classes)


def soften_to(labels: npt.ArrayLike, *, p: float, num_classes: int) -> Array:
    """Gives the label the probability p and the others equal shares.

    Args:
        labels: int [...], class ids.
        p: probability of the label, in (0, 1]; below 1 / K the label is the
            least likely class.
        num_classes: K, 2 or more.

    Returns:
        float64 [..., K]: p at the label, (1 - p) / (K - 1) elsewhere.

    Raises:
        ValueError: on bad labels, p or K.

    Source: Chen et al. 2020, equation 1.
    """
    if not 0 < p <= 1:
        raise ValueError(f"wanted p in (0, 1], got {p}")
    _check_classes(num_classes)
    return _distribution(labels, p, (1 - p) / (num_classes - 1), num_classes)


def alpha_from_eps(eps: float, num_classes: int) -> float:
    """Gives the alpha of the same distribution: eps * K / (K - 1).

    Args:
        eps: weight of the other classes together.
        num_classes: K, 2 or more.

    Returns:
        float; above 1 if the label is less likely than the others.

    Raises:
        ValueError: if K is below 2.

    Source: ours, from the two definitions.
    """
    _check_classes(num_classes)
    return eps * num_classes / (num_classes - 1)


def eps_from_alpha(alpha: float, num_classes: int) -> float:
    """Gives the eps of the same distribution: alpha * (K - 1) / K.

    Args:
        alpha: weight of the uniform distribution.
        num_classes: K, 2 or more.

    Returns:
        float.

    Raises:
        ValueError: if K is below 2.

    Source: ours, from the two definitions.
    """
    _check_classes(num_classes)
    return alpha * (num_classes - 1) / num_classes


def optimal_logit_gap(*, alpha: float, num_classes: int) -> float:
    """Gives the label's logit less any other's where the loss is least.

    Args:
        alpha: weight of the uniform distribution, in [0, 1].
        num_classes: K, 2 or more.

    Returns:
        float: ln((1 - alpha + alpha / K) / (alpha / K)); infinite at alpha
        0, 0 at alpha 1.

    Raises:
        ValueError: on bad alpha or K.

    Source: Mueller et al. 2019, section 1.1, where softmax equals the target.
    """
    p = _p_from_alpha(alpha, num_classes)
    if alpha == 0:
        return math.inf
    if alpha < 1 / outputs.LARGEST:  # which K would divide to 0
        return math.log(p) - math.log(alpha) + math.log(num_classes)
    return math.log(p / (alpha / num_classes))


def minimum_loss(*, alpha: float, num_classes: int) -> float:
    """Gives the least smoothed loss: the entropy of the soft target.

    Args:
        alpha: weight of the uniform distribution, in [0, 1].
        num_classes: K, 2 or more.

    Returns:
        float, nats; 0 at alpha 0, ln K at alpha 1.

    Raises:
        ValueError: on bad alpha or K.

    Source: Mueller et al. 2019, section 1.1, by Gibbs' inequality.
    """
    p = _p_from_alpha(alpha, num_classes)
    other = special.entr(alpha / num_classes)
    return float(special.entr(p) + (num_classes - 1) * other)


def binary_loss(logits: npt.ArrayLike, *, eps: float) -> Array:
    """Gives the smoothed logistic loss of two classes.

    ``(1 - eps) * log(1 + exp(-z)) + eps * log(1 + exp(z))``, which is
    ``log(1 + exp(-z)) + eps * z``: it grows in both directions. Without
    smoothing it falls for ever.

    Args:
        logits: float [...], z, the label's logit less that of the other.
        eps: target of the other class, in [0, 1).

    Returns:
        float64 [...], nats; least at ln((1 - eps) / eps), which is
        ``optimal_logit_gap(alpha=2 * eps, num_classes=2)`` where eps is 1/2 or
        less.

    Raises:
        ValueError: on logits that are no numbers, or a bad eps.

    Source: Shen et al. 2021, figure 3.
    """
    if not 0 <= eps < 1:
        raise ValueError(f"wanted eps in [0, 1), got {eps}")
    z = outputs.real(logits, "logits").astype(np.float64)
    loss: Array = np.logaddexp(0.0, -z) + eps * z
    return loss


def bars(alphas: Sequence[float], num_classes: int, label: int) -> Array:
    """Gives the soft label of one class for several alphas, for a bar chart.

    Args:
        alphas: A weights of the uniform distribution, each in [0, 1].
        num_classes: K, 2 or more.
        label: class id.

    Returns:
        float64 [A, K], one distribution per row.

    Raises:
        ValueError: on bad alphas, K or label, or if there is no alpha.

    Source: Wagner et al. 2023, figure 1.
    """
    if not len(alphas):
        raise ValueError("wanted one alpha or more, got none")
    return np.stack(
        [
            soften_uniform(label, alpha=alpha, num_classes=num_classes)
            for alpha in alphas
        ]
    )


def _check_classes(num_classes: int) -> None:
    outputs.check_count(num_classes, "num_classes", 2)


def _p_from_alpha(alpha: float, num_classes: int) -> float:
    _check_classes(num_classes)
    if not 0 <= alpha <= 1:
        raise ValueError(f"wanted alpha in [0, 1], got {alpha}")
    return 1 - alpha + alpha / num_classes


def _distribution(
    labels: npt.ArrayLike, own: float, other: float, num_classes: int
) -> Array:
    ids = np.asarray(labels)
    if not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"wanted integer labels, got {ids.dtype}")
    if ids.size and (ids.min() < 0 or ids.max() >= num_classes):
        raise ValueError(
            f"wanted labels from 0 to {num_classes - 1}, "
            f"got {ids.min()} to {ids.max()}"
        )
    chosen = ids[..., None] == np.arange(num_classes)
    return np.where(chosen, own, other)
