"""ResNet-56 of tensor2tensor on CIFAR-10.

Source: Mueller et al. 2019, App. A.2, with the data set of figure 5's teachers;
Wagner et al. 2023, tables 2 and 3, row CIFAR-10 ResNet-56.
Cost: see docs/paper_setup.md.
Run: python run_experiment.py --flagfile=flags/resnet56_cifar10.flags
"""

from ls_tf.spec import (
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
    TrainSpec,
)

SPEC = ExperimentSpec(
    task="classification",
    model=Part(
        "resnet",
        {
            "block": "pre_activation",
            "blocks": (9, 9, 9),  # App. A.2
            # tensor2tensor's widths, twice those of He et al. 2015: the paper
            # does not list them among its changes. docs/deviations.md
            "widths": (32, 64, 128),
            "stem_width": 16,
            "stem_kernel": 3,  # App. A.2: 3 instead of 7
            "stem_downsampling": False,
            "shortcut": "projection",
            "init": "t2t",
        },
    ),
    data=DataSpec(
        "cifar10",
        train="train[:40000]",  # App. A.2: 40k/10k
        calibrate="test",  # ours: not what is reported
        report="train[40000:]",
        augmentation="t2t_cifar",  # App. A.2
    ),
    train=TrainSpec(
        steps=64_000,  # App. A.2
        global_batch_size=128,  # App. A.2
        alpha=0.1,
        loss_scale=3.0,  # App. A.2
        # App. A.2: 1e-4; tensor2tensor decays everything but 1-D variables
        # named bias, so scales and offsets of normalizations too.
        weight_decay=1e-4,
        decay_exclude=("logits/bias",),
        clip_global_norm=1.0,  # App. A.2
        log_every_steps=100,
        checkpoint_every_steps=1000,
        xla=False,  # XLA compiles convolutions badly for a CPU
    ),
    optimizer=Part("Momentum", {"momentum": 0.9, "nesterov": True}),
    learning_rate=0.1,  # App. A.2
    schedule=Part(
        "piecewise_constant",  # App. A.2
        {"boundaries": (32_000, 48_000), "factors": (0.1, 0.01)},
    ),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=4000),
        EvaluatorSpec("reliability", "report"),
        EvaluatorSpec("penultimate", "report", options={"classes": (0, 1, 2)}),
        EvaluatorSpec("classification", "train"),
    ),
    smoke={
        "model.options.blocks": (1, 1, 1),
        "model.options.widths": (8, 8, 8),
        "data.train": "train[:256]",
        "data.calibrate": "test[:256]",
        "data.report": "train[40000:40256]",
        "train.steps": 4,
        "evaluators.2.options.per_class": 10,
    },
)
