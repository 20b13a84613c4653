"""Tests of ls_tf.optimizers."""

import inspect
import subprocess
import sys

import keras
import numpy as np
import pytest
from both import tensorflow_only
from keras import ops
from optimizer_steps import NAMES, SHAPES, gradients, variables

from ls_tf import optimizers
from ls_tf.spec.updates import ELSEWHERE, OPTIMIZERS
from ls_tf.spec.values import fits


def apply(optimizer, weights, all_grads):
    for grads in all_grads:
        optimizer.apply([ops.convert_to_tensor(g) for g in grads], weights)
    return [np.asarray(w) for w in weights]


def slow(weight, grads, rates, momentum, nesterov=False, dampening=0.0):
    """The update of one variable in float64, as PyTorch writes it."""
    w = np.asarray(weight, "float64").copy()
    v = np.zeros_like(w)
    for g, rate in zip(grads, rates, strict=True):
        g = (1 - dampening) * g.astype("float64")
        v = momentum * v + g
        w -= rate * (g + momentum * v if nesterov else v)
    return w


def stepped(*rates, every=2):
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [every * (n + 1) - 1 for n in range(len(rates) - 1)], list(rates)
    )


# The update


def test_two_steps_by_hand():
    (w,) = variables((1,))
    w.assign([1.0])
    optimizer = optimizers.Momentum(0.1, momentum=0.5)
    apply(optimizer, [w], [[np.array([2.0], "float32")]])
    # v = 2, w = 1 - .1 * 2.
    assert float(w[0]) == pytest.approx(1 - 0.1 * 2)
    apply(optimizer, [w], [[np.array([1.0], "float32")]])
    # v = .5 * 2 + 1.
    assert float(w[0]) == pytest.approx(1 - 0.1 * 2 - 0.1 * (0.5 * 2 + 1))


def test_nesterov_by_hand():
    (w,) = variables((1,))
    w.assign([1.0])
    optimizer = optimizers.Momentum(0.1, momentum=0.5, nesterov=True)
    apply(optimizer, [w], [[np.array([2.0], "float32")]])
    # v = 2; the step is g + .5 * v.
    first = 0.1 * (2 + 0.5 * 2)
    assert float(w[0]) == pytest.approx(1 - first)
    apply(optimizer, [w], [[np.array([1.0], "float32")]])
    # v = .5 * 2 + 1 = 2.
    assert float(w[0]) == pytest.approx(1 - first - 0.1 * (1 + 0.5 * 2))


def test_the_smoothed_gradient_by_hand():
    # v = .9 v + .1 g from 0: one step at rate 1 moves a tenth of g, and many
    # equal gradients come to move g itself, not ten times g.
    (w,) = variables((1,))
    w.assign([0.0])
    optimizer = optimizers.Momentum(1.0, momentum=0.9, dampening=0.9)
    ones = [[np.ones(1, "float32")]]
    apply(optimizer, [w], ones)
    assert float(w[0]) == pytest.approx(-0.1)
    apply(optimizer, [w], ones)
    assert float(w[0]) == pytest.approx(-0.1 - (0.9 * 0.1 + 0.1))
    before = float(apply(optimizer, [w], ones * 200)[0][0])
    after = float(apply(optimizer, [w], ones)[0][0])
    assert before - after == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"momentum": 0.0},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "dampening": 0.9},
        {"momentum": 0.9, "dampening": 0.5, "nesterov": True},
    ],
)
def test_against_a_slow_loop_while_the_rate_changes(options):
    shapes = [(3, 2), (4,)]
    weights = variables(*shapes)
    start = [np.asarray(w).copy() for w in weights]
    grads = gradients(shapes, 6)
    optimizer = optimizers.Momentum(stepped(1.0, 0.1, 0.01), **options)
    found = apply(optimizer, weights, grads)
    rates = [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]
    for index in range(2):
        np.testing.assert_allclose(
            found[index],
            slow(start[index], [g[index] for g in grads], rates, **options),
            atol=1e-6,
        )


@pytest.mark.parametrize("nesterov", [False, True])
def test_against_the_kernel_of_tensorflow_1(nesterov):
    tf = pytest.importorskip("tensorflow")
    (w,) = variables((3, 2))
    reference = tf.Variable(np.asarray(w))
    velocity = tf.Variable(tf.zeros((3, 2)))
    grads = gradients([(3, 2)], 6)
    for (g,), rate in zip(grads, [1, 1, 0.1, 0.1, 0.01, 0.01], strict=True):
        tf.raw_ops.ResourceApplyMomentum(
            var=reference.handle,
            accum=velocity.handle,
            lr=tf.constant(rate, tf.float32),
            grad=tf.constant(g),
            momentum=tf.constant(0.9),
            use_nesterov=nesterov,
        )
    optimizer = optimizers.Momentum(
        stepped(1.0, 0.1, 0.01), momentum=0.9, nesterov=nesterov
    )
    (found,) = apply(optimizer, [w], grads)
    np.testing.assert_allclose(found, reference, atol=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_keras_agrees_at_a_constant_rate_and_not_after_a_drop(nesterov):
    def both(rate):
        results = []
        for cls in (optimizers.Momentum, keras.optimizers.SGD):
            weights = variables((5,))
            optimizer = cls(rate(), momentum=0.9, nesterov=nesterov)
            results += apply(optimizer, weights, gradients([(5,)], 4))
        return results

    ours, theirs = both(lambda: 0.1)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    ours, theirs = both(lambda: stepped(0.1, 0.01))
    assert np.max(np.abs(ours - theirs)) > 1e-2


def test_without_momentum_it_is_plain_descent_without_slots():
    (w,) = variables((5,))
    optimizer = optimizers.Momentum(0.1)
    optimizer.build([w])
    # The counter of updates and the learning rate.
    assert len(optimizer.variables) == 2
    (other,) = variables((5,))
    grads = gradients([(5,)], 3)
    np.testing.assert_array_equal(
        apply(optimizer, [w], grads)[0],
        apply(keras.optimizers.SGD(0.1), [other], grads)[0],
    )


def test_one_velocity_per_variable():
    weights = variables((3, 2), (4,))
    optimizer = optimizers.Momentum(0.1, momentum=0.9)
    optimizer.build(weights)
    assert [tuple(v.shape) for v in optimizer.velocities] == [(3, 2), (4,)]
    assert len(optimizer.variables) == 4


@tensorflow_only
def test_sparse_gradients():
    tf = pytest.importorskip("tensorflow")
    for options in ({}, {"momentum": 0.9, "dampening": 0.5}):
        (sparse,) = variables((4, 2))
        (dense,) = variables((4, 2))
        one, two = (
            optimizers.Momentum(0.1, **options),
            optimizers.Momentum(0.1, **options),
        )
        for rows in ([1, 3], [0, 1]):
            values = np.arange(4, dtype="float32").reshape(2, 2)
            whole = np.zeros((4, 2), "float32")
            whole[rows] = values
            one.apply(
                [tf.IndexedSlices(values, tf.constant(rows), (4, 2))], [sparse]
            )
            two.apply([tf.constant(whole)], [dense])
        np.testing.assert_allclose(sparse, dense, rtol=1e-6)


@tensorflow_only
def test_inside_a_compiled_function():
    tf = pytest.importorskip("tensorflow")
    (w,) = variables((4,))
    start = np.asarray(w).copy()
    optimizer = optimizers.Momentum(stepped(1.0, 0.1), momentum=0.9)
    optimizer.build([w])
    grads = gradients([(4,)], 4)

    @tf.function(jit_compile=True)
    def run(all_grads):
        for step in tf.range(4):
            optimizer.apply([all_grads[step]], [w])

    run(tf.constant(np.stack([g for (g,) in grads])))
    np.testing.assert_allclose(
        w,
        slow(start, [g for (g,) in grads], [1.0, 1.0, 0.1, 0.1], 0.9),
        atol=1e-6,
    )


def test_average_of_the_weights():
    (w,) = variables((1,))
    w.assign([0.0])
    optimizer = optimizers.build(
        "Momentum", {}, learning_rate=1.0, ema_momentum=0.5
    )
    # Weights -1, -2, -3; the average starts at the first of them.
    apply(optimizer, [w], [[np.ones(1, "float32")]] * 3)
    average = 0.5 * (0.5 * -1 + 0.5 * -2) + 0.5 * -3
    (found,) = optimizer._model_variables_moving_average
    assert float(found[0]) == pytest.approx(average)
    assert float(w[0]) == -3
    optimizer.finalize_variable_values([w])
    assert float(w[0]) == pytest.approx(average)


# Multipliers


@pytest.mark.parametrize(
    ("multipliers", "factors"),
    [
        ({"logits": 0.1}, [1, 0.1, 0.1]),
        ({"logits/bias": 0.5}, [1, 1, 0.5]),
        ({"hidden": 0.0, "bias": 2}, [0, 1, 2]),
    ],
)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_multipliers_by_name(multipliers, factors, momentum):
    weights = variables(*SHAPES, names=NAMES)
    start = [np.asarray(w).copy() for w in weights]
    grads = gradients(SHAPES, 3)
    optimizer = optimizers.Momentum(
        1.0, momentum=momentum, learning_rate_multipliers=multipliers
    )
    found = apply(optimizer, weights, grads)
    for index, factor in enumerate(factors):
        np.testing.assert_allclose(
            found[index],
            slow(
                start[index], [g[index] for g in grads], [factor] * 3, momentum
            ),
            atol=1e-6,
        )


def test_multipliers_in_a_model():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, name="hidden_1"),
            keras.layers.Dense(2, name="logits"),
        ]
    )
    weights = model.trainable_variables
    before = [np.asarray(w).copy() for w in weights]
    optimizer = optimizers.Momentum(
        1.0, learning_rate_multipliers={"logits": 0.1}
    )
    after = apply(
        optimizer, weights, [[np.ones(w.shape, "float32") for w in weights]]
    )
    moved = [float(np.mean(b - a)) for a, b in zip(after, before, strict=True)]
    assert moved == pytest.approx([1, 1, 0.1, 0.1], rel=1e-5)


@pytest.mark.parametrize(
    "name", ["logit", "ogits", "kernel/logits", "its/bias"]
)
def test_a_multiplier_for_nothing_is_refused(name):
    optimizer = optimizers.Momentum(1.0, learning_rate_multipliers={name: 0.1})
    with pytest.raises(ValueError, match="names no variable") as error:
        optimizer.build(variables(*SHAPES, names=NAMES))
    assert "hidden/kernel, logits/kernel, logits/bias" in str(error.value)


def test_a_name_that_no_variable_has_is_one_line_of_a_large_network_too():
    variables = [
        keras.Variable(np.zeros(1), name=f"weight_{i}") for i in range(30)
    ]
    with pytest.raises(ValueError, match="names no variable") as error:
        optimizers.decayed(
            [None] * 30, variables, weight_decay=0.1, exclude=("gamma",)
        )
    assert str(error.value).endswith("weight_19 and 10 more")


def test_two_multipliers_for_one_variable_are_refused():
    optimizer = optimizers.Momentum(
        1.0, learning_rate_multipliers={"logits": 0.1, "bias": 2.0}
    )
    with pytest.raises(ValueError, match="wanted one .* for logits/bias"):
        optimizer.build(variables(*SHAPES, names=NAMES))


# Configuration


def test_config_is_complete():
    options = {
        "momentum": 0.9,
        "nesterov": True,
        "dampening": 0.25,
        "learning_rate_multipliers": {"logits": 0.1},
        "use_ema": True,
        "ema_momentum": 0.5,
    }
    one = optimizers.Momentum(stepped(1.0, 0.1), **options)
    two = keras.optimizers.deserialize(keras.optimizers.serialize(one))
    assert isinstance(two, optimizers.Momentum)
    assert two.get_config() == one.get_config()
    assert {key: one.get_config()[key] for key in options} == options
    assert type(one.get_config()["learning_rate_multipliers"]) is dict
    grads = gradients(SHAPES, 4)
    for a, b in zip(
        apply(one, variables(*SHAPES, names=NAMES), grads),
        apply(two, variables(*SHAPES, names=NAMES), grads),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, "momentum in"),
        ({"momentum": -0.1}, "momentum in"),
        ({"momentum": 0.9, "dampening": 1.0}, "dampening in"),
        ({"nesterov": True}, "want a momentum above 0"),
        ({"dampening": 0.9}, "want a momentum above 0"),
        ({"learning_rate_multipliers": {"logits": -1}}, "multiplier of 0"),
    ],
)
def test_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        optimizers.Momentum(0.1, **options)


# build


def test_build_ours():
    optimizer = optimizers.build(
        "Momentum", {"momentum": 0.9, "nesterov": True}, learning_rate=1
    )
    assert isinstance(optimizer, optimizers.Momentum)
    assert optimizer.nesterov
    assert not optimizer.use_ema
    assert float(optimizer.learning_rate) == 1.0


def test_build_one_of_keras():
    optimizer = optimizers.build(
        "Adam",
        {"beta_1": 0.9, "beta_2": 0.997, "epsilon": 1e-9},
        learning_rate=stepped(0.1, 0.01),
        ema_momentum=0.9999,
    )
    assert type(optimizer) is keras.optimizers.Adam
    assert (optimizer.beta_2, optimizer.epsilon) == (0.997, 1e-9)
    assert optimizer.use_ema
    assert optimizer.ema_momentum == 0.9999


def test_adam_is_that_of_tensorflow_1():
    # Its epsilon stands outside of the bias correction. At the first step
    # m = .1 g and v = .003 g ** 2, so that with g = 10 epsilon
    #   rate sqrt(.003) / .1 * .1 g / (sqrt(.003) g + g / 10)
    # where epsilon inside, beside the corrected root, gives g / (g + g / 10).
    g, rate, epsilon = 1e-8, 0.5, 1e-9
    options = {"beta_1": 0.9, "beta_2": 0.997, "epsilon": epsilon}
    (w,) = variables((1,))
    w.assign([0.0])
    optimizer = optimizers.build("Adam", options, learning_rate=rate)
    grads = [[np.array([g * k], "float32")] for k in (1.0, -2.0, 0.5, 3.0)]
    (first,) = apply(optimizer, [w], grads[:1])
    root = 0.003**0.5
    assert first[0] == pytest.approx(-rate * root / (root + 0.1), rel=1e-4)
    # And the steps after it, in float64.
    position, m, v = float(first[0]), 0.1 * g, 0.003 * g**2
    for t, (next_one,) in enumerate(grads[1:], start=2):
        m = 0.9 * m + 0.1 * float(next_one[0])
        v = 0.997 * v + 0.003 * float(next_one[0]) ** 2
        factor = (1 - 0.997**t) ** 0.5 / (1 - 0.9**t)
        position -= rate * factor * m / (v**0.5 + epsilon)
    (last,) = apply(optimizer, [w], grads[1:])
    assert last[0] == pytest.approx(position, rel=1e-4)


@pytest.mark.parametrize("name", ["Adagrad", "Nadam", "RMSprop", "SGD"])
def test_build_makes_an_optimizer_that_descends(name):
    (w,) = variables((1,))
    w.assign([1.0])
    optimizer = optimizers.build(name, {}, learning_rate=0.1)
    apply(optimizer, [w], [[np.ones(1, "float32")]])
    assert float(w[0]) < 1


@pytest.mark.parametrize("name", ["Adm", "AdamW", "Muon", "LossScaleOptimizer"])
def test_build_refuses_names(name):
    with pytest.raises(ValueError, match="no optimizer") as error:
        optimizers.build(name, {}, learning_rate=0.1)
    assert ", Adam, " in str(error.value)
    assert "Momentum" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("clipnorm", "train.clip_global_norm"),
        ("clipvalue", "train.clip_global_norm"),
        ("global_clipnorm", "train.clip_global_norm"),
        ("weight_decay", "train.weight_decay"),
        ("gradient_accumulation_steps", "train.global_batch_size"),
        ("use_ema", "train.ema_momentum"),
    ],
)
@pytest.mark.parametrize("name", ["Momentum", "SGD"])
def test_build_refuses_what_the_training_loop_does(name, option, field):
    with pytest.raises(ValueError, match=field) as error:
        optimizers.build(name, {option: 1.0}, learning_rate=0.1)
    assert "\n" not in str(error.value)


def test_build_refuses_unknown_options():
    with pytest.raises(ValueError, match="no option 'momentun'") as error:
        optimizers.build("Momentum", {"momentun": 0.9}, learning_rate=0.1)
    assert str(error.value).endswith(
        "momentum, nesterov, dampening, learning_rate_multipliers"
    )
    with pytest.raises(ValueError, match="ema_momentum in"):
        optimizers.build("SGD", {}, learning_rate=0.1, ema_momentum=1.0)


# Replicas. A strategy stays in its process, so it gets one of its own.

_REPLICAS = """
import numpy as np
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)
import keras
from ls_tf import optimizers

def train(strategy, slices):
    with strategy.scope():
        with keras.name_scope("hidden"):
            a = keras.Variable(np.full((3, 2), 0.5, "float32"), name="kernel")
        with keras.name_scope("logits"):
            b = keras.Variable(np.full((2,), -0.5, "float32"), name="bias")
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            [1], [0.5, 0.05])
        optimizer = optimizers.build(
            "Momentum",
            dict(momentum=0.9, nesterov=True, dampening=0.5,
                 learning_rate_multipliers={"logits": 0.1}),
            learning_rate=rate, ema_momentum=0.5)
        optimizer.build([a, b])

    def step(x):
        with tf.GradientTape() as tape:
            y = tf.tanh(x @ a + b)
            loss = tf.reduce_sum(y ** 2) / 8
        grads = tape.gradient(loss, [a.value, b.value])
        context = tf.distribute.get_replica_context()
        n = context.num_replicas_in_sync
        # The whole gradient on every replica, then decay and clipping of it.
        grads = context.all_reduce("SUM", grads)
        grads = optimizers.decayed(
            grads, [a, b], weight_decay=0.1, exclude=("logits/bias",))
        grads = optimizers.clipped(grads, 0.3)
        optimizer.apply([g / n for g in grads], [a, b])

    @tf.function
    def run():
        for _ in range(5):
            strategy.run(step, args=(x,))

    data = np.linspace(-1, 1, 24).reshape(8, 3).astype("float32")
    size = 8 // slices
    x = strategy.experimental_distribute_values_from_function(
        lambda c: tf.constant(
            data[c.replica_id_in_sync_group * size:][:size]))
    run()
    return [np.asarray(v) for v in [a, b, *optimizer.variables]]

one = train(tf.distribute.OneDeviceStrategy("CPU:0"), 1)
two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), 2)
assert len(one) == len(two)
for p, q in zip(one, two):
    np.testing.assert_allclose(p, q, atol=3e-7)
assert abs(one[0] - 0.5).max() > 1e-2
print("equal")
"""


@pytest.mark.slow
def test_two_replicas_equal_one():
    pytest.importorskip("tensorflow")
    done = subprocess.run(
        [sys.executable, "-c", _REPLICAS],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.strip().endswith("equal"), done.stderr[-2000:]


def test_what_is_known_without_keras_is_what_keras_takes():
    classes = optimizers._classes()
    assert classes.keys() == OPTIMIZERS.keys()
    for name, known in OPTIMIZERS.items():
        taken = {
            key: parameter.default
            for key, parameter in inspect.signature(
                classes[name]
            ).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
            and key not in ("name", *ELSEWHERE)
        }
        assert taken.keys() == known.keys(), name
        for key, (kind, has_default) in known.items():
            assert has_default == (taken[key] is not inspect.Parameter.empty)
            assert fits(taken[key], kind), (name, key)
