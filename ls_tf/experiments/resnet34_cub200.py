"""ResNet-34 on Caltech-UCSD Birds 200-2011.

Source: Wagner et al. 2023, tables 2 and 3, row CUB-200-2011: 77.75, 80.38,
80.48, 81.12 and 80.77 % for alpha 0, 0.05, 0.1, 0.15 and 0.3. They start from
weights of ImageNet: give the file with ``--set=model.weights=PATH``; without,
the network is trained from scratch, which is another experiment.
Cost: not measured here.
Run: python run_experiment.py --flagfile=flags/resnet34_cub200.flags
"""

from ls_tf.experiments.resnet50_imagenet import FORM, SMOKE
from ls_tf.spec import (
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
    TrainSpec,
)

BATCH = 256
STEPS_OF_EPOCH = 5_994 / BATCH


def falling(
    factor: float, every_epochs: int, epochs: int, steps_of_epoch: float
) -> dict[str, tuple[float, ...]]:
    """The rate is multiplied by a factor, again and again."""
    times = range(1, -(-epochs // every_epochs))
    return {
        "boundaries": tuple(
            round(n * every_epochs * steps_of_epoch) for n in times
        ),
        "factors": tuple(factor**n for n in times),
    }


SPEC = ExperimentSpec(
    task="classification",
    model=Part("resnet", {"block": "basic", "blocks": (3, 4, 6, 3), **FORM}),
    data=DataSpec(
        "cub200",
        train="train",
        calibrate="test",
        report="test",
        same_split_reason=(
            "the replication fits T on the images that it reports"
        ),
        augmentation="replication_cub",
    ),
    train=TrainSpec(
        epochs=250,
        global_batch_size=BATCH,
        alpha=0.1,
        weight_decay=1e-5,
        log_every_steps=50,
        checkpoint_every_steps=500,
        xla=False,  # XLA compiles convolutions badly for a CPU
    ),
    optimizer=Part("SGD"),
    learning_rate=0.3,
    schedule=Part("piecewise_constant", falling(0.9, 10, 250, STEPS_OF_EPOCH)),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=500),
        EvaluatorSpec("reliability", "report"),
        # A class has about 30 images of each split.
        EvaluatorSpec(
            "penultimate",
            "report",
            options={"classes": (0, 1, 2), "per_class": 25},
        ),
        EvaluatorSpec("classification", "train"),
    ),
    smoke={
        **SMOKE,
        "data.name": "cub200_stand_in",
        "data.calibrate": "test[:64]",
        "data.report": "test[:64]",
        "evaluators.2.options.per_class": 2,
    },
)
