"""Student of a network that was trained on a long tail of MNIST.

Source: Shen et al. 2021, table 6: of teachers that smoothing has made worse.
As there the student learns from the teacher's probabilities alone, at
temperature 1, from the tail that the teacher learnt from; as in Mueller et al.
2019, App. A.5, it is smaller and its images are not shifted.
``--set=teacher.changes.alpha=0.1`` names the smoothed teacher. Runs that differ
in teacher and seed can be stacked.
Cost: 1,704 steps; less than `tail_mnist`.
Run: python run_experiment.py --flagfile=flags/tail_mnist_student.flags
"""

import dataclasses

from ls_tf.experiments import tail_mnist
from ls_tf.spec import TeacherSpec, override

SPEC = dataclasses.replace(
    override(
        tail_mnist.SPEC,
        {
            "model.options.hidden": (800, 800),
            "data.augmentation": "none",
        },
    ),
    task="distillation",
    teacher=TeacherSpec("tail_mnist", beta=1.0, matching="soft"),
)
