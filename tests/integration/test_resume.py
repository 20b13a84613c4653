"""Killed at any instant and started again, a run ends as if unbroken."""

import json
import random
import resource
import signal
import subprocess
import sys
import time

import pytest
from command_line import PROGRAM, arrays, assert_equal_bits

pytestmark = pytest.mark.slow

# Everything that has a state: dropout noise, Nesterov velocity, schedule and
# weight average; a log row and a checkpoint that fall on different steps.
FLAGS = (
    "--experiment=fc_digits",
    "--set=train.steps=15000",
    "--set=train.ema_momentum=0.99",
    "--set=model.options.dropout_rate=0.3",
    "--set=model.options.hidden=64,64",
    "--set=optimizer.options.nesterov=true",
    "--set=train.checkpoint_every_steps=130",
    "--set=evaluators.0.every_steps=700",
)


@pytest.fixture(scope="module")
def unbroken(shared_line):
    # Its hashes have another seed than those of the copies of ``programs``.
    shared_line(*FLAGS, fresh=True)
    return shared_line.folder_of(*FLAGS)


def test_twenty_kills_change_no_bit(line, unbroken):
    rng = random.Random(0)
    folder = line.folder_of(*FLAGS)
    kills = 0
    while kills < 20:
        # Past the imports, so that a kill falls into the work, saving
        # included; now and then before them.
        early = kills % 5 == 0
        process = line.start(*FLAGS, fresh=early)
        wait = rng.uniform(0.1, 1.0) if early else None
        began = time.monotonic()
        if wait is None:
            before = _step(folder)
            while process.poll() is None and _step(folder) == before:
                time.sleep(0.01)
                assert time.monotonic() - began < 120
            wait = rng.uniform(0.0, 0.1)
        time.sleep(wait)
        if process.poll() is not None:
            assert process.returncode == 0, process.stderr.read()
            break  # it finished before the kill
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
    line(*FLAGS)
    assert kills == 20
    assert (
        json.loads((folder / "run.json").read_text())["outcome"] == "finished"
    )
    assert_equal_bits(arrays(folder), arrays(unbroken))
    assert (folder / "metrics.csv").read_text() == (
        unbroken / "metrics.csv"
    ).read_text()


def _step(folder) -> int:
    there = [
        int(p.name.removeprefix("step-"))
        for p in (folder / "checkpoints").glob("step-*")
    ]
    return max(there, default=0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_says_so_and_resumes(line, unbroken, number):
    folder = line.folder_of(*FLAGS)
    process = line.start(*FLAGS)
    while _step(folder) == 0:
        time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()
    began = time.monotonic()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 3
    assert "the state is saved" in stderr.splitlines()[-1]
    run = json.loads((folder / "run.json").read_text())
    assert run["outcome"] == "stopped"
    assert 0 < run["step"] < 15000
    assert not (folder / "lock").exists()
    said = line(*FLAGS).stderr.splitlines()
    assert f"ls_tf: resumes from step {run['step']:,} of 15,000" in said
    assert_equal_bits(arrays(folder), arrays(unbroken))


def test_a_corrupted_newest_checkpoint_costs_only_its_steps(line, unbroken):
    folder = line.folder_of(*FLAGS)
    process = line.start(*FLAGS)
    while len(list((folder / "checkpoints").glob("step-*"))) < 2:
        time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    newest = sorted((folder / "checkpoints").glob("step-*"))[-1]
    file = newest / "arrays.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    done = line(*FLAGS)
    assert "is truncated" in done.stderr
    assert_equal_bits(arrays(folder), arrays(unbroken))


def test_a_full_disk_is_one_line_and_resumes(line, unbroken):
    folder = line.folder_of(*FLAGS)
    limit = 60_000  # bytes; a checkpoint is larger, the other files are not

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = line.start(*FLAGS)
    while _step(folder) == 0:
        time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    saved = _step(folder)
    before = arrays(folder)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *line.words(*FLAGS)],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        env=line.environment(),
    )
    assert done.returncode == 5, done.stderr
    assert "no space left" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert _step(folder) == saved
    assert_equal_bits(arrays(folder), before)
    line(*FLAGS)
    assert_equal_bits(arrays(folder), arrays(unbroken))
