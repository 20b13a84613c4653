"""A small Transformer on Multi30k, English to German.

Source: ours; the recipe of ``transformer_ende`` in a size for 29,000 captions,
with the dropout that so few ask for. The substitute for the study's WMT rows
where that corpus is too much; Wagner et al. 2023, table 3, row Multi30k.
Cost: see docs/paper_setup_transformer.md.
Run: python run_experiment.py --flagfile=flags/transformer_multi30k.flags
"""

import dataclasses

from ls_tf.experiments import transformer_ende
from ls_tf.spec import EvaluatorSpec, override

SPEC = override(
    dataclasses.replace(
        transformer_ende.SPEC,
        evaluators=(
            EvaluatorSpec("translation", "report"),
            EvaluatorSpec("token_calibration", "report"),
            EvaluatorSpec("translation_sweep", "report"),
            EvaluatorSpec("token_projection", "report"),
            # What says when the training has converged.
            EvaluatorSpec("translation", "calibrate", every_steps=1000),
        ),
        smoke={
            **transformer_ende.SPEC.smoke,
            "data.calibrate": "val[:32]",
            "data.report": "test_2016_flickr[:32]",
            "evaluators.4.options.extra_length": 5,
        },
    ),
    {
        "model.options.hidden_size": 256,
        "model.options.filter_size": 1024,
        "model.options.num_heads": 4,
        "model.options.num_encoder_layers": 3,
        "model.options.num_decoder_layers": 3,
        "model.options.layer_dropout": 0.3,
        "data.name": "multi30k",
        "data.calibrate": "val",
        "data.report": "test_2016_flickr",
        "data.same_split_reason": "",
        "data.vocabulary_size": 8000,
        "train.global_batch_tokens": 2048,
        "train.epochs": 14,
        "train.log_every_steps": 50,
        "train.checkpoint_every_steps": 250,
        "learning_rate": 1.0,
        "schedule.options.warmup_steps": 1000,
        "schedule.options.hidden_size": 256,
    },
)
