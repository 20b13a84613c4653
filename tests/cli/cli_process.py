"""The command line in a process, and what it leaves in a folder."""

import os
import subprocess
import sys

import programs

ROOT = programs.ROOT
DIGITS = "--experiment=fc_digits"


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
    }


def process(*flags, **environment):
    return subprocess.run(
        [sys.executable, str(ROOT / "run_experiment.py"), *flags],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
