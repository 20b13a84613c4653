"""AlexNet on CIFAR-10, taught by a cheap teacher, step counts divided by 120.

Source: ours; the recipe of ``alexnet_cifar10_student`` at the length and in
the precision of ``alexnet_cifar10_120th``, with ``resnet20_cifar10_short`` in
bfloat16 as the teacher. It runs beside the student: all such students of it
together see fewer images than a table of its answers to the 162 views of each
would hold. gamma is therefore that of the images without augmentation. Its
numbers are not the paper's.
Run: python run_experiment.py --experiment=alexnet_cifar10_student_120th
"""

import dataclasses

from ls_tf.experiments import alexnet_cifar10_120th, alexnet_cifar10_student
from ls_tf.spec import TeacherSpec, override

FACTOR = alexnet_cifar10_120th.FACTOR

SPEC = dataclasses.replace(
    override(alexnet_cifar10_student.SPEC, alexnet_cifar10_120th.CHANGES),
    teacher=TeacherSpec(
        "resnet20_cifar10_short",
        changes={"alpha": 0.0, "train.precision": "bfloat16"},
        table="never",
    ),
)
