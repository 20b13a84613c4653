"""AlexNet on CIFAR-10, taught by a cheap teacher, step counts divided by 60.

Source: ours; the recipe of ``alexnet_cifar10_student`` at the length of
``alexnet_cifar10_short``, 6,500 steps instead of 390,000, with
``resnet20_cifar10_short`` as the teacher, which runs beside the student: all
short students of it together see fewer images than a table of its answers to
the 162 views of each would hold. gamma is therefore that of the images without
augmentation. Its numbers are not the paper's.
Run: python run_experiment.py --experiment=alexnet_cifar10_student_short
"""

from ls_tf.experiments import alexnet_cifar10_short, alexnet_cifar10_student
from ls_tf.spec import override

FACTOR = alexnet_cifar10_short.FACTOR

SPEC = override(
    alexnet_cifar10_student.SPEC,
    {
        "teacher.experiment": "resnet20_cifar10_short",
        "teacher.table": "never",
        "train.steps": 390_000 // FACTOR,
        "train.log_every_steps": 100,
        "train.checkpoint_every_steps": 500,
        "schedule.options.boundaries": (130_000 // FACTOR, 260_000 // FACTOR),
        "evaluators.0.every_steps": 500,
    },
)
