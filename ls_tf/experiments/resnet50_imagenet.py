"""ResNet-50 on ImageNet, the teacher of Shen et al.

Source: Shen et al. 2021, tables 1 and 2: 75.888 % and 76.130 % for alpha 0 and
0.1, deviation within classes 0.3217 and 0.3106. Their other networks are
options of the model: ``--set=model.options.blocks=3,4,23,3`` is ResNet-101;
``groups=32``, ``group_width=4`` ResNeXt-50; ``group_width=128`` Wide
ResNet-50-2. They state neither alpha nor batch nor decay: those are ours, as
PyTorch's ImageNet example has them.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/resnet50_imagenet.flags
"""

from ls_tf.spec import (
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
    TrainSpec,
)

BATCH = 256
STEPS_OF_EPOCH = 1_281_167 / BATCH

# What the ResNets of photographs have in common, and their smoke runs.
FORM = {
    "widths": (64, 128, 256, 512),
    "stem_width": 64,
    "stem_kernel": 7,
    "stem_downsampling": True,
    "shortcut": "projection",
    "init": "he",
}
SMOKE = {
    "model.options.blocks": (1, 1),
    # Not 8: TensorFlow's convolutions of 8 channels on a CPU (oneDNN) write
    # where they must not on images of 224 or 256 pixels, and crash.
    "model.options.widths": (16, 16),
    "model.options.stem_width": 16,
    "data.train": "train[:64]",
    "train.steps": 2,
    "train.global_batch_size": 8,
}

SPEC = ExperimentSpec(
    task="classification",
    model=Part(
        "resnet", {"block": "bottleneck", "blocks": (3, 4, 6, 3), **FORM}
    ),
    data=DataSpec(
        "imagenet",
        train="train",
        calibrate="validation",
        report="validation",
        same_split_reason=(
            "all training images are trained on and the test images have no "
            "labels; Shen et al. fit no temperature"
        ),
        augmentation="imagenet_224",
    ),
    train=TrainSpec(
        epochs=90,  # table 2
        global_batch_size=BATCH,  # ours: not stated
        alpha=0.1,  # ours: not stated
        weight_decay=1e-4,  # ours: not stated
        log_every_steps=100,
        checkpoint_every_steps=5000,
        xla=False,  # XLA compiles convolutions badly for a CPU
    ),
    optimizer=Part("Momentum", {"momentum": 0.9}),
    learning_rate=0.1,  # table 2
    schedule=Part(
        "piecewise_constant",  # table 2: a tenth after 30 and 60 epochs
        {
            "boundaries": (
                round(30 * STEPS_OF_EPOCH),
                round(60 * STEPS_OF_EPOCH),
            ),
            "factors": (0.1, 0.01),
        },
    ),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=25_000),
        EvaluatorSpec("reliability", "report"),
        EvaluatorSpec(
            "stability",
            "report",
            # toy poodle and miniature poodle are alike, tench is not
            options={"classes": (265, 266, 0)},
        ),
    ),
    smoke={
        **SMOKE,
        "data.name": "imagenet_stand_in",
        "data.augmentation": "imagenet_32",
        "data.calibrate": "validation[:64]",
        "data.report": "validation[:64]",
    },
)
