"""ResNet-56 on CIFAR-10 as a teacher, with the information in its logits.

Source: Mueller et al. 2019, figures 5 and 6: the recipe of
``resnet56_cifar10``, measured every 4,000 steps. Its measurements make it
another experiment, not its training.
Cost: see docs/paper_setup.md.
Run: python run_experiment.py --flagfile=flags/resnet56_cifar10_teacher.flags
"""

import dataclasses

from ls_tf.experiments import resnet56_cifar10
from ls_tf.spec import EvaluatorSpec

SPEC = dataclasses.replace(
    resnet56_cifar10.SPEC,
    evaluators=(
        *resnet56_cifar10.SPEC.evaluators,
        # Section 4: airplane and dog, 300 training images of each, 5 views;
        # figure 6 has 16 points.
        EvaluatorSpec(
            "mutual_information",
            "train",
            every_steps=4000,
            options={"classes": (0, 5), "per_class": 300, "mc_samples": 5},
        ),
        EvaluatorSpec(
            "mutual_information_exact",
            "train",
            every_steps=4000,
            options={"classes": (0, 5), "per_class": 300},
        ),
        EvaluatorSpec("smoothness", "train"),
        # ours: cat and dog are alike, ship is not
        EvaluatorSpec("stability", "report", options={"classes": (3, 5, 8)}),
    ),
    smoke={
        **resnet56_cifar10.SPEC.smoke,
        "evaluators.4.options.per_class": 10,
        "evaluators.5.options.per_class": 2,
    },
)
