"""A convolution on JAX of which each network of a stack has its own.

Under ``vmap`` a convolution of many kernels becomes a grouped one, for which
XLA has no good code on a CPU. Here a stack convolves one network after the
other. The gradient of the inputs is that of a product of patches: as a
convolution it would take a CPU twice the time, for one network too.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ls_tf.layers import patches

Tensor = Any


def _of_each(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function; under ``vmap`` called for each network by itself."""
    wrapped = jax.custom_batching.custom_vmap(function)

    @wrapped.def_vmap
    def call_each(
        size: int, is_batched: Sequence[bool], *arrays: Tensor
    ) -> tuple[Tensor, bool]:
        results = [
            function(
                *(
                    array[i] if batched else array
                    for array, batched in zip(arrays, is_batched, strict=True)
                )
            )
            for i in range(size)
        ]
        return jnp.stack(results), True

    return functools.update_wrapper(wrapped, function)


def _plain(x: Tensor, kernel: Tensor) -> Tensor:
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@_of_each
def _forward(x: Tensor, kernel: Tensor) -> Tensor:
    return _plain(x, kernel)


@_of_each
def _kernels_gradient(x: Tensor, kernel: Tensor, dy: Tensor) -> Tensor:
    (dk,) = jax.vjp(lambda kernel: _plain(x, kernel), kernel)[1](dy)
    return dk


@jax.custom_vjp
def convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolves without padding and stride.

    Args:
        x: float [B, H, W, C].
        kernel: [k, l, C, filters].

    Returns:
        Of the type of ``x``, [B, H - k + 1, W - l + 1, filters].

    Source: ours; equal to Keras's layer in value and gradient.
    """
    return _forward(x, kernel)


def _kept(x: Tensor, kernel: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    return _forward(x, kernel), (x, kernel)


def _back(kept: tuple[Tensor, Tensor], dy: Tensor) -> tuple[Tensor, Tensor]:
    x, kernel = kept
    (dx,) = jax.vjp(lambda x: patches.product(x, kernel), x)[1](dy)
    return dx, _kernels_gradient(x, kernel, dy)


convolve.defvjp(_kept, _back)
