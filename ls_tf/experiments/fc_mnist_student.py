"""Small fully connected network on MNIST, taught by the dropout teacher.

Source: Mueller et al. 2019, section 4 and App. A.5: 0.4 x cross-entropy with
the labels plus 0.6 x half the squared logit error; 0.74 % test error. The
student sees the images unshifted.
Cost: see docs/paper_setup.md.
Run: python run_experiment.py --flagfile=flags/fc_mnist_student.flags
"""

import dataclasses

from ls_tf.experiments import fc_mnist
from ls_tf.spec import TeacherSpec, override

_STUDENT = override(
    fc_mnist.SPEC,
    {
        "alpha": 0.0,
        # "two hidden layers of 800 layers": 800 neurons
        "model.options.hidden": (800, 800),
        "data.augmentation": "none",  # App. A.5
    },
)

SPEC = dataclasses.replace(
    _STUDENT,
    task="distillation",
    # The mean over the 10 logits: with the sum a learning rate of 1 does not
    # survive the first steps. docs/deviations.md
    teacher=TeacherSpec(
        "fc_mnist_dropout", beta=0.6, matching="logits", logit_reduction="mean"
    ),
)
