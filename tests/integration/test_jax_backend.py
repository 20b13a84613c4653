"""What is written with keras.ops passes its tests on JAX too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]


# The data that an engine makes; the rest of it is NumPy.
_DATA = [
    f"pipeline/test_{name}.py"
    for name in ("augment_compiled", "augment", "augment_views")
]


@pytest.mark.parametrize(
    "paths",
    [
        # Each in the group of its own name: they share nothing.
        pytest.param(paths, marks=pytest.mark.xdist_group(paths[0]))
        for paths in (
            ["models"],
            ["layers", "test_kernels.py"],
            ["tasks"],
            _DATA,
            ["decoding"],
            ["contracts/test_parts.py"],
            ["evaluators"],
            ["objective", "contracts/test_losses.py"],
            [
                "test_optimizers.py",
                "test_decay_and_clipping.py",
                "test_schedules.py",
            ],
        )
    ],
    ids=lambda paths: paths[0],
)
def test_the_parts_pass_on_jax(paths):
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        pytest.skip("this is the run on the other backend")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p"]
    # tests/models has the large ones; operation by operation they take long.
    large = ["-k", "not resnet and not inception"]
    few = large if "contracts" in paths[0] else []
    # A third of the time: nearly all is compiled for one call. But the sums of
    # layers are held to the rounding that users get.
    flags = os.environ.get("XLA_FLAGS", "")
    quick = {"XLA_FLAGS": f"{flags} --xla_cpu_use_fusion_emitters=false"}
    if paths[0] != "layers":
        quick["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    done = subprocess.run(
        [
            *command,
            "no:cacheprovider",
            "-n",
            "0",  # this test has a core, not all of them
            "-m",
            "not slow",
            *few,
            *(str(TESTS / path) for path in paths),
        ],
        env={**os.environ, "KERAS_BACKEND": "jax", **quick},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:]
