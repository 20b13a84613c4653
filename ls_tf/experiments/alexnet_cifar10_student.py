"""AlexNet on CIFAR-10, taught by ResNet-56.

Source: Mueller et al. 2019, section 4, figure 5 and App. A.1: the settings of
``alexnet_cifar10``, with the teacher's answers in place of the labels. Student
and teacher see the same 32 x 32 view: how one image feeds both is not said.
The teacher has hard targets and temperature 1;
``--set=teacher.teacher_temperature=4`` and ``--set=teacher.changes.alpha=0.15``
are the other points of the figure.
Cost: see docs/paper_setup.md.
Run: python run_experiment.py --flagfile=flags/alexnet_cifar10_student.flags
"""

import dataclasses

from ls_tf.experiments import alexnet_cifar10
from ls_tf.spec import EvaluatorSpec, TeacherSpec, override

_STUDENT = override(alexnet_cifar10.SPEC, {"alpha": 0.0})

SPEC = dataclasses.replace(
    _STUDENT,
    task="distillation",
    teacher=TeacherSpec(
        "resnet56_cifar10_teacher",
        changes={"alpha": 0.0},
        beta=1.0,  # section 4: only the teacher's answers
        matching="soft",
        teacher_temperature=1.0,  # figure 5: 1, 2, 3, 4, 8, 12, 16
        student_temperature=1.0,  # section 4: whatever the teacher's
    ),
    evaluators=(
        *_STUDENT.evaluators,
        EvaluatorSpec("smoothness", "train"),  # figure 5's axis
        EvaluatorSpec("stability", "report", options={"classes": (3, 5, 8)}),
    ),
    # The teacher sees 162 views of each image: a quarter of them will do.
    smoke={
        **_STUDENT.smoke,
        "data.train": "train[:64]",
        "train.global_batch_size": 32,
        "evaluators.2.options.per_class": 2,
    },
)
