"""A student of ``transformer_numbers``: translation distillation in a minute.

Source: ours; the loss of ``transformer_multi30k_deen_student``, without any
download.
Run: python run_experiment.py --flagfile=flags/transformer_numbers_student.flags
"""

import dataclasses

from ls_tf.experiments import transformer_numbers
from ls_tf.spec import TeacherSpec, override

SPEC = override(
    dataclasses.replace(
        transformer_numbers.SPEC,
        teacher=TeacherSpec("transformer_numbers", {"alpha": 0.0}, beta=0.5),
    ),
    {"train.alpha": 0.0, "train.smoothing": "uniform"},
)
