"""Fully connected network on MNIST with hard targets and dropout.

Source: Mueller et al. 2019, section 4: the hard-target teacher, 0.67 % test
error. The rates of dropout are not stated; Hinton et al. 2012 drop half of
the hidden units and a fifth of the inputs.
Cost: see docs/paper_setup.md.
Run: python run_experiment.py --flagfile=flags/fc_mnist_dropout.flags
"""

from ls_tf.experiments import fc_mnist
from ls_tf.spec import override

SPEC = override(
    fc_mnist.SPEC,
    {
        "alpha": 0.0,
        "model.options.dropout_rate": 0.5,
        "model.options.input_dropout_rate": 0.2,
    },
)
