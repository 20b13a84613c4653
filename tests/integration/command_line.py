"""Runs the command line in processes of its own, on the embedded digits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from etils import epath

from ls_tf.training import checkpoints

ROOT = Path(__file__).resolve().parents[2]


class Line:
    """The command line with one runs directory."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.runs = folder / "runs"

    def words(self, *flags: str) -> list[str]:
        return [
            sys.executable,
            str(ROOT / "run_experiment.py"),
            f"--runs_dir={self.runs}",
            f"--reports_dir={self.folder / 'reports'}",
            *flags,
        ]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
        return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", **more}

    def start(self, *flags: str, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            self.words(*flags),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(**environment),
        )

    def __call__(self, *flags: str, code: int = 0, **environment: str):
        done = subprocess.run(
            self.words(*flags),
            capture_output=True,
            text=True,
            env=self.environment(**environment),
            timeout=300,
        )
        assert done.returncode == code, done.stderr
        return done

    def folder_of(self, *flags: str) -> Path:
        printed = json.loads(self(*flags, "--mode=print").stdout)
        return self.runs / printed["folder"]


def arrays(folder: Path) -> dict[str, np.ndarray]:
    """The newest checkpoint's arrays."""
    found = checkpoints.latest(epath.Path(folder) / "checkpoints")
    return dict(found.arrays)


def assert_equal_bits(a: dict, b: dict) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype, name
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
