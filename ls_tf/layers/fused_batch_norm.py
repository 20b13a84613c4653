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
