"""Names of strategies are checked before TensorFlow is imported."""

import pathlib
import subprocess
import sys
from typing import ClassVar

import pytest
from command_line import refusal

from ls_tf.spec import SpecError
from ls_tf.training import strategy

ROOT = pathlib.Path(__file__).parents[2]


def test_an_unknown_strategy_lists_what_exists():
    with pytest.raises(SpecError, match="did you mean 'mirrored'"):
        strategy.check("mirored")


class Resolver:
    """TensorFlow's, which notes what it is asked for and finds nothing."""

    asked: ClassVar[list[str]] = []

    def __init__(self, tpu):
        self.asked.append(tpu)
        raise ValueError("no such\nTPU")


@pytest.mark.parametrize(
    ("flag", "variable", "asked"),
    [("a", None, "a"), ("a", "b", "a"), (None, "b", "b")],
)
def test_the_tpu_is_named_by_the_flag_or_the_variable(
    monkeypatch, flag, variable, asked
):
    import tensorflow as tf

    monkeypatch.delenv("TPU_NAME", raising=False)
    if variable:
        monkeypatch.setenv("TPU_NAME", variable)
    monkeypatch.setattr(
        tf.distribute.cluster_resolver, "TPUClusterResolver", Resolver
    )
    Resolver.asked.clear()
    with pytest.raises(SpecError, match="found no TPU; .*: no such TPU$"):
        strategy.make("tpu", tpu=flag)
    assert Resolver.asked == [asked]


@pytest.mark.parametrize("name", [None, "local"])
def test_the_tpu_of_a_host_without_one(monkeypatch, name):
    monkeypatch.delenv("TPU_NAME", raising=False)
    with pytest.raises(SpecError, match="no /dev/accel0 or /dev/vfio/0"):
        strategy.make("tpu", tpu=name)


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
    message = refusal(done.stderr)
    assert message.startswith("ls_tf: --strategy=tpu found no TPU; it wants")
    assert not (tmp_path / "runs").exists()
