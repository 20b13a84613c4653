"""LeNet on MNIST with noisy training labels and smoothed targets.

a is ``data.label_kept``, how often a training label is kept; p is
``loss.options.p``, the probability that the target puts on it. Both can differ
in a stack. Measured on the clean test set, every epoch; the beta type's test
labels are noisy too, with ``data.noisy_labels=all``.

Source: Chen et al. 2020, App. C, figures 5 to 11.
Cost: 1.2e14 floating-point operations a network (derived).
Run: python run_experiment.py --flagfile=flags/noise_mnist.flags
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
        "lenet",
        # App. C says two convolutions and two linear layers, not their
        # widths. docs/deviations.md
        {"filters": (20, 50), "hidden": 500},
    ),
    data=DataSpec(
        "mnist",
        train="train",
        calibrate="test",
        report="test",
        same_split_reason=(
            "nothing is fitted on the test set: the paper reports its loss and "
            "accuracy as they are"
        ),
        label_kept=0.8,  # one of the paper's grid
    ),
    train=TrainSpec(
        epochs=100,  # App. C
        global_batch_size=128,  # App. C
        alpha=0.0,
        log_every_steps=469,
        checkpoint_every_steps=4690,
        xla=False,  # XLA compiles convolutions badly for a CPU
    ),
    optimizer=Part("Momentum", {"momentum": 0.9}),  # App. C
    learning_rate=0.01,  # App. C
    schedule=Part("constant"),  # App. C halves the rate on CIFAR-10 alone
    loss=Part("target_probability", {"p": 1.0}),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=469),
        EvaluatorSpec("classification", "train"),
    ),
    smoke={
        "model.options.filters": (2, 3),
        "model.options.hidden": 8,
        "data.train": "train[:400]",
        "data.calibrate": "test[:400]",
        "data.report": "test[:400]",
        "train.steps": 4,
        "evaluators.0.every_steps": 2,
    },
)
