"""The replication's AlexNet on CIFAR-10, as its code trains it.

Source: Wagner et al. 2023, tables 2 and 3, row CIFAR-10 AlexNet (85.01 % to
86.02 %), and its code: all 50,000 training images, reported on the test
images, crops of 24 x 24, standardized by channel, 1,246 epochs, the norm of two
matrices as penalty, not its square, the last layer starting from a constant,
local response normalization with an eighth of the alpha.
Cost: 487,186 steps, 1.25 times that of ``alexnet_cifar10_24``.
Run: python run_experiment.py --flagfile=flags/alexnet_cifar10_re.flags
"""

import dataclasses

from ls_tf.experiments import alexnet_cifar10
from ls_tf.spec import override

EPOCH = 391  # steps of 128 images, the last of 80

SPEC = override(
    dataclasses.replace(
        alexnet_cifar10.SPEC,
        smoke={**alexnet_cifar10.SPEC.smoke, "data.report": "test[:256]"},
    ),
    {
        "model.options.norm_alpha": 0.001 / 9 / 8,
        "model.options.constant_logits": True,
        "data.train": "train",
        "data.report": "test",
        "data.same_split_reason": (
            "the replication fits and reports on the test images"
        ),
        "data.augmentation": "replication_cifar10",
        "train.steps": 1246 * EPOCH,
        "train.decay_of": "norm",
        "schedule.options.boundaries": (415 * EPOCH, 830 * EPOCH),
    },
)
