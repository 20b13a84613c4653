"""AlexNet on CIFAR-10, all step counts divided by 60.

Source: ours; the recipe of ``alexnet_cifar10``, 6,500 steps instead of
390,000 (21 epochs instead of 1,248). Its numbers are not the paper's.
Run: python run_experiment.py --flagfile=flags/alexnet_cifar10_short.flags
"""

from ls_tf.experiments import alexnet_cifar10
from ls_tf.spec import override

FACTOR = 60

SPEC = override(
    alexnet_cifar10.SPEC,
    {
        "train.steps": 390_000 // FACTOR,
        "train.log_every_steps": 100,
        "train.checkpoint_every_steps": 500,
        "schedule.options.boundaries": (130_000 // FACTOR, 260_000 // FACTOR),
        "evaluators.0.every_steps": 500,
    },
)
