"""Layers of binary networks: signs, their gradients, shifts of each channel.

A sign has no gradient of use. What is returned is the sign, to the bit; its
gradient is that of a stand-in, which comes from ``stop_gradient`` alone and is
so the same on every backend.
"""

from typing import Any

import keras
from keras import ops

Tensor = Any

DERIVATIVES = ("polynomial", "clipped")

_SLOPE = 0.25  # PyTorch's initial slope of a PReLU


def _with_gradient(value: Tensor, x: Tensor, derivative: Tensor) -> Tensor:
    """The value, and ``derivative`` as its derivative by ``x``."""
    # x less itself is 0, so that the value is not rounded.
    through = (x - ops.stop_gradient(x)) * ops.stop_gradient(derivative)
    return ops.stop_gradient(value) + through


def _signs(x: Tensor) -> Tensor:
    ones = ops.ones_like(x)
    return ops.where(x >= 0, ones, -ones)


def sign(x: Tensor, derivative: str = "polynomial") -> Tensor:
    """The sign, which is 1 at 0.

    Args:
        x: float, of any shape.
        derivative: what stands for the derivative. ``"polynomial"``: of a
            curve of two parabolas between -1 and 1, ``max(0, 2 - 2 |x|)``;
            ``"clipped"``: of the identity there, 1 for ``|x| <= 1``, else 0.

    Returns:
        -1 or 1, of the shape and type of ``x``.

    Raises:
        ValueError: no such derivative.

    Source: Liu et al. 2018 (Bi-Real Net, arXiv 1808.00278), the piecewise
    polynomial; Courbariaux et al. 2016 (arXiv 1602.02830), the straight-through
    estimator. The sign of 0: Shen et al. 2021; PyTorch's is 0.
    """
    check_derivative(derivative)
    size = ops.abs(x)
    if derivative == "polynomial":
        slope = ops.maximum(2 - 2 * size, 0)
    else:
        slope = ops.cast(size <= 1, x.dtype)
    return _with_gradient(_signs(x), x, slope)


def check_derivative(derivative: str) -> None:
    """Refuses an unknown stand-in for the derivative of a sign.

    Raises:
        ValueError: no such derivative.

    Source: ours.
    """
    if derivative not in DERIVATIVES:
        raise ValueError(
            f"wanted a derivative of {', '.join(DERIVATIVES)}, "
            f"got {derivative!r}"
        )


def binary_weights(kernel: Tensor) -> Tensor:
    """The signs of a kernel, times the mean size of each output's weights.

    The gradient goes straight through where ``|w| <= 1``, and the scale is
    taken for a constant.

    Args:
        kernel: float [..., outputs].

    Returns:
        Of the shape and type of ``kernel``.

    Source: Rastegari et al. 2016 (XNOR-Net, arXiv 1603.05279): the scale is
    ``||W||_1 / n``; Liu et al. 2020 (ReActNet, arXiv 2003.03488), whose code
    lets no gradient through the scale.
    """
    size = ops.abs(kernel)
    axes = tuple(range(len(kernel.shape) - 1))
    scale = ops.mean(size, axis=axes, keepdims=True)
    inside = ops.cast(size <= 1, kernel.dtype)
    return _with_gradient(scale * _signs(kernel), kernel, inside)


class BinaryConv2D(keras.layers.Layer):  # type: ignore[misc]
    """A convolution whose weights are signs, scaled for each output channel.

    What is trained are the weights whose signs are taken. Images are padded
    with zeros, alike on all sides, so that a stride of 1 keeps their size. No
    bias.

    Source: Liu et al. 2020 (ReActNet, arXiv 2003.03488).
    """

    def __init__(
        self,
        *,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        kernel_initializer: keras.initializers.Initializer,
        is_binary: bool = True,
        **options: Any,
    ) -> None:
        """Sets the form.

        Args:
            filters: number of outputs, positive.
            kernel_size: height and width in pixels, odd.
            strides: positive.
            kernel_initializer: of the weights whose signs are taken.
            is_binary: False takes the weights themselves, as the first step
                of ReActNet's training does.
            **options: what every layer of Keras takes, such as ``name``.
        """
        super().__init__(**options)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.kernel_initializer = kernel_initializer
        self.is_binary = is_binary

    def build(self, input_shape: Any) -> None:
        """Makes the weights.

        Args:
            input_shape: (B, H, W, C).
        """
        size = self.kernel_size
        # Not rounded before the signs and their mean are taken.
        self.kernel = self.add_weight(
            shape=(size, size, input_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
            autocast=False,
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Convolves.

        Args:
            inputs: float [B, H, W, C].

        Returns:
            float [B, H / strides, W / strides, filters], rounded up.
        """
        kernel = ops.convert_to_tensor(self.kernel)
        if self.is_binary:
            kernel = binary_weights(kernel)
        border = self.kernel_size // 2
        if border:
            around = ((0, 0), (border, border), (border, border), (0, 0))
            inputs = ops.pad(inputs, around)
        return ops.conv(
            inputs,
            ops.cast(kernel, self.compute_dtype),
            self.strides,
            "valid",
            data_format="channels_last",
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of what it gives, (B, H, W, filters)."""
        batch, height, width, _ = input_shape
        size = (-(-side // self.strides) for side in (height, width))
        return (batch, *size, self.filters)


class ShiftedSign(keras.layers.Layer):  # type: ignore[misc]
    """RSign: the sign of what lies above a learnt threshold of its channel.

    Source: Liu et al. 2020 (ReActNet, arXiv 2003.03488), RSign.
    """

    def __init__(self, *, derivative: str = "polynomial", name: str) -> None:
        """Sets the gradient.

        Args:
            derivative: as of ``sign``.
            name: the layer's.

        Raises:
            ValueError: no such derivative.
        """
        super().__init__(name=name)
        check_derivative(derivative)
        self.derivative = derivative

    def build(self, input_shape: Any) -> None:
        """Makes the thresholds, 0 at first.

        Args:
            input_shape: (..., C).
        """
        self.threshold = self.add_weight(
            shape=(input_shape[-1],), initializer="zeros", name="threshold"
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Takes the signs.

        Args:
            inputs: float [..., C].

        Returns:
            -1 or 1, [..., C]: the sign of ``x - threshold``.
        """
        return sign(ops.subtract(inputs, self.threshold), self.derivative)


class ShiftedPReLU(keras.layers.Layer):  # type: ignore[misc]
    """RPReLU: a PReLU whose kink each channel learns to move, both ways.

    ``f(x) = y + rise`` above the kink and ``slope * y + rise`` below it, with
    ``y = x - kink``.

    Source: Liu et al. 2020 (ReActNet, arXiv 2003.03488), RPReLU; the initial
    slope of 0.25 is PyTorch's.
    """

    def __init__(self, *, name: str) -> None:
        """Takes the name of the layer."""
        super().__init__(name=name)

    def build(self, input_shape: Any) -> None:
        """Makes kinks and rises, 0 at first, and slopes.

        Args:
            input_shape: (..., C).
        """
        shape = (input_shape[-1],)
        self.kink = self.add_weight(
            shape=shape, initializer="zeros", name="kink"
        )
        self.slope = self.add_weight(
            shape=shape,
            initializer=keras.initializers.Constant(_SLOPE),
            name="slope",
        )
        self.rise = self.add_weight(
            shape=shape, initializer="zeros", name="rise"
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Bends each channel.

        Args:
            inputs: float [..., C].

        Returns:
            float [..., C].
        """
        # Not by operators: TensorFlow's take a variable's own value where a
        # stateless call gives another.
        moved = ops.subtract(inputs, self.kink)
        below = ops.multiply(self.slope, moved)
        return ops.add(ops.where(moved > 0, moved, below), self.rise)
