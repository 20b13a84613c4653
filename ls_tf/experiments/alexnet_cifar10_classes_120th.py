"""AlexNet on some classes of CIFAR-10, step counts divided by 120.

Source: Shen et al. 2021, table 4 and figure 9, whose data is ImageNet: the
recipe of ``alexnet_cifar10_120th``. As it stands it has all ten classes;
``--set=data.classes=3,5`` keeps two. 3,250 steps, whatever is left to train on,
so that fewer classes are seen more often. Its numbers are those of networks
that are not trained to their end.
Cost: as ``alexnet_cifar10_120th``.
Run: python run_experiment.py --experiment=alexnet_cifar10_classes_120th
"""

import dataclasses

from ls_tf.experiments import alexnet_cifar10_120th

FACTOR = alexnet_cifar10_120th.FACTOR

_SHORT = alexnet_cifar10_120th.SPEC

# Less the evaluator that names three classes.
SPEC = dataclasses.replace(
    _SHORT,
    evaluators=tuple(e for e in _SHORT.evaluators if e.name != "penultimate"),
    smoke={
        **{
            k: v
            for k, v in _SHORT.smoke.items()
            if not k.startswith("evaluators")
        },
        # Of two classes there are few in the first 256 images.
        "train.global_batch_size": 20,
    },
)
