"""What is written with keras.ops passes its tests on JAX too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "folder",
    [
        "contracts/test_parts.py",
        "data",
        "decoding",
        "evaluators",
        "losses",
        "models",
        "tasks",
        "test_optimizers.py",
        "test_schedules.py",
    ],
)
def test_the_parts_pass_on_jax(folder):
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        pytest.skip("this is the run on the other backend")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p"]
    # tests/models has the ResNets; operation by operation they take long.
    few = ["-k", "not resnet"] if "contracts" in folder else []
    done = subprocess.run(
        [
            *command,
            "no:cacheprovider",
            "-m",
            "not slow",
            *few,
            str(TESTS / folder),
        ],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:]
