"""A model computed part by part, twice: the same numbers, less memory."""

import keras
import numpy as np
import pytest
from both import BACKEND
from keras import layers, ops

from ls_tf.experiments import resnet56_cifar10
from ls_tf.layers.batch_norm import BatchNorm
from ls_tf.layers.dropout import Dropout
from ls_tf.layers.recomputed import Recomputed
from ls_tf.models import inception_v4, resnet

WIDTH, DEPTH, BATCH = 8, 20, 512
NOISY = 4  # each fourth block has dropout


def deep():
    """Residual blocks of everything that has a state."""
    x = images = keras.Input((3,))
    x = layers.Dense(WIDTH, name="stem")(x)
    for number in range(DEPTH):
        y = BatchNorm(name=f"norm_{number}")(x)
        y = layers.Dense(WIDTH, "tanh", name=f"dense_{number}")(y)
        if number % NOISY == 0:
            y = Dropout(0.2, seed=number, name=f"dropout_{number}")(y)
        x = layers.Add(name=f"add_{number}")([x, y])
        if number == DEPTH // 2:
            head = layers.Dense(5, name="auxiliary")(x)
    logits = layers.Dense(5, name="logits")(x)
    outputs = {"auxiliary": head, "logits": logits, "penultimate": x}
    return keras.Model(images, outputs)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    return deep()


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return rng.normal(size=(BATCH, 3)).astype(np.float32)


def loss_of(outputs):
    weights = np.cos(np.arange(BATCH * 5, dtype=np.float32)).reshape(BATCH, 5)
    assert set(outputs) == {"auxiliary", "logits", "penultimate"}
    side = ops.sum(ops.sin(outputs["auxiliary"] * weights))
    pulled = 0.1 * ops.sum(outputs["penultimate"] ** 2)
    return ops.sum(weights * outputs["logits"] ** 2) + side + pulled


def trained(model, forward, images):
    """Loss, state after it, gradients, and bytes where they are known."""
    before = [np.array(v) for v in model.variables]
    trainable = model.trainable_variables
    others = model.non_trainable_variables
    memory = None
    if BACKEND == "jax":
        import jax

        def loss(values, state):
            mapping = [
                *zip(trainable, values, strict=True),
                *zip(others, state, strict=True),
            ]
            with keras.StatelessScope(state_mapping=mapping) as scope:
                total = loss_of(forward(images))
            return total, [scope.get_current_value(v) for v in others]

        arguments = [v.value for v in trainable], [v.value for v in others]
        program = jax.jit(jax.value_and_grad(loss, has_aux=True))
        compiled = program.lower(*arguments).compile()
        memory = compiled.memory_analysis().temp_size_in_bytes
        (total, after), gradients = compiled(*arguments)
    else:
        import tensorflow as tf

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                total = loss_of(forward(images))
            return total, tape.gradient(total, [v.value for v in trainable])

        total, gradients = step()
        after = [np.array(v) for v in others]
    for variable, value in zip(model.variables, before, strict=True):
        variable.assign(value)
    arrays = {
        **{v.path: np.asarray(a) for v, a in zip(others, after, strict=True)},
        **{
            f"gradient of {v.path}": np.asarray(g)
            for v, g in zip(trainable, gradients, strict=True)
        },
    }
    return float(total), arrays, memory


@pytest.fixture(scope="module")
def both(model, images):
    recomputed = Recomputed(model)
    # 68 layers in parts of eight and what is left to the next sum: a block has
    # three and a fourth one four; the head at the side is of the fifth part.
    ends = (1, 4, 7, 10, 12, 15, 18)
    assert recomputed.cuts == [f"add_{number}" for number in ends]
    return (
        trained(model, lambda x: model(x, training=True), images),
        trained(model, recomputed, images),
    )


@pytest.mark.slow
def test_loss_gradients_and_state_are_the_same(both, model):
    (loss, arrays, _), (recomputed_loss, recomputed, _) = both
    assert recomputed_loss == pytest.approx(loss, rel=1e-6)
    assert recomputed.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_allclose(
            recomputed[name], array, rtol=1e-4, atol=1e-4, err_msg=name
        )
    # The noise has moved by one, and so have the averages.
    seeds = [n for n in arrays if "seed_generator_state" in n]
    assert len(seeds) == DEPTH // NOISY
    assert all(arrays[name][1] == 1 for name in seeds)
    moved = [n for n in arrays if n.endswith("moving_mean")]
    assert all(np.abs(arrays[name]).max() > 0 for name in moved)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "jax", reason="XLA's analysis, by JAX")
def test_xla_needs_less_memory(both):
    (_, _, kept), (_, _, recomputed) = both
    # Of each block two activations are kept at least; else the inputs of the
    # parts, and what is inside of one.
    activation = BATCH * WIDTH * 4
    assert kept > 2 * DEPTH * activation
    assert recomputed < 0.65 * kept


def at_blocks(group, blocks):
    return [f"group_{group}_block_{number}_add" for number in blocks]


def test_resnet_56_is_cut_behind_its_sums():
    model = resnet.build(
        num_classes=10,
        image_shape=(32, 32, 3),
        seed=0,
        **resnet56_cifar10.SPEC.model.options,
    )
    assert Recomputed(model).cuts == [
        *at_blocks(1, (2, 4, 6, 8)),
        *at_blocks(2, (1, 3, 5, 7, 9)),
        *at_blocks(3, (2, 4, 6, 8)),
    ]


def test_a_chain_is_cut_anywhere():
    x = images = keras.Input((4,))
    for number in range(1, 10):
        x = layers.Dense(3, name=f"dense_{number}")(x)
    model = keras.Model(images, {"logits": x})
    assert Recomputed(model).cuts == ["dense_3", "dense_6"]


@pytest.mark.slow
@pytest.mark.parametrize("has_head", [False, True])
def test_inception_v4_is_cut_behind_its_blocks(has_head):
    model = inception_v4.build(
        num_classes=10,
        image_shape=(107, 107, 3),
        width_multiplier=0.02,
        auxiliary_head=has_head,
        seed=0,
    )
    # 492 layers in parts of 22: the stem and 3a have 14, 4a 19, 5a 5, blocks A
    # 23, B 32 and C 34, 6a 14 and 7a 20. The head's 9 stand before 7a is done.
    reduction = ["mixed_7a"] if has_head else []
    assert Recomputed(model).cuts == [
        "mixed_4a",
        *(f"mixed_5{letter}" for letter in "bcde"),
        *(f"mixed_6{letter}" for letter in "bcdefgh"),
        *reduction,
        *(f"mixed_7{letter}" for letter in "bcd"),
    ]


def test_a_model_that_cannot_be_cut_is_refused():
    a = keras.Input((4,))
    b = layers.Dense(3)(a)
    c = layers.Dense(3)(a)
    model = keras.Model(a, {"logits": b, "penultimate": c}, name="forked")
    with pytest.raises(ValueError, match="train.remat: model 'forked' has no"):
        Recomputed(model)


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def test_a_model_without_a_graph_is_refused():
    with pytest.raises(ValueError, match="train.remat: model 'own' has no"):
        Recomputed(Subclassed(name="own"))
