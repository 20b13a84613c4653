"""Scores of foreign examples, and a probe, by hand."""

import math

import numpy as np

from ls_tf.analysis import transfer


def test_the_energy_by_hand():
    found = transfer.energy(np.log([[1, 2, 5], [1, 1, 1]]))
    np.testing.assert_allclose(found, [math.log(8), math.log(3)])


def test_pairs_are_counted():
    # 3 and 1 against 2 and 1: three of four pairs, one of them a tie.
    assert transfer.auroc([3, 1], [2, 1]) == (1 + 1 + 0 + 0.5) / 4
    assert transfer.auroc([2, 3], [0, 1]) == 1


def test_a_probe_learns_what_is_linear_and_nothing_else():
    rng = np.random.default_rng(0)
    rows = rng.uniform(-1, 1, (2000, 3)) * [1, 1000, 1]
    linear = (rows[:, 1] > 0).astype(int)
    xor = (rows[:, 0] * rows[:, 1] > 0).astype(int)
    for labels, low, high in ((linear, 0.95, 1), (xor, 0.4, 0.6)):
        parts = [(rows[s], labels[s]) for s in (slice(1000), slice(1000, 2000))]
        assert low < transfer.probe_accuracy(*parts) <= high
