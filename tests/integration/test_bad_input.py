"""Bad data and bad options of evaluators, from the command line.

Each is one line and exit code 2, before any training, and writes nothing.
"""

import dataclasses

import numpy as np
import pytest
from command_line import refusal

from ls_tf.data import digits
from ls_tf.pipeline import prepared as prepared_file

pytestmark = pytest.mark.slow

SWEEP = "--set=evaluators.1.name=temperature_sweep"
GRID = "--set=evaluators.1.options.temperatures"
CLASSES = "--set=evaluators.2.options.classes"


def refused(line, *flags):
    done = line("--experiment=fc_digits", "--smoke", *flags, code=2)
    assert "Traceback" not in done.stderr
    assert not line.runs.exists()
    return refusal(done.stderr)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((f"{CLASSES}=0,1,cat",), "no class 'cat' in digits; existing: 0, 1"),
        ((f"{CLASSES}=0,1,12",), "wanted classes from 0 to 9, got 12"),
        ((f"{CLASSES}=0,1",), "wanted 3 different classes"),
        (
            ("--set=evaluators.2.options.per_class=100",),
            "digits/test[250:]: wanted 100 examples of class 0, got ",
        ),
        ((SWEEP, f"{GRID}=0,1,2"), "more than 0, got 0 among 0, 1, 2"),
        ((SWEEP, f"{GRID}=-1,1"), "more than 0, got -1 among -1, 1"),
        ((SWEEP, f"{GRID}=1e-30,1"), "wanted each from 1e-06 to 1e+06"),
        ((SWEEP, f"{GRID}=1,nan"), "wanted numbers between commas"),
        ((SWEEP, f"{GRID}=2,1"), "wanted each greater than the one before"),
        (("--set=evaluators.1.options.num_bins=0",), "wanted 1 or more, got 0"),
        (("--set=evaluators.1.options.edge=top",), "existing: left, right"),
        (
            ("--set=data.augmentation=t2t_cifar",),
            "wanted images of 32 x 32 pixels to crop, got 8 x 8",
        ),
    ],
)
def test_an_option_that_cannot_be(line, flags, says):
    assert says in refused(line, *flags)


def prepared(folder, **changed):
    """A prepared file of digits that are not as ``digits`` promises."""
    wrong = dataclasses.replace(digits.INFO, **changed)
    rng = np.random.default_rng(0)
    splits = {
        base: {
            "image": rng.integers(0, 256, (n, *wrong.image_shape), np.uint8),
            "label": (np.arange(n) % wrong.num_classes).astype(np.int32),
        }
        for base, n in wrong.sizes.items()
    }
    path = folder / "digits.npz"
    prepared_file.write(path, experiment="fc_digits", info=wrong, splits=splits)
    return path


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"num_classes": 11}, "digits/train: wanted labels 0 to 9, got 0 to"),
        (
            {"image_shape": (9, 8, 1)},
            "of shape (8, 8, 1) and one label each, got (9, 8, 1)",
        ),
        (
            {"image_shape": (8, 8, 3)},
            "of shape (8, 8, 1) and one label each, got (8, 8, 3)",
        ),
        ({"sizes": {"train": 1296, "test": 500}}, "wanted 1297 examples, got"),
    ],
)
def test_data_that_is_not_as_promised(line, tmp_path, changed, says):
    path = prepared(tmp_path, **changed)
    assert says in refused(line, f"--data_dir={path}")


def test_the_same_file_as_promised_trains(line, tmp_path):
    line(
        "--experiment=fc_digits", "--smoke", f"--data_dir={prepared(tmp_path)}"
    )
    assert list(line.runs.glob("*/*/seed=0/run.json"))


def test_names_and_a_sweep_are_measured(line):
    flags = ("--experiment=fc_digits", "--smoke", SWEEP, f"{CLASSES}=9,8,7")
    line(*flags)
    found = line.folder_of(*flags) / "measurements"
    with np.load(found / "temperature_sweep_report.npz") as arrays:
        assert len(arrays["temperatures"]) == len(arrays["nll"]) == 10
    with np.load(found / "penultimate_report.npz") as arrays:
        assert arrays["classes"].tolist() == [9, 8, 7]
