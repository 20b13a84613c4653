"""Cross-entropy with smoothed labels, and the notations of the literature.

Three numbers describe the same target over K classes:

* ``alpha``: ``(1 - alpha) * onehot + alpha / K`` (Mueller et al. 2019, 1.1;
  Szegedy et al. 2016). The label holds ``1 - alpha + alpha / K``.
* ``eps``: ``1 - eps`` on the label and ``eps / (K - 1)`` on every other class
  (tensor2tensor). ``alpha = eps * K / (K - 1)``.
* ``p``: the probability on the label, ``p = 1 - eps``. Below ``1 / K`` it is
  "anti-smoothing", which no ``alpha`` in [0, 1] can express.

``analysis.soft_labels`` converts them.

Every loss here is per example or token, unreduced, in nats, and in float32 or
better. A range is checked of what can be looked at: inside a compiled
function these arguments may be tensors, so that one program serves many
values. Labels are checked likewise; in a compiled function one that is no
class gives NaN.

A logit of ``-inf`` masks a class. A target of 0 on it costs nothing, so that
``alpha=0`` is the plain loss there too; any other target costs infinity, or,
where the label is masked itself, no number at all.
"""

import math
from typing import Any

from keras import ops

from ls_tf.kernels import pick
from ls_tf.objective.guarded import (
    as_float,
    check_count,
    check_number,
    check_shape,
    classes,
    log_softmax,
    masked,
    seen,
)

SPREADS = ("uniform", "others")


def check_alpha(alpha: Any) -> None:
    """Refuses a weight of the uniform distribution outside [0, 1].

    Args:
        alpha: a number; a tensor of a compiled function is let through
            unchecked.

    Raises:
        ValueError: if ``alpha`` is a number outside [0, 1].

    Source: ours.
    """
    check_number(alpha, "alpha in [0, 1]", lambda a: 0 <= a <= 1)


def check_p(p: Any) -> None:
    """Refuses a probability on the label outside (0, 1].

    Args:
        p: a number; a tensor of a compiled function is let through unchecked.

    Raises:
        ValueError: if ``p`` is a number outside (0, 1].

    Source: ours.
    """
    check_number(
        p, "p, the probability on the label, in (0, 1]", lambda p: 0 < p <= 1
    )


def _check_classes(num_classes: int) -> None:
    check_count(num_classes, "num_classes", 2)


def _check_spread(spread: str, prior: Any, num_classes: int) -> None:
    if spread not in SPREADS:
        raise ValueError(
            f"wanted a spread of {', '.join(SPREADS)}, got {spread!r}"
        )
    if spread == "others":
        _check_classes(num_classes)
        if prior is not None:
            raise ValueError("spread 'others' takes no prior")
    if prior is None:
        return
    shape = tuple(prior.shape) if hasattr(prior, "shape") else (len(prior),)
    if shape != (num_classes,):
        raise ValueError(
            f"wanted a prior of shape ({num_classes},), got {shape}"
        )
    given = seen(prior)
    if given is not None:
        values = [float(value) for value in given]
        total = math.fsum(values)
        # NaN is neither 0 or more nor near to 1.
        if not (min(values) >= 0 and abs(total - 1) <= 1e-5):
            raise ValueError(
                "wanted a prior of probabilities that sum to 1, got minimum "
                f"{min(values)} and sum {total}"
            )


def soften(
    labels: Any,
    alpha: Any,
    num_classes: int,
    spread: str = "uniform",
    prior: Any = None,
) -> Any:
    """Mixes one-hot labels with another distribution.

    Args:
        labels: int [...], class ids.
        alpha: scalar in [0, 1], weight of the other distribution.
        num_classes: K.
        spread: "uniform" takes the distribution over all K classes;
            "others" takes the one over the K - 1 classes that are not the
            label, so that ``alpha`` is what the literature calls eps.
        prior: float [K], probabilities to take instead of the uniform ones
            (unigram smoothing); only with ``spread="uniform"``.

    Returns:
        float32 [..., K]: ``(1 - alpha) * onehot + alpha * other``. Each row
        sums to 1.

    Raises:
        ValueError: if labels, ``alpha``, ``spread`` or ``prior`` are not as
            above.

    Source: Mueller et al. 2019, 1.1 (uniform) and App. B (unigram);
    tensor2tensor (others).
    """
    check_alpha(alpha)
    _check_spread(spread, prior, num_classes)
    ids, inside = classes(labels, num_classes)
    onehot = ops.one_hot(ids, num_classes, dtype="float32")
    onehot = ops.where(ops.expand_dims(inside, axis=-1), onehot, math.nan)
    alpha = ops.convert_to_tensor(alpha, dtype="float32")
    if spread == "others":
        return (1 - alpha) * onehot + alpha * (1 - onehot) / (num_classes - 1)
    if prior is not None:
        return (1 - alpha) * onehot + alpha * ops.convert_to_tensor(
            prior, dtype="float32"
        )
    return (1 - alpha) * onehot + alpha / num_classes


def dense_loss(soft_targets: Any, logits: Any) -> Any:
    """Cross-entropy against whole distributions.

    Args:
        soft_targets: float [..., K], rows that sum to 1.
        logits: float [..., K].

    Returns:
        float [...], nats: ``-sum_k target_k log p_k``.

    Raises:
        ValueError: targets of another shape than the logits.

    Source: Mueller et al. 2019, 1.1.
    """
    logits = as_float(logits)
    check_shape("targets", soft_targets, logits.shape)
    log_p = log_softmax(logits, ops.equal(soft_targets, 0))
    return -ops.sum(ops.cast(soft_targets, log_p.dtype) * log_p, axis=-1)


def nll(labels: Any, logits: Any) -> Any:
    """Negative log-likelihood of the labels: the loss without smoothing.

    Args:
        labels: int [...], class ids.
        logits: float [..., K].

    Returns:
        float [...], nats: ``-log p_label``.

    Raises:
        ValueError: labels that are not as above.

    Source: Mueller et al. 2019, 1.1.
    """
    logits = as_float(logits)
    check_shape("labels", labels, logits.shape[:-1])
    ids, inside = classes(labels, logits.shape[-1])
    return -pick(log_softmax(logits, False, inside), ids)


def _mixed(
    labels: Any, logits: Any, alpha: Any, spread: str, prior: Any
) -> Any:
    given = seen(alpha)
    logits = as_float(logits)
    num_classes = logits.shape[-1]
    _check_spread(spread, prior, num_classes)
    if given is not None and not given.any():
        return nll(labels, logits)
    check_shape("labels", labels, logits.shape[:-1])
    ids, inside = classes(labels, num_classes)
    # Not ops.cast, which takes a Python number through float32.
    alpha = ops.convert_to_tensor(alpha, dtype=logits.dtype)
    if prior is not None:
        prior = ops.convert_to_tensor(prior, dtype=logits.dtype)
    share = ops.not_equal(alpha if prior is None else alpha * prior, 0)
    # A masked label costs infinity, which 0 times infinity would hide.
    inside = ops.logical_and(inside, ops.logical_not(pick(masked(logits), ids)))
    log_p = log_softmax(logits, ops.logical_not(share), inside)  # [..., K]
    hard = -pick(log_p, ids)  # [...]
    if spread == "others":
        rest = -ops.sum(log_p, axis=-1) - hard
        return (1 - alpha) * hard + alpha * rest / (num_classes - 1)
    if prior is None:
        other = -ops.mean(log_p, axis=-1)
    else:
        other = -ops.sum(prior * log_p, axis=-1)
    return (1 - alpha) * hard + alpha * other


def sparse_loss(
    labels: Any,
    logits: Any,
    *,
    alpha: Any,
    spread: str = "uniform",
    prior: Any = None,
) -> Any:
    """Smoothed cross-entropy from class ids, without building the target.

    Cross-entropy is linear in the target, so the loss is a mixture of the
    negative log-likelihood and of the mean of ``-log p_k``: a vocabulary of
    30,000 classes needs no target array of that size.

    Args:
        labels: int [...], class ids.
        logits: float [..., K].
        alpha: scalar in [0, 1], as in ``soften``.
        spread: as in ``soften``.
        prior: as in ``soften``.

    Returns:
        float [...], nats; equals
        ``dense_loss(soften(labels, alpha, K, spread, prior), logits)``.

    Raises:
        ValueError: if labels, ``alpha``, ``spread`` or ``prior`` are out of
            range.

    Source: Mueller et al. 2019, 1.1; the closed form is ours.
    """
    check_alpha(alpha)
    return _mixed(labels, logits, alpha, spread, prior)


def target_loss(labels: Any, logits: Any, *, p: Any) -> Any:
    """Cross-entropy against ``p`` on the label, the rest spread evenly.

    Args:
        labels: int [...], class ids.
        logits: float [..., K], K of 2 or more.
        p: scalar in (0, 1], the probability on the label. 1 is the plain
            loss, ``1 / K`` the uniform target, less is anti-smoothing.

    Returns:
        float [...], nats.

    Raises:
        ValueError: if labels or ``p`` are out of range or K is below 2.

    Source: Chen et al. 2020, equation 1.
    """
    check_p(p)
    return _mixed(labels, logits, 1 - p, "others", None)
