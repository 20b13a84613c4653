"""ResNet-18 of a million parameters on CIFAR-10 with noisy labels.

a is ``data.label_kept`` and p ``loss.options.p``, as in ``noise_mnist``.

Source: Chen et al. 2020, App. C, figures 5 and 7. A ResNet-18 has 11.2 million
parameters; with 20 filters in its first group instead of 64 it has 1,094,750.
Cost: 1.6e15 floating-point operations a network (derived).
Run: python run_experiment.py --flagfile=flags/noise_cifar10.flags
"""

from ls_tf.spec import (
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
    TrainSpec,
)

_EPOCH = 50_000 / 128  # steps

SPEC = ExperimentSpec(
    task="classification",
    model=Part(
        "resnet",
        {
            "block": "basic",
            "blocks": (2, 2, 2, 2),
            "widths": (20, 40, 80, 160),  # App. C: 1,000,000 parameters
            "stem_width": 20,
            "stem_kernel": 3,
            "stem_downsampling": False,
            "shortcut": "projection",
            "init": "he",
        },
    ),
    data=DataSpec(
        "cifar10",
        train="train",
        calibrate="test",
        report="test",
        augmentation="t2t_cifar",  # ours: not stated
        same_split_reason=(
            "nothing is fitted on the test set: the paper reports its loss and "
            "accuracy as they are"
        ),
        label_kept=0.8,  # one of the paper's grid
    ),
    train=TrainSpec(
        epochs=100,  # App. C
        global_batch_size=128,  # App. C
        alpha=0.0,
        log_every_steps=391,
        checkpoint_every_steps=1000,
        xla=False,  # XLA compiles convolutions badly for a CPU
    ),
    optimizer=Part("Momentum", {"momentum": 0.9}),  # App. C
    learning_rate=0.01,  # App. C
    schedule=Part(
        "piecewise_constant",  # App. C: halved after 50 and 75 epochs
        {
            "boundaries": (round(50 * _EPOCH), round(75 * _EPOCH)),
            "factors": (0.5, 0.25),
        },
    ),
    loss=Part("target_probability", {"p": 1.0}),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=391),
        EvaluatorSpec("classification", "train"),
    ),
    smoke={
        "model.options.blocks": (1, 1, 1, 1),
        "model.options.widths": (8, 8, 8, 8),
        "model.options.stem_width": 8,
        "data.train": "train[:256]",
        "data.calibrate": "test[:256]",
        "data.report": "test[:256]",
        "train.steps": 4,
        "evaluators.0.every_steps": 2,
    },
)
