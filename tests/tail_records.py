"""Made-up measurements of the networks of long tails."""

import bench_records
import numpy as np

GROUPS = ("many", "medium", "few")
COUNTS = np.array([16, 500, 35, 334, 55, 246, 80, 187, 108, 143])


def value(need, name, spread=0.002):
    """Accuracies and norms: their own number, and a little by seed."""
    own = bench_records.number(need, name)
    return own + spread * bench_records.number(need, name, str(need.seed))


def measurements(need):
    """(evaluator, role) -> scalars, arrays, notes."""
    scalars = {
        f"{kind}_{group}": value(need, f"{kind}_{group}")
        for kind in ("accuracy", "weight_norm")
        for group in GROUPS
    }
    if need.experiment == "tail_mnist_even":  # all are many-shot
        for name in list(scalars):
            if not name.endswith("many"):
                scalars[name] = float("nan")
    scalars |= {
        "weight_norm": value(need, "weight_norm"),
        "weight_norm_order": 0.3,
    }
    arrays = {
        "class_counts": COUNTS,
        "class_accuracy": value(need, "accuracy") * COUNTS / 600,
        "weight_norms": value(need, "weight_norm") + COUNTS / 1000,
    }
    return {
        ("classification", "report"): (
            {"accuracy": value(need, "accuracy")},
            {},
            {},
        ),
        ("long_tail", "report"): (scalars, arrays, {}),
    }
