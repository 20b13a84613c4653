"""A binary network on CIFAR-10 that a short ResNet teaches, cut short.

Source: ours, after Shen et al. 2021, figure 6, whose data is ImageNet: a
ReActNet that learns its teacher's answers alone, at T = 1, from random weights,
while the rate falls to 0 on a line. Their loss is KL(teacher || student), whose
gradient is that of the cross-entropy here. Six binary convolutions, 3,125
steps (10 epochs), Adam at 0.001 as ReActNet's code has it: ours. The teacher
has hard targets; ``--set=teacher.changes.alpha=0.1`` names the smoothed one,
``--set=teacher.experiment=resnet56_cifar10_short`` another network. Its
numbers are those of networks that are not trained to their end.
Cost: see docs/paper_setup_cifar.md.
Run: python run_experiment.py --experiment=reactnet_cifar10_student_short
"""

import dataclasses

from ls_tf.experiments import resnet20_cifar10_short
from ls_tf.spec import EvaluatorSpec, Part, TeacherSpec, override

# Of its teacher: what the steps of the full schedule are divided by.
FACTOR = resnet20_cifar10_short.FACTOR

_STUDENT = override(
    resnet20_cifar10_short.SPEC,
    {
        "alpha": 0.0,
        "train.steps": 3_125,
        "train.loss_scale": 1.0,
        "train.weight_decay": 0.0,  # ReActNet: none on binary weights
        "train.decay_exclude": (),
        "train.clip_global_norm": 0.0,
        "train.log_every_steps": 25,
    },
)

SPEC = dataclasses.replace(
    _STUDENT,
    task="distillation",
    model=Part(
        "reactnet",
        {
            "block": "resnet",
            "blocks": (2, 2, 2),
            "widths": (32, 64, 128),
            "stem_width": 32,
            "stem_kernel": 3,
            "stem_downsampling": False,
            "derivative": "polynomial",
            "binary_weights": True,
        },
    ),
    teacher=TeacherSpec(
        "resnet20_cifar10_short",
        changes={"alpha": 0.0},
        beta=1.0,  # no labels
        # Ten epochs see fewer images than a table of 162 views would hold.
        table="never",
    ),
    optimizer=Part("Adam"),
    learning_rate=1e-3,
    schedule=Part("linear_to_zero"),  # figure 6
    evaluators=(
        # After every epoch: figure 6 is a curve.
        EvaluatorSpec("classification", "report", every_steps=312),
        EvaluatorSpec("classification", "train"),
    ),
    smoke={
        "model.options.blocks": (1, 1),
        "model.options.widths": (8, 8),
        "model.options.stem_width": 8,
        "data.train": "train[:256]",
        "data.calibrate": "test[:256]",
        "data.report": "train[40000:40256]",
        "train.steps": 4,
    },
)
