"""A tiny Transformer that translates numbers and dates, English to German.

Source: ours. The sentences are made by the program, so that training, beam
search and scores can be seen at work in a minute without any download.
Run: python run_experiment.py --flagfile=flags/transformer_numbers.flags
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
            EvaluatorSpec(
                "translation_sweep",
                "report",
                options={"temperatures": (0.5, 0.7, 1.0, 1.4, 2.0)},
            ),
            EvaluatorSpec("token_projection", "report"),
            EvaluatorSpec("translation", "calibrate", every_steps=500),
        ),
        smoke={
            **transformer_multi30k.SPEC.smoke,
            "data.calibrate": "validation[:32]",
            "data.report": "test[:32]",
            "data.vocabulary_size": 300,
        },
    ),
    {
        "model.options.hidden_size": 128,
        "model.options.filter_size": 512,
        "model.options.num_encoder_layers": 2,
        "model.options.num_decoder_layers": 2,
        "model.options.layer_dropout": 0.1,
        "data.name": "numbers_ende",
        "data.calibrate": "validation",
        "data.report": "test",
        "data.vocabulary_size": 1000,
        "train.epochs": 10,
        "schedule.options.warmup_steps": 400,
        "schedule.options.hidden_size": 128,
    },
)
