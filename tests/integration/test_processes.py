"""Processes that do not do the same run, and processes that are not there."""

import json
import shutil
import signal
import time

import programs
import pytest
from command_line import PROGRAM, start_workers
from etils import epath

from ls_tf.running import peers
from ls_tf.training import checkpoints

FLAGS = ("--experiment=fc_digits", "--smoke")


def ended(processes, code, timeout=60):
    """The last lines that processes print; all end with the code."""
    said = []
    for process in processes:
        _, stderr = process.communicate(timeout=timeout)
        assert process.returncode == code, stderr
        assert "Traceback" not in stderr
        said.append(stderr.splitlines()[-1])
    return said


@pytest.mark.parametrize(
    ("own", "field", "theirs", "ours"),
    [
        (["--alpha=0.2"], "train.alpha", "0.2", "0.1"),
        (["--set=train.steps=9"], "train.steps", "9", "4"),
        (["--mode=eval"], "mode", "eval", "train_and_eval"),
        (["--micro_batches=2"], "micro_batches", "2", "1"),
    ],
)
def test_two_that_differ_are_refused(line, own, field, theirs, ours):
    first, second = ended(start_workers(line, *FLAGS, each=((), own)), 2)
    assert first.startswith("ls_tf: worker 1 at 127.0.0.1:")
    assert first.endswith(
        f" does not do the same run: {field}: {theirs} there, {ours} here"
    )
    assert second.startswith("ls_tf: worker 0 at 127.0.0.1:")
    assert second.endswith(f": {field}: {ours} there, {theirs} here")
    assert not line.runs.exists()


def test_one_of_four_that_differs_is_named_by_all(line):
    each = ((), (), ["--alpha=0.2"], ())
    said = ended(start_workers(line, *FLAGS, each=each), 2)
    named = [text.split()[2] for text in said]
    assert named == ["2", "2", "0", "2"]
    for text in said:
        assert ": train.alpha: " in text
    assert not line.runs.exists()


@pytest.mark.slow
def test_another_checkpoint_is_refused(line):
    flags = (*FLAGS, "--set=train.steps=8")
    line(*flags, "--mode=train")
    folder = line.folder_of(*flags)
    run = json.loads((folder / "run.json").read_text())
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    elsewhere = line.folder / "elsewhere"
    own = [f"--runs_dir={elsewhere}"]
    assert run["outcome"] == "trained"
    first, second = ended(start_workers(line, *flags, each=((), own)), 2)
    assert first.endswith(": start step: 0 there, 8 here")
    assert second.endswith(": start step: 8 there, 0 here")
    assert not elsewhere.exists()
    after = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert after == before


def test_an_edited_source_is_refused(line):
    copy = line.folder / "copy"
    shutil.copytree(
        programs.ROOT / "ls_tf",
        copy / "ls_tf",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    model = copy / "ls_tf" / "models" / "fully_connected.py"
    model.write_text(model.read_text() + "# edited\n")
    # In front of the program's own folder.
    script = copy / "run_experiment.py"
    shutil.copy(PROGRAM, script)
    processes = start_workers(line, *FLAGS, programs=(PROGRAM, script))
    for text in ended(processes, 2):
        assert ": source of ls_tf.models.fully_connected: " in text
    assert not line.runs.exists()


@pytest.mark.parametrize("refused", [0, 1])
def test_one_that_is_refused_is_named(line, refused):
    each = [(), ()]
    each[refused] = ("--alpha=many",)
    processes = start_workers(line, *FLAGS, each=each)
    (mine,) = ended([processes[refused]], 2)
    (other,) = ended([processes[1 - refused]], peers.EXIT_CODE)
    assert mine == "ls_tf: alpha: wanted a finite number, got 'many'"
    assert other.startswith(f"ls_tf: worker {refused} at 127.0.0.1:")
    assert "ended: alpha: wanted a finite number, got 'many'" in other
    assert not line.runs.exists()


def test_one_that_never_comes_is_named(line):
    one, other = start_workers(line, *FLAGS, "--worker_timeout=2")
    other.kill()
    other.communicate()
    (said,) = ended([one], peers.EXIT_CODE)
    assert said.startswith("ls_tf: worker 1 at 127.0.0.1:")
    assert said.endswith(
        " did not come within 2 s (--worker_timeout); the last checkpoint is "
        "intact"
    )
    assert not line.runs.exists()


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_lost_worker_ends_the_others(line, killed):
    flags = (
        "--experiment=fc_digits",
        "--set=train.steps=100000",
        "--set=train.log_every_steps=10",
        "--set=train.checkpoint_every_steps=10",
    )
    folder = line.folder_of(*flags)
    processes = start_workers(line, *flags)
    saved = epath.Path(folder) / "checkpoints"
    until = time.monotonic() + 200
    while not checkpoints.steps(saved):
        assert time.monotonic() < until
        assert processes[0].poll() is None
        time.sleep(0.1)
    processes[killed].send_signal(signal.SIGKILL)
    processes[killed].communicate()
    began = time.monotonic()
    _, stderr = processes[1 - killed].communicate(timeout=60)
    assert processes[1 - killed].returncode == peers.EXIT_CODE, stderr
    # Beside the progress one line, and none of the engine's.
    lines = stderr.replace("\r", "\n").splitlines()
    (said,) = [s for s in lines if s and not s.startswith("fc_digits")]
    assert time.monotonic() - began < 30
    line_of = f"worker {killed} at 127.0.0.1:"
    assert said.startswith(f"ls_tf: {line_of}")
    assert said.endswith(
        " is lost (its connection was closed); the last checkpoint is intact"
    )
    assert checkpoints.latest(saved) is not None
    run = json.loads((folder / "run.json").read_text())
    if killed:
        assert run["outcome"] == "lost"
        assert run["reason"].startswith(line_of)
        assert not (folder / "lock").exists()
    else:
        assert run["outcome"] == "running"  # as of any process that is killed
