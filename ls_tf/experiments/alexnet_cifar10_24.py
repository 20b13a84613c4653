"""AlexNet on CIFAR-10 with the tutorial's own 24 x 24 pipeline.

Source: tensorflow/models, tutorials/image/cifar10/cifar10_input.py; the rest
as in Mueller et al. 2019, App. A.1, which cites it.
Run: python run_experiment.py --flagfile=flags/alexnet_cifar10_24.flags
"""

from ls_tf.experiments import alexnet_cifar10
from ls_tf.spec import override

SPEC = override(alexnet_cifar10.SPEC, {"data.augmentation": "tutorial_24"})
