"""Small network on scikit-learn's digits, taught by ``fc_digits``.

Source: ours; the recipe of the MNIST student at the size of 8 x 8 images. The
teacher has hard targets; ``--set=teacher.changes.alpha=0.1`` names the smoothed
one.
Run: python run_experiment.py --flagfile=flags/fc_digits_student.flags
"""

import dataclasses

from ls_tf.experiments import fc_digits
from ls_tf.spec import TeacherSpec, override

SPEC = dataclasses.replace(
    override(fc_digits.SPEC, {"alpha": 0.0, "model.options.hidden": (32, 32)}),
    task="distillation",
    teacher=TeacherSpec(
        "fc_digits",
        changes={"alpha": 0.0},
        beta=0.6,
        matching="logits",
        logit_reduction="mean",
    ),
)
