"""A convolution as one matrix product, which stacked networks share.

Networks that train side by side in one JAX program are a step under ``vmap``.
There a convolution of many kernels becomes a grouped one, for which neither
a CPU nor a GPU has good code, while a product of many matrices is what both
are made for.
"""

from typing import Any

import keras
from keras import ops

Tensor = Any


class PatchConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """``keras.layers.Conv2D`` without padding, stride or groups.

    On JAX the windows' pixels are laid side by side and multiplied by the
    kernel as a matrix, which equals the convolution to rounding and takes
    kernel_height * kernel_width times the memory of the input: for small
    networks. Elsewhere it is Keras's layer.

    Source: the product is Chellapilla et al. 2006.
    """

    def __init__(self, filters: int, kernel_size: int, **options: Any) -> None:
        """Sets the sizes.

        Args:
            filters: channels of the output.
            kernel_size: height and width of the kernel.
            **options: what ``keras.layers.Conv2D`` takes about activation,
                bias, initial weights and name.
        """
        super().__init__(
            filters,
            kernel_size,
            padding="valid",
            data_format="channels_last",
            **options,
        )

    def call(self, inputs: Tensor) -> Tensor:
        """Convolves.

        Args:
            inputs: [B, H, W, C].

        Returns:
            [B, H - k + 1, W - k + 1, filters] for a kernel of k x k.
        """
        if keras.backend.backend() != "jax":
            return super().call(inputs)
        k = self.kernel_size[0]
        rows, columns = (n - k + 1 for n in inputs.shape[1:3])
        # [B, rows, columns, k * k * C], in the order of the kernel's axes
        patches = ops.concatenate(
            [
                inputs[:, i : i + rows, j : j + columns]
                for i in range(k)
                for j in range(k)
            ],
            axis=-1,
        )
        kernel = ops.reshape(self.kernel, (-1, self.filters))
        outputs = ops.matmul(patches, kernel)
        if self.use_bias:
            outputs = ops.add(outputs, self.bias)
        return self.activation(outputs)
