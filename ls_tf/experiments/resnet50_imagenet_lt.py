"""ResNet-50 on ImageNet-LT, a long tail of ImageNet.

Source: Shen et al. 2021, table 3: 40.985 % and 39.965 % without and with
smoothing; ResNet-18 (``--set=model.options.block=basic
--set=model.options.blocks=2,2,2,2``) 39.975 % and 39.115 %. They state no alpha
for images: 0.1 is ours, and batch, decay and, on the sets other than ImageNet
and CUB, the schedule: that of ``resnet50_imagenet``.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/resnet50_imagenet_lt.flags
"""

import dataclasses

from ls_tf.experiments import resnet50_imagenet
from ls_tf.experiments.resnet50_imagenet import BATCH
from ls_tf.spec import EvaluatorSpec, ExperimentSpec, TeacherSpec, override


def on(
    data: str,
    examples: int,
    *,
    alike: tuple[int, int, int] = (0, 1, 2),
    evaluated: str = "validation",
    epochs: int = 90,
    falls: tuple[int, int] = (30, 60),
) -> ExperimentSpec:
    """ResNet-50 on a set, by the recipe of ImageNet.

    Args:
        data: the set.
        examples: of its training split.
        alike: two classes that may be alike, and another one.
        evaluated: the split that is measured on.
        epochs: the length.
        falls: epochs after which the rate falls to a tenth.

    Returns:
        ExperimentSpec: ours where the paper says nothing.
    """
    spec = override(
        resnet50_imagenet.SPEC,
        {
            "data.name": data,
            "data.calibrate": evaluated,
            "data.report": evaluated,
            "train.epochs": epochs,
            "schedule.options.boundaries": tuple(
                round(epoch * examples / BATCH) for epoch in falls
            ),
        },
    )
    evaluators = (
        EvaluatorSpec(
            "classification", "report", every_steps=10 * (examples // BATCH)
        ),
        EvaluatorSpec("long_tail", "report"),
        EvaluatorSpec("reliability", "report"),
        EvaluatorSpec("stability", "report", options={"classes": alike}),
    )
    part = f"{evaluated}[:64]"
    smoke = {
        **spec.smoke,
        "data.name": f"{data}_stand_in",
        "data.calibrate": part,
        "data.report": part,
    }
    return dataclasses.replace(spec, evaluators=evaluators, smoke=smoke)


def taught(spec: ExperimentSpec, teacher: str) -> ExperimentSpec:
    """ResNet-18 that learns from a teacher's probabilities alone, at T = 1.

    Args:
        spec: the teacher's.
        teacher: its experiment.

    Returns:
        ExperimentSpec: for the teacher's images, as long as the teacher's.
    """
    return override(
        dataclasses.replace(
            spec,
            task="distillation",
            teacher=TeacherSpec(teacher, table="never"),
        ),
        {
            "model.options.block": "basic",
            "model.options.blocks": (2, 2, 2, 2),
            "train.alpha": 0.0,
        },
    )


# Toy poodle and miniature poodle are alike, tench is not.
SPEC = on("imagenet_lt", 115_846, alike=(265, 266, 0))
