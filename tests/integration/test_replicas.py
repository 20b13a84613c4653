"""One device, two, micro-batches and two workers train the same weights.

Each case is a process of its own: one strategy a process.
"""

import json
import shutil

import numpy as np
import pytest
from command_line import arrays, start_workers

pytestmark = pytest.mark.slow

FLAGS = (
    "--experiment=fc_digits",
    "--set=train.steps=60",
    "--set=train.log_every_steps=20",
    "--set=train.ema_momentum=0.9",
    "--set=train.weight_decay=0.0001",
    "--set=train.decay_exclude=logits/bias",
    "--set=train.clip_global_norm=1.0",
    "--set=optimizer.options.nesterov=true",
    "--set=train.checkpoint_every_steps=30",
)
TWO = ("--strategy=mirrored", "--logical_devices=2")


@pytest.fixture(scope="module")
def one(shared_line):
    shared_line(*FLAGS)
    return shared_line.folder_of(*FLAGS)


def assert_close(a, b):
    for name in a:
        np.testing.assert_allclose(
            a[name], b[name], rtol=0, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize(
    "machine",
    [TWO, ("--micro_batches=5",), (*TWO, "--micro_batches=5")],
    ids=["two", "micro", "two_micro"],
)
def test_the_machine_does_not_change_the_weights(line, one, machine):
    line(*FLAGS, *machine)
    assert_close(arrays(line.folder_of(*FLAGS)), arrays(one))


def test_two_workers_train_the_same_weights(line, one):
    processes = start_workers(line, *FLAGS)
    for process in processes:
        _, stderr = process.communicate(timeout=200)
        assert process.returncode == 0, stderr
    folder = line.folder_of(*FLAGS)
    assert_close(arrays(folder), arrays(one))
    run = json.loads((folder / "run.json").read_text())
    assert run["replicas"] == 2
    assert run["outcome"] == "finished"


def test_a_checkpoint_of_two_replicas_goes_on_on_one(line, one):
    longer = [f for f in FLAGS if "checkpoint" not in f and "steps=60" not in f]
    longer += ["--set=train.steps=60", "--set=train.checkpoint_every_steps=30"]
    line(*longer, *TWO)
    folder = line.folder_of(*longer)
    newest = sorted((folder / "checkpoints").glob("step-*"))
    assert [p.name for p in newest] == ["step-000000030", "step-000000060"]
    _back_to_step_30(folder)
    line(*longer)
    assert_close(arrays(folder), arrays(one))


def _back_to_step_30(folder):
    """As a kill between the two checkpoints leaves a run."""
    shutil.rmtree(folder / "checkpoints" / "step-000000060")
    run = json.loads((folder / "run.json").read_text())
    run |= {"outcome": "running", "indexed": False}  # as an old record
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "digests.json").unlink()


def _two_workers(line, *flags):
    for process in start_workers(line, *flags):
        _, stderr = process.communicate(timeout=200)
        assert process.returncode == 0, stderr


def test_one_device_then_two_then_two_workers(line, one):
    folder = line.folder_of(*FLAGS)
    line(*FLAGS)
    _back_to_step_30(folder)
    line(*FLAGS, *TWO)
    assert_close(arrays(folder), arrays(one))
    _back_to_step_30(folder)
    _two_workers(line, *FLAGS)
    assert_close(arrays(folder), arrays(one))
    history = json.loads((folder / "run.json").read_text())["history"]
    assert [entry["replicas"] for entry in history] == [1, 2, 2]


def test_bfloat16_in_parts_on_two_workers(line):
    # A rate and a length at which rounding does not grow.
    short = ("--set=learning_rate=0.1", "--set=train.steps=20")
    flags = (*FLAGS, *short, "--set=train.precision=bfloat16")
    flags += ("--micro_batches=5",)
    _two_workers(line, *flags)
    folder = line.folder_of(*flags)
    several = arrays(folder)
    shutil.rmtree(folder)
    line(*flags)
    for name, array in arrays(folder).items():
        # Products are rounded to eight bits, their sums in another order.
        np.testing.assert_allclose(
            several[name], array, rtol=0, atol=2e-3, err_msg=name
        )


def test_a_batch_that_does_not_split_is_refused(line):
    done = line(*FLAGS, *TWO, "--set=train.global_batch_size=51", code=2)
    assert "wanted a multiple of 2" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not line.runs.exists()
