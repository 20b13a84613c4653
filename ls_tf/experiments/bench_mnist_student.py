"""A small student of a network of the bench, on MNIST.

Source: ours; the loss of Mueller et al. 2019, section 4: the teacher's
probabilities alone, at temperature 1, with an eighth of the units.
``--set=teacher.changes.loss.name=focal`` is the student of another method.
Run: python run_experiment.py --experiment=bench_mnist_student
"""

import dataclasses

from ls_tf.experiments import bench_mnist
from ls_tf.spec import EvaluatorSpec, TeacherSpec, override

_SMALL = override(
    bench_mnist.SPEC,
    {
        "model.options.hidden": (50, 50),
        "data.augmentation": "none",  # App. A.5
    },
)

SPEC = dataclasses.replace(
    _SMALL,
    task="distillation",
    teacher=TeacherSpec("bench_mnist", beta=1.0, matching="soft"),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=5000),
        EvaluatorSpec("classification", "calibrate"),
    ),
    smoke={
        k: v for k, v in _SMALL.smoke.items() if not k.startswith("evaluators")
    },
)
