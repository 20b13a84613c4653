"""ResNet-50 on Tiny ImageNet.

Source: Wagner et al. 2023, tables 2 and 3, row Tiny ImageNet: 72.20, 72.65,
72.30, 72.28 and 72.75 % for alpha 0, 0.05, 0.1, 0.15 and 0.3. They start from
weights of ImageNet: give the file with ``--set=model.weights=PATH``; without,
the network is trained from scratch, which is another experiment. Their batch
is of 128 images in the code, as here.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/resnet50_tiny_imagenet.flags
"""

import dataclasses

from ls_tf.experiments import resnet34_cub200
from ls_tf.spec import Part, override

BATCH = 128

SPEC = override(
    dataclasses.replace(
        resnet34_cub200.SPEC,
        optimizer=Part("Momentum", {"momentum": 0.9}),
        smoke={
            **resnet34_cub200.SPEC.smoke,
            "data.name": "tiny_imagenet_stand_in",
            "data.calibrate": "validation[:64]",
            "data.report": "validation[:64]",
        },
    ),
    {
        "model.options.block": "bottleneck",
        "data.name": "tiny_imagenet",
        "data.calibrate": "validation",
        "data.report": "validation",
        "data.augmentation": "replication_tiny",
        "train.epochs": 100,
        "train.global_batch_size": BATCH,
        "train.checkpoint_every_steps": 1000,
        "learning_rate": 0.004,
        **{
            f"schedule.options.{name}": value
            for name, value in resnet34_cub200.falling(
                0.5, 7, 100, 100_000 / BATCH
            ).items()
        },
        "evaluators.0.every_steps": 5000,
        # A class has 50 validation images.
        "evaluators.2.options.per_class": 50,
    },
)
