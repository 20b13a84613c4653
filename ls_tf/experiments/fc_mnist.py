"""Fully connected network on MNIST with smoothed labels: the MNIST teacher.

Source: Mueller et al. 2019, section 4 and App. A.5; test error 0.59 % there.
With other alphas it is the MNIST row of tables 2 and 3 of Wagner et al. 2023;
alpha=0 is the hard-target network without dropout.
Cost: see docs/paper_setup.md.
Run: python run_experiment.py --flagfile=flags/fc_mnist.flags
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
            "hidden": (1200, 1200),  # App. A.5
            "dropout_rate": 0.0,
            "input_dropout_rate": 0.0,
            # "variance 0.03" as printed; as a standard deviation it trains
            # better. docs/deviations.md
            "init_std": 0.03,
            "init_is_variance": False,
        },
    ),
    data=DataSpec(
        "mnist",
        train="train",
        calibrate="test",
        report="test",
        augmentation="shift2",  # App. A.5: 25 equiprobable shifts
        same_split_reason=(
            "the papers train on all 60,000 images and fit and report on the "
            "test set; the evaluator also measures a hold-out"
        ),
    ),
    train=TrainSpec(
        epochs=100,  # App. A.5
        global_batch_size=100,  # ours: not stated; as Hinton et al. 2012
        alpha=0.1,  # App. A.5
        log_every_steps=600,
        checkpoint_every_steps=3000,
    ),
    # "gradient smoothing": v <- 0.9 v + 0.1 g, and a tenth of the learning
    # rate in the last layer. App. A.5
    optimizer=Part(
        "Momentum",
        {
            "momentum": 0.9,
            "dampening": 0.9,
            "learning_rate_multipliers": {"logits": 0.1},
        },
    ),
    learning_rate=1.0,  # App. A.5
    schedule=Part("linear_to_zero"),  # App. A.5
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=6000),
        EvaluatorSpec("reliability", "report"),
        EvaluatorSpec("penultimate", "report"),
        EvaluatorSpec("classification", "train"),
    ),
    smoke={
        "model.options.hidden": (16, 16),
        "data.train": "train[:400]",
        "data.calibrate": "test[:400]",
        "data.report": "test[:400]",
        "train.steps": 4,
        "evaluators.2.options.per_class": 10,
    },
)
