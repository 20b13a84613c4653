"""Targets that are learnt are in checkpoints, stacks and both engines."""

import json
import signal
import time

import numpy as np
import pytest
from command_line import arrays, assert_equal_bits

pytestmark = pytest.mark.slow

# An epoch has 26 steps; a checkpoint falls into the third.
FLAGS = (
    "--experiment=fc_digits",
    "--alpha=0.5",
    "--set=loss.name=online_label_smoothing",
    "--set=model.options.hidden=32",
    "--set=train.steps=100",
    "--set=train.checkpoint_every_steps=60",
    "--set=evaluators.0.every_steps=0",
)
TARGETS = "label_memory/targets"


def targets(folder):
    (found,) = [v for k, v in arrays(folder).items() if k.endswith(TARGETS)]
    return found


@pytest.fixture(scope="module")
def whole(shared_line):
    shared_line(*FLAGS)
    return shared_line.folder_of(*FLAGS)


def test_targets_are_learnt(whole):
    found = targets(whole)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    # After three epochs the label is the likeliest of each class's answers.
    np.testing.assert_array_equal(found.argmax(axis=1), np.arange(10))
    assert (np.diag(found) < 1).all()


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_a_run_that_goes_on_has_the_same_targets(
    line, shared_line, whole, engine
):
    short = (f"--engine={engine}", *FLAGS)
    line(*short)
    np.testing.assert_allclose(
        targets(line.folder_of(*short)), targets(whole), atol=1e-5
    )
    seed = "--seed=1" if engine == "jax" else "--seed=2"
    flags = (
        *short,
        seed,
        "--set=train.steps=5000",
        "--set=train.checkpoint_every_steps=500",
    )
    shared_line(*flags)
    unbroken = arrays(shared_line.folder_of(*flags))
    process = line.start(*flags)
    folder = line.folder_of(*flags)
    while not list((folder / "checkpoints").glob("step-*")):
        time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    run = json.loads((folder / "run.json").read_text())
    assert run["outcome"] == "running"
    line(*flags)
    assert_equal_bits(arrays(folder), unbroken)


def test_a_stacked_network_has_its_own_targets(line, whole):
    line("--engine=jax", *FLAGS, "--stack=seed:0..1")
    found = [targets(line.folder_of(*FLAGS, f"--seed={s}")) for s in (0, 1)]
    np.testing.assert_allclose(found[0], targets(whole), atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3


@pytest.mark.parametrize(
    "machine",
    [
        ("--strategy=mirrored", "--logical_devices=2"),
        ("--micro_batches=5",),
        ("--engine=jax", "--strategy=mirrored", "--logical_devices=2"),
    ],
    ids=["two", "micro", "jax"],
)
def test_the_machine_does_not_change_the_targets(line, whole, machine):
    line(*FLAGS, *machine)
    np.testing.assert_allclose(
        targets(line.folder_of(*FLAGS)), targets(whole), atol=1e-5
    )
