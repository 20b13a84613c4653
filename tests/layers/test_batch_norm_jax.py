"""Batch normalization on JAX: values, gradients, stacks, devices."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from both import BACKEND

from ls_tf import kernels
from ls_tf.layers.batch_norm import BatchNorm

ROOT = pathlib.Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(BACKEND != "jax", reason="of JAX")

SCALE = np.array([0.5, 1.0, 1.5, -1.0, 2.0])
OFFSET = np.array([0.0, 1.0, -1.0, 0.5, 3.0])
EPSILON = 1e-5
SHAPE = (16, 4, 4, 5)


def images(mean=3.0, deviation=2.0, shape=SHAPE):
    draw = np.random.default_rng(0)
    return (deviation * draw.standard_normal(shape) + mean).astype("float32")


def weights(x):
    """What an output counts in the sum that gradients are taken of."""
    return np.cos(np.arange(x.size)).reshape(x.shape).astype("float32")


def by_hand(x, w, scale=SCALE, offset=OFFSET):
    """Outputs, moments and gradients in float64, gradients by the chain rule.

    Ioffe and Szegedy 2015, section 3, through the variance and the mean.
    """
    x, w = np.float64(x), np.float64(w)
    axes = tuple(range(x.ndim - 1))
    count = x[..., 0].size
    mean, variance = x.mean(axes), x.var(axes)
    root = np.sqrt(variance + EPSILON)
    normal = (x - mean) / root
    of_normal = w * scale
    of_variance = (of_normal * (x - mean)).sum(axes) * -0.5 * root**-3
    of_mean = -(of_normal / root).sum(axes)
    of_x = of_normal / root + of_variance * 2 * (x - mean) / count
    of_x += of_mean / count
    gradients = of_x, (w * normal).sum(axes), w.sum(axes)
    return normal * scale + offset, mean, variance, *gradients


def of_layer(x, w, *, form="fused", moving_mean=0.0, **options):
    """The same of the layer, under jit; its averages as moments."""
    import jax
    import jax.numpy as jnp

    layer = BatchNorm(name="norm", epsilon=EPSILON, **options)
    layer.build(x.shape)
    values = [jnp.float32(SCALE), jnp.float32(OFFSET)]
    start = [jnp.full(5, moving_mean, "float32"), jnp.ones(5)]

    def total(x, values):
        y, state = layer.stateless_call(values, start, x, training=True)
        y = y.astype("float32")
        return jnp.sum(y * w), (y, state)

    with kernels.using(form):
        (of_x, of_values), (y, (mean, variance)) = jax.jit(
            jax.grad(total, argnums=(0, 1), has_aux=True)
        )(x, values)
    mean, variance = np.float64(mean), np.float64(variance)
    moments = (mean - 0.9 * moving_mean) / 0.1, (variance - 0.9) / 0.1
    return y, *moments, of_x, *of_values


@pytest.fixture
def calls(monkeypatch):
    from ls_tf.layers import batch_norm_jax

    made = []
    normalize = batch_norm_jax.normalize
    monkeypatch.setattr(
        batch_norm_jax,
        "normalize",
        lambda *args: made.append(args) or normalize(*args),
    )
    return made


def close(found, wanted, tolerance):
    """Each array to so much of its own largest value."""
    for a, b in zip(found, wanted, strict=True):
        b = np.asarray(b, "float64")
        np.testing.assert_allclose(
            np.asarray(a, "float64"), b, rtol=0, atol=tolerance * abs(b).max()
        )


def test_values_and_gradients_are_the_papers(calls):
    x = images()
    close(of_layer(x, weights(x)), by_hand(x, weights(x)), 2e-6)
    assert len(calls) == 1


def test_values_and_gradients_are_kerass(calls):
    x = images()
    theirs = of_layer(x, weights(x), form="keras")
    assert calls == []
    close(of_layer(x, weights(x)), theirs, 2e-6)


@pytest.mark.parametrize("moving_mean", [0.0, 1000.0])
def test_a_small_variance_beside_a_large_mean(moving_mean):
    x = images(1000.0, 0.1)
    found = of_layer(x, weights(x), moving_mean=moving_mean)
    # A step of float32 at 1000 is 6e-5, that of the mean is the least error:
    # 6e-4 of a deviation. The squares alone would be off by 6e-2, the variance
    # itself being 1e-2.
    close(found, by_hand(x, weights(x)), 2e-3)


def test_one_value_far_off_does_not_lose_the_variance():
    x = images(0.0, 1.0)
    for place in (0, -1):
        far = x.copy().reshape(-1, 5)
        far[place] = 1e6
        far = far.reshape(x.shape)
        close(of_layer(far, weights(x)), by_hand(far, weights(x)), 1e-5)


def test_a_constant_channel_has_no_variance():
    x = images()
    x[..., 2] = 0.1
    y, _, variance, *_ = of_layer(x, weights(x))
    assert abs(variance[2]) < 1e-6
    np.testing.assert_allclose(y[..., 2], OFFSET[2], atol=1e-4)


def test_bfloat16_is_rounded_once(calls):
    import jax.numpy as jnp

    x = jnp.asarray(images(), "bfloat16")
    w = np.asarray(jnp.asarray(weights(x), "bfloat16"), "float32")
    found = of_layer(x, w, dtype="mixed_bfloat16")
    assert len(calls) == 1
    wanted = by_hand(np.float32(x), w)
    # Outputs and their gradients have 8 bits, the sums 24.
    close((found[0], found[3]), (wanted[0], wanted[3]), 2**-8)
    sums = [1, 2, 4, 5]
    close([found[i] for i in sums], [wanted[i] for i in sums], 2e-6)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}])
def test_without_gamma_or_beta(options, calls):
    x = images()
    layer = BatchNorm(name="norm", epsilon=EPSILON, **options)
    with kernels.using("fused"):
        y = layer(x, training=True)
    assert len(calls) == 1
    wanted = by_hand(x, x, np.ones(5), np.zeros(5))[0]
    close([y], [wanted], 2e-6)


def test_the_moments_have_no_gradient():
    import jax

    from ls_tf.layers import batch_norm_jax

    x = images()

    def moments(x):
        _, mean, variance = batch_norm_jax.normalize(
            x, np.float32(SCALE), np.float32(OFFSET), np.zeros(5), 1e-5, None
        )
        return (mean + variance).sum()

    assert not np.any(jax.grad(moments)(x))


def test_a_stack_is_its_networks():
    import jax

    from ls_tf.layers import batch_norm_jax

    x = np.stack([images(), images(-1.0, 0.5), images(0.0, 3.0)])
    w = np.stack([weights(each) for each in x])
    scale, offset = np.float32(SCALE), np.float32(OFFSET)

    def gradient(x, w):
        return jax.grad(
            lambda x: (
                batch_norm_jax.normalize(
                    x, scale, offset, np.zeros(5, "float32"), EPSILON, None
                )[0]
                * w
            ).sum()
        )(x)

    found = jax.jit(jax.vmap(gradient))(x, w)
    close(found, [by_hand(a, b)[3] for a, b in zip(x, w, strict=True)], 5e-6)


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ({"dtype": "float16"}, {}),
        ({"axis": 1}, {}),
        ({"trainable": False}, {}),
        ({"renorm": True}, {}),
        ({}, {"mask": np.ones(SHAPE[:-1], bool)}),
        ({}, {"training": False}),
    ],
)
def test_what_it_lacks_is_kerass(options, call, calls):
    layer = BatchNorm(name="norm", **options)
    with kernels.using("fused"):
        layer(images(), **{"training": True, **call})
    assert calls == []


def test_where_it_is_taken(calls, monkeypatch):
    import jax

    x = images()
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("devices",))
    for platform, devices, taken in (
        ("cpu", None, False),
        ("cpu", (mesh, "devices"), True),
        ("gpu", None, True),
        ("tpu", None, True),
    ):
        monkeypatch.setattr(jax, "default_backend", lambda p=platform: p)
        layer = BatchNorm(name="norm")
        layer.build(x.shape)
        with kernels.dividing(devices), keras.StatelessScope():
            layer(x, training=True)
        assert bool(calls) == taken, platform
        calls.clear()


# A batch divided between two devices, in a stack and in none: as on one.
TWO = """
import jax, numpy as np, sys
from jax.sharding import NamedSharding, PartitionSpec as P
sys.path += ["tests", "tests/layers"]
from test_batch_norm_jax import *
from ls_tf.layers import batch_norm_jax
mesh = jax.sharding.Mesh(np.array(jax.devices()), ("devices",))
assert mesh.size == 2

def gradient(devices):
    def total(x, w, scale, offset, moving):
        y, *moments = batch_norm_jax.normalize(
            x, scale, offset, moving, EPSILON, devices)
        return (y * w).sum(), (y, *moments)
    grad = jax.grad(total, argnums=(0, 2, 3), has_aux=True)
    def both(*arrays):
        gradients, values = grad(*arrays)
        return *values, *gradients
    return both

def compiled(function, axes, *arrays):
    lies = [NamedSharding(mesh, P(*axes))] * 2 + [NamedSharding(mesh, P())] * 3
    arrays = [jax.device_put(a, s) for a, s in zip(arrays, lies)]
    program = jax.jit(function).lower(*arrays).compile()
    meetings = program.as_text().count(" all-reduce(")
    return program(*arrays), meetings

rest = np.float32(SCALE), np.float32(OFFSET), np.zeros(5, "float32")
# The halves differ, so that each alone has other moments.
x = images(); x[8:] = images(-1.0, 0.5)[8:]
w = weights(x)
found, meetings = compiled(
    gradient((mesh, "devices")), ["devices"], x, w, *rest)
close(found, by_hand(x, w), 2e-6)
assert meetings == 2, meetings

stack = np.stack([x, 2 * x])
many = jax.vmap(gradient((mesh, "devices")), (0, 0, None, None, None))
found, meetings = compiled(
    many, [None, "devices"], stack, np.stack([w, w]), *rest)
for i in range(2):
    close([a[i] for a in found], by_hand(stack[i], w), 2e-6)
assert meetings == 2, meetings
print("equal")
"""


def in_two_devices(program):
    # Its own process: the number of devices is fixed at the first use.
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip().endswith("equal"), done.stderr[-2000:]


@pytest.mark.slow
def test_two_devices_meet_twice_and_are_as_one():
    in_two_devices(TWO)
