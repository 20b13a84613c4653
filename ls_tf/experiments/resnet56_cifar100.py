"""ResNet-56 of tensor2tensor on CIFAR-100.

Source: Mueller et al. 2019, App. A.2 and tables 2 and 3: 72.1 and 72.7 % for
alpha 0 and 0.1, ECE 0.150 for alpha 0 and 0.024 for alpha 0.05; figure 1,
second row; figure 2, left. Wagner et al. 2023, figure 2 and tables 2 and 3.
Run: python run_experiment.py --flagfile=flags/resnet56_cifar100.flags
"""

import dataclasses

from ls_tf.experiments import resnet56_cifar10
from ls_tf.spec import EvaluatorSpec, override

_BASE = override(
    resnet56_cifar10.SPEC,
    {
        "data.name": "cifar100",
        # beaver, dolphin, otter
        "evaluators.2.options.classes": (4, 30, 55),
        # A class has 400 training images and 100 others.
        "evaluators.2.options.per_class": 75,
    },
)
SPEC = dataclasses.replace(
    _BASE,
    evaluators=(
        *_BASE.evaluators,
        # Wagner et al. show test images: apple, aquarium_fish, baby.
        EvaluatorSpec(
            "penultimate",
            "calibrate",
            options={"classes": (0, 1, 2), "per_class": 75},
        ),
    ),
    smoke={**_BASE.smoke, "evaluators.4.options.per_class": 1},
)
