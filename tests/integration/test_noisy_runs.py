"""Runs on wrong labels: broken off and resumed, both engines, stacked."""

import json
import signal
import time

import numpy as np
import pytest
from command_line import arrays, assert_equal_bits, said_of

pytestmark = pytest.mark.slow

RUN = (
    "--experiment=fc_digits",
    "--set=train.steps=40",
    "--set=train.log_every_steps=20",
    "--set=train.checkpoint_every_steps=20",
)
NOISE = "--set=data.label_kept=0.5"


def data_of(folder):
    return json.loads((folder / "run.json").read_text())["data"]


def test_a_killed_run_goes_on_with_the_labels_it_was_begun_with(tmp_path, line):
    long = (*RUN, NOISE, "--set=train.steps=4000")
    folder = line.folder_of(*long)
    process = line.start(*long)
    while not list((folder / "checkpoints").glob("step-*")):
        time.sleep(0.01)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    line(*long)
    resumed, used = arrays(folder), data_of(folder)
    assert used["train"]["relabelled"] > 600
    assert len(json.loads((folder / "run.json").read_text())["history"]) == 2
    folder.rename(tmp_path / "resumed")
    line(*long)
    assert_equal_bits(arrays(folder), resumed)
    assert data_of(folder) == used


def test_both_engines_use_the_same_labels(tmp_path, line):
    folder = line.folder_of(*RUN, NOISE)
    line(*RUN, NOISE)
    tensorflow, used = arrays(folder), data_of(folder)
    folder.rename(tmp_path / "tensorflow")
    line(*RUN, NOISE, "--engine=jax")
    assert data_of(folder) == used
    jax = arrays(folder)
    for name, value in tensorflow.items():
        if name.startswith("model/"):
            np.testing.assert_allclose(jax[name], value, atol=1e-4)


def test_a_stack_over_the_noise_is_the_runs_alone(tmp_path, line):
    line(
        *RUN,
        "--engine=jax",
        "--stack=data.label_kept:.5,1",
        "--stack=seed:0..1",
    )
    for kept, seed in (("0.5", "1"), ("1", "0")):
        one = (*RUN, f"--set=data.label_kept={kept}", f"--seed={seed}")
        folder = line.folder_of(*one)
        stacked, used = arrays(folder), data_of(folder)
        folder.rename(tmp_path / f"stacked_{kept}_{seed}")
        line(*one, "--engine=jax")
        assert data_of(folder) == used
        for name, value in arrays(folder).items():
            np.testing.assert_allclose(stacked[name], value, atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--set=data.label_kept=1.5",), "data.label_kept: wanted 0 to 1"),
        (("--set=data.label_transition=((.5,.4),(0,1))",), "that sum to 1"),
        (("--set=data.label_transition=((.5,.5),(0,1))",), "wanted 10 x 10"),
    ],
)
def test_bad_noise_is_one_line(line, flags, says):
    done = line("--experiment=fc_digits", "--smoke", *flags, code=2)
    (only,) = said_of(done)
    assert says in only
    assert not line.runs.exists()
