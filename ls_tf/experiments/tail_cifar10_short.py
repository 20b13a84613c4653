"""AlexNet on a long tail of CIFAR-10, cut short, hard labels.

Source: Shen et al. 2021, 4.3, as ``tail_mnist``; network and recipe of
``alexnet_cifar10_120th``, 3,250 steps (31 epochs of the tail), so that its
numbers are those of networks that are not trained to their end. Ours: 4,000
images of the most frequent class and 130 of the rarest, 13,634 in all; many
and few-shot classes are those of more than 1,000 and fewer than 400, for by
the usual limits, 100 and 20, all would be many-shot.
Run: python run_experiment.py --flagfile=flags/tail_cifar10_short.flags
"""

import dataclasses

from ls_tf.experiments import alexnet_cifar10_120th
from ls_tf.spec import EvaluatorSpec, override

FACTOR = alexnet_cifar10_120th.FACTOR

_TAIL = override(
    alexnet_cifar10_120th.SPEC,
    {
        "alpha": 0.0,
        "data.train": "train[:45000]",
        "data.calibrate": "train[45000:]",
        "data.report": "test",
        "data.tail_power": 6.0,
        "data.tail_largest": 4000,
    },
)

SPEC = dataclasses.replace(
    _TAIL,
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=650),
        EvaluatorSpec(
            "long_tail", "report", options={"many": 1000, "few": 400}
        ),
        EvaluatorSpec("reliability", "report"),
        EvaluatorSpec("classification", "train"),
    ),
    smoke={
        "data.train": "train[:1000]",
        "data.calibrate": "train[49744:]",
        "data.report": "test[:256]",
        "data.tail_largest": 80,
        "train.steps": 4,
    },
)
