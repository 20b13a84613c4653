"""A function whose activations JAX computes again on the way back.

``jax.checkpoint`` tells XLA so with a barrier, which XLA drops on a CPU, and
then finds the second computation to be the first: nothing is saved. Here the
second one depends on the gradient that comes back, as it does in truth; no
compiler may take it for the first, or begin it early.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def remat(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the function with a gradient that keeps its arguments alone.

    Args:
        function: of arrays to a tuple of arrays, pure; the first of both are
            floats [B, ...], one row for each example.

    Returns:
        The function; its value, and its gradient, are the same to rounding.

    Source: ours.
    """

    @jax.custom_vjp
    def recomputed(*arrays: Any) -> Any:
        return function(*arrays)

    def forward(*arrays: Any) -> Any:
        return function(*arrays), arrays

    def backward(arrays: Any, gradients: Any) -> Any:
        first, *others = arrays
        gradient = gradients[0]
        # One number of each example's gradient [B]: where it is none, what
        # comes of it is none either. Examples stay on their devices.
        one = gradient[(slice(None), *(0,) * (gradient.ndim - 1))]
        is_none = jnp.isnan(one).reshape(-1, *(1,) * (first.ndim - 1))
        first = jnp.where(is_none, jnp.nan, first)
        _, back = jax.vjp(function, first, *others)
        return back(gradients)

    recomputed.defvjp(forward, backward)
    return recomputed
