"""What makes hypotheses of different lengths comparable."""

from typing import Any

from keras import ops


def length_penalty(length: Any, alpha: Any) -> Any:
    """Gives what a hypothesis' log-probability is divided by.

    Args:
        length: int [...], generated tokens, the end of the sentence included.
        alpha: 0 or more; 0 is no penalty. Not the alpha of the smoothing.

    Returns:
        float32 [...]: ``((5 + length) / 6) ** alpha``; 1 at length 1.

    Source: Wu et al. 2016, arXiv 1609.08144, equation 14; T2T's
    ``beam_search``.
    """
    length = ops.cast(length, "float32")
    return ops.power((5.0 + length) / 6.0, ops.cast(alpha, "float32"))
