"""Both engines train the same weights, and read each other's checkpoints."""

import csv
import json
import signal
import time

import numpy as np
import pytest
from command_line import arrays, assert_equal_bits

pytestmark = pytest.mark.slow

SHORT = (
    # A rate at which rounding does not grow: at the experiment's own, that of
    # the first steps has become 1e-3 in some weights after 20.
    "--set=learning_rate=0.1",
    "--set=train.steps=20",
    "--set=train.log_every_steps=1",
    "--set=train.ema_momentum=0.9",
    "--set=train.weight_decay=0.0001",
    "--set=train.clip_global_norm=1.0",
    "--set=optimizer.options.nesterov=true",
)
# Everything that has a state, and a length that leaves time for a signal.
LONG = (
    "--experiment=fc_digits",
    "--set=train.steps=8000",
    "--set=train.ema_momentum=0.99",
    "--set=model.options.dropout_rate=0.3",
    "--set=model.options.hidden=64,64",
    "--set=optimizer.options.nesterov=true",
    "--set=train.checkpoint_every_steps=130",
    "--set=evaluators.0.every_steps=700",
)
JAX = "--engine=jax"


def run_json(folder):
    return json.loads((folder / "run.json").read_text())


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def scalars(folder):
    return {
        path.stem: json.loads(path.read_text())["scalars"]
        for path in (folder / "measurements").glob("*.json")
    }


def assert_close(a, b, atol):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(
            a[name], b[name], rtol=0, atol=atol, err_msg=name
        )


@pytest.mark.parametrize(
    "flags",
    [
        ("--experiment=fc_digits",),
        # Dropout's noise is a hash, so that it too is the same.
        ("--experiment=fc_digits", "--set=model.options.dropout_rate=0.3"),
        ("--experiment=fc_digits", "--set=data.augmentation=shift2"),
        ("--experiment=fc_digits", "--set=train.smoothing=others"),
        ("--experiment=fc_digits_student", "--run_missing"),
    ],
    ids=["plain", "dropout", "shifts", "others", "student"],
)
def test_the_first_steps_agree(tmp_path, line, flags):
    folder = line.folder_of(*flags, *SHORT)
    line(*flags, *SHORT)
    first, first_rows = arrays(folder), rows(folder)
    folder.rename(tmp_path / "first")
    line(*flags, *SHORT, JAX)
    second = arrays(folder)
    assert {k: v.dtype for k, v in first.items()} == {
        k: v.dtype for k, v in second.items()
    }
    assert_close(first, second, 1e-6)
    for a, b in zip(first_rows, rows(folder), strict=True):
        assert float(a["train/loss"]) == pytest.approx(
            float(b["train/loss"]), rel=1e-5
        )
    run = run_json(folder)
    assert (run["engine"], run["backend"]) == ("jax", "jax")
    assert run["precision"] == "float32"
    assert run["networks"] == 1 and run["device_kind"]
    assert "jax" in run["versions"] and "tensorflow" not in run["versions"]


@pytest.fixture(scope="module")
def unbroken(shared_line):
    # Its hashes have another seed than those of the copies of ``programs``.
    shared_line(*LONG, JAX, fresh=True)
    return shared_line.folder_of(*LONG)


def interrupt(line, *flags, number=signal.SIGTERM):
    """Stops a run somewhere in its training; gives its folder."""
    folder = line.folder_of(*flags)
    process = line.start(*flags)
    while len(list((folder / "checkpoints").glob("step-*"))) < 2:
        time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    wanted = 3 if number == signal.SIGTERM else -number
    assert process.returncode == wanted, stderr
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_broken_run_ends_as_an_unbroken_one(line, unbroken, number):
    folder = interrupt(line, *LONG, JAX, number=number)
    assert 0 < run_json(folder)["step"] < 8000
    line(*LONG, JAX)
    assert_equal_bits(arrays(folder), arrays(unbroken))
    assert (folder / "metrics.csv").read_text() == (
        unbroken / "metrics.csv"
    ).read_text()


@pytest.mark.parametrize(
    "engines", [("tensorflow", "jax")[::s] for s in (1, -1)]
)
def test_one_engine_resumes_and_measures_what_the_other_trained(line, engines):
    first, second = (f"--engine={name}" for name in engines)
    folder = interrupt(line, *LONG, first)
    line(*LONG, second)
    run = run_json(folder)
    assert run["outcome"] == "finished"
    assert [h["engine"] for h in run["history"]] == list(engines)
    measured = scalars(folder)
    line(*LONG, first, "--mode=eval")
    again = scalars(folder)
    assert measured.keys() == again.keys()
    for name, values in measured.items():
        for key, value in values.items():
            # A confidence near a bin's edge may cross it.
            loose = "ece" in key or "calibration" in key or "mce" in key
            assert again[name][key] == pytest.approx(
                value, rel=1e-3, abs=2e-2 if loose else 1e-4
            ), key


@pytest.mark.parametrize("parts", [(), ("--micro_batches=5",)])
def test_eight_devices_train_as_one(tmp_path, line, parts):
    flags = (
        "--experiment=fc_digits",
        *SHORT,
        JAX,
        "--set=train.global_batch_size=80",
        "--set=model.options.dropout_rate=0.3",
    )
    folder = line.folder_of(*flags)
    line(*flags)
    one = arrays(folder)
    folder.rename(tmp_path / "one")
    line(*flags, "--strategy=mirrored", "--logical_devices=8")
    assert run_json(folder)["replicas"] == 8
    assert_close(one, arrays(folder), 1e-6)
    if parts:
        folder.rename(tmp_path / "eight")
        # Dropout draws a mask for each part: without it.
        plain = (*flags[:-1], "--set=model.options.dropout_rate=0")
        folder = line.folder_of(*plain)
        line(*plain)
        whole = arrays(folder)
        folder.rename(tmp_path / "whole")
        line(*plain, *parts)
        assert_close(whole, arrays(folder), 1e-6)


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_bfloat16_trains_near_float32(line, engine):
    flags = (
        "--experiment=fc_digits",
        "--set=train.steps=200",
        f"--engine={engine}",
    )
    line(*flags)
    wide = scalars(line.folder_of(*flags))["classification_report"]
    half = (*flags, "--set=train.precision=bfloat16")
    line(*half)
    folder = line.folder_of(*half)
    assert run_json(folder)["precision"] == "bfloat16"
    found = scalars(folder)["classification_report"]
    assert found["nll"] == pytest.approx(wide["nll"], rel=0.05)
    assert found["nll"] != wide["nll"]
    # Variables and their updates stay float32.
    assert {v.dtype.name for v in arrays(folder).values()} <= {
        "float32",
        "int64",
    }


BLOCKED = 'raise ImportError("there is no TensorFlow here")\n'


def test_without_tensorflow_it_trains_and_measures(line, tmp_path):
    """From a prepared file, as on a machine with JAX, Keras and NumPy."""
    file = tmp_path / "digits.npz"
    line("--experiment=fc_digits", "--mode=prepare", f"--prepared={file}")
    blocked = tmp_path / "blocked"
    for name in ("tensorflow", "tensorflow_datasets"):
        (blocked / name).mkdir(parents=True)
        (blocked / name / "__init__.py").write_text(BLOCKED)
    flags = ("--experiment=fc_digits", "--set=train.steps=50", JAX)
    data_dir = f"--data_dir={file}"
    line(*flags, data_dir, fresh=True, PYTHONPATH=str(blocked))
    folder = line.folder_of(*flags)
    assert run_json(folder)["outcome"] == "finished"
    assert run_json(folder)["step"] == 50
    measured = scalars(folder)
    assert {"classification_report", "reliability_report"} <= measured.keys()
    assert list((folder / "tensorboard").glob("events.out.tfevents.*"))
    # And the data is the data: the same weights as from its own source.
    first = arrays(folder)
    folder.rename(tmp_path / "first")
    line(*flags)
    assert_equal_bits(first, arrays(folder))
