"""Names of strategies are checked before TensorFlow is imported."""

import pathlib
import subprocess
import sys

import pytest

from ls_tf.spec import SpecError
from ls_tf.training import strategy

ROOT = pathlib.Path(__file__).parents[2]


def test_an_unknown_strategy_lists_what_exists():
    with pytest.raises(SpecError, match="did you mean 'mirrored'"):
        strategy.check("mirored")


@pytest.mark.slow
def test_no_tpu_is_one_line(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "run_experiment.py"),
            "--experiment=fc_digits",
            "--strategy=tpu",
            f"--runs_dir={tmp_path / 'runs'}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert message.startswith("ls_tf: --strategy=tpu found no TPU; it wants")
    assert not (tmp_path / "runs").exists()
