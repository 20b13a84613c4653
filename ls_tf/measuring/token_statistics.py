"""What logits say of next subwords: as meant, and as the replication has it."""

import math

from keras import ops

from ls_tf import kernels
from ls_tf.objective import guarded
from ls_tf.protocols import Tensor


def next_token(
    logits: Tensor, target: Tensor, grid: Tensor
) -> dict[str, Tensor]:
    """Likelihood and confidence at some temperatures.

    Args:
        logits: float32 [B, T, V], given the right subwords before.
        target: int [B, T], ids.
        grid: float32 [R], temperatures; each divides the logits.

    Returns:
        dict: ``nll`` and ``confidence`` float32 [B, T, R], ``correct`` bool
        [B, T].

    Source: ours.
    """
    ids, inside = guarded.classes(target, logits.shape[-1])
    right = ops.where(inside, kernels.pick(logits, ids), math.nan)
    top = ops.max(logits, axis=-1)
    nll, confidence = [], []
    # One temperature after the other: [B, T, R, V] would not fit.
    for r in range(grid.shape[0]):
        norm = ops.logsumexp(logits / grid[r], axis=-1)
        nll.append(norm - right / grid[r])
        confidence.append(ops.exp(top / grid[r] - norm))
    return {
        "nll": ops.stack(nll, axis=-1),
        "confidence": ops.stack(confidence, axis=-1),
        "correct": kernels.argmax(logits) == target,
    }


def replicated(
    logits: Tensor, target: Tensor, grid: Tensor, positions: Tensor
) -> dict[str, Tensor]:
    """The same with the softmax of the likelihood over positions.

    The exponential of the right subword's logit is divided by the sum of
    its exponentials at all positions of the sentence, padding among them,
    where the sum over the vocabulary belongs.

    Args:
        logits: float32 [B, T, V].
        target: int [B, T], ids; padding is 0.
        grid: float32 [R], temperatures.
        positions: int scalar: how many of the T columns count.

    Returns:
        dict: ``nll_over_positions`` and ``confidence`` float32 [B, T, R],
        ``correct`` bool [B, T].

    Source: ours; the error is that of Wagner et al. 2023.
    """
    size, length = ops.shape(target)
    # [B, S, T]: at each position s, the logit of the right subword of t.
    ids = ops.broadcast_to(target[:, None, :], (size, length, length))
    of_right = ops.take_along_axis(logits, ids, axis=2)
    right = kernels.pick(logits, target)
    counts = ops.arange(length, dtype="int32") < positions
    of_right = ops.where(counts[None, :, None], of_right, -math.inf)
    top = ops.max(logits, axis=-1)
    nll, confidence = [], []
    for r in range(grid.shape[0]):
        over_positions = ops.logsumexp(of_right / grid[r], axis=1)
        nll.append(over_positions - right / grid[r])
        norm = ops.logsumexp(logits / grid[r], axis=-1)
        confidence.append(ops.exp(top / grid[r] - norm))
    return {
        "nll_over_positions": ops.stack(nll, axis=-1),
        "confidence": ops.stack(confidence, axis=-1),
        "correct": kernels.argmax(logits) == target,
    }
