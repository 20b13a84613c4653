"""A small run of every flagfile, from the command line."""

import json
import os
import random
import re
from pathlib import Path

import programs
import pytest
from command_line import refusal

from ls_tf import cli

pytestmark = pytest.mark.slow

FLAGS = programs.ROOT / "flags"
SMOKE = f"--flagfile={FLAGS / 'smoke.flags'}"
EXPERIMENTS = [
    path
    for path in sorted(FLAGS.glob("*.flags"))
    if re.search("^--experiment=", path.read_text(), re.MULTILINE)
]
MACHINES = sorted((FLAGS / "machine").glob("*.flags"))
# What is not here, and what is said of it.
MISSING = {
    "tpu_v4_8": "--strategy=tpu found no TPU; it wants a Cloud TPU VM",
    "slurm_8x8": "a job of Slurm or of several Cloud TPU hosts; there is none",
}
# These come with the program or with a package; others lie in a directory.
BUILT_IN = (
    *("digits", "numbers_ende", "imagenet_stand_in"),
    *("tiny_imagenet_stand_in", "cub200_stand_in"),
    *("imagenet_lt_stand_in", "places_lt_stand_in"),
    *("inaturalist_2019_stand_in", "imaterialist_2019_stand_in"),
)
FOLDERS = {"multi30k": "downloads/manual/multi30k"}
# A set of another's files: what must be there, and what a message names.
MADE_OF = {"multi30k_deen": "multi30k"}


def is_there(data):
    """Whether there is a copy of a data set, where tests may look for one."""
    directory = os.environ.get("TFDS_DATA_DIR")
    if data in BUILT_IN or directory is None:
        return data in BUILT_IN
    return (Path(directory) / FOLDERS.get(data, data)).is_dir()


# Whose students these are.
TEACHERS = {
    **dict.fromkeys(("resnet18", "reactnet18"), "resnet50"),
    "reactnet": "resnet20",
}


def family(path):
    """Flagfiles that share teachers: one directory, so one process."""
    name = path.stem.partition("_")[0]
    return pytest.mark.xdist_group(TEACHERS.get(name, name))


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, id=p.stem, marks=family(p)) for p in EXPERIMENTS],
)
def test_it_runs_or_says_what_to_do(shared_line, line, tmp_path, path, capsys):
    flags = (f"--flagfile={path}", SMOKE, "--run_missing")
    # A small run may be on a stand-in for data that must be downloaded.
    assert cli.main(["x", *flags[:2], "--mode=print"]) == 0
    printed = json.loads(capsys.readouterr().out)
    name = printed["spec"]["data"]["name"]
    data = MADE_OF.get(name, name)
    if is_there(data):
        done = shared_line(*flags)
        record = Path(done.stdout.splitlines()[-1])
        assert (record / "run.json").is_file()
        assert (record / "measurements").is_dir()
        return
    # No copy of the data, and no way to fetch one: an empty directory, and the
    # proxy of tests, which nobody answers.
    empty = tmp_path / "empty"
    empty.mkdir()
    done = line(*flags, f"--data_dir={empty}", code=2)
    # TFDS may say something too.
    lines = done.stderr.splitlines()
    message = refusal("\n".join(s for s in lines if s.startswith("ls_tf: ")))
    assert re.search(f"{data}.*--data_dir", message)
    assert "Traceback" not in done.stderr
    assert not line.runs.exists()


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_it_runs_with_the_flags_of_a_machine(line, path):
    # Each in a process that Python starts: it chooses engine and devices.
    missing = MISSING.get(path.stem)
    done = line(
        f"--flagfile={FLAGS / 'fc_digits.flags'}",
        f"--flagfile={path}",
        SMOKE,
        fresh=True,
        code=2 if missing else 0,
    )
    if missing:
        assert missing in done.stderr.splitlines()[-1]
        return
    assert list(line.runs.glob("fc_digits/*/seed=0/run.json"))


def test_two_tasks_of_slurm_are_one_run(line):
    """A job that is played on this machine: Slurm's variables, and no flag."""
    number = random.randrange(4096)  # the port that JAX's rule makes of it
    processes = [
        line.start(
            f"--flagfile={FLAGS / 'fc_digits.flags'}",
            f"--flagfile={FLAGS / 'machine' / 'slurm_8x8.flags'}",
            SMOKE,
            fresh=True,
            SLURM_JOB_ID=str(number),
            SLURM_STEP_NODELIST="localhost",
            SLURM_NTASKS="2",
            SLURM_PROCID=str(index),
            SLURM_LOCALID=str(index),
        )
        for index in range(2)
    ]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    (file,) = line.runs.glob("fc_digits/*/seed=0/run.json")
    run = json.loads(file.read_text())
    assert (run["outcome"], run["replicas"]) == ("finished", 2)
