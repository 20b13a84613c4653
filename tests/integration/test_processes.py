"""Processes that do not do the same run, and processes that are not there."""

import json
import shutil

import programs
import pytest
from command_line import ENDLESS, PROGRAM, ended, lose_one, start_workers

from ls_tf import exit_codes

FLAGS = ("--experiment=fc_digits", "--smoke")


def last_lines(processes, code):
    """The last lines that processes print; all end with the code."""
    return [stderr.splitlines()[-1] for _, stderr in ended(processes, code, 60)]


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
    first, second = last_lines(start_workers(line, *FLAGS, each=((), own)), 2)
    assert first.startswith("ls_tf: worker 1 at 127.0.0.1:")
    assert first.endswith(
        f" does not do the same run: {field}: {theirs} there, {ours} here"
    )
    assert second.startswith("ls_tf: worker 0 at 127.0.0.1:")
    assert second.endswith(f": {field}: {ours} there, {theirs} here")
    assert not line.runs.exists()


def test_one_of_four_that_differs_is_named_by_all(line):
    each = ((), (), ["--alpha=0.2"], ())
    said = last_lines(start_workers(line, *FLAGS, each=each), 2)
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
    first, second = last_lines(start_workers(line, *flags, each=((), own)), 2)
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
    for text in last_lines(processes, 2):
        assert ": source of ls_tf.models.fully_connected: " in text
    assert not line.runs.exists()


@pytest.mark.parametrize("refused", [0, 1])
def test_one_that_is_refused_is_named(line, refused):
    each = [(), ()]
    each[refused] = ("--alpha=many",)
    processes = start_workers(line, *FLAGS, each=each)
    (mine,) = last_lines([processes[refused]], 2)
    (other,) = last_lines([processes[1 - refused]], exit_codes.LOST)
    assert mine == "ls_tf: alpha: wanted a finite number, got 'many'"
    assert other.startswith(f"ls_tf: worker {refused} at 127.0.0.1:")
    assert "ended: alpha: wanted a finite number, got 'many'" in other
    assert not line.runs.exists()


def test_one_that_never_comes_is_named(line):
    one, other = start_workers(line, *FLAGS, "--worker_timeout=2")
    other.kill()
    other.communicate()
    (said,) = last_lines([one], exit_codes.LOST)
    assert said.startswith("ls_tf: worker 1 at 127.0.0.1:")
    assert said.endswith(
        " did not come within 2 s (--worker_timeout); the last checkpoint is "
        "intact"
    )
    assert not line.runs.exists()


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_lost_worker_ends_the_others(line, killed):
    processes = start_workers(line, *ENDLESS)
    name = f"worker {killed} at 127.0.0.1:"
    lose_one(line.folder_of(*ENDLESS), processes, killed, name)
