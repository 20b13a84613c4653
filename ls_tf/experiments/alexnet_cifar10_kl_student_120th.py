"""AlexNet on CIFAR-10 that learns a cheap teacher's answers and no labels.

Source: Shen et al. 2021, section 4, figure 5, tables 2, 6 and 8, whose data is
others: KL(teacher || student) at T = 1 without labels, the student that of
``alexnet_cifar10_student_120th``, measured after every epoch. Its teachers are
in float32, as those of ``reactnet_cifar10_student_short``: the same two serve
both. Its numbers are those of networks that are not trained to their end.
Cost: 12 minutes of two cores.
Run: python run_experiment.py --experiment=alexnet_cifar10_kl_student_120th
"""

import dataclasses

from ls_tf.experiments import alexnet_cifar10_student_120th
from ls_tf.spec import EvaluatorSpec, Part, TeacherSpec

FACTOR = alexnet_cifar10_student_120th.FACTOR

_STUDENT = alexnet_cifar10_student_120th.SPEC

SPEC = dataclasses.replace(
    _STUDENT,
    loss=Part("kl_divergence"),
    teacher=TeacherSpec(
        "resnet20_cifar10_short", changes={"alpha": 0.0}, table="never"
    ),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=325),
        *_STUDENT.evaluators[1:],
    ),
)
