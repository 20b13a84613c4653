"""The augmentation as a program of its own, where a step has no XLA."""

import numpy as np
import pytest
from both import BACKEND, tensorflow_only
from keras import ops

from ls_tf import seeds
from ls_tf.pipeline import augment

CROPS = ("t2t_cifar", "tutorial_24", "tutorial_24_plain")


def arguments(name, batch=6):
    """An augmentation, and resident images, index and draws for it."""
    found = augment.augmentation(name)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    draws = found.draw(seeds.philox(1), batch)
    index = np.arange(batch, dtype=np.int32) % 4
    return found, (
        ops.convert_to_tensor(found.prepare(images)),
        ops.convert_to_tensor(index),
        {k: ops.convert_to_tensor(v) for k, v in draws.items()},
    )


@pytest.mark.parametrize("name", [*CROPS, "none", "shift2"])
def test_is_the_augmentation_up_to_rounding(name):
    augmentation, given = arguments(name)
    found = augment.compiled(augmentation.apply)(*given)
    np.testing.assert_allclose(
        ops.convert_to_numpy(found),
        ops.convert_to_numpy(augmentation.apply(*given)),
        rtol=1e-5,
        atol=1e-5,
    )


@tensorflow_only
def test_keeps_xla_within_a_loop_without():
    import tensorflow as tf

    augmentation, given = arguments("t2t_cifar")
    apply = augment.compiled(augmentation.apply)

    @tf.function(jit_compile=False, autograph=False)
    def loop(*given):
        return tf.while_loop(
            lambda i, last: i < 3,
            lambda i, last: (i + 1, apply(*given)),
            (tf.constant(0), tf.zeros((6, 32, 32, 3))),
        )[1]

    functions = loop.get_concrete_function(*given).graph.as_graph_def().library
    compiled = [
        f.signature.name
        for f in functions.function
        if f.attr["_XlaMustCompile"].b
    ]
    assert len(compiled) == 1
    np.testing.assert_allclose(
        loop(*given).numpy(), augmentation.apply(*given).numpy(), atol=1e-5
    )


@pytest.mark.skipif(BACKEND != "jax", reason="of JAX")
def test_jax_compiles_it_with_the_step():
    augmentation, _ = arguments("t2t_cifar")
    assert augment.compiled(augmentation.apply) == augmentation.apply
