"""How far a network's last layers have collapsed, and what they collapse to.

Trained long enough, activations of a class shrink to their mean (NC1), the
class means become the corners of a regular simplex (NC2), and the templates
point to them (NC3). Each measure is 0 at the collapse.
"""

import math

import numpy as np
import numpy.typing as npt

from ls_tf.analysis import outputs
from ls_tf.analysis.outputs import Array


def simplex(num_classes: int) -> Array:
    """The Gram matrix of a regular simplex about 0, of Frobenius norm 1.

    Args:
        num_classes: K, 2 or more.

    Returns:
        float64 [K, K]: ``(I - 1 1' / K) / sqrt(K - 1)``.

    Raises:
        ValueError: fewer than two classes.

    Source: Papyan et al. 2020.
    """
    outputs.check_count(num_classes, "num_classes", 2)
    centre = np.eye(num_classes) - 1 / num_classes
    result: Array = centre / math.sqrt(num_classes - 1)
    return result


def class_means(activations: npt.ArrayLike, labels: npt.ArrayLike) -> Array:
    """The mean activation of each class.

    Args:
        activations: float [N, D].
        labels: int [N], of K classes that all occur, numbered from 0.

    Returns:
        float64 [K, D].

    Raises:
        ValueError: bad shapes, or a class without examples.

    Source: Papyan et al. 2020.
    """
    rows, ids = _checked(activations, labels)
    counts = np.bincount(ids)
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, ids, rows)
    result: Array = sums / counts[:, None]
    return result


def nc1(activations: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """How large the scatter within classes is, by that between them.

    Args:
        activations: float [N, D].
        labels: int [N]; see ``class_means``.

    Returns:
        float, 0 or more: ``tr(S_W pinv(S_B)) / K``, with S_W the mean over
        examples and S_B over classes.

    Raises:
        ValueError: as ``class_means``, or all class means are one.

    Source: Papyan et al. 2020; Guo et al. 2024 (arXiv 2402.03979).
    """
    rows, ids = _checked(activations, labels)
    means = class_means(rows, ids)
    apart = means - means.mean(axis=0)  # [K, D], of rank K - 1 at most
    # S_B = apart' apart / K. Its pseudo-inverse lies in the span of apart.
    _, sizes, axes = np.linalg.svd(apart, full_matrices=False)
    kept = sizes > 1e-7 * sizes[0] if sizes[0] > 0 else sizes > 0
    if not kept.any():
        raise ValueError("wanted class means that differ, got one for all")
    within = (rows - means[ids]) @ axes[kept].T  # [N, rank]
    scatter = (within**2).mean(axis=0)
    # tr / K with eigenvalues sizes**2 / K: the K cancels.
    return float(np.sum(scatter / sizes[kept] ** 2))


def nc2(vectors: npt.ArrayLike) -> float:
    """How far class means, or templates, are from a regular simplex.

    Args:
        vectors: float [K, D]; their mean is taken off first.

    Returns:
        float in [0, 2]: the Frobenius distance of the Gram matrix, scaled to
        norm 1, to ``simplex``.

    Raises:
        ValueError: fewer than two vectors, or all equal.

    Source: Zhu et al. 2021; Guo et al. 2024 (arXiv 2402.03979).
    """
    rows = outputs.finite(vectors, "vectors")
    rows = rows - rows.mean(axis=0)
    return _distance(rows @ rows.T)


def nc3(means: npt.ArrayLike, templates: npt.ArrayLike) -> float:
    """How far templates are from pointing to the means of their classes.

    Args:
        means: float [K, D], of ``class_means``; their mean is taken off.
        templates: float [K, D].

    Returns:
        float in [0, 2]: the Frobenius distance of the product, scaled to norm
        1, to ``simplex``.

    Raises:
        ValueError: shapes that differ, or a product of 0.

    Source: Zhu et al. 2021; Guo et al. 2024 (arXiv 2402.03979).
    """
    rows, others = (
        outputs.finite(means, "means"),
        outputs.finite(templates, "templates"),
    )
    if rows.shape != others.shape:
        raise ValueError(
            f"wanted templates of shape {rows.shape}, got {others.shape}"
        )
    return _distance(others @ (rows - rows.mean(axis=0)).T)


def logit_gap(
    num_classes: int,
    alpha: float,
    *,
    templates_decay: float = 0.0,
    activations_decay: float = 0.0,
    per_class: int = 1,
) -> float:
    """The label's logit less any other at the minimum of the smoothed loss.

    Of the model in which activations are free parameters too. With X the
    activations and W the templates it minimises the mean loss ``+
    templates_decay / 2 |W|^2 + activations_decay / 2 |X|^2``. The minimum is a
    regular simplex, with the gap ``log(K / (alpha + K c) - K + 1)``, where c
    is ``sqrt(per_class * templates_decay * activations_decay)``; 0 from
    ``alpha + K c = 1`` on. Without decay it is the gap of the best softmax.

    Args:
        num_classes: K, 2 or more.
        alpha: in [0, 1].
        templates_decay: 0 or more.
        activations_decay: 0 or more.
        per_class: examples of each class.

    Returns:
        float, logits; infinite for hard labels without decay.

    Raises:
        ValueError: a number out of range.

    Source: Guo et al. 2024 (arXiv 2402.03979), global minimisers, for equal
    classes and no bias.
    """
    outputs.check_count(num_classes, "num_classes", 2)
    outputs.check_count(per_class, "per_class", 1)
    if not 0 <= alpha <= 1:
        raise ValueError(f"wanted alpha in [0, 1], got {alpha}")
    if not (templates_decay >= 0 and activations_decay >= 0):
        raise ValueError(
            f"wanted decays of 0 or more, got {templates_decay} and "
            f"{activations_decay}"
        )
    c = math.sqrt(per_class * templates_decay * activations_decay)
    share = alpha + num_classes * c
    if share == 0:
        return math.inf
    return math.log(max(num_classes / share - num_classes + 1, 1.0))


def minimiser(
    num_classes: int,
    alpha: float,
    *,
    templates_decay: float,
    activations_decay: float,
    per_class: int,
) -> tuple[Array, Array]:
    """Templates and class means at the minimum of ``logit_gap``'s model.

    Args:
        num_classes: K.
        alpha: in [0, 1].
        templates_decay: more than 0.
        activations_decay: more than 0.
        per_class: examples of each class.

    Returns:
        (templates [K, K], means [K, K]), float64; any rotation of both is a
        minimum too.

    Raises:
        ValueError: as ``logit_gap``, or a decay of 0.

    Source: Guo et al. 2024 (arXiv 2402.03979), global minimisers.
    """
    if not (templates_decay > 0 and activations_decay > 0):
        raise ValueError("wanted decays of more than 0")
    gap = logit_gap(
        num_classes,
        alpha,
        templates_decay=templates_decay,
        activations_decay=activations_decay,
        per_class=per_class,
    )
    centre = np.eye(num_classes) - 1 / num_classes
    # Both parts of the penalty are equal there.
    ratio = (per_class * activations_decay / templates_decay) ** 0.25
    root = math.sqrt(gap)
    return ratio * root * centre, root / ratio * centre


def class_separation(
    activations: npt.ArrayLike, labels: npt.ArrayLike
) -> float:
    """One less the mean cosine distance within classes over that of all.

    Args:
        activations: float [N, D], none of them 0.
        labels: int [N]; see ``class_means``.

    Returns:
        float of at most 1, the value of classes that are each one direction.
        Pairs of an example with itself count, as they do in the source.

    Raises:
        ValueError: as ``class_means``; a row of 0; or all of one direction.

    Source: Kornblith et al. 2021 (arXiv 2010.16402), class separation R^2.
    """
    rows, ids = _checked(activations, labels)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (norms > 0).all():
        raise ValueError("wanted activations other than 0")
    means = class_means(rows / norms, ids)
    # A mean cosine over all pairs is the squared norm of the mean.
    within = 1 - (means**2).sum(axis=1).mean()
    total = 1 - (means.mean(axis=0) ** 2).sum()
    if not total > 1e-12:
        raise ValueError("wanted activations of more than one direction")
    return float(1 - within / total)


def _distance(product: Array) -> float:
    size = np.linalg.norm(product)
    if not size > 0:
        raise ValueError("wanted vectors that differ, got one for all classes")
    return float(np.linalg.norm(product / size - simplex(len(product))))


def _checked(
    activations: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[Array, Array]:
    rows, ids = outputs.finite(activations, "activations"), np.asarray(labels)
    if rows.ndim != 2 or ids.shape != rows.shape[:1] or not len(ids):
        raise ValueError(
            "wanted activations [N, D] and labels [N], got shapes "
            f"{rows.shape} and {ids.shape}"
        )
    if not np.issubdtype(ids.dtype, np.integer) or ids.min() < 0:
        raise ValueError("wanted labels of integers from 0 on")
    counts = np.bincount(ids)
    if len(counts) < 2 or not counts.all():
        raise ValueError(
            "wanted 2 or more classes with examples of each, got counts "
            f"{counts.tolist()}"
        )
    return rows, ids
