"""What counts is a whole number: neither 1.5, NaN nor True passes for one."""

import math

import numpy as np
import pytest

from ls_tf.analysis import calibration, mutual_information, projection, scores
from ls_tf.analysis import soft_labels as soft

LOGITS, LABELS = np.eye(3), np.arange(3)


@pytest.mark.parametrize("number", [1.5, math.nan, True, "2"])
@pytest.mark.parametrize(
    "function",
    [
        lambda n: scores.top_k_accuracy(LOGITS, LABELS, n),
        lambda n: calibration.bins([0.5], [1], num_bins=n),
        lambda n: soft.alpha_from_eps(0.1, n),
        lambda n: mutual_information.bias(n),
        lambda n: mutual_information.logit_difference(LOGITS, 0, n),
        lambda n: projection.cluster_centres(LOGITS[:, :2], LABELS, [0, 2, n]),
    ],
)
def test_only_whole_numbers_count(function, number):
    with pytest.raises(ValueError, match="whole numbers"):
        function(number)


def test_bins_have_a_bound():
    with pytest.raises(ValueError, match="num_bins of 1000000 or less"):
        calibration.bins([0.5], [1], num_bins=10**12)


def test_weights_whose_sum_is_infinite():
    with pytest.raises(ValueError, match="weights of a finite sum"):
        scores.nll(LOGITS, LABELS, [1e308, 1e308, 1])
