"""Local response normalization on JAX in one pass, with its own gradient.

A product with a matrix has to have its factors in memory, in float32: five
passes for each layer forward, and more on the way back. The sum over a few
neighbours as a sum of shifted slices is element by element: XLA merges it
with the squares before it and the power behind it into one kernel, in which
float32 exists in registers alone. On the way back the energy is computed again
from the input, so that nothing else is kept.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Tensor = Any


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def normalize(
    x: Tensor, depth_radius: int, bias: float, alpha: float, beta: float
) -> Tensor:
    """Divides each activation by a power of its neighbours' energy.

    Args:
        x: float [..., C].
        depth_radius: how many channels on either side count, 0 or more.
        bias: positive.
        alpha: 0 or more.
        beta: the exponent.

    Returns:
        Of the shape and type of ``x``, computed in float32.

    Source: as the layer in ``local_response_norm.py``; the gradient is ours.
    """
    wide = x.astype(np.float32)
    energy = bias + alpha * _near(wide * wide, depth_radius)
    return (wide * _power(energy, beta)).astype(x.dtype)


def _near(values: Tensor, radius: int) -> Tensor:
    """For each channel, the sum over those that are near: float [..., C]."""
    channels = values.shape[-1]
    radius = min(radius, channels - 1)
    sides = [(0, 0, 0)] * (values.ndim - 1) + [(radius, radius, 0)]
    padded = lax.pad(values, np.array(0, values.dtype), sides)
    return functools.reduce(
        lax.add,
        [
            lax.slice_in_dim(padded, first, first + channels, axis=-1)
            for first in range(2 * radius + 1)
        ],
    )


def _power(energy: Tensor, beta: float) -> Tensor:
    """``energy ** -beta``."""
    if beta == 0.75:
        # Equal up to rounding; a general power takes most of the time.
        root = lax.rsqrt(energy)
        return root * lax.sqrt(root)
    return jnp.power(energy, -beta)


def _forward(
    x: Tensor, depth_radius: int, bias: float, alpha: float, beta: float
) -> tuple[Tensor, tuple[Tensor]]:
    return normalize(x, depth_radius, bias, alpha, beta), (x,)


def _backward(
    depth_radius: int,
    bias: float,
    alpha: float,
    beta: float,
    kept: tuple[Tensor],
    dy: Tensor,
) -> tuple[Tensor]:
    """What each channel gets, of its own output and of those near it.

    With the energy n_j of channel j, and the sum over the j near i::

        dx_i = dy_i n_i^-beta
            - 2 alpha beta x_i sum_j dy_j x_j n_j^(-beta - 1)
    """
    (x,) = kept
    wide, slope = x.astype(np.float32), dy.astype(np.float32)
    energy = bias + alpha * _near(wide * wide, depth_radius)
    power = _power(energy, beta)
    # In memory: each neighbour would otherwise sum up its own neighbours.
    pulls = lax.optimization_barrier(  # type: ignore[no-untyped-call]
        slope * wide * power / energy
    )
    dx = slope * power - (2 * alpha * beta) * wide * _near(pulls, depth_radius)
    return (dx.astype(x.dtype),)


normalize.defvjp(_forward, _backward)
