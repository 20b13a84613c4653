"""ResNet-18 on ImageNet, taught by ResNet-50's probabilities alone.

Source: Shen et al. 2021, table 2: 71.425 % with a teacher of hard labels and
71.816 % with one of smoothed labels; soft targets at T = 1, no labels (their
lambda is 0, so that beta is 1), 200 epochs, a tenth of the rate after 80 and
160, from scratch. A student of ResNet-50 is
``--set=model.options.block=bottleneck --set=model.options.blocks=3,4,6,3``.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/resnet18_imagenet_student.flags
"""

import dataclasses

from ls_tf.experiments import resnet50_imagenet
from ls_tf.experiments.resnet50_imagenet import STEPS_OF_EPOCH
from ls_tf.spec import TeacherSpec, override

SPEC = override(
    dataclasses.replace(
        resnet50_imagenet.SPEC,
        task="distillation",
        teacher=TeacherSpec("resnet50_imagenet", table="never"),
    ),
    {
        "model.options.block": "basic",
        "model.options.blocks": (2, 2, 2, 2),
        "train.alpha": 0.0,
        "train.epochs": 200,
        "schedule.options.boundaries": (
            round(80 * STEPS_OF_EPOCH),
            round(160 * STEPS_OF_EPOCH),
        ),
    },
)
