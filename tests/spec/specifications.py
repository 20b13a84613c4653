"""A specification that tests change, and values that one may hold."""

from ls_tf.spec import (
    DataSpec,
    EvaluatorSpec,
    ExperimentSpec,
    Part,
    TrainSpec,
)

BASE = ExperimentSpec(
    task="classification",
    model=Part("fully_connected", {"hidden": (16, 8), "init_std": 0.1}),
    data=DataSpec("digits", train="train", calibrate="a", report="b"),
    train=TrainSpec(global_batch_size=50, alpha=0.1, epochs=2),
    optimizer=Part(
        "Momentum",
        {"momentum": 0.9, "learning_rate_multipliers": {"logits": 0.1}},
    ),
    schedule=Part("linear_to_zero"),
    evaluators=(
        EvaluatorSpec("classification", "report", every_steps=5),
        EvaluatorSpec("penultimate", "report", options={"per_class": 20}),
    ),
    learning_rate=1.0,
)


def random_value(rng, depth=2):
    """A value of any kind, from a seeded generator."""
    pick = rng.randrange(9 if depth else 6)
    if pick == 0:
        return rng.choice([None, True, False])
    if pick == 1:
        return rng.choice([0, 1, -1, 7, -(10**6), 2**53 + 1])
    if pick in (2, 3):
        numbers = [0.0, -0.5, 1e-9, 1e6, -1e-30, 0.1 + 0.2, 3.0, 1e17]
        return rng.choice(numbers)
    if pick in (4, 5):
        words = [
            "",
            "a",
            "2",
            "true",
            "None",
            "1x2",
            "a,b",
            "(1,)",
            "x=y",
            "ä '\"",
        ]
        return rng.choice(words)
    if pick in (6, 7):
        count = rng.randrange(4)
        return tuple(random_value(rng, depth - 1) for _ in range(count))
    names = rng.sample(
        ["a", "b", "c.d", "logits/bias", "e=f"], rng.randrange(3)
    )
    return {name: random_value(rng, depth - 1) for name in names}
