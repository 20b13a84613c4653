"""A run that was begun here is finished elsewhere, without TensorFlow."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import programs
import pytest
from command_line import Line, arrays, assert_equal_bits

from ls_tf.records import runs
from ls_tf.running import provenance

pytestmark = pytest.mark.slow

STOPPED_AT = Path(programs.__file__).with_name("stopped_at.py")
FLAGS = (
    "--experiment=fc_digits",
    "--set=train.steps=12",
    "--set=train.log_every_steps=4",
    "--set=model.options.hidden=8,8",
)
JAX = (*FLAGS, "--engine=jax")
# What a bundle's list does not name as needed is not needed.
ABSENT = (
    *("tensorflow", "tensorflow_datasets", "simplejpeg", "cv2", "grain"),
    *("array_record", "sentencepiece", "sacrebleu", "ray", "submitit"),
)


def elsewhere(folder):
    """An environment in which packages are missing."""
    blocked = folder / "blocked"
    blocked.mkdir()
    for name in ABSENT:
        text = f"raise ImportError({name!r})\n"
        (blocked / f"{name}.py").write_text(text)
    kept = {k: v for k, v in os.environ.items() if k != "TFDS_DATA_DIR"}
    return {**kept, "PYTHONPATH": str(blocked), "HOME": str(folder)}


def test_it_goes_on_elsewhere_and_comes_back(tmp_path):
    line, unbroken = Line(tmp_path / "a"), Line(tmp_path / "b")
    unbroken(*JAX)
    folder = line.folder_of(*JAX)
    programs.run(
        STOPPED_AT,
        "the present steps",
        str(int(signal.SIGTERM)),
        *line.words(*JAX),
        engine="jax",
        code=3,
        env=line.environment(),
    )
    step = json.loads((folder / "run.json").read_text())["step"]
    assert 0 < step < 12
    bundle = tmp_path / "bundle.zip"
    done = line(*FLAGS, "--mode=bundle", f"--bundle={bundle}")
    assert done.stdout == f"{bundle}\n"
    assert f"bundle of 1 run; there: python {bundle} FOLDER, th" in done.stderr
    assert done.stderr.endswith("--mode=merge --from=FOLDER\n")
    environment, there = elsewhere(tmp_path), tmp_path / "there"
    for words in ([bundle, there], [there / "run", "--time_limit=4"]):
        subprocess.run(
            [sys.executable, *map(str, words)],
            env=environment,
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
    shown = line("--mode=merge", f"--from={there}").stdout
    assert shown == f"{folder}\n"
    run = json.loads((folder / "run.json").read_text())
    assert (run["outcome"], len(run["history"])) == ("finished", 2)
    assert run["git"]["commit"] == provenance.git()["commit"]
    assert run["history"][1]["git"] == run["history"][0]["git"]
    assert_equal_bits(arrays(folder), arrays(unbroken.folder_of(*JAX)))
    assert line("--mode=merge", f"--from={there}").stdout == ""
    runs.read_record(runs.Path(folder)).check()
    again = line(*FLAGS, "--mode=bundle", f"--bundle={bundle}", code=2)
    assert again.stderr == (
        "ls_tf: --mode=bundle: all runs are finished already\n"
    )
