"""The network of the bench of smoothing methods, on MNIST.

Source: ours; the recipe of ``fc_mnist`` (Mueller et al. 2019, App. A.5) at
its full length of 100 epochs, a third as wide, and with the last 10,000
training images held out: a method's one number is chosen by the NLL there. As
it stands the labels are hard; a method is ``--alpha`` or ``--set=loss.name``.
Run: python run_experiment.py --experiment=bench_mnist
"""

import dataclasses

from ls_tf.experiments import fc_mnist
from ls_tf.spec import EvaluatorSpec, override

_NARROW = override(
    fc_mnist.SPEC,
    {
        "alpha": 0.0,
        "model.options.hidden": (400, 400),  # ours: a hundred networks
        "data.train": "train[:50000]",
        "data.calibrate": "train[50000:]",
        "data.same_split_reason": "",
    },
)

SPEC = dataclasses.replace(
    _NARROW,
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=5000),
        EvaluatorSpec("classification", "calibrate"),
        EvaluatorSpec("reliability", "report"),
        # ours: 4 and 9 are alike, 0 is not
        EvaluatorSpec("penultimate", "report", options={"classes": (4, 9, 0)}),
        EvaluatorSpec("selective", "report"),
        EvaluatorSpec("calibration_intervals", "report"),
        EvaluatorSpec("neural_collapse", "train"),
        EvaluatorSpec(
            "out_of_distribution",
            "report",
            options={"others": ("digits", "noise")},
        ),
        EvaluatorSpec("linear_transfer", "report", options={"data": "digits"}),
    ),
    smoke={
        "model.options.hidden": (16, 16),
        "data.train": "train[:400]",
        "data.calibrate": "train[59600:]",
        "data.report": "test[:400]",
        "train.steps": 4,
        "evaluators.3.options.per_class": 10,
        "evaluators.5.options.resamples": 10,
        "evaluators.7.options.count": 100,
        "evaluators.8.options.count": 100,
    },
)
