"""A student of ``transformer_numbers`` that learns its teacher's translations.

Source: Kim and Rush 2016, section 3.2, sequence-level distillation, at the size
of ``transformer_numbers_student`` and without any download: the training
targets are what the teacher's beam search makes of the training sources, and
nothing else is learnt from. ``--set=teacher.beta=0.5`` adds the teacher's
probabilities along them, ``--alpha=0.1`` smooths them.
Run: python run_experiment.py --experiment=transformer_numbers_sequence_student
"""

import dataclasses

from ls_tf.experiments import transformer_numbers_student
from ls_tf.spec import override

SPEC = override(
    dataclasses.replace(
        transformer_numbers_student.SPEC,
        smoke={
            **transformer_numbers_student.SPEC.smoke,
            "teacher.extra_length": 5,
        },
    ),
    {"teacher.targets": "translations", "teacher.beta": 0.0},
)
