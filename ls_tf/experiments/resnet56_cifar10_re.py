"""The replication's ResNet-56 on CIFAR-10, as its code trains it.

Source: Wagner et al. 2023, tables 2 and 3, row CIFAR-10 ResNet-56 (93.33 % to
93.62 %), and its code: all 50,000 training images, reported on the test
images, crops of 24 x 24, standardized by channel, 205 epochs.
Cost: 80,155 steps on 24 x 24 images, 0.7 times that of ``resnet56_cifar10``.
Run: python run_experiment.py --flagfile=flags/resnet56_cifar10_re.flags
"""

import dataclasses

from ls_tf.experiments import resnet56_cifar10
from ls_tf.spec import override

EPOCH = 391  # steps of 128 images, the last of 80

SPEC = override(
    dataclasses.replace(
        resnet56_cifar10.SPEC,
        smoke={**resnet56_cifar10.SPEC.smoke, "data.report": "test[:256]"},
    ),
    {
        "model.options.init": "he",
        "data.train": "train",
        "data.report": "test",
        "data.same_split_reason": (
            "the replication fits and reports on the test images"
        ),
        "data.augmentation": "replication_cifar10",
        "train.steps": 205 * EPOCH,
        # PyTorch's optimizer decays every variable.
        "train.decay_exclude": (),
        "schedule.options.boundaries": (102 * EPOCH, 153 * EPOCH),
    },
)
