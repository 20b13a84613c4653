"""The students' network on MNIST, trained on labels alone.

Source: Wagner et al. 2023, figure 7, the student without a teacher: the recipe
of ``fc_mnist_student`` (Mueller et al. 2019, App. A.5) without its teacher's
share of the loss. With ``--alpha=0.15`` and others it is the student on
smoothed labels.
Cost: see docs/paper_setup.md.
Run: python run_experiment.py --flagfile=flags/fc_mnist_small.flags
"""

import dataclasses

from ls_tf.experiments import fc_mnist
from ls_tf.spec import EvaluatorSpec, override

_SMALL = override(
    fc_mnist.SPEC,
    {
        "alpha": 0.0,
        "model.options.hidden": (800, 800),  # App. A.5
        "data.augmentation": "none",  # App. A.5
    },
)

SPEC = dataclasses.replace(
    _SMALL,
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=6000),
        EvaluatorSpec("reliability", "report"),
        EvaluatorSpec("classification", "train"),
        # ours: 4 and 9 are alike, 0 is not
        EvaluatorSpec("stability", "report", options={"classes": (4, 9, 0)}),
    ),
    smoke={
        k: v for k, v in _SMALL.smoke.items() if not k.startswith("evaluators")
    },
)
