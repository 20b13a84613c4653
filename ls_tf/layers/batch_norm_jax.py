"""Batch normalization on JAX in as few passes and meetings as there can be.

``keras.ops`` takes the mean and then, going over the activations again, the
variance; the gradient that JAX derives from it goes over them several times
more, and over devices each of these sums is a meeting of its own. Here there
are four passes, two forward and two back: one that adds up and one that
computes, from the layer's input alone, each time. ``batch_norm.py`` imports
this module at the first use.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

# Without types in JAX.
_spec: Any = jax.sharding.PartitionSpec
_psum: Any = jax.lax.psum
_pmean: Any = jax.lax.pmean

Tensor = Any
# The devices among which the batch is divided, and the name of their axis;
# None is one device.
Devices = tuple[jax.sharding.Mesh, str] | None


def fits(x: Tensor, devices: Devices) -> bool:
    """Whether this is written for such activations.

    Args:
        x: [B, ..., C].
        devices: among which the batch is divided.
    """
    parts = 1 if devices is None else devices[0].size
    return x.dtype in (jnp.float32, jnp.bfloat16) and x.shape[0] % parts == 0


@functools.partial(jax.custom_vjp, nondiff_argnums=(4, 5))
def normalize(
    x: Tensor,
    scale: Tensor,
    offset: Tensor,
    moving_mean: Tensor,
    epsilon: float,
    devices: Devices,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalizes with the statistics of the batch.

    Args:
        x: float32 or bfloat16 [B, ..., C]; over devices, B is divided among
            them into equal parts.
        scale: float32 [C], gamma.
        offset: float32 [C], beta.
        moving_mean: float32 [C], near which the mean is thought to be.
        epsilon: added to the variance, under the root.
        devices: among which the batch is divided.

    Returns:
        What is normalized, of the shape and type of ``x``; the batch's mean
        and its biased variance, float32 [C], without gradient.

    Source: Ioffe and Szegedy 2015, section 3, with its gradient.
    """
    return _forward(x, scale, offset, moving_mean, epsilon, devices)[0]


def _forward(
    x: Tensor,
    scale: Tensor,
    offset: Tensor,
    moving_mean: Tensor,
    epsilon: float,
    devices: Devices,
) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, ...]]:
    mean, variance = _over(devices, _statistics, 1)(x, moving_mean)
    inverse = jax.lax.rsqrt(variance + epsilon)
    y = (x.astype(jnp.float32) - mean) * (scale * inverse) + offset
    kept = x, scale, mean, inverse
    return (y.astype(x.dtype), mean, variance), kept


def _backward(
    epsilon: float,
    devices: Devices,
    kept: tuple[Tensor, ...],
    gradients: tuple[Tensor, Tensor, Tensor],
) -> tuple[Tensor, ...]:
    x, scale, mean, inverse = kept
    dy = gradients[0]
    of_offset, of_slope = _over(devices, _gradient_sums, 2)(dy, x, mean)
    count = x.size // x.shape[-1]
    slope = scale * inverse
    constant = -slope * of_offset / count
    of_x = -slope * inverse**2 * of_slope / count
    dx = (
        dy.astype(jnp.float32) * slope
        + (x.astype(jnp.float32) - mean) * of_x
        + constant
    )
    # None for the moving mean, of which the result is independent.
    return dx.astype(x.dtype), of_slope * inverse, of_offset, None


normalize.defvjp(_forward, _backward)


def _over(devices: Devices, function: Any, divided: int) -> Any:
    """A function of whose arguments the first few lie divided on devices."""
    if devices is None:
        return functools.partial(function, None)
    mesh, axis = devices

    def part(*arrays: Tensor) -> Any:
        return function(axis, *arrays)

    def whole(*arrays: Tensor) -> Any:
        split = [_spec(axis)] * divided
        same = [_spec()] * (len(arrays) - divided)
        return jax.shard_map(
            part,
            mesh=mesh,
            in_specs=(*split, *same),
            out_specs=_spec(),
        )(*arrays)

    return whole


def _statistics(
    axis: str | None, x: Tensor, moving_mean: Tensor
) -> tuple[Tensor, Tensor]:
    """The mean and the biased variance of all devices' examples.

    The difference of two large squares would lose the variance, so that they
    are taken of distances: within a device from a value of the middle, and
    between devices from the moving mean.

    Args:
        axis: of the devices.
        x: [B, ..., C], a device's part.
        moving_mean: float32 [C].
    """
    # Two of the batch's values [C] find the mean in the first steps, when the
    # moving one is elsewhere; with it, they outvote one of them far off.
    values = x.reshape(-1, x.shape[-1]).astype(jnp.float32)
    first, last = values[0], values[-1]
    pivot = jnp.maximum(
        jnp.minimum(first, last),
        jnp.minimum(jnp.maximum(first, last), moving_mean),
    )
    distance = x.astype(jnp.float32) - pivot
    axes = tuple(range(x.ndim - 1))
    count = x.size // x.shape[-1]
    shift = jnp.sum(distance, axes) / count
    square = jnp.sum(distance * distance, axes) / count
    mean, variance = pivot + shift, jnp.maximum(square - shift**2, 0.0)
    if axis is None:
        return mean, variance
    away = mean - moving_mean
    both = jnp.stack([away, variance + away**2])
    away, square = _pmean(both, axis)
    return moving_mean + away, jnp.maximum(square - away**2, 0.0)


def _gradient_sums(
    axis: str | None, dy: Tensor, x: Tensor, mean: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums over examples of the gradient, and of it by distance from the mean.

    Args:
        axis: of the devices.
        dy: [B, ..., C], a device's part.
        x: [B, ..., C], a device's part.
        mean: float32 [C].
    """
    axes = tuple(range(x.ndim - 1))
    dy = dy.astype(jnp.float32)
    by_distance = dy * (x.astype(jnp.float32) - mean)
    sums = jnp.sum(dy, axes), jnp.sum(by_distance, axes)
    if axis is None:
        return sums
    first, second = _psum(jnp.stack(sums), axis)
    return first, second
