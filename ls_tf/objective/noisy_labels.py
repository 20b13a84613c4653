"""Losses that allow for noisy labels: forward correction, smoothed logits.

Labels, logits and errors are as in ``objective.label_smoothing``; ranges are
checked of what can be looked at.
"""

import math
from typing import Any

import numpy as np
from keras import ops

from ls_tf.objective.guarded import (
    as_float,
    check_number,
    check_shape,
    classes,
    log_softmax,
)
from ls_tf.objective.label_smoothing import check_p, nll

_SUM_TOLERANCE = 1e-6


def check_kept(kept: Any) -> None:
    """Refuses a rate of kept labels outside [0, 1].

    Args:
        kept: a number; a tensor of a compiled function is let through.

    Raises:
        ValueError: it is out of range.

    Source: ours.
    """
    check_number(
        kept, "kept, how often a label is, in [0, 1]", lambda a: 0 <= a <= 1
    )


def check_rows(transition: Any) -> None:
    """Refuses what are no distributions of observed labels.

    Args:
        transition: rows by true class, each what is observed of it.

    Raises:
        ValueError: not square, or a row does not sum to 1.

    Source: ours.
    """
    for number, row in enumerate(transition):
        if len(row) != len(transition):
            raise ValueError(
                f"wanted {len(transition)} probabilities in row {number} of "
                f"the transition, got {len(row)}"
            )
        if not (min(row) >= 0 and abs(math.fsum(row) - 1) <= _SUM_TOLERANCE):
            raise ValueError(
                f"wanted probabilities that sum to 1 in row {number} of the "
                f"transition, got {row!r}"
            )


def _log_likelihoods(ids: Any, kept: Any, num_classes: int, dtype: str) -> Any:
    """Log of P(observed label | true class j), float [..., K] over j."""
    own = ops.cast(ops.one_hot(ids, num_classes, dtype="float32"), "bool")
    kept = ops.convert_to_tensor(kept, dtype=dtype)
    return ops.where(
        own, ops.log(kept), ops.log((1 - kept) / (num_classes - 1))
    )


def forward_loss(
    labels: Any, logits: Any, *, kept: Any = 1.0, transition: Any = ()
) -> Any:
    """Negative log-likelihood of noisy labels, of a network of true ones.

    The network's answer f goes through the noise before it is compared:
    ``-log sum_j f_j P(label | j)``. At its minimum f is what is true, and the
    loss what the best smoothed target reaches.

    Args:
        labels: int [...], observed class ids.
        logits: float [..., K], K of 2 or more.
        kept: scalar in [0, 1], how often a label is the true one; else it is
            any other, each equally likely.
        transition: K rows by true class of K probabilities of what is
            observed, instead of ``kept``; none with ().

    Returns:
        float [...], nats.

    Raises:
        ValueError: labels, ``kept`` or ``transition`` that are not as above.

    Source: Patrini et al. 2017 (arXiv 1609.03683), forward correction; Chen
    et al. 2020, equation 18.
    """
    check_kept(kept)
    logits = as_float(logits)
    num_classes = logits.shape[-1]
    check_shape("labels", labels, logits.shape[:-1])
    ids, inside = classes(labels, num_classes)
    log_f = log_softmax(logits, False, inside)
    if len(transition):
        check_shape("a transition", transition, (num_classes, num_classes))
        with np.errstate(divide="ignore"):
            by_label = np.log(np.transpose(np.asarray(transition, np.float64)))
        noise = ops.take(
            ops.convert_to_tensor(by_label, dtype=log_f.dtype), ids, axis=0
        )
    else:
        noise = _log_likelihoods(ids, kept, num_classes, log_f.dtype)
    # Finite, so that no gradient is infinity less infinity.
    return -ops.logsumexp(ops.maximum(noise, -1e30) + log_f, axis=-1)


def logit_smoothing_loss(labels: Any, logits: Any, *, p: Any) -> Any:
    """Negative log-likelihood where the logits are smoothed, not the labels.

    Each logit becomes p of its own and (1 - p) / (K - 1) of every other one,
    which divides all of them by the temperature 1 / (p - (1 - p) / (K - 1))
    and adds what a softmax does not see.

    Args:
        labels: int [...], class ids.
        logits: float [..., K], K of 2 or more.
        p: scalar in (0, 1].

    Returns:
        float [...], nats; log K at p = 1 / K, whatever the logits.

    Raises:
        ValueError: labels or ``p`` that are not as above.

    Source: Chen et al. 2020, equation 19.
    """
    check_p(p)
    logits = as_float(logits)
    p = ops.convert_to_tensor(p, dtype=logits.dtype)
    other = (1 - p) / (logits.shape[-1] - 1)
    return nll(labels, (p - other) * logits)
