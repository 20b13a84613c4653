"""What the flags say of a launcher, and what is refused."""

import importlib.util

import pytest

from ls_tf.launchers import choice, jobs
from ls_tf.launchers.choice import choose
from ls_tf.running.machine import Machine
from ls_tf.spec import SpecError
from ls_tf.spec.resolve import resolve


@pytest.fixture
def installed(monkeypatch):
    """All packages, whether or not they are."""
    known = importlib.util.find_spec

    def find_spec(name):
        return name if name in ("submitit", "ray") else known(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def test_slurm_is_told_in_submitits_words(installed):
    text = "partition=gpu,timeout_min=30,mem_gb=1.5,gpus_per_node=0"
    found = choose("slurm", most=3, retries=1, slurm=text)
    assert (found.most, found.retries, found.is_here) == (3, 1, False)
    assert found.settings == {
        "name": "ls_tf",
        "slurm_partition": "gpu",
        "timeout_min": 30,
        "mem_gb": 1.5,
        "gpus_per_node": 0,
    }


def test_submitit_knows_every_key():
    """And writes it into what sbatch reads."""
    submitit = pytest.importorskip("submitit")
    known = {
        *submitit.AutoExecutor._typed_parameters(),
        *(f"slurm_{n}" for n in submitit.SlurmExecutor._valid_parameters()),
    }
    assert {name for _, name in choice._SLURM.values()} <= known


def test_ray_is_told_an_address_and_resources(installed):
    found = choose("ray", most=None, retries=2, ray="10.0.0.1:6379,num_gpus=1")
    assert (found.address, found.settings) == ("10.0.0.1:6379", {"num_gpus": 1})
    assert choose("ray", most=None, retries=2).address == "auto"


@pytest.mark.parametrize(
    ("name", "flag", "text", "words"),
    [
        ("slurm", "slurm", "partitoin=gpu", "no key 'partitoin'; existing: ac"),
        ("slurm", "slurm", "partition", "wanted KEY=VALUE,..., got 'parti"),
        ("slurm", "slurm", "partition=", "wanted KEY=VALUE,..., got 'parti"),
        ("slurm", "slurm", "", "wanted KEY=VALUE"),
        ("slurm", "slurm", "timeout_min=1h", "timeout_min: wanted"),
        ("slurm", "slurm", "timeout_min=0", "timeout_min: wanted more, got 0"),
        ("slurm", "slurm", "mem_gb=-1", "mem_gb: wanted more, got -1"),
        ("slurm", "slurm", "mem_gb=nan", "mem_gb: wanted"),
        ("slurm", "slurm", "qos=a,qos=b", "'qos' stands twice"),
        ("ray", "ray", "", "wanted ADDRESS"),
        ("ray", "ray", "num_gpus=1", "wanted ADDRESS"),
        ("ray", "ray", "auto,gpus=1", "no key 'gpus'; existing: num_cpus"),
        ("local", "ray", "auto", "--ray goes with --launcher=ray only"),
        ("there", "ray", None, "existing: here, local, ray, slurm"),
    ],
)
def test_what_is_refused(installed, name, flag, text, words):
    with pytest.raises(SpecError) as caught:
        choose(name, most=None, retries=2, **{flag: text})
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("local", "submitit", "slurm"),
        ("slurm", "submitit", "slurm"),
        ("ray", "ray", "ray"),
    ],
)
def test_a_missing_package_names_its_extra(monkeypatch, name, package, extra):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError) as caught:
        choose(name, most=None, retries=2)
    assert f"wants the package {package}, which is not" in str(caught.value)
    assert f'pip install "ls_tf[{extra}]"' in str(caught.value)


def test_without_slurm_nothing_is_started(installed, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpecError, match="there is no sbatch in PATH"):
        choice.carry_out(
            choose("slurm", most=None, retries=2),
            jobs.of([resolve("fc_digits")]),
            Machine(runs_dir=str(tmp_path / "runs")),
            ["x"],
        )
    assert list(tmp_path.iterdir()) == []


def test_a_job_has_the_flags_of_its_run_and_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    student = resolve(
        "fc_digits_student",
        changed={"teacher.changes.alpha": 0.1},
        seed=3,
        smoke=True,
    )
    first, second = jobs.of([student])
    assert first.flags == ("--experiment=fc_digits", "--smoke", "--seed=3")
    assert second.flags == (
        "--experiment=fc_digits_student",
        "--smoke",
        "--set=teacher.changes.alpha=0.1",
        "--seed=3",
    )
    machine = Machine(
        runs_dir="runs",
        data_dir="gs://bucket/data",
        engine="jax",
        micro_batches=2,
        deterministic=True,
        compile_cache="kept",
    )
    assert jobs.machine_flags(machine) == [
        f"--runs_dir={tmp_path}/runs",
        "--data_dir=gs://bucket/data",
        "--engine=jax",
        "--strategy=default",
        "--logical_devices=1",
        "--micro_batches=2",
        "--deterministic",
        f"--compile_cache={tmp_path}/kept",
    ]
    assert jobs.folder("a/runs/") == f"{tmp_path}/a/runs-jobs"
    assert jobs.folder("gs://bucket/a/runs") == f"{tmp_path}/runs-jobs"


def test_the_last_line_of_a_log(tmp_path):
    log = tmp_path / "log"
    assert jobs.last_line(str(log)) == ""
    log.write_bytes(b"x" * 100_000 + b"\nls_tf:  no \xff\n \n\n")
    assert jobs.last_line(str(log)) == "ls_tf: no \N{REPLACEMENT CHARACTER}"
