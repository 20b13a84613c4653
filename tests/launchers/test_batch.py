"""Jobs through submitit: real processes of small programs, and a Slurm."""

import os
import time

import pytest
import slurm_programs

from ls_tf.launchers import batch, choice, devices, jobs
from ls_tf.launchers.jobs import Command, LaunchError
from ls_tf.running.machine import Machine
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import resolve

pytest.importorskip("submitit")

# Says on which device it is, and ends when its file is there.
SOURCE = """\
import os, sys, time
name = sys.argv[1].removeprefix("--experiment=")
with open(name + ".new", "w") as file:
    file.write(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
os.rename(name + ".new", name + ".device")
while not os.path.exists(name + ".end"):
    time.sleep(0.01)
print("ls_tf: bad", file=sys.stderr)
sys.exit(5)
"""
NAMES = ("fc_digits", "fc_mnist", "fc_emnist")


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def wanted():
    return [jobs.of([resolve(name)])[0] for name in NAMES]


def test_each_job_has_a_device_of_its_own(tmp_path, monkeypatch, wanted):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "a,b")
    (tmp_path / "program.py").write_text(SOURCE)
    command = Command((str(tmp_path / "program.py"),), (), str(tmp_path / "j"))
    local = batch.Local(command, devices.of_kind("GPU", 2), None)
    assert local.places() == 2

    def device(name):
        until((tmp_path / f"{name}.device").exists)
        return (tmp_path / f"{name}.device").read_text()

    first, second = (local.start(job) for job in wanted[:2])
    assert [device(name) for name in NAMES[:2]] == ["a", "b"]
    assert first.ending() is None
    (tmp_path / "fc_mnist.end").touch()
    until(lambda: (ending := second.ending()) and ending.code == 5)
    assert jobs.last_line(second.log) == "ls_tf: bad"
    third = local.start(wanted[2])
    assert device(NAMES[2]) == "b"
    for name in NAMES:
        (tmp_path / f"{name}.end").touch()
    until(lambda: first.ending() and third.ending())


def test_the_users_gpus_are_not_hidden_from_a_cpus_job(
    tmp_path, monkeypatch, wanted
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "program.py").write_text(SOURCE)
    (tmp_path / "fc_digits.end").touch()
    command = Command((str(tmp_path / "program.py"),), (), str(tmp_path / "j"))
    local = batch.Local(command, [devices.Device()], 3)
    assert local.places() == 3
    until(local.start(wanted[0]).ending)
    assert (tmp_path / "fc_digits.device").read_text() == "none"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The folder of Slurm's programs; another program may be put there."""
    folder = slurm_programs.install(tmp_path)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_MADE_FOLDER", str(tmp_path / "made"))
    return folder


def fail(folder, name, line):
    (folder / name).write_text(f"#!/bin/sh\necho '{line}' >&2\nexit 1\n")


def carry_out(tmp_path, wanted):
    choice.carry_out(
        choice.choose("slurm", most=None, retries=2),
        wanted[:1],
        Machine(runs_dir=str(tmp_path / "runs")),
        ["x"],
    )


def test_a_slurm_without_accounting_is_refused(slurm, tmp_path, wanted):
    fail(slurm, "sacct", "Slurm accounting storage is disabled")
    with pytest.raises(SpecError, match="sacct says: Slurm accounting stor"):
        carry_out(tmp_path, wanted)
    assert not (tmp_path / "runs-jobs").exists()


def test_a_job_that_slurm_does_not_take_is_one_line(slurm, tmp_path, wanted):
    fail(slurm, "sbatch", "sbatch: error: invalid partition specified: x")
    with pytest.raises(LaunchError) as caught:
        carry_out(tmp_path, wanted)
    assert caught.value.code == 2
    assert "\n" not in str(caught.value)
    assert "slurm did not take the job: sbatch: error: inv" in str(caught.value)
