"""Students of a teacher's translations, from its weights to their batches."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import arrays, assert_equal_bits

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("taught_by_translations.py")


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_a_student_is_given_what_its_teacher_says(tmp_path, engine):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), engine, str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "KERAS_BACKEND": engine},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Each target is the beam's best of its source, found by the search itself.
    assert (found["pairs"], found["wrong"]) == (300, [])
    assert found["used"]["examples"] == 300
    assert 0 < found["finished"] < 300
    assert found["used"]["unfinished"] == 300 - found["finished"]
    # What is measured stays as the data has it.
    assert found["untouched"]
    assert "translates 300 sentences of numbers_ende/train[:300]" in done.stderr
    # The second time the file is read; the search was taken away.
    assert done.stderr.count("translates 300 sentences") == 1
    assert found["same"] == [True, True]
    assert found["teachers"] == [False, True]
    assert "holds a translation of another teacher (weights" in found["refused"]


FLAGS = (
    "--experiment=transformer_numbers_student",
    "--smoke",
    # So few that all batches have one shape.
    "--set=data.train=train[:60]",
    "--set=teacher.changes.data.train=train[:60]",
    "--set=teacher.targets=translations",
    "--set=teacher.beta=0",
    "--set=teacher.extra_length=5",
    "--set=train.steps=4",
    "--set=train.log_every_steps=1",
    "--set=train.checkpoint_every_steps=2",
    "--mode=train",
)


def test_killed_and_resumed_it_ends_with_the_same_bits(line):
    """One run whose teacher translated first, one that found it done."""
    done = line(*FLAGS, "--run_missing")
    assert "translates 60 sentences of numbers_ende/train[:60]" in done.stderr
    folder = line.folder_of(*FLAGS)
    record = json.loads((folder / "run.json").read_text())
    assert record["data"]["translations"]["examples"] == 60
    assert len(record["data"]["translations"]["sha256"]) == 64
    whole = line.folder / "whole"
    folder.rename(whole)
    process = line.start(*FLAGS)
    began = time.monotonic()
    while not list((folder / "checkpoints").glob("step-*")):
        time.sleep(0.02)
        assert process.poll() is None and time.monotonic() - began < 250
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert "translates" not in line(*FLAGS).stderr
    assert_equal_bits(arrays(folder), arrays(whole))
    assert (folder / "metrics.csv").read_text() == (
        whole / "metrics.csv"
    ).read_text()
