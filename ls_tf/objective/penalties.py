"""What other authors do to a network's confidence, beside smoothed labels.

Most are the plain loss and a weight times a penalty on the logits; a weight of
0 is the plain loss, bit for bit where it can be looked at. Losses are per
example, unreduced, in nats and in float32 or better; numbers may be tensors of
a compiled function, as in ``objective.label_smoothing``.

A logit of ``-inf`` masks a class. It has no part in an entropy; a penalty on
the logits themselves is infinite there, but for a weight of 0.
"""

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from ls_tf.objective import label_smoothing
from ls_tf.objective.distillation import check_reduction
from ls_tf.objective.guarded import (
    LOWEST,
    as_float,
    check_count,
    check_number,
    check_shape,
    classes,
    entered,
    log_softmax,
    masked,
    seen,
)

SHAPES = ("concave", "linear", "convex")

_LOWEST = -1e12  # of a masked logit whose square has to be a number
_UNIT_BITS = 24  # of a draw that become a number in [0, 1), exact in float32
_DRAW_BITS = 31


def check_weight(weight: Any, name: str = "weight") -> None:
    """Refuses a weight below 0.

    Args:
        weight: a number; a tensor of a compiled function is let through.
        name: for the message.

    Raises:
        ValueError: it is negative or not finite.

    Source: ours.
    """
    check_number(weight, f"{name} of 0 or more", lambda w: w >= 0)


def _penalised(
    labels: Any, logits: Any, weight: Any, penalty: Callable[[Any], Any]
) -> Any:
    """``-log p_label + weight * penalty(logits)``."""
    logits = as_float(logits)
    hard = label_smoothing.nll(labels, logits)
    given = seen(weight)
    if given is not None and not given.any():
        return hard
    weight = ops.convert_to_tensor(weight, dtype=logits.dtype)
    free = ops.equal(weight, 0)
    return hard + weight * penalty(entered(logits, free, lowest=_LOWEST))


def entropy(logits: Any) -> Any:
    """The entropy of a softmax.

    Args:
        logits: float [..., K].

    Returns:
        float [...], nats, from 0 to log K.

    Source: Pereyra et al. 2017 (arXiv 1701.06548).
    """
    log_p = log_softmax(as_float(logits), True)
    return -ops.sum(ops.exp(log_p) * log_p, axis=-1)


def confidence_penalty(labels: Any, logits: Any, *, weight: Any) -> Any:
    """The plain loss less a share of the answer's entropy.

    ``H(p) = log K - KL(p || uniform)``: the same gradient as a penalty on the
    divergence of the answer from the uniform distribution. Smoothed labels
    penalise the divergence in the other direction, KL(uniform || p).

    Args:
        labels: int [...], class ids.
        logits: float [..., K].
        weight: scalar of 0 or more.

    Returns:
        float [...], nats: ``-log p_label - weight * H(p)``.

    Raises:
        ValueError: labels or a weight that are not as above.

    Source: Pereyra et al. 2017 (arXiv 1701.06548).
    """
    check_weight(weight)
    return _penalised(labels, logits, weight, lambda z: -entropy(z))


def margin_penalty(
    labels: Any,
    logits: Any,
    *,
    weight: Any,
    margin: Any,
    reduction: str = "sum",
) -> Any:
    """The plain loss and how far logits lie below the largest, past a margin.

    Args:
        labels: int [...], class ids.
        logits: float [..., K].
        weight: scalar of 0 or more.
        margin: scalar of 0 or more, the distance that is free.
        reduction: "sum" over the K classes, as the paper's equation has it,
            or "mean", as its authors' code does.

    Returns:
        float [...]: ``-log p_label + weight * sum_k max(0, max_j z_j - z_k -
        margin)``.

    Raises:
        ValueError: labels, a number or a reduction that are not as above.

    Source: Liu et al. 2022 (arXiv 2111.15430).
    """
    check_weight(weight)
    check_weight(margin, "margin")
    check_reduction(reduction)
    reduce = ops.sum if reduction == "sum" else ops.mean

    def penalty(logits: Any) -> Any:
        below = ops.max(logits, axis=-1, keepdims=True) - logits
        over = below - ops.convert_to_tensor(margin, dtype=logits.dtype)
        return reduce(ops.relu(over), axis=-1)

    return _penalised(labels, logits, weight, penalty)


def logit_penalty(labels: Any, logits: Any, *, weight: Any) -> Any:
    """The plain loss and a share of the logits' squared norm.

    Args:
        labels: int [...], class ids.
        logits: float [..., K].
        weight: scalar of 0 or more.

    Returns:
        float [...]: ``-log p_label + weight * sum_k z_k**2``.

    Raises:
        ValueError: labels or a weight that are not as above.

    Source: Kornblith et al. 2021 (arXiv 2010.16402), logit penalty. Their
    code takes half the squared norm: its beta is twice the weight here.
    """
    check_weight(weight)

    def penalty(logits: Any) -> Any:
        return ops.sum(ops.square(logits), axis=-1)

    return _penalised(labels, logits, weight, penalty)


def max_suppression(labels: Any, logits: Any, *, alpha: Any) -> Any:
    """The plain loss and how far the largest logit lies above their mean.

    Smoothed labels are the plain loss and ``alpha * (z_label - mean z)``, for
    a target is linear in the loss; this takes the largest logit instead of
    the label's. Both are one where the label's is the largest.

    Args:
        labels: int [...], class ids.
        logits: float [..., K].
        alpha: scalar in [0, 1].

    Returns:
        float [...]: ``-log p_label + alpha * (max_k z_k - mean_k z_k)``.

    Raises:
        ValueError: labels or ``alpha`` that are not as above.

    Source: Zhou et al. 2025 (arXiv 2502.15798), MaxSup.
    """
    label_smoothing.check_alpha(alpha)

    def penalty(logits: Any) -> Any:
        return ops.max(logits, axis=-1) - ops.mean(logits, axis=-1)

    return _penalised(labels, logits, alpha, penalty)


def focal_loss(labels: Any, logits: Any, *, gamma: Any) -> Any:
    """The plain loss, less of it the likelier the label is.

    ``(1 - p)**gamma`` comes from the logarithm of ``1 - p``, a difference of
    two log-sum-exps, so that gradients are finite where p is 1.

    Args:
        labels: int [...], class ids.
        logits: float [..., K], K of 2 or more.
        gamma: scalar of 0 or more; not the smoothness of that name.

    Returns:
        float [...], nats: ``-(1 - p_label)**gamma * log p_label``.

    Raises:
        ValueError: labels or ``gamma`` that are not as above.

    Source: Mukhoti et al. 2020 (arXiv 2002.09437), after Lin et al. 2017.
    """
    check_weight(gamma, "gamma")
    logits = as_float(logits)
    hard = label_smoothing.nll(labels, logits)
    ids, _ = classes(labels, logits.shape[-1])
    logits = ops.where(masked(logits), LOWEST, logits)
    label = ops.one_hot(ids, logits.shape[-1], dtype="bool")
    others = ops.where(label, LOWEST, logits)
    log_rest = ops.logsumexp(others, axis=-1) - ops.logsumexp(logits, axis=-1)
    gamma = ops.convert_to_tensor(gamma, dtype=logits.dtype)
    # Rounded, the others' sum may be the larger one.
    return ops.exp(gamma * ops.minimum(log_rest, 0)) * hard


def check_smoothing_of_classes(head: Any, tail: Any, shape: str) -> None:
    """Refuses what ``smoothing_of_classes`` could not take.

    Raises:
        ValueError: a number outside [0, 1), or no such shape.

    Source: ours.
    """
    for name, value in (("head", head), ("tail", tail)):
        check_number(value, f"{name} in [0, 1)", lambda v: 0 <= v < 1)
    if shape not in SHAPES:
        raise ValueError(
            f"wanted a shape of {', '.join(SHAPES)}, got {shape!r}"
        )


def smoothing_of_classes(
    frequencies: Any, *, head: Any, tail: Any, shape: str = "concave"
) -> Any:
    """How much the labels of each class are smoothed: more, if it is frequent.

    Args:
        frequencies: float [K], how often each class occurs.
        head: of the most frequent class, in [0, 1).
        tail: of the rarest, in [0, 1).
        shape: how it grows between them with the frequency: "concave" (a
            sine), "linear" or "convex". Where all classes are equally
            frequent, all have ``head``.

    Returns:
        float32 [K].

    Raises:
        ValueError: a number or a shape that is not as above.

    Source: Zhong et al. 2021 (arXiv 2104.00466), section 3.2; the shapes are
    also those of their code.
    """
    check_smoothing_of_classes(head, tail, shape)
    frequencies = ops.convert_to_tensor(frequencies, dtype="float32")
    least, most = ops.min(frequencies), ops.max(frequencies)
    span = ops.where(most > least, most - least, 1)
    share = ops.where(most > least, (frequencies - least) / span, 1)
    if shape == "concave":
        share = ops.sin(share * (math.pi / 2))
    elif shape == "convex":
        share = 1 + ops.sin((share + 3) * (math.pi / 2))
    head = ops.convert_to_tensor(head, dtype="float32")
    tail = ops.convert_to_tensor(tail, dtype="float32")
    return tail + (head - tail) * share


def label_aware_loss(
    labels: Any,
    logits: Any,
    frequencies: Any,
    *,
    head: Any,
    tail: Any,
    shape: str = "concave",
) -> Any:
    """Smoothed labels, those of frequent classes more.

    Args:
        labels: int [...], class ids.
        logits: float [..., K], K of 2 or more.
        frequencies: float [K].
        head: see ``smoothing_of_classes``.
        tail: likewise.
        shape: likewise.

    Returns:
        float [...], nats: the cross-entropy with ``1 - eps`` on the label and
        ``eps / (K - 1)`` on every other class, eps of the label's class.

    Raises:
        ValueError: labels, a number or a shape that are not as above.

    Source: Zhong et al. 2021 (arXiv 2104.00466), section 3.2. Their code
    spreads eps over all K classes, the label's too.
    """
    logits = as_float(logits)
    num_classes = logits.shape[-1]
    check_count(num_classes, "num_classes", 2)
    check_shape("frequencies", frequencies, (num_classes,))
    check_shape("labels", labels, logits.shape[:-1])
    eps = smoothing_of_classes(frequencies, head=head, tail=tail, shape=shape)
    ids, inside = classes(labels, num_classes)
    mine = ops.take(eps, ops.where(inside, ids, 0), axis=0)
    mine = ops.expand_dims(ops.where(inside, mine, math.nan), axis=-1)
    onehot = ops.one_hot(ids, num_classes, dtype=mine.dtype)
    rest = mine / (num_classes - 1)
    return label_smoothing.dense_loss(
        onehot * (1 - mine) + (1 - onehot) * rest, logits
    )


def disturbed(labels: Any, draws: Any, num_classes: int, alpha: Any) -> Any:
    """Replaces some labels by ones drawn among all classes.

    Args:
        labels: int [...], class ids.
        draws: int32 [..., 2], evenly drawn from 0 to 2**31 - 1.
        num_classes: K.
        alpha: scalar in [0, 1], the probability that a label is drawn anew;
            what is drawn may be the label again.

    Returns:
        int32 [...]; the label with probability ``1 - alpha + alpha / K``.

    Raises:
        ValueError: ``alpha`` or shapes that are not as above.

    Source: Xie et al. 2016 (arXiv 1605.00055).
    """
    label_smoothing.check_alpha(alpha)
    check_shape("draws", draws, (*ops.shape(labels), 2))
    draws = ops.convert_to_tensor(draws, dtype="int32")
    # Few enough bits that every draw is a float32 of its own.
    unit = ops.cast(draws[..., 0] // 2 ** (_DRAW_BITS - _UNIT_BITS), "float32")
    chosen = unit / 2**_UNIT_BITS < ops.convert_to_tensor(alpha, "float32")
    return ops.where(chosen, draws[..., 1] % num_classes, labels)
