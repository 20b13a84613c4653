"""ResNet-56 on CIFAR-10, all step counts divided by 100.

Source: ours; the recipe of ``resnet56_cifar10``, 640 steps instead of 64,000
(2 epochs instead of 205). Its numbers are not the paper's.
Run: python run_experiment.py --flagfile=flags/resnet56_cifar10_short.flags
"""

from ls_tf.experiments import resnet56_cifar10
from ls_tf.spec import override

FACTOR = 100

SPEC = override(
    resnet56_cifar10.SPEC,
    {
        "train.steps": 64_000 // FACTOR,
        "train.log_every_steps": 10,
        "train.checkpoint_every_steps": 40,
        "schedule.options.boundaries": (32_000 // FACTOR, 48_000 // FACTOR),
        "evaluators.0.every_steps": 160,
    },
)
