"""Maximum pooling of images, in the form that suits the device."""

from typing import Any

import keras

from ls_tf import kernels

Tensor = Any


class MaxPool(keras.layers.MaxPooling2D):  # type: ignore[misc]
    """Keras's layer; where ``kernels`` says so, in its fused form.

    The forms are equal in value and in gradient.

    Source: ours; see ``max_pool_jax.py``.
    """

    def call(self, inputs: Tensor) -> Tensor:
        """Takes the maximum of each window.

        Args:
            inputs: float [B, H, W, C].

        Returns:
            Of the inputs' type, [B, H', W', C].
        """
        # On a CPU only where no window shares an input with another: there
        # the gradient is no sum, and equal to the bit in every type.
        is_apart = all(
            stride >= size
            for stride, size in zip(self.strides, self.pool_size, strict=True)
        )
        on = ("gpu", "cpu") if is_apart else ("gpu",)
        if self.data_format == "channels_last" and kernels.fused(on=on):
            from ls_tf.layers import max_pool_jax

            return max_pool_jax.max_pool(
                inputs, self.pool_size, self.strides, self.padding
            )
        return super().call(inputs)
