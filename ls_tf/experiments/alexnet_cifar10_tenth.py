"""AlexNet on CIFAR-10, all step counts divided by 10.

Source: ours; the recipe of ``alexnet_cifar10``, 39,000 steps instead of
390,000 (125 epochs instead of 1,248). Its numbers are not the paper's.
Run: python run_experiment.py --flagfile=flags/alexnet_cifar10_tenth.flags
"""

from ls_tf.experiments import alexnet_cifar10
from ls_tf.spec import override

FACTOR = 10

SPEC = override(
    alexnet_cifar10.SPEC,
    {
        "train.steps": 390_000 // FACTOR,
        "train.checkpoint_every_steps": 1000,
        "schedule.options.boundaries": (130_000 // FACTOR, 260_000 // FACTOR),
        "evaluators.0.every_steps": 13_000 // FACTOR,
    },
)
