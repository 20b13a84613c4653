"""Small network on MNIST that learns from its teacher's probabilities alone.

Source: Wagner et al. 2023, figure 7; the loss of Mueller et al. 2019, section
4 and figure 5, on the networks and the recipe of App. A.5. The teacher has
hard targets, no dropout and temperature 1;
``--set=teacher.teacher_temperature=4`` and ``--set=teacher.changes.alpha=0.15``
are other points of the figure, ``--set=teacher.beta=0.5`` mixes in the labels.
``fc_mnist_student`` is another loss: logits, with labels. docs/deviations.md
Cost: see docs/paper_setup.md.
Run: python run_experiment.py --flagfile=flags/fc_mnist_distillation.flags
"""

import dataclasses

from ls_tf.experiments import fc_mnist_small
from ls_tf.spec import EvaluatorSpec, TeacherSpec

_STUDENT = fc_mnist_small.SPEC

SPEC = dataclasses.replace(
    _STUDENT,
    task="distillation",
    teacher=TeacherSpec(
        "fc_mnist",
        # Without dropout: smoothing is then all that teachers differ in.
        changes={"alpha": 0.0},
        beta=1.0,  # section 4: only the teacher's answers
        matching="soft",
        teacher_temperature=1.0,  # figure 7: 1, 2, 4, 8, 12, 16
        student_temperature=1.0,  # section 4: whatever the teacher's
    ),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=6000),
        EvaluatorSpec("classification", "train"),
        EvaluatorSpec("smoothness", "train"),  # the figure's axis
        _STUDENT.evaluators[3],  # stability
    ),
)
