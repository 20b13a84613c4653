"""A convolution as one product of a matrix of patches."""

from typing import Any

from keras import ops

Tensor = Any


def product(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Lays the windows' pixels side by side and multiplies by the kernel.

    Args:
        inputs: [B, H, W, C].
        kernel: [k, l, C, filters].

    Returns:
        [B, H - k + 1, W - l + 1, filters].

    Source: Chellapilla et al. 2006.
    """
    height, width, _, filters = kernel.shape
    rows, columns = inputs.shape[1] - height + 1, inputs.shape[2] - width + 1
    # [B, rows, columns, k * l * C], in the order of the kernel's axes
    patches = ops.concatenate(
        [
            inputs[:, i : i + rows, j : j + columns]
            for i in range(height)
            for j in range(width)
        ],
        axis=-1,
    )
    return ops.matmul(patches, ops.reshape(kernel, (-1, filters)))
