"""The replication's Transformer on Multi30k: 3 + 3 layers, inner size 512.

Source: Wagner et al. 2023, sections 3 and 4, and its code: hidden size 512, 8
heads, normalisation after each sublayer, a bias of the logits, no dropout,
Adam at 1e-4, 18 epochs of about 128 pairs; figure 5 and table 3, alpha 0, .05,
.1, .15, .3. Subwords, order and translations are ours, see docs/deviations.md.
Cost: 16.7 M weights, 4,046 steps, 1.8 hours of training on two CPU cores (0.6
steps a second).
Run: python run_experiment.py --flagfile=flags/transformer_multi30k_re.flags
"""

import dataclasses

from ls_tf.experiments import transformer_multi30k
from ls_tf.spec import EvaluatorSpec, Part, override

# numpy.linspace(0.5, 2, 16)
TEMPERATURES = tuple(k / 10 for k in range(5, 21))

SPEC = override(
    dataclasses.replace(
        transformer_multi30k.SPEC,
        optimizer=Part(
            "Adam", {"beta_1": 0.9, "beta_2": 0.98, "epsilon": 1e-9}
        ),
        schedule=Part("constant"),
        learning_rate=1e-4,
        evaluators=(
            EvaluatorSpec("translation", "report"),
            EvaluatorSpec("token_calibration", "report"),
            EvaluatorSpec(
                "translation_sweep",
                "report",
                options={"temperatures": TEMPERATURES},
            ),
            EvaluatorSpec("replication_sweep", "report"),
            EvaluatorSpec("translation", "calibrate", every_steps=1000),
        ),
        smoke={
            **transformer_multi30k.SPEC.smoke,
            "evaluators.3.options.extra_length": 5,
            "evaluators.3.options.temperatures": (0.5, 1.0, 2.0),
            "evaluators.4.options.extra_length": 5,
        },
    ),
    {
        "model.options.hidden_size": 512,
        "model.options.filter_size": 512,
        "model.options.num_heads": 8,
        "model.options.layer_dropout": 0.0,
        "model.options.attention_dropout": 0.0,
        "model.options.relu_dropout": 0.0,
        "model.options.norm_first": False,
        "model.options.output_bias": True,
        "train.smoothing": "uniform",
        # 129 pairs on average
        "train.global_batch_tokens": 2304,
        "train.epochs": 18,
    },
)
