"""A convolution as one matrix product, which stacked networks share.

Networks that train side by side in one JAX program are a step under ``vmap``.
There a convolution of many kernels becomes a grouped one, for which neither
a CPU nor a GPU has good code, while a product of many matrices is what a GPU
is made for. On a CPU the arrays of the product are large for its caches: there
each network has a convolution of its own, see ``convolution_jax.py``.
"""

from typing import Any

import keras
from keras import ops

from ls_tf import kernels
from ls_tf.layers import patches

Tensor = Any


class PatchConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """``keras.layers.Conv2D`` without padding, stride or groups.

    On JAX with a GPU or TPU the windows' pixels are laid side by side and
    multiplied by the kernel as a matrix, which equals the convolution to
    rounding and takes kernel_height * kernel_width times the memory of the
    input: for small networks. Elsewhere it is Keras's layer.

    Source: ours.
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
        if kernels.fused(on=("gpu", "tpu")):
            outputs = patches.product(inputs, self.kernel)
        else:
            from ls_tf.layers import convolution_jax

            kernel = ops.convert_to_tensor(self.kernel)  # JAX's own array
            outputs = convolution_jax.convolve(inputs, kernel)
        if self.use_bias:
            outputs = ops.add(outputs, self.bias)
        return self.activation(outputs)
