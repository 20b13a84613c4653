"""Targets that are learnt while a network is trained."""

from typing import Any

from keras import ops

from ls_tf import kernels
from ls_tf.objective import label_smoothing
from ls_tf.objective.guarded import as_float, check_shape, classes, entered


def learnt_target_loss(
    labels: Any, logits: Any, learnt: Any, *, alpha: Any
) -> Any:
    """Mixes the plain loss with that on a target of each class.

    Args:
        labels: int [...], class ids.
        logits: float [..., K].
        learnt: float [K, K], a distribution for each label; no gradient
            flows to it.
        alpha: scalar in [0, 1], its weight.

    Returns:
        float [...], nats: ``(1 - alpha) * H(y, p) + alpha * H(s_y, p)``.

    Raises:
        ValueError: labels, shapes or ``alpha`` that are not as above.

    Source: Zhang et al. 2021 (arXiv 2011.12562).
    """
    label_smoothing.check_alpha(alpha)
    logits = as_float(logits)
    num_classes = logits.shape[-1]
    check_shape("learnt targets", learnt, (num_classes, num_classes))
    ids, inside = classes(labels, num_classes)
    rows = ops.take(
        ops.stop_gradient(ops.convert_to_tensor(learnt)),
        ops.where(inside, ids, 0),
        axis=0,
    )
    hard = label_smoothing.nll(labels, logits)
    alpha = ops.convert_to_tensor(alpha, dtype=hard.dtype)
    soft = label_smoothing.dense_loss(
        rows, entered(logits, ops.equal(alpha, 0))
    )
    return (1 - alpha) * hard + alpha * soft


def seen(labels: Any, logits: Any) -> Any:
    """Adds up the answers to each class that are right.

    Args:
        labels: int [N], class ids.
        logits: float [N, K].

    Returns:
        float32 [K, K], row by label: the sum of the softmax of the examples
        whose largest logit is the label's. No gradient flows through it.

    Raises:
        ValueError: labels that are not as above.

    Source: Zhang et al. 2021 (arXiv 2011.12562).
    """
    logits = ops.stop_gradient(as_float(logits))
    num_classes = logits.shape[-1]
    ids, _ = classes(labels, num_classes)
    onehot = ops.one_hot(ids, num_classes, dtype=logits.dtype)
    right = ops.equal(kernels.argmax(logits), ids)
    weight = ops.expand_dims(ops.cast(right, logits.dtype), axis=-1)
    probs = ops.softmax(logits, axis=-1)
    return ops.matmul(ops.transpose(weight * onehot), probs)
