"""Fully connected network on a long tail of MNIST, hard labels.

Source: Shen et al. 2021, 4.3 and table 3: classes cut by a Pareto
distribution of power 6. The network and its recipe are those of ``fc_mnist``
(Mueller et al. 2019, App. A.5), all 100 epochs. Ours: 500 images of the most
frequent class and 16 of the rarest, 1,704 in all, so that the limits of many
and few-shot classes, 100 and 20 images, part the ten. ``--alpha=0.1`` smooths
(S states no alpha for images: ours), ``--set=train.smoothing=prior`` by the
classes' frequencies, ``--set=loss.name=label_aware_smoothing`` frequent
classes more. Runs that differ in alpha and seed can be stacked.
Cost: 1,704 steps; six networks in one program took two minutes of two cores.
Run: python run_experiment.py --flagfile=flags/tail_mnist.flags
"""

import dataclasses

from ls_tf.experiments import fc_mnist
from ls_tf.spec import EvaluatorSpec, override

_TAIL = override(
    fc_mnist.SPEC,
    {
        "alpha": 0.0,
        "data.tail_power": 6.0,
        "data.tail_largest": 500,
        "train.log_every_steps": 100,
        "train.checkpoint_every_steps": 500,
    },
)

SPEC = dataclasses.replace(
    _TAIL,
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=500),
        EvaluatorSpec("long_tail", "report"),
        EvaluatorSpec("reliability", "report"),
        EvaluatorSpec("classification", "train"),
    ),
    smoke={
        "model.options.hidden": (16, 16),
        "data.train": "train[:1000]",
        "data.calibrate": "test[:400]",
        "data.report": "test[:400]",
        "data.tail_largest": 60,
        "train.steps": 4,
    },
)
