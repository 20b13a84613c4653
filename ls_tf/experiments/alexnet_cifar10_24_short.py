"""AlexNet on CIFAR-10 with 24 x 24 images, all step counts divided by 60.

Source: ours; the recipe of ``alexnet_cifar10_24``. Its numbers are not the
paper's.
Run: python run_experiment.py --flagfile=flags/alexnet_cifar10_24_short.flags
"""

from ls_tf.experiments import alexnet_cifar10_short
from ls_tf.spec import override

FACTOR = alexnet_cifar10_short.FACTOR

SPEC = override(
    alexnet_cifar10_short.SPEC, {"data.augmentation": "tutorial_24"}
)
