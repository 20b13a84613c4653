"""Small fully connected network on MNIST, taught by the smoothed teacher.

Source: Mueller et al. 2019, section 4 and App. A.5: 0.91 % test error, worse
than the student of the worse teacher.
Cost: see docs/paper_setup.md.
Run: python run_experiment.py --experiment=fc_mnist_student_of_smoothed
"""

import dataclasses

from ls_tf.experiments import fc_mnist_student
from ls_tf.spec import TeacherSpec

SPEC = dataclasses.replace(
    fc_mnist_student.SPEC,
    teacher=TeacherSpec(
        "fc_mnist", beta=0.6, matching="logits", logit_reduction="mean"
    ),
)
