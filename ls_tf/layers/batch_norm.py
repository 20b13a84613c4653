"""Batch normalization over the whole batch, on one device or on several."""

from collections.abc import Callable
from typing import Any

import keras

from ls_tf import kernels


class BatchNorm(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalization whose statistics are those of all replicas.

    Under tf.distribute each replica sees its own slice of the batch. There
    Keras adds up the slices' statistics if it is told to; on one replica that
    would cost needless passes over the activations, and on JAX, where one
    program sees the whole batch, Keras refuses it. So this layer tells it
    only where there are replicas.

    What the constants mean, and where the variants differ:

    * ``momentum`` is the share of the old value, in Keras as in TensorFlow 1
      and T2T: ``moving = momentum * moving + (1 - momentum) * batch``.
      PyTorch's momentum is the share of the new one.
    * ``epsilon`` is added to the variance, under the root.
    * The variance is the biased one (divided by N), both to normalize and in
      the moving average. TensorFlow's fused kernel, which T2T uses, and
      PyTorch divide by N - 1 in the moving average. N is at least 8192 in
      the CIFAR networks here: the relative difference is 1e-4.
    * Statistics and moving averages are float32 under mixed policies too.
    * A batch that is taken in micro-batches has one mean for each of them.

    On TensorFlow a batch of images on one replica goes through TensorFlow's
    fused kernel, which computes the same in fewer passes, and on several
    through the same kernel with what they have in common; see
    ``fused_batch_norm.py``. On JAX an accelerator, and several devices of any
    kind, take a form of few passes and meetings; see ``batch_norm_jax.py``.

    Source: Ioffe and Szegedy 2015; T2T's ``batch_norm_relu``.
    """

    def __init__(
        self,
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        **options: Any,
    ) -> None:
        """Sets the constants.

        Args:
            momentum: share of the old moving average, in [0, 1).
            epsilon: added to the variance, positive.
            **options: what ``keras.layers.BatchNormalization`` takes, such as
                ``name``.

        Raises:
            ValueError: if a value is out of range.
        """
        if not 0 <= momentum < 1:
            raise ValueError(f"wanted a momentum in [0, 1), got {momentum}")
        if not epsilon > 0:
            raise ValueError(f"wanted a positive epsilon, got {epsilon}")
        # A configuration written under replicas must load without them.
        options["synchronized"] = False
        super().__init__(momentum=momentum, epsilon=epsilon, **options)

    def build(self, input_shape: Any) -> None:
        """Makes the variables, and finds out on how many replicas.

        Args:
            input_shape: (B, ..., C).
        """
        super().build(input_shape)
        # Keras reads this at each call. The variables' strategy is the one
        # that the layer will be called under.
        self.synchronized = _replicas(self.moving_mean.value) > 1

    def call(
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        """Normalizes, in training with the statistics of the batch.

        Args:
            inputs: (B, ..., C).
            training: whether to take the batch's statistics and to move the
                averages, instead of taking these.
            mask: bool (B, ...), what counts; None is all.

        Returns:
            Of the shape of ``inputs``, in the layer's compute type.
        """
        normalize = None
        if training and mask is None and self.trainable and not self.renorm:
            normalize = self._normalize(inputs)
        if normalize is None:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = normalize(inputs)
        for moving, batch in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            moving.assign(
                moving * self.momentum + batch * (1.0 - self.momentum)
            )
        return keras.ops.cast(outputs, self.compute_dtype)

    def _normalize(self, inputs: Any) -> Callable[[Any], Any] | None:
        """What normalizes inputs in place of Keras's operations.

        Returns:
            From inputs to outputs and the batch's mean and variance; None
            where something is asked that the backend's own form lacks.
        """
        if self.axis not in (-1, len(inputs.shape) - 1):
            return None
        if keras.backend.backend() == "tensorflow":
            return self._on_tensorflow(inputs)
        if kernels.fused(on=("gpu", "tpu"), over_batch=True):
            return self._on_jax(inputs)
        return None

    def _on_tensorflow(self, inputs: Any) -> Callable[[Any], Any] | None:
        from ls_tf.layers import fused_batch_norm as fused

        if not (self.scale and self.center and fused.fits(inputs)):
            return None
        normalize = (
            fused.normalize_over_replicas
            if self.synchronized
            else fused.normalize
        )
        gamma, beta = map(keras.ops.convert_to_tensor, (self.gamma, self.beta))
        return lambda x: normalize(x, gamma, beta, self.epsilon)

    def _on_jax(self, inputs: Any) -> Callable[[Any], Any] | None:
        from ls_tf.layers import batch_norm_jax

        devices = kernels.devices()
        if not batch_norm_jax.fits(inputs, devices):
            return None
        mean = keras.ops.convert_to_tensor(self.moving_mean)
        ones, zeros = keras.ops.ones_like(mean), keras.ops.zeros_like(mean)
        gamma = keras.ops.convert_to_tensor(self.gamma) if self.scale else ones
        beta = keras.ops.convert_to_tensor(self.beta) if self.center else zeros
        return lambda x: batch_norm_jax.normalize(
            x, gamma, beta, mean, self.epsilon, devices
        )


def _replicas(value: Any) -> int:
    """How many replicas share a variable of any backend."""
    strategy = getattr(value, "distribute_strategy", None)
    return int(getattr(strategy, "num_replicas_in_sync", 1))
