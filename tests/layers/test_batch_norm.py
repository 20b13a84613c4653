"""Batch normalization: its constants, its types, one and several replicas."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from both import BACKEND, compiled

from ls_tf.layers.batch_norm import BatchNorm, _replicas

ROOT = pathlib.Path(__file__).parents[2]


def _fused_batch_norm():
    # Imports TensorFlow, which not every backend has.
    from ls_tf.layers import fused_batch_norm as module

    return module


def images(shape=(4, 3, 3, 5), seed=0):
    draw = np.random.default_rng(seed)
    return (2 * draw.standard_normal(shape) + 3).astype("float32")


def test_normalizes_with_the_biased_variance_of_the_batch():
    x = images()
    layer = BatchNorm(name="norm")
    found = np.asarray(layer(x, training=True))
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(
        found, (x - mean) / np.sqrt(variance + 1e-5), atol=1e-5
    )


def test_the_constants_and_the_moving_averages():
    x = images()
    layer = BatchNorm(name="norm")
    layer(x, training=True)
    # momentum is the share of the old value; the variance is the biased one.
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    moving = 0.1 * mean, 0.9 + 0.1 * variance
    np.testing.assert_allclose(layer.moving_mean.numpy(), moving[0], rtol=1e-5)
    np.testing.assert_allclose(
        layer.moving_variance.numpy(), moving[1], rtol=1e-5
    )
    found = np.asarray(layer(x, training=False))
    np.testing.assert_allclose(
        found, (x - moving[0]) / np.sqrt(moving[1] + 1e-5), atol=1e-5
    )


def test_epsilon_is_under_the_root():
    layer = BatchNorm(name="norm", epsilon=0.25)
    layer.build((None, 1))
    layer.moving_variance.assign([0.0])
    assert np.asarray(layer(np.ones((1, 1)))) == pytest.approx(2.0)


def test_is_compiled_on_one_device():
    x = images()
    layer, again = BatchNorm(name="norm"), BatchNorm(name="norm")
    layer.build(x.shape)

    @compiled
    def call(x):
        # A trace may keep no state of JAX's.
        with keras.StatelessScope():
            return layer(x, training=True)

    np.testing.assert_allclose(
        np.asarray(call(x)), np.asarray(again(x, training=True)), atol=1e-5
    )
    assert not layer.synchronized


def test_a_mixed_policy_keeps_the_statistics_in_float32():
    x = images((64, 8, 8, 5))
    layer = BatchNorm(name="norm", dtype="mixed_bfloat16")
    found = layer(x, training=True)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    assert {v.dtype for v in layer.variables} == {"float32"}
    rounded = np.asarray(
        keras.ops.cast(keras.ops.cast(x, "bfloat16"), "float32")
    )
    # bfloat16 has steps of 0.01 here, which these would show.
    np.testing.assert_allclose(
        layer.moving_mean.numpy(), 0.1 * rounded.mean((0, 1, 2)), rtol=1e-5
    )
    np.testing.assert_allclose(
        layer.moving_variance.numpy(),
        0.9 + 0.1 * rounded.var((0, 1, 2)),
        rtol=1e-5,
    )


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's kernel")
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_kernel_does_what_keras_does(policy, monkeypatch):
    import tensorflow as tf

    x = tf.constant(images((16, 4, 4, 5)))
    w = tf.cos(tf.reshape(tf.range(tf.size(x), dtype=tf.float32), x.shape))

    def part(layer):
        layer.build(x.shape)
        layer.gamma.assign([0.5, 1.0, 1.5, -1.0, 2.0])
        layer.beta.assign([0.0, 1.0, -1.0, 0.5, 3.0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.cast(layer(x, training=True), "float32")
        trained = [x, layer.gamma.value, layer.beta.value]
        gradients = tape.gradient(y, trained, w)
        moving = [v.numpy() for v in layer.non_trainable_variables]
        return [*(g.numpy() for g in (y, *gradients)), *moving]

    calls = []
    kernel = _fused_batch_norm().normalize
    monkeypatch.setattr(
        _fused_batch_norm(),
        "normalize",
        lambda *args: calls.append(args) or kernel(*args),
    )
    fused = part(BatchNorm(name="norm", dtype=policy))
    assert len(calls) == 1
    theirs = part(
        keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, dtype=policy
        )
    )
    assert len(calls) == 1
    # The outputs of a mixed policy are rounded to 8 bits, sums of 256 not.
    rounding = 1e-5 if policy == "float32" else 2e-2
    for a, b in zip(fused, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rounding, atol=rounding)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's kernel")
@pytest.mark.parametrize(
    ("x", "options", "changes"),
    [
        (np.ones((4, 5), "float32"), {}, {}),
        (images().astype("float64"), {"dtype": "float64"}, {}),
        (images(), {}, {"trainable": False}),
        (images(), {"axis": 1}, {}),
        (images(), {"scale": False}, {}),
    ],
    ids=["rows", "float64", "frozen", "axis", "no scale"],
)
def test_what_the_kernel_lacks_is_kerass(x, options, changes, monkeypatch):
    monkeypatch.setattr(
        _fused_batch_norm(), "normalize", lambda *args: pytest.fail("called")
    )
    layer = BatchNorm(name="norm", **options)
    layer.build(x.shape)
    for name, value in changes.items():
        setattr(layer, name, value)
    assert layer(x, training=True).shape == x.shape


def test_synchronizes_where_a_strategy_has_replicas():
    class Strategy:
        num_replicas_in_sync = 4

    class Variable:
        distribute_strategy = Strategy()

    assert _replicas(Variable()) == 4
    assert _replicas(np.zeros(3)) == 1
    Variable.distribute_strategy = None
    assert _replicas(Variable()) == 1


def test_a_configuration_of_replicas_loads_without_them():
    layer = BatchNorm(name="norm")
    layer.synchronized = True
    again = BatchNorm.from_config(layer.get_config())
    assert not again.synchronized
    assert (again.momentum, again.epsilon) == (0.9, 1e-5)


@pytest.mark.parametrize(
    "changes",
    [{"momentum": 1.0}, {"momentum": -0.1}, {"epsilon": 0.0}],
)
def test_refuses_in_one_line(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=name) as error:
        BatchNorm(name="norm", **changes)
    assert "\n" not in str(error.value)


# Each makes values and gradients on one device and on two, and compares.
TENSORFLOW = """
import numpy as np, tensorflow as tf
from ls_tf.layers.batch_norm import BatchNorm
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
x = np.random.default_rng(0).normal(3, 2, (8, 3, 3, 5)).astype("float32")
w = tf.cos(tf.reshape(tf.range(x.size, dtype="float32"), x.shape))

def scaled(layer):
    layer.build(x.shape)
    layer.gamma.assign([0.5, 1.0, 1.5, -1.0, 2.0])
    layer.beta.assign([0.0, 1.0, -1.0, 0.5, 3.0])
    return layer

def part(layer, x, w):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    trained = [x, layer.gamma.value, layer.beta.value]
    return y, *tape.gradient(y, trained, w)

alone = scaled(BatchNorm(name="norm"))
expected = part(alone, tf.constant(x), w)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    layer = scaled(BatchNorm(name="norm"))
assert layer.synchronized and not alone.synchronized

@tf.function
def program():
    def replica():
        i = tf.distribute.get_replica_context().replica_id_in_sync_group
        return part(layer, tf.constant(x)[4*i:4*i+4], w[4*i:4*i+4])
    return strategy.run(replica)

y, *gradients = program()
results = [strategy.experimental_local_results(v) for v in (y, *gradients)]
# Outputs follow each other; a weight's gradients are the replicas' shares.
found = [np.concatenate(v) for v in results[:2]] + [sum(v) for v in results[2:]]
graph = program.get_concrete_function().graph.as_graph_def()
kernels = [n for n in str(graph).split() if "FusedBatchNormV3" in n]
assert kernels, "the fused kernel is not in the graph"
"""
JAX = """
import jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from ls_tf.layers.batch_norm import BatchNorm
x = np.random.default_rng(0).normal(3, 2, (8, 3, 3, 5)).astype("float32")
w = np.cos(np.arange(x.size, dtype="float32")).reshape(x.shape)
alone, layer = BatchNorm(name="norm"), BatchNorm(name="norm")
for each in (alone, layer):
    each.build(x.shape)

def part(layer):
    def call(x):
        return layer.stateless_call(
            [v.value for v in layer.trainable_variables],
            [v.value for v in layer.non_trainable_variables],
            x, training=True)
    @jax.jit
    def both(x, w):
        y, back, state = jax.vjp(call, x, has_aux=True)
        return y, back(w)[0], state
    return both

def run(layer, *arrays):
    *values, state = part(layer)(*arrays)
    for v, value in zip(layer.non_trainable_variables, state):
        v.assign(np.asarray(value))
    return [np.asarray(v) for v in values]

expected = run(alone, x, w)
assert len(jax.devices()) == 2
mesh = jax.make_mesh((2,), ("batch",))
halves = NamedSharding(mesh, PartitionSpec("batch"))
found = run(layer, *(jax.device_put(a, halves) for a in (x, w)))
"""
COMPARE = """
for a, b in zip(found, expected, strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)
for a, b in zip(layer.variables, alone.variables, strict=True):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
print("equal")
"""


@pytest.mark.slow
def test_two_devices_normalize_over_the_whole_batch():
    # Its own process: the number of devices is fixed at the first use.
    done = subprocess.run(
        [sys.executable, "-c", {"jax": JAX}.get(BACKEND, TENSORFLOW) + COMPARE],
        env={
            **os.environ,
            "KERAS_BACKEND": BACKEND,
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip().endswith("equal"), done.stderr[-2000:]
