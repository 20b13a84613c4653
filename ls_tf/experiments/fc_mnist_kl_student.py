"""Small network on MNIST that learns its teacher's answers and no labels.

Source: Shen et al. 2021, section 4, figure 5, tables 2, 6 and 8, whose data is
others: KL(teacher || student) at T = 1 without labels, the networks and the
recipe of ``fc_mnist_distillation``, measured after every epoch. Its gradient is
that of ``fc_mnist_distillation``; the loss is the distance to the teacher. The
teacher has hard targets; ``--set=teacher.changes.alpha=0.1`` names the smoothed
one, ``--set=teacher.changes.model.options.hidden=100,100`` a narrow one.
Cost: as ``fc_mnist_distillation``.
Run: python run_experiment.py --flagfile=flags/fc_mnist_kl_student.flags
"""

import dataclasses

from ls_tf.experiments import fc_mnist_distillation
from ls_tf.spec import EvaluatorSpec, Part

_STUDENT = fc_mnist_distillation.SPEC

SPEC = dataclasses.replace(
    _STUDENT,
    loss=Part("kl_divergence"),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=600),
        *_STUDENT.evaluators[1:],
    ),
)
