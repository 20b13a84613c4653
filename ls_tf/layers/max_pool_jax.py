"""Maximum pooling on JAX as plain arithmetic, with its own gradient.

XLA's gradient of a window's maximum is a scatter, for which the forward pass
keeps several arrays of indices. Here it keeps one small number for each
window: where its maximum is. On the way back each input asks the few windows
that it lies in whether they mean it, so that nothing is scattered, and all of
it is element by element, which XLA merges into one kernel, also with what
comes before and after.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Tensor = Any


@dataclass(frozen=True)
class _Axis:
    """Windows along one axis.

    Attributes:
        size: of the input.
        window: of a window.
        stride: from one window to the next.
        count: of windows.
        before: how far the first window begins before the input.
    """

    size: int
    window: int
    stride: int
    count: int
    before: int

    @property
    def shared(self) -> int:
        """In how many windows one input can lie."""
        return -(-self.window // self.stride)

    @property
    def codes(self) -> int:
        """What ``place`` stays under, also where there is no such place."""
        return self.shared * self.stride

    @property
    def blocks(self) -> int:
        """Strides that cover the input, from where the first window begins."""
        return -(-(self.size + self.before) // self.stride)

    def inside(self, place: int) -> tuple[int, int]:
        """The windows whose place-th element is no padding: first, end."""
        shift = self.before - place
        first = max(0, -(-shift // self.stride))
        end = min(self.count, -(-(self.size + shift) // self.stride))
        return first, max(first, end)


def max_pool(
    x: Tensor, window: tuple[int, int], strides: tuple[int, int], padding: str
) -> Tensor:
    """The maximum of each window, with all its gradient for the first one.

    First is meant row by row, as in XLA's own gradient.

    Args:
        x: float [B, H, W, C].
        window: height and width.
        strides: along height and width, 1 or more.
        padding: ``same``, as TensorFlow pads, with minus infinity; ``valid``.

    Returns:
        Of the type of ``x``, [B, H', W', C].

    Source: ours; equal to Keras's layer in value and gradient.
    """
    ends = lax.padtype_to_pads(x.shape[1:3], window, strides, padding.upper())
    axes = tuple(
        _Axis(size, k, s, (size + sum(end) - k) // s + 1, end[0])
        for size, k, s, end in zip(
            x.shape[1:3], window, strides, ends, strict=True
        )
    )
    return _pooled(x, axes)


def _element(x: Tensor, axes: Sequence[_Axis], places: Sequence[int]) -> Tensor:
    """One element of each window, [B, H', W', C]; minus infinity outside."""
    starts, limits, steps = [0], [x.shape[0]], [1]
    outside = [(0, 0, 0)]
    for axis, place in zip(axes, places, strict=True):
        first, end = axis.inside(place)
        start = first * axis.stride + place - axis.before
        starts.append(min(start, axis.size))
        limits.append(min(start + (end - first) * axis.stride, axis.size))
        steps.append(axis.stride)
        outside.append((first, axis.count - end, 0))
    inside = lax.slice(
        x, [*starts, 0], [*limits, x.shape[3]], strides=[*steps, 1]
    )
    least = np.array(-np.inf, x.dtype)
    return lax.pad(inside, least, [*outside, (0, 0, 0)])


def _places(axes: Sequence[_Axis]) -> list[tuple[int, int]]:
    """Of a window, row by row."""
    rows, columns = axes
    return [(i, j) for i in range(rows.window) for j in range(columns.window)]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _pooled(x: Tensor, axes: tuple[_Axis, _Axis]) -> Tensor:
    elements = [_element(x, axes, places) for places in _places(axes)]
    return functools.reduce(lax.max, elements)


def _forward(
    x: Tensor, axes: tuple[_Axis, _Axis]
) -> tuple[Tensor, tuple[Tensor]]:
    """The maxima, and in one byte each, where they are."""
    rows, columns = axes
    kind = np.min_scalar_type(rows.codes * columns.codes - 1)
    (_, *rest) = places = _places(axes)
    best = _element(x, axes, places[0])
    code = jnp.zeros(best.shape, kind)
    for i, j in rest:
        element = _element(x, axes, (i, j))
        here = np.array(i * columns.codes + j, kind)
        code = jnp.where(element > best, here, code)
        best = lax.max(best, element)
    return best, (code,)


def _backward(
    axes: tuple[_Axis, _Axis], kept: tuple[Tensor], dy: Tensor
) -> tuple[Tensor]:
    """What each input gets of the windows that it lies in.

    The input is taken as blocks of a stride. In block ``i`` element ``r`` is
    the place ``r + d * stride`` of the window that begins ``d`` blocks before.
    """
    (code,) = kept
    rows, columns = axes
    # In memory: each input of a window would otherwise compute it once more.
    dy = lax.optimization_barrier(dy)  # type: ignore[no-untyped-call]
    batch, channels = dy.shape[0], dy.shape[3]
    shape = (
        *(batch, rows.blocks, rows.stride),
        *(columns.blocks, columns.stride, channels),
    )
    row = lax.broadcasted_iota(np.int32, shape, 2)
    column = lax.broadcasted_iota(np.int32, shape, 4)
    element = row * columns.codes + column

    def windows(values: Tensor, up: int, left: int) -> Tensor:
        """For each element of a block, a value of one of its windows."""
        moved = lax.pad(
            values,
            np.array(0, values.dtype),
            [
                (0, 0, 0),
                (up, rows.blocks - rows.count - up, 0),
                (left, columns.blocks - columns.count - left, 0),
                (0, 0, 0),
            ],
        )
        return lax.broadcast_in_dim(moved, shape, (0, 1, 3, 5))

    # Rounded once; a window outside gives 0, whatever its code.
    total = jnp.zeros(shape, np.promote_types(dy.dtype, np.float32))
    # Windows in the order of XLA's gradient, so that sums are rounded alike.
    for up in reversed(range(rows.shared)):
        for left in reversed(range(columns.shared)):
            place = up * rows.stride * columns.codes + left * columns.stride
            is_meant = windows(code, up, left).astype(np.int32) == (
                element + place
            )
            total += jnp.where(is_meant, windows(dy, up, left), 0)
    # [B, blocks, stride, blocks, stride, C] -> [B, H, W, C]
    dx = total.astype(dy.dtype).reshape(
        batch,
        rows.blocks * rows.stride,
        columns.blocks * columns.stride,
        channels,
    )
    return (
        dx[
            :,
            rows.before : rows.before + rows.size,
            columns.before : columns.before + columns.size,
        ],
    )


_pooled.defvjp(_forward, _backward)
