"""Runs on streamed photographs: resumed, on several replicas and workers."""

import contextlib
import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import (
    arrays,
    assert_equal_bits,
    said_of,
    start_jax_processes,
    start_workers,
)
from etils import epath

from ls_tf.data import tiny_imagenet_stand_in
from ls_tf.pipeline import stand_in

pytestmark = pytest.mark.slow

FLAGS = (
    "--experiment=fc_digits",
    "--set=model.options.hidden=16,",
    "--set=data.name=tiny_imagenet_stand_in",
    "--set=data.augmentation=replication_tiny",
    "--set=data.train=train[:150]",
    "--set=data.calibrate=validation[:128]",
    "--set=data.report=validation[128:]",
    "--set=train.steps=18",
    "--set=train.global_batch_size=16",
    "--set=train.log_every_steps=6",
    "--set=train.checkpoint_every_steps=3",
)


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def engine(request):
    return f"--engine={request.param}"


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, engine):
    from command_line import Line

    line = Line(tmp_path_factory.mktemp("streamed"))
    line(*FLAGS, engine)
    return line.folder_of(*FLAGS)


def test_a_killed_run_ends_as_if_unbroken(line, engine, unbroken):
    folder = line.folder_of(*FLAGS)
    process = line.start(*FLAGS, engine)
    while not list((folder / "checkpoints").glob("step-*")):
        time.sleep(0.02)
        assert process.poll() is None, process.communicate()[1]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    line(*FLAGS, engine)
    assert_equal_bits(arrays(folder), arrays(unbroken))
    assert (folder / "metrics.csv").read_text() == (
        unbroken / "metrics.csv"
    ).read_text()
    run = json.loads((folder / "run.json").read_text())
    assert run["outcome"] == "finished"
    used = run["data"]["train[:150]"]
    assert (used["examples"], used["left_out"]) == (150, {})


def test_two_replicas_train_the_same_weights(line, engine, unbroken):
    line(*FLAGS, engine, "--strategy=mirrored", "--logical_devices=2")
    mine = arrays(line.folder_of(*FLAGS))
    theirs = arrays(unbroken)
    for name in theirs:
        np.testing.assert_allclose(
            mine[name], theirs[name], rtol=1e-4, atol=1e-4, err_msg=name
        )


def test_two_workers_train_the_same_weights(line, engine, unbroken):
    # Each makes its half of every batch.
    start = start_jax_processes if "jax" in engine else start_workers
    for process in start(line, *FLAGS):
        _, stderr = process.communicate(timeout=200)
        assert process.returncode == 0, stderr
    mine = arrays(line.folder_of(*FLAGS))
    theirs = arrays(unbroken)
    for name in theirs:
        np.testing.assert_allclose(
            mine[name], theirs[name], rtol=1e-4, atol=1e-4, err_msg=name
        )


@pytest.fixture
def damaged(tmp_path):
    """A data directory whose stand-in has one picture that is cut short."""
    folder = tmp_path / "data" / "ls_tf_arrays" / "tiny_imagenet_stand_in-1"
    encoded = stand_in.encoded

    def cut(number, label, shapes):
        whole = encoded(number, label, shapes)
        return whole[:-90] if number == 41 else whole

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_in, "encoded", cut)
        stand_in.write(
            epath.Path(folder),
            "tiny_imagenet_stand_in",
            tiny_imagenet_stand_in.INFO.sizes,
            classes=(0, 1, 2, 3, 4),
            shapes=((64, 64),),
        )
    return f"--data_dir={tmp_path / 'data'}"


def test_a_damaged_picture_ends_the_run_in_one_line(line, engine, damaged):
    done = line(*FLAGS, engine, damaged, code=2)
    assert said_of(done) == [
        "ls_tf: tiny_imagenet_stand_in/train: record 41 (train_00000041.JPEG) "
        "is no whole JPEG: Premature end of JPEG file; prepare the data anew, "
        "or set data.skip_damaged=true: the next of its class takes its place"
    ]
    assert "Traceback" not in done.stderr and "leaked" not in done.stderr


def test_a_damaged_picture_is_skipped_if_asked(line, engine, damaged):
    flags = (*FLAGS, "--set=data.skip_damaged=true")
    line(*flags, engine, damaged)
    folder = line.folder_of(*flags)
    run = json.loads((folder / "run.json").read_text())
    assert run["outcome"] == "finished"
    used = run["data"]["train[:150]"]
    assert used["examples"] == 149
    assert used["left_out"] == {
        "damaged JPEG, the next of its class taken in its place": 1
    }


def children(pid):
    """The processes that any thread of a process has started."""
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has ended
            found += file.read_text().split()
    return found


def test_no_process_is_left_by_a_kill_or_a_stop(line, engine):
    process = line.start(*FLAGS, engine, "--set=train.steps=2000")
    # Its children are found before they can be orphans.
    while len(workers := children(process.pid)) < 2:
        time.sleep(0.02)
        assert process.poll() is None, process.communicate()[1]
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3, stderr
    assert "Traceback" not in stderr and "leaked" not in stderr
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < until
        time.sleep(0.05)
