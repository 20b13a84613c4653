"""The least loss of Guo et al. 2024: its templates and class means."""

import math

import numpy as np

from ls_tf.analysis import neural_collapse


def minimiser(classes, alpha, *, templates_decay, activations_decay, per_class):
    """Templates and class means [K, K]; any rotation of both is one too."""
    gap = neural_collapse.logit_gap(
        classes,
        alpha,
        templates_decay=templates_decay,
        activations_decay=activations_decay,
        per_class=per_class,
    )
    centre = np.eye(classes) - 1 / classes
    # Both parts of the penalty are equal there.
    ratio = (per_class * activations_decay / templates_decay) ** 0.25
    root = math.sqrt(gap)
    return ratio * root * centre, root / ratio * centre
