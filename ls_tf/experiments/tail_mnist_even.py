"""The network of ``tail_mnist`` on as many images, each class as often.

Source: ours: what smoothing does to the last layer's weights where there is no
tail, beside conjecture 1 of Shen et al. 2021. MNIST's first 1,704 training
images; its classes have 135 to 188 of them each.
Run: python run_experiment.py --experiment=tail_mnist_even
"""

import dataclasses

from ls_tf.experiments import tail_mnist
from ls_tf.spec import override

_EVEN = override(
    tail_mnist.SPEC,
    {
        "data.train": "train[:1704]",
        "data.tail_power": None,
        "data.tail_largest": None,
    },
)

SPEC = dataclasses.replace(
    _EVEN,
    smoke={k: v for k, v in tail_mnist.SPEC.smoke.items() if "tail" not in k},
)
