"""The replication's ResNet-56 on CIFAR-100, as its code trains it.

Source: Wagner et al. 2023, tables 2 and 3, row CIFAR-100 ResNet-56 (71.61 % to
72.07 %), and its code: 40,000 training images, reported on the other 10,000, a
first filter of 7 x 7, standardized by channel, 205 epochs.
Cost: 64,165 steps, that of ``resnet56_cifar100``.
Run: python run_experiment.py --flagfile=flags/resnet56_cifar100_re.flags
"""

from ls_tf.experiments import resnet56_cifar100
from ls_tf.spec import override

EPOCH = 313  # steps of 128 images, the last of 64

SPEC = override(
    resnet56_cifar100.SPEC,
    {
        "model.options.init": "he",
        "model.options.stem_kernel": 7,
        "data.augmentation": "replication_cifar100",
        "train.steps": 205 * EPOCH,
        "train.decay_exclude": (),
        "schedule.options.boundaries": (102 * EPOCH, 153 * EPOCH),
    },
)
