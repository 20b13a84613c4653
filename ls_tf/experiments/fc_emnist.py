"""Fully connected network on EMNIST with smoothed labels.

Source: Wagner et al. 2023, tables 2 and 3: the recipe of the MNIST teacher on
another data set of the same size.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/fc_emnist.flags
"""

from ls_tf.experiments import fc_mnist
from ls_tf.spec import override

SPEC = override(fc_mnist.SPEC, {"data.name": "emnist"})
