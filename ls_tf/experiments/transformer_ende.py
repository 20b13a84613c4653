"""Transformer base on WMT English-German, as the study trained it.

Source: Mueller et al. 2019, App. A.3: tensor2tensor's transformer_base for
smoothing 0.1 and transformer_ls0 (``--alpha=0``: nothing else differs), one
GPU, 300,000 steps, no averaging of checkpoints, newstest2013. Table 3: ECE
0.056 and 0.019; figures 3 and 4.
Cost: 4.5e17 floating-point operations; see docs/paper_setup_transformer.md.
Run: python run_experiment.py --flagfile=flags/transformer_ende.flags
"""

from ls_tf.spec import (
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
    TrainSpec,
)

SPEC = ExperimentSpec(
    task="translation",
    # tensor2tensor's transformer_base (version 3)
    model=Part(
        "transformer",
        {
            "hidden_size": 512,
            "filter_size": 2048,
            "num_heads": 8,
            "num_encoder_layers": 6,
            "num_decoder_layers": 6,
            "layer_dropout": 0.1,
            "attention_dropout": 0.1,
            "relu_dropout": 0.1,
        },
    ),
    data=DataSpec(
        "wmt_t2t_ende",
        train="train",
        calibrate="validation",
        report="validation",
        same_split_reason="the paper fits and reports on newstest2013",
        vocabulary_size=2**15,  # App. A.3: about 32,000
        max_length=256,  # transformer_base
    ),
    train=TrainSpec(
        steps=300_000,  # App. A.3
        # transformer_base counts by GPU; App. A.3: a single one.
        global_batch_tokens=4096,
        alpha=0.1,  # transformer_base; 0 is transformer_ls0
        smoothing="others",  # tensor2tensor's form, see docs/deviations.md
        log_every_steps=100,
        checkpoint_every_steps=1000,
        xla=False,  # one program for all shapes: docs/design.md
    ),
    # transformer_base (version 3)
    optimizer=Part(
        "Adam",
        {"beta_1": 0.9, "beta_2": 0.997, "epsilon": 1e-9},
    ),
    learning_rate=2.0,  # a constant in front, not the peak
    schedule=Part(
        "rsqrt_with_warmup", {"warmup_steps": 8000, "hidden_size": 512}
    ),
    evaluators=(
        EvaluatorSpec("translation", "report", every_steps=10_000),
        EvaluatorSpec("token_calibration", "report"),
        EvaluatorSpec("translation_sweep", "report"),
        EvaluatorSpec("token_projection", "report"),
    ),
    smoke={
        "data.train": "train[:512]",
        "data.calibrate": "validation[:32]",
        "data.report": "validation[:32]",
        "data.vocabulary_size": 512,
        "model.options.hidden_size": 32,
        "model.options.filter_size": 64,
        "model.options.num_heads": 2,
        "model.options.num_encoder_layers": 1,
        "model.options.num_decoder_layers": 1,
        "train.global_batch_tokens": 512,
        "train.steps": 2,
        "evaluators.0.options.extra_length": 5,
        "evaluators.2.options.extra_length": 5,
        "evaluators.2.options.temperatures": (0.5, 1.0, 2.0),
    },
)
