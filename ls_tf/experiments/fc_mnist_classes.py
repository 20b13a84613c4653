"""The small network on some classes of MNIST.

Source: Shen et al. 2021, table 4 and figure 9, whose data is ImageNet: the
recipe of ``fc_mnist_small``. As it stands it has all ten classes;
``--set=data.classes=4,9`` keeps two. 100 epochs, whatever is left to train on.
Cost: all ten classes as ``fc_mnist_small``.
Run: python run_experiment.py --flagfile=flags/fc_mnist_classes.flags
"""

import dataclasses

from ls_tf.experiments import fc_mnist_small

_SMALL = fc_mnist_small.SPEC

# Less the evaluator that names three classes.
SPEC = dataclasses.replace(
    _SMALL,
    evaluators=_SMALL.evaluators[:3],
    # Of two classes there are few in the first 400 images.
    smoke={**_SMALL.smoke, "train.global_batch_size": 20},
)
