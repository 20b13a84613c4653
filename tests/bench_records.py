"""Made-up measurements of the networks of the bench."""

import zlib

import numpy as np

EXPERIMENTS = ("bench_mnist", "bench_mnist_student", "bench_cifar10_short")

_NAMES = {
    "classification": ("accuracy", "error", "nll"),
    "reliability": ("nll_scaled", "ece_scaled"),
    "calibration_intervals": (
        "ece",
        "debiased_ece",
        "equal_mass_ece",
        "classwise_ece",
        "smooth_ece",
    ),
    "selective": ("aurc", "aurc_normalised"),
    "linear_transfer": ("accuracy",),
    "neural_collapse": ("nc1", "nc2_means", "nc3", "class_separation"),
}


def number(need, *names):
    """One of (0, 1) for each network and name, by its content."""
    changes = ",".join(f"{k}={v}" for k, v in sorted(need.changes.items()))
    text = "/".join([need.experiment, changes, *names])
    return zlib.crc32(text.encode()) / 2**32


def value(need, evaluator, name, role="report"):
    """What the networks measured: their own number, and a little by seed."""
    own = number(need, evaluator, name, role)
    return own + 0.01 * number(need, evaluator, name, role, str(need.seed))


def _curves(need):
    coverage = np.arange(1, 101) / 100
    return {
        "coverage": coverage,
        "risk": value(need, "selective", "aurc") * coverage,
        "risk_normalised": coverage**2 / 10,
    }


def measurements(need, points):
    """(evaluator, role) -> scalars, arrays, notes."""
    found = {}
    for evaluator, names in _NAMES.items():
        role = "train" if evaluator == "neural_collapse" else "report"
        scalars = {n: value(need, evaluator, n, role) for n in names}
        found[evaluator, role] = (scalars, {}, {})
    nll = value(need, "classification", "nll", "calibrate")
    found["classification", "calibrate"] = ({"nll": nll}, {}, {})
    found["selective", "report"] = (
        found["selective", "report"][0],
        _curves(need),
        {},
    )
    other = "mnist" if "cifar10" in need.experiment else "digits"
    scalars = {
        f"auroc_{score}_{name}": value(need, "foreign", score + name)
        for score in ("confidence", "energy")
        for name in (other, "noise")
    }
    found["out_of_distribution", "report"] = (scalars, {}, {})
    found["penultimate", "report"] = (
        {},
        points(need, "report", np.array([4, 9, 0], np.int32)),
        {},
    )
    return found
