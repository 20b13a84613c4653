"""Learnt targets, by hand."""

import math

import numpy as np
import pytest
from both import gradient

from ls_tf.objective import label_smoothing, learnt_targets

LOGITS = np.log(np.array([[6, 3, 1], [2, 1, 7], [5, 4, 1]], np.float32))
LABELS = np.array([0, 2, 1], np.int32)  # the last one answered wrongly


def test_right_answers_are_added_up_by_class():
    want = [[0.6, 0.3, 0.1], [0, 0, 0], [0.2, 0.1, 0.7]]
    np.testing.assert_allclose(
        learnt_targets.seen(LABELS, LOGITS), want, rtol=1e-5, atol=1e-7
    )
    twice = np.concatenate([LOGITS, LOGITS])
    np.testing.assert_allclose(
        learnt_targets.seen(np.tile(LABELS, 2), twice),
        2 * np.array(want),
        rtol=1e-5,
        atol=1e-7,
    )


def test_the_loss_by_hand():
    learnt = np.array([[0.5, 0.5, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    found = learnt_targets.learnt_target_loss(
        LABELS, LOGITS, learnt, alpha=0.25
    )
    want = [
        -0.75 * math.log(0.6) - 0.25 * (math.log(0.6) + math.log(0.3)) / 2,
        -math.log(0.7),
        -0.75 * math.log(0.4) - 0.25 * math.log(0.5),
    ]
    np.testing.assert_allclose(found, want, rtol=1e-5)


def test_even_targets_are_smoothed_labels():
    even = np.full((3, 3), 1 / 3, np.float32)
    for alpha in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(
            learnt_targets.learnt_target_loss(
                LABELS, LOGITS, even, alpha=alpha
            ),
            label_smoothing.sparse_loss(LABELS, LOGITS, alpha=alpha),
            rtol=1e-5,
        )


def test_no_gradient_reaches_the_targets():
    learnt = np.full((3, 3), 1 / 3, np.float32)
    slope = gradient(
        lambda t: learnt_targets.learnt_target_loss(
            LABELS, LOGITS, t, alpha=0.5
        ),
        learnt,
    )
    np.testing.assert_array_equal(slope, 0)
    slope = gradient(lambda z: learnt_targets.seen(LABELS, z), LOGITS)
    np.testing.assert_array_equal(slope, 0)


def test_refusals():
    with pytest.raises(ValueError, match=r"learnt targets of shape \(3, 3\)"):
        learnt_targets.learnt_target_loss(
            LABELS, LOGITS, np.ones((2, 3), np.float32), alpha=0.5
        )
