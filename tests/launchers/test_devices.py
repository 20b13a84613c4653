"""Which devices a machine has, and how a job is given one."""

import subprocess

import pytest

from ls_tf.launchers import devices
from ls_tf.running.machine import Machine
from ls_tf.spec import SpecError


def of(machine=None):
    return [d.environment for d in devices.all_of(machine or Machine())]


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A machine that has more than CPUs."""
    (tmp_path / "driver").touch()
    monkeypatch.setattr(devices, "_DRIVERS", (str(tmp_path / "driver"),))


def answer(monkeypatch, out, code=0):
    def run(words, **options):
        return subprocess.CompletedProcess(words, code, out, "no such device")

    monkeypatch.setattr(subprocess, "run", run)


def test_without_drivers_there_is_one(monkeypatch):
    monkeypatch.setattr(devices, "_DRIVERS", ("/nowhere",))
    answer(monkeypatch, "not asked", 1)
    assert of() == [{}]


def test_each_gpu_is_shown_alone(driver, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    answer(monkeypatch, 'a line\n["GPU", 3]\n')
    assert of() == [{"CUDA_VISIBLE_DEVICES": str(i)} for i in range(3)]
    # All are one device where one run takes all.
    assert of(Machine(strategy="mirrored")) == [{}]


def test_the_gpus_that_a_user_names_keep_their_names(driver, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8f1e, 3")
    answer(monkeypatch, '["GPU", 2]')
    names = [d["CUDA_VISIBLE_DEVICES"] for d in of()]
    assert names == ["GPU-8f1e", "3"]


def test_an_engine_that_does_not_say(driver, monkeypatch):
    answer(monkeypatch, "", 1)
    with pytest.raises(SpecError, match="there are: no such device"):
        of()


def test_chips_of_a_tpu():
    chips = [
        d.environment["TPU_VISIBLE_CHIPS"] for d in devices.of_kind("TPU", 4)
    ]
    assert chips == ["0", "1", "2", "3"]


def test_jax_says_that_there_is_a_cpu(driver, monkeypatch):
    pytest.importorskip("jax")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert of(Machine(engine="jax")) == [{}]
