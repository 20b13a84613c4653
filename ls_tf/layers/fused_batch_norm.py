"""TensorFlow's own kernel of batch normalization.

``keras.ops`` spells batch normalization out, and without XLA each operation
goes over the activations once more: on a CPU that is a good part of a ResNet's
step, and the larger part of what bfloat16 could save. The only module of the
models that imports TensorFlow; ``batch_norm.py`` imports it at the first use,
so that it is never wanted elsewhere.
"""

from typing import Any

import tensorflow as tf

Tensor = Any


def fits(x: Tensor) -> bool:
    """Whether the kernel takes this: images in float32 or bfloat16.

    Args:
        x: a tensor of TensorFlow.
    """
    return x.shape.rank == 4 and x.dtype in (tf.float32, tf.bfloat16)


def normalize(
    x: Tensor, scale: Tensor, offset: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalizes with the statistics of the batch.

    Args:
        x: float32 or bfloat16 [B, H, W, C].
        scale: float32 [C], gamma.
        offset: float32 [C], beta.
        epsilon: added to the variance, under the root.

    Returns:
        What is normalized, of the shape and type of ``x``; the batch's mean
        and its biased variance, float32 [C].
    """
    # Not `tf.nn.fused_batch_norm`, which makes an epsilon of 1e-5 a larger
    # one for the sake of old versions of cuDNN.
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=scale,
        offset=offset,
        mean=tf.zeros([0]),
        variance=tf.zeros([0]),
        epsilon=epsilon,
        exponential_avg_factor=1.0,
        data_format="NHWC",
        is_training=True,
    )
    # The kernel normalizes with the biased variance and gives the other.
    count = tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), tf.float32)
    return y, mean, variance * ((count - 1.0) / count)


def normalize_over_replicas(
    x: Tensor, scale: Tensor, offset: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalizes with the statistics of all replicas' batches.

    All replicas have as many examples. They meet twice, once forward and once
    in the gradient, with two numbers of a channel each: ``keras.ops`` spelt
    out has them meet six times.

    Args:
        x: float32 or bfloat16 [B, H, W, C] of this replica.
        scale: float32 [C], gamma.
        offset: float32 [C], beta.
        epsilon: added to the variance, under the root.

    Returns:
        What is normalized, of the shape and type of ``x``; the mean of all
        and its biased variance, float32 [C], without gradient. The gradients
        of ``scale`` and ``offset`` are this replica's share.

    Source: ours; the gradient is Ioffe and Szegedy 2015, section 3.
    """

    def over_replicas(first: Tensor, second: Tensor) -> list[Tensor]:
        context = tf.distribute.get_replica_context()
        both = tf.stack([first, second])
        mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, both)
        return list(tf.unstack(mean))

    def mine(x: Tensor) -> tuple[Tensor, Tensor]:
        # The kernel's statistics are quicker than sums of all squares.
        zeros = tf.zeros_like(scale)
        _, mean, variance = normalize(x, zeros, zeros, epsilon)
        return mean, variance

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalized(x: Tensor, scale: Tensor, offset: Tensor) -> Any:
        mean, variance = mine(x)
        mean, square = over_replicas(mean, variance + mean**2)
        variance = tf.maximum(square - mean**2, 0.0)
        constants = {
            "epsilon": epsilon,
            "data_format": "NHWC",
            "is_training": False,
        }
        y, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=scale,
            offset=offset,
            mean=mean,
            variance=variance,
            **constants,
        )

        def gradient(dy: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
            # Of constant statistics; what these add comes after.
            dx, d_scale, d_offset, *_ = tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=dy,
                x=x,
                scale=scale,
                reserve_space_1=mean,
                reserve_space_2=variance,
                reserve_space_3=tf.zeros([0]),
                **constants,
            )
            count = tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), tf.float32)
            of_scale, of_offset = over_replicas(
                d_scale / count, d_offset / count
            )
            inverse = tf.math.rsqrt(variance + epsilon)
            slope = scale * inverse**2 * of_scale
            constant = scale * inverse * of_offset - slope * mean
            statistics = tf.cast(x, tf.float32) * slope + constant
            return dx - tf.cast(statistics, dx.dtype), d_scale, d_offset

        return (y, mean, variance), gradient

    y, mean, variance = normalized(x, scale, offset)
    return y, tf.stop_gradient(mean), tf.stop_gradient(variance)
