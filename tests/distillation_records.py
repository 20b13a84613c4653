"""Made-up measurements of teachers, students and information."""

import math
import zlib

import numpy as np

from ls_tf.analysis import mutual_information

TEACHERS = ("resnet20_cifar10_short", "resnet56_cifar10_teacher")
STUDENTS = (
    "fc_mnist_distillation",
    "alexnet_cifar10_student",
    "alexnet_cifar10_student_120th",
    "fc_mnist_kl_student",
    "alexnet_cifar10_kl_student_120th",
)
BINARY = "reactnet_cifar10_student_short"
EXPERIMENTS = (*TEACHERS, *STUDENTS, BINARY, "fc_mnist_small")
STEPS = (4000, 8000, 12000)
LAST = 60000
VIEWS = 5
PER_CLASS = 20  # the search for neighbours takes its time


def alpha_of(need):
    name = "alpha" if "alpha" in need.changes else "teacher.changes.alpha"
    return need.changes.get(name, 0.0)


def temperature_of(need):
    return need.changes.get("teacher.teacher_temperature", 1.0)


def gamma_of(need):
    """Of a hard teacher 0.01 at T = 1, rising with it; else alpha."""
    return max(alpha_of(need), 0.05 * temperature_of(need) - 0.04)


def accuracy(need):
    """Chosen so that every claim of figure 5 holds."""
    if need.experiment in TEACHERS:
        found = 0.9 + 0.02 * alpha_of(need)
    elif need.experiment == BINARY:
        found = 0.62 + 0.1 * alpha_of(need)
        found -= 0.1 * ("teacher.experiment" in need.changes)
    elif need.experiment in STUDENTS:
        found = 0.88 - 0.03 * alpha_of(need)
        found += 0.002 * math.log2(temperature_of(need))
    else:
        found = 0.87 - 0.004 * alpha_of(need)
    return found - 0.001 * need.seed


def samples(need):
    """Y of a few images of two classes: a shift of each image, noise."""
    rng = np.random.default_rng(need.seed)
    spread = 3.0 if alpha_of(need) == 0 else 0.1
    means = np.repeat([20.0, -20.0], PER_CLASS)
    means += spread * rng.normal(size=2 * PER_CLASS)
    return means[:, None] + rng.normal(size=(2 * PER_CLASS, VIEWS))


def information(need):
    y = samples(need)
    found = mutual_information.estimate(y)
    bias = mutual_information.bias(VIEWS)
    return {
        "information": found,
        "information_less_bias": found - bias,
        "bias": bias,
        "information_one_view": found + 0.01,
        "information_sigma_by_class": found,
        "information_as_printed": -0.15,
        "limit": math.log(2 * PER_CLASS),
        "sigma": 1.0,
        "sigma_first": 1.0,
        "sigma_second": 1.0,
    }


def curve(need):
    """Rows of metrics.csv: low, high, and a fall to the last one.

    Of students by KL: a loss that falls, more so of a hard teacher, and an
    accuracy that rises. As every run, each is measured at its last step too.
    """
    if "_kl_" in need.experiment:
        if need.experiment.endswith("_120th"):
            # Logged every 50 steps, measured every 325.
            yield STEPS[0] // 2, {"report/accuracy": accuracy(need) / 2}
        for step in STEPS:
            yield (
                step,
                {
                    "epoch": step / 600,
                    "train/loss": (1 + need.seed / 8 + alpha_of(need)) / step,
                    "report/accuracy": accuracy(need) - 1 / step,
                },
            )
        yield LAST, {"report/accuracy": accuracy(need)}
    if need.experiment == BINARY:
        for epoch, value in enumerate((0.5, 0.9, 0.6), start=1):
            # What is logged every 25 steps is no row of what is measured.
            yield 300 * epoch, {"epoch": 0.96 * epoch, "train/loss": 1.0}
            value -= 0.1 * alpha_of(need) + 0.001 * need.seed
            yield 312 * epoch, {"report/accuracy": value}
        yield LAST, {"report/accuracy": accuracy(need)}
    if need.experiment not in TEACHERS:
        return
    found = information(need)
    last = found["information"]
    fall = 0.1 if alpha_of(need) == 0 else 1.0
    for step, value in zip(
        STEPS, (0.2, last + fall, last + fall / 2), strict=True
    ):
        yield (
            step,
            {
                "train/mutual_information/information": value,
                "train/mutual_information/information_less_bias": value - 0.1,
            },
        )
    yield LAST, {f"train/mutual_information/{k}": v for k, v in found.items()}


def stability(need):
    smoothed = alpha_of(need) > 0
    scale = 0.8 if smoothed else 1.0
    names = ("std", "variance", "vector")
    scalars = {f"intra_{n}": 0.10 * scale for n in names}
    scalars |= {f"inter_{n}": 0.05 * scale for n in names}
    scalars |= {
        "d1": 4.0,
        "d2": 5.0,
        "dc": 2.0 if smoothed else 1.0,
        "d1_minus_d2": -1.0,
        "dc_relative": 0.44 if smoothed else 0.22,
    }
    rng = np.random.default_rng(zlib.crc32(need.experiment.encode()))
    other = rng.random((10, 10)) * 0.01
    other *= 0.5 if smoothed else 1.0
    np.fill_diagonal(other, 0.93 if smoothed else 0.95)
    return scalars, {
        "mean_probs": other,
        "variance_probs": other / 10,
        "class_std": np.full(10, 0.1),
        "classes": np.array([3, 5, 8], np.int32),
    }


def measurements(need, changed):
    del changed
    right = accuracy(need)
    found = {
        ("classification", "report"): (
            {"accuracy": right, "error": 1 - right},
            {},
            {},
        ),
        ("stability", "report"): (*stability(need), {}),
    }
    if need.experiment in STUDENTS:
        scalars = {
            "temperature": temperature_of(need),
            "gamma_unaugmented": gamma_of(need) - 0.01,
        }
        # Where the teacher's answers are stored: not for short students.
        if not need.experiment.endswith("_120th"):
            scalars["gamma"] = gamma_of(need)
        found["smoothness", "train"] = (scalars, {}, {})
    if need.experiment in TEACHERS:
        numbers = information(need)
        found["mutual_information", "train"] = (
            numbers,
            {"samples": samples(need).astype(np.float32)},
            {},
        )
        exact = {k: v for k, v in numbers.items() if "bias" not in k}
        exact["information"] = numbers["information"] - 0.1
        found["mutual_information_exact", "train"] = (exact, {}, {})
    return found
