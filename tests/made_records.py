"""Small stored records with made-up numbers, for every run of a report."""

import zlib

import bench_records
import distillation_records
import numpy as np
import tail_records
import translation_records

from ls_tf.analysis import calibration
from ls_tf.records import runs
from ls_tf.spec.resolve import resolve

ERRORS = {
    "fc_mnist_dropout": 0.0081,
    "fc_mnist": 0.0069,
    "fc_mnist_student": 0.0093,
    "fc_mnist_student_of_smoothed": 0.0105,
    "fc_emnist": 0.11,
    "fc_fashion_mnist": 0.09,
    "fc_digits": 0.022,
    "fc_digits_student": 0.03,
    "alexnet_cifar10": 0.14,
    "alexnet_cifar10_24": 0.13,
    "alexnet_cifar10_tenth": 0.2,
    "alexnet_cifar10_short": 0.35,
    "alexnet_cifar10_120th": 0.4,
    "alexnet_cifar10_24_short": 0.34,
    "resnet56_cifar10": 0.065,
    "resnet56_cifar10_short": 0.45,
    "resnet56_cifar100": 0.28,
    "alexnet_cifar10_re": 0.15,
    "resnet56_cifar10_re": 0.064,
    "resnet56_cifar100_re": 0.282,
    "inception_v4_imagenet": 0.191,
    "fc_mnist_classes": 0.015,
    "alexnet_cifar10_classes_120th": 0.4,
    "noise_mnist": 0.02,
    "noise_mnist_narrow": 0.03,
    "noise_cifar10": 0.2,
    "resnet34_cub200": 0.2,
    "resnet50_tiny_imagenet": 0.27,
}


def alpha_of(need):
    return need.changes.get("alpha", 0.1)


def scores(need):
    """Plausible scalars; small expressions, so that tests can redo them."""
    alpha = alpha_of(need)
    if need.experiment in distillation_records.TEACHERS:
        error = 1 - distillation_records.accuracy(need)
    else:
        error = ERRORS[need.experiment] + 0.0002 * need.seed
        error += 0.002 * (alpha == 0)
        error += 0.001 * len(need.changes.keys() - {"alpha"})
    ece = 0.002 if alpha == 0 else 0.9 * alpha
    found = {
        "accuracy": 1 - error,
        "error": error,
        "nll": 0.04 + alpha,
        "ece": ece + 0.0001 * need.seed,
        "mce": 0.2,
        "signed_calibration_error": ece if alpha == 0 else -ece,
    }
    scaled = {f"{k}_scaled": v for k, v in found.items()}
    scaled |= {"nll_scaled": 0.03, "ece_scaled": 0.0015}
    return found, scaled | {
        "temperature": 1.06 if alpha == 0 else 0.7,
        "temperature_at_bound": 0.0,
        "temperature_by_nll": 1.06,
        "temperature_by_ece": 1.04,
        "ece_scaled_by_nll": 0.0015,
        "ece_scaled_by_ece": 0.0011,
        "temperature_held_out": 1.08 + 0.01 * need.seed,
        "ece_held_out": 0.0022,
        "ece_held_out_scaled": 0.0018,
    }


def _diagram(rng, shift, suffix):
    confidence = np.clip(1 - shift - rng.exponential(0.03, 10_000), 0.1, 1)
    correct = rng.random(10_000) < np.clip(confidence + 0.8 * shift, 0, 1)
    bins = calibration.bins(confidence, correct, num_bins=15)
    return {
        f"bin_{name}{suffix}": getattr(bins, name)
        for name in ("edges", "count", "confidence", "accuracy")
    }


def diagrams(need):
    rng = np.random.default_rng(zlib.crc32(need.experiment.encode()))
    shift = alpha_of(need)
    return _diagram(rng, shift, "") | _diagram(rng, 0.0, "_scaled")


def points(need, role, classes):
    rng = np.random.default_rng(need.seed)
    smoothed = alpha_of(need) > 0
    corners = np.array([[0.0, 0.0], [1.5, 0.0], [0.7, 1.3]])
    centres = corners * (2 if smoothed else 9) + (0 if smoothed else 1)
    labels = np.repeat([0, 1, 2], 100)
    noise = 0.12 if smoothed else 2.0
    arrays = {"templates": corners, "classes": classes}
    for split in ("train", role):
        cloud = centres[labels] + noise * rng.standard_normal((300, 2))
        arrays[f"{split}_points"] = cloud.astype(np.float32)
        arrays[f"{split}_labels"] = classes[labels]
    return arrays


def geometry(need, role):
    base = {
        "tightness": 0.1,
        "tightness_by_centres": 0.05,
        "side_spread": 0.02,
        "scale": 2.5,
        "template_scale": 1.5,
    }
    factor = 1 if alpha_of(need) > 0 else 4
    return {
        f"{split}_{k}": factor * v
        for split in ("train", role)
        for k, v in base.items()
    }


def measurements(need, changed):
    """What a run holds: (evaluator, role) -> scalars, arrays, notes."""
    if need.experiment.startswith("transformer"):
        return translation_records.measurements(need, changed)
    if need.experiment in distillation_records.TEACHERS:
        # What its own experiment measures, and what is asked of a network.
        return usual(need) | distillation_records.measurements(need, changed)
    if need.experiment in distillation_records.EXPERIMENTS:
        return distillation_records.measurements(need, changed)
    if need.experiment in bench_records.EXPERIMENTS:
        return bench_records.measurements(need, points)
    if need.experiment.startswith("tail_"):
        return tail_records.measurements(need)
    if need.experiment.startswith("noise_"):
        return {("classification", "report"): (scores(need)[0], {}, {})}
    return usual(need)


def usual(need):
    """What every network measures: accuracy, reliability, penultimate."""
    plain, scaled = scores(need)
    found = {
        ("classification", "report"): (plain, {}, {}),
        ("reliability", "report"): (plain | scaled, diagrams(need), {}),
    }
    for evaluator in resolve(need.experiment).spec.evaluators:
        if evaluator.name == "penultimate":
            role = evaluator.role
            classes = evaluator.options.get("classes", (0, 1, 2))
            found["penultimate", role] = (
                geometry(need, role),
                points(need, role, np.asarray(classes, np.int32)),
                {},
            )
    return found


def last_loss(need):
    """Of the training, at its last step."""
    if "_kl_" in need.experiment:
        return 0.04 + distillation_records.alpha_of(need) + need.seed / 1000
    return 0.04 + alpha_of(need)


def write(runs_dir, need, *, smoke=False, changed=None):
    """Writes one record; ``changed`` replaces scalars, and ``count``."""
    identity = resolve(
        need.experiment, changed=need.changes, seed=need.seed, smoke=smoke
    )
    facts = {
        "git": {"commit": "0123456789abcdef", "dirty": need.seed == 1},
        "versions": {"tensorflow": "2.21.0"},
        "engine": "tensorflow",
        "devices": ["CPU <0>"],
    }
    with runs.opened(str(runs_dir), identity, **facts) as directory:
        measured = {(e.name, e.role) for e in identity.spec.evaluators}
        for (name, role), (scalars, arrays, notes) in measurements(
            need, changed or {}
        ).items():
            if (name, role) not in measured:
                continue
            scalars = scalars | {
                k: v for k, v in (changed or {}).items() if k in scalars
            }
            directory.measure(
                name,
                role,
                split="test",
                step=60000,
                count=(changed or {}).get("count", 10_000),
                scalars=scalars,
                arrays=arrays,
                notes=notes,
            )
        # As every run: rows of what is logged alone, and all in the last row.
        directory.log(25, {"epoch": 0.04, "train/loss": 2.3})
        for module in (distillation_records, translation_records):
            for step, values in module.curve(need):
                directory.log(step, values)
        last = {"epoch": 100.0, "train/loss": last_loss(need)}
        directory.log(60000, last)
        directory.update(outcome="finished", steps=60000, train_seconds=81.25)
    return identity
