"""train.remat on both engines and on several devices: the same weights."""

import os
import subprocess
import sys

import numpy as np
import programs
import pytest
from command_line import arrays

pytestmark = pytest.mark.slow

FLAGS = (
    "--experiment=fc_digits",
    "--set=learning_rate=0.05",
    "--set=train.steps=20",
    "--set=train.global_batch_size=48",
    "--set=train.ema_momentum=0.9",
    "--set=model.options.hidden=16,16,16,16,16,16",
    "--set=model.options.dropout_rate=0.1",
)
REMAT = "--set=train.remat=true"


def trained(line, *flags):
    line(*flags)
    return arrays(line.folder_of(*flags))


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_the_weights_are_those_of_activations_that_are_kept(line, engine):
    flags = (*FLAGS, f"--engine={engine}")
    kept, again = trained(line, *flags), trained(line, *flags, REMAT)
    assert kept.keys() == again.keys()
    for name, array in kept.items():
        np.testing.assert_allclose(
            again[name], array, rtol=0, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_on_two_devices(line, engine):
    # Without dropout, whose masks are each replica's own on TensorFlow.
    flags = (*FLAGS[:-1], REMAT, f"--engine={engine}")
    one = trained(line, *flags)
    two = (*flags, "--strategy=mirrored", "--logical_devices=2")
    (folder,) = line.runs.glob("fc_digits/*/seed=0")
    folder.rename(line.folder / "one")
    for name, array in trained(line, *two).items():
        np.testing.assert_allclose(
            array, one[name], rtol=0, atol=1e-6, err_msg=name
        )


def test_a_transformer_is_refused(line):
    done = line("--experiment=transformer_numbers", "--smoke", REMAT, code=2)
    assert done.stderr.splitlines()[-1] == (
        "ls_tf: train.remat: wanted false, a Transformer keeps its activations"
    )


def test_the_layer_passes_its_tests_on_jax():
    """Those that are slow, too: the memory is known on JAX alone."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-n", "0", "-m", "slow or not slow"),
            str(programs.ROOT / "tests" / "layers" / "test_recomputed.py"),
        ],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout
