"""What tests need of a backend, on TensorFlow and on JAX."""

import keras
import pytest
from keras import ops

BACKEND = keras.backend.backend()

# What only TensorFlow has: dynamic shapes, sparse gradients, its variables.
tensorflow_only = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="of TensorFlow"
)


def compiled(function):
    """The function under XLA."""
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


def quick(function):
    """The function as it is on TensorFlow, and as one program on JAX.

    Operation by operation, JAX would compile each of them.
    """
    return compiled(function) if BACKEND == "jax" else function


def gradient(function, x):
    """The gradient of the sum of a function at x; 0 where there is none."""
    x = ops.convert_to_tensor(x)
    if BACKEND == "jax":
        import jax

        return ops.convert_to_numpy(jax.grad(lambda x: ops.sum(function(x)))(x))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        total = ops.sum(function(x))
    found = tape.gradient(total, x, unconnected_gradients="zero")
    return ops.convert_to_numpy(found)
