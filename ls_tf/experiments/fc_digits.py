"""Fully connected network on scikit-learn's digits: seconds on a CPU.

Source: ours; the recipe of the MNIST teacher at the size of 8 x 8 images, so
that the whole path runs with no download.
Run: python run_experiment.py --flagfile=flags/fc_digits.flags
"""

from ls_tf.spec import (
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
    TrainSpec,
)

SPEC = ExperimentSpec(
    task="classification",
    model=Part(
        "fully_connected",
        {
            "hidden": (256, 256),
            "dropout_rate": 0.0,
            "input_dropout_rate": 0.0,
            "init_std": 0.1,  # ours: 64 inputs instead of 784
            "init_is_variance": False,
        },
    ),
    data=DataSpec(
        "digits",
        train="train",
        calibrate="test[:250]",
        report="test[250:]",
    ),
    train=TrainSpec(
        epochs=100,
        global_batch_size=50,
        alpha=0.1,
        log_every_steps=100,
        checkpoint_every_steps=1000,
    ),
    optimizer=Part(
        "Momentum",
        {
            "momentum": 0.9,
            "dampening": 0.9,
            "learning_rate_multipliers": {"logits": 0.1},
        },
    ),
    learning_rate=1.0,
    schedule=Part("linear_to_zero"),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=500),
        EvaluatorSpec("reliability", "report"),
        EvaluatorSpec("penultimate", "report", options={"per_class": 15}),
    ),
    smoke={"model.options.hidden": (16, 16), "train.steps": 4},
)
