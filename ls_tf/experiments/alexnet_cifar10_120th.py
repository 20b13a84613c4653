"""AlexNet on CIFAR-10 in bfloat16, all step counts divided by 120.

Source: ours; the recipe of ``alexnet_cifar10``, 3,250 steps instead of 390,000
(10 epochs instead of 1,248): the student on labels of figure 5 where many
runs have to be cheap. Its numbers are not the paper's.
Run: python run_experiment.py --flagfile=flags/alexnet_cifar10_120th.flags
"""

from ls_tf.experiments import alexnet_cifar10
from ls_tf.spec import override

FACTOR = 120
CHANGES = {
    "train.steps": 390_000 // FACTOR,
    "train.log_every_steps": 50,
    "train.checkpoint_every_steps": 250,
    "train.precision": "bfloat16",
    "schedule.options.boundaries": (130_000 // FACTOR, 260_000 // FACTOR),
    "evaluators.0.every_steps": 650,
}

SPEC = override(alexnet_cifar10.SPEC, CHANGES)
