"""ResNet-20 on CIFAR-10, all step counts divided by 10: a cheap teacher.

Source: ours; the recipe of ``resnet56_cifar10_teacher`` with 3 blocks of each
width instead of 9 and the widths of He et al. 2015, half of tensor2tensor's,
for 6,400 steps instead of 64,000 (20 epochs instead of 205). Its numbers are
not the paper's.
Run: python run_experiment.py --flagfile=flags/resnet20_cifar10_short.flags
"""

from ls_tf.experiments import resnet56_cifar10_teacher
from ls_tf.spec import override

FACTOR = 10

SPEC = override(
    resnet56_cifar10_teacher.SPEC,
    {
        "model.options.blocks": (3, 3, 3),
        "model.options.widths": (16, 32, 64),
        "train.steps": 64_000 // FACTOR,
        "train.checkpoint_every_steps": 200,
        "schedule.options.boundaries": (32_000 // FACTOR, 48_000 // FACTOR),
        "evaluators.0.every_steps": 4000 // FACTOR,
        "evaluators.4.every_steps": 4000 // FACTOR,
        # 97,200 views of the examples: at the end only.
        "evaluators.5.every_steps": 0,
    },
)
