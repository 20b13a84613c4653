"""The network of the bench of smoothing methods, on CIFAR-10, cut short.

Source: ours; ``alexnet_cifar10_120th``, 3,250 steps, its last 5,000 training
images held out: a method's one number is chosen by the NLL there. Its numbers
are those of networks that are not trained to their end. As it stands the
labels are hard.
Run: python run_experiment.py --experiment=bench_cifar10_short
"""

import dataclasses

from ls_tf.experiments import alexnet_cifar10_120th, bench_mnist
from ls_tf.spec import override

FACTOR = alexnet_cifar10_120th.FACTOR

_SHORT = override(
    alexnet_cifar10_120th.SPEC,
    {
        "alpha": 0.0,
        "data.train": "train[:45000]",
        "data.calibrate": "train[45000:]",
        "data.report": "test",
    },
)

_MEASURED = override(
    dataclasses.replace(_SHORT, evaluators=bench_mnist.SPEC.evaluators),
    {
        "evaluators.0.every_steps": 650,
        # cat and dog are alike, ship is not
        "evaluators.3.options.classes": (3, 5, 8),
        "evaluators.7.options.others": ("mnist", "noise"),
        "evaluators.8.options.data": "mnist",
    },
)

SPEC = dataclasses.replace(
    _MEASURED,
    smoke={
        "data.train": "train[:256]",
        "data.calibrate": "train[49744:]",
        "data.report": "test[:256]",
        "train.steps": 4,
        "evaluators.3.options.per_class": 10,
        "evaluators.5.options.resamples": 10,
        "evaluators.7.options.count": 50,
        "evaluators.8.options.count": 100,
    },
)
