"""Weight decay and clipping of the gradients of a whole batch."""

import keras
import numpy as np
import pytest
from both import gradient
from keras import ops
from optimizer_steps import NAMES, SHAPES, gradients, variables

from ls_tf import optimizers

# Weight decay


def test_decayed_by_hand():
    weights = variables(*SHAPES, names=NAMES)
    grads = gradients(SHAPES, 1)[0]
    found = optimizers.decayed(
        grads, weights, weight_decay=0.5, exclude=("logits/bias",)
    )
    for index, rate in enumerate([0.5, 0.5, 0.0]):
        np.testing.assert_allclose(
            found[index],
            grads[index] + rate * np.asarray(weights[index]),
            rtol=1e-6,
        )


def test_decayed_by_the_norm_by_hand():
    weights = variables(*SHAPES, names=NAMES)
    grads = gradients(SHAPES, 1)[0]
    found = optimizers.decayed(grads, weights, weight_decay=0.5, of="norm")
    for grad, weight, result in zip(grads, weights, found, strict=True):
        weight = np.asarray(weight)
        expected = grad + 0.5 * weight / np.linalg.norm(weight)
        np.testing.assert_allclose(result, expected, rtol=1e-5)
    zeros = [np.zeros(shape, "float32") for shape in SHAPES]
    of_zero = optimizers.decayed(
        grads, weights, weight_decay=0.5, values=zeros, of="norm"
    )
    for grad, result in zip(grads, of_zero, strict=True):
        np.testing.assert_array_equal(result, grad)


@pytest.mark.parametrize(
    ("exclude", "taken"),
    [
        ((), [True, True, True]),
        (("bias",), [True, True, False]),
        (("logits",), [True, False, False]),
        (("logits/kernel", "hidden"), [False, False, True]),
    ],
)
def test_exclusion(exclude, taken):
    weights = variables(*SHAPES, names=NAMES)
    zeros = [np.zeros(shape, "float32") for shape in SHAPES]
    found = optimizers.decayed(
        zeros, weights, weight_decay=1.0, exclude=exclude
    )
    for grad, weight, is_taken in zip(found, weights, taken, strict=True):
        np.testing.assert_array_equal(grad, np.asarray(weight) * is_taken)


def test_decay_is_the_gradient_of_the_penalty():
    weights = variables(*SHAPES, names=NAMES)
    zeros = [np.zeros(shape, "float32") for shape in SHAPES]
    found = optimizers.decayed(
        zeros, weights, weight_decay=0.3, exclude=("bias",)
    )
    # Keras's L2 has no one-half.
    penalty = keras.regularizers.L2(0.3 / 2)
    for i in (0, 1):
        value = ops.convert_to_tensor(np.asarray(weights[i]))
        expected = gradient(penalty, value)
        np.testing.assert_allclose(found[i], expected, rtol=1e-6)
    np.testing.assert_array_equal(found[2], zeros[2])


def test_values_may_lie_outside_the_variables():
    weights = variables(*SHAPES, names=NAMES)
    values = [2 * np.asarray(w) for w in weights]
    zeros = [np.zeros(shape, "float32") for shape in SHAPES]
    found = optimizers.decayed(
        zeros, weights, weight_decay=0.5, exclude=("bias",), values=values
    )
    np.testing.assert_allclose(found[0], np.asarray(weights[0]), rtol=1e-6)
    assert not np.any(np.asarray(found[2]))


def test_no_decay_gives_the_gradients_back():
    weights = variables(*SHAPES, names=NAMES)
    grads = gradients(SHAPES, 1)[0]
    for a, b in zip(
        optimizers.decayed(grads, weights, weight_decay=0.0),
        grads,
        strict=True,
    ):
        assert a is b
    assert (
        optimizers.decayed([None, *grads[1:]], weights, weight_decay=0.1)[0]
        is None
    )


def test_refusals_of_decay():
    weights = variables(*SHAPES, names=NAMES)
    grads = gradients(SHAPES, 1)[0]
    with pytest.raises(ValueError, match="'logits/beta' names no variable"):
        optimizers.decayed(
            grads, weights, weight_decay=0.1, exclude=("logits/beta",)
        )
    with pytest.raises(ValueError, match="weight_decay of 0 or more"):
        optimizers.decayed(grads, weights, weight_decay=-0.1)


# Clipping


def test_clipped_by_hand():
    # Norm sqrt(3^2 + 4^2 + 12^2) = 13.
    grads = [np.array([3.0, 4.0], "float32"), np.array([[12.0]], "float32")]
    assert float(optimizers.global_norm(grads)) == pytest.approx(13)
    found = optimizers.clipped(grads, 1.0)
    np.testing.assert_allclose(found[0], [3 / 13, 4 / 13], rtol=1e-6)
    np.testing.assert_allclose(found[1], [[12 / 13]], rtol=1e-6)


def test_small_gradients_are_left_bit_for_bit():
    grads = gradients(SHAPES, 1)[0]
    bound = 2 * float(optimizers.global_norm(grads))
    for a, b in zip(optimizers.clipped(grads, bound), grads, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(optimizers.clipped(grads, 0.0), grads, strict=True):
        assert a is b
    (zero,) = optimizers.clipped([np.zeros(3, "float32")], 1.0)
    np.testing.assert_array_equal(zero, np.zeros(3))


def test_clipped_against_tensorflow():
    tf = pytest.importorskip("tensorflow")
    grads = gradients(SHAPES, 1)[0]
    for bound in (0.01, 1.0, 100.0):
        expected, norm = tf.clip_by_global_norm(grads, bound)
        assert float(optimizers.global_norm(grads)) == pytest.approx(
            float(norm), rel=1e-6
        )
        for a, b in zip(
            optimizers.clipped(grads, bound), expected, strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_norm_that_is_not_finite_is_not_hidden(bad):
    grads = [np.array([bad, 1.0], "float32"), None]
    found = optimizers.clipped(grads, 1.0)
    assert np.all(np.isnan(np.asarray(found[0])))
    assert found[1] is None


def test_a_negative_bound_is_refused():
    with pytest.raises(ValueError, match="clipping norm of 0 or more"):
        optimizers.clipped([np.ones(2, "float32")], -1.0)
