"""A very small Transformer on Multi30k, German to English: the teachers.

Source: Shen et al. 2021, figure 7, on IWSLT, whose substitute this is: hard
labels and smoothed ones (alpha 0.1, which the paper states here). Sizes are
ours, so that a run takes minutes; the recipe is that of
``transformer_multi30k``, which has their dropout of 0.3.
Cost: 3,592 steps, 23 minutes of training on two CPU cores (2.7 steps a second).
Run: python run_experiment.py --flagfile=flags/transformer_multi30k_deen.flags
"""

import dataclasses

from ls_tf.experiments import transformer_multi30k
from ls_tf.spec import EvaluatorSpec, override

SPEC = override(
    dataclasses.replace(
        transformer_multi30k.SPEC,
        evaluators=(
            EvaluatorSpec("translation", "report"),
            EvaluatorSpec("token_calibration", "report"),
            # The curves of figure 7.
            EvaluatorSpec("translation", "calibrate", every_steps=500),
        ),
        smoke={
            k: v
            for k, v in transformer_multi30k.SPEC.smoke.items()
            if not k.startswith("evaluators.")
        }
        | {
            "evaluators.0.options.extra_length": 5,
            "evaluators.2.options.extra_length": 5,
        },
    ),
    {
        "model.options.hidden_size": 128,
        "model.options.filter_size": 512,
        "model.options.num_encoder_layers": 2,
        "model.options.num_decoder_layers": 2,
        "data.name": "multi30k_deen",
        "schedule.options.hidden_size": 128,
    },
)
