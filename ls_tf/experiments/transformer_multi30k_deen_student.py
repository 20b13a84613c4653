"""A student of a translation's teacher, German to English, labels kept.

Source: Shen et al. 2021, figure 7, after Tan et al. 2019: the loss is half that
of the labels, which stay hard, and half the cross-entropy with the teacher's
probabilities of each subword, at temperature 1. The half is ours, Shen et al.
state no weight. The student has the teacher's sizes. The teacher is
``transformer_multi30k_deen`` with hard labels;
``--set=teacher.changes.alpha=0.1`` takes the smoothed one.
Cost: about 1.3 times its teacher's run.
Run: python run_experiment.py --experiment=transformer_multi30k_deen_student
"""

import dataclasses

from ls_tf.experiments import transformer_multi30k_deen
from ls_tf.spec import TeacherSpec, override

SPEC = override(
    dataclasses.replace(
        transformer_multi30k_deen.SPEC,
        teacher=TeacherSpec(
            "transformer_multi30k_deen", {"alpha": 0.0}, beta=0.5
        ),
    ),
    {"train.alpha": 0.0, "train.smoothing": "uniform"},
)
