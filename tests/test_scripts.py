"""The scripts for clusters: their syntax, their command lines, what they do."""

import os
import re
import shlex
import subprocess

import programs
import pytest
import yaml

from ls_tf import arguments
from ls_tf.running import places
from ls_tf.running.machine import Machine
from ls_tf.spec.resolve import resolve

SCRIPTS = programs.ROOT / "scripts"
SHELL = sorted(SCRIPTS.glob("*.sh"))
PAGE = programs.ROOT / "docs" / "accelerators.md"
STARTS = ("run_experiment.py", "until_done.sh", "tpu_vm.sh run", "slurm_8x8.sh")
# What stands for a person's own.
GIVEN = {'"$RUNS"': "gs://bucket/runs", '"$@"': "--experiment=fc_digits"}


def command_lines(text):
    """The flags of each command of a text that starts the program."""
    text = re.sub(r"\\\n\s*", " ", text)
    for line in text.splitlines():
        line = line.strip()
        place = max(line.find(start) + len(start) for start in STARTS)
        is_one = any(start in line for start in STARTS)
        if not is_one or line.startswith(("#", "*", "`")):
            continue
        words = line[place:].partition("; do")[0]
        for name, value in GIVEN.items():
            words = words.replace(name, value)
        yield shlex.split(words)


@pytest.fixture(autouse=True)
def _in_the_folder(monkeypatch):
    monkeypatch.chdir(programs.ROOT)


def check(flags):
    """Reads flags as the program does; gives the machine that they mean."""
    values = arguments.read(["", *flags])
    if values.mode == "merge":  # which takes runs of any experiment
        assert values.experiment is None and values["from"].value
    else:
        resolve(values.experiment, changed=arguments.changes(values))
    count = arguments.whole_or_none(values, "processes", 1)
    return Machine(
        engine=values.engine,
        strategy=values.strategy,
        coordinator=values.coordinator,
        processes=count,
        process=arguments.whole_or_none(values, "process", 0),
    )


@pytest.mark.parametrize("path", SHELL, ids=lambda path: path.name)
def test_a_script_is_one_of_bash(path):
    done = subprocess.run(
        ["bash", "-n", str(path)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env bash\n")


@pytest.mark.parametrize(
    ("path", "least"),
    [(PAGE, 9), (SCRIPTS / "slurm_8x8.sh", 1), (SCRIPTS / "until_done.sh", 1)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_command_lines_are_read(path, least):
    lines = list(command_lines(path.read_text()))
    assert len(lines) >= least
    for flags in lines:
        check(flags)


def test_the_pods_are_the_processes_of_one_run():
    service, job = yaml.safe_load_all(
        (SCRIPTS / "kubernetes_job.yaml").read_text()
    )
    spec = job["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    for index in range(spec["completions"]):
        flags = [
            flag.replace("$(PROCESS)", str(index)) for flag in container["args"]
        ]
        place = places.of(check(flags))
        assert (place.index, place.count) == (index, spec["parallelism"])
    # Pod 0 by the name of the service, which chooses the job's pods.
    name = spec["template"]["spec"]["subdomain"]
    assert service["metadata"]["name"] == name
    host = place.addresses[0].partition(":")[0]
    assert host == f"{job['metadata']['name']}-0.{name}"
    assert service["spec"]["selector"]["job-name"] == job["metadata"]["name"]
    codes = {
        rule["action"]: rule["onExitCodes"]["values"]
        for rule in spec["podFailurePolicy"]["rules"]
    }
    assert codes == {"FailJob": [2, 4, 5], "Ignore": [3, 6]}


@pytest.fixture
def played(tmp_path):
    """Programs of the path that note what they are asked, and how they end."""

    def play(name, *codes):
        left = tmp_path / f"{name}.codes"
        left.write_text("".join(f"{code}\n" for code in codes))
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            "#!/usr/bin/env bash\n"
            f'printf "%s\\n" "$*" >>{tmp_path}/{name}.asked\n'
            f"code=$(head -n 1 {left}); sed -i 1d {left}\n"
            "exit ${code:-0}\n"
        )
        program.chmod(0o755)

    def run(script, *words, **environment):
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", str(SCRIPTS / script), *words],
            env={"PATH": path, "PAUSE": "0", **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def asked(name):
        file = tmp_path / f"{name}.asked"
        return file.read_text().splitlines() if file.exists() else []

    return play, run, asked


@pytest.mark.parametrize(
    ("codes", "end", "times"),
    [
        ((0,), 0, 1),
        ((3, 6, 137, 143, 0), 0, 5),
        ((3, 2), 2, 2),
        ((4,), 4, 1),
        ((5,), 5, 1),
        ((1,), 1, 1),
    ],
)
def test_a_command_is_given_until_it_is_done(played, codes, end, times):
    play, run, asked = played
    play("python", *codes)
    done = run("until_done.sh", "--experiment=fc_digits", "--set=a=b c")
    assert done.returncode == end, done.stderr
    flags = "run_experiment.py --experiment=fc_digits --set=a=b c"
    assert asked("python") == [flags] * times


TPU = {"NAME": "ls-tf", "ZONE": "z", "RUNS": "gs://b/runs", "REPOSITORY": "r"}


def test_a_tpu_is_made_used_and_deleted(played):
    play, run, asked = played
    play("gcloud")
    for words in (
        ["create"],
        ["install"],
        ["run", "--experiment=fc_digits", "--set=data.augmentation=shift2"],
        ["watch"],
        ["delete"],
    ):
        done = run("tpu_vm.sh", *words, **TPU, SPOT="1")
        assert done.returncode == 0, done.stderr
    text = "\n".join(asked("gcloud"))
    parts = [
        "compute tpus tpu-vm create ls-tf --zone=z --accelerator-type=v4-8 "
        "--version=tpu-ubuntu2204-base --spot",
        "compute tpus tpu-vm ssh ls-tf --zone=z --worker=all",
        "git clone r ls_tf",
        "tail -n 5 ls_tf/log.txt",
        "compute tpus tpu-vm delete ls-tf --zone=z",
    ]
    places_of = [text.index(part) for part in parts]
    assert places_of == sorted(places_of)
    (start,) = re.findall(r"nohup scripts/until_done.sh(.*?) >log.txt", text)
    machine = check(shlex.split(start))
    assert (machine.engine, machine.strategy) == ("jax", "tpu")


@pytest.mark.parametrize("words", [[], ["begin"]])
def test_a_tpu_wants_something_to_do(played, words):
    _, run, _ = played
    done = run("tpu_vm.sh", *words, **TPU)
    assert done.returncode == 2
    assert done.stderr.startswith("wanted create, install, run, watch or")


def test_what_is_not_set_is_named(played):
    play, run, asked = played
    play("gcloud")
    done = run("tpu_vm.sh", "create", NAME="a")
    assert done.returncode != 0
    assert "ZONE: wanted its zone" in done.stderr
    assert asked("gcloud") == []


@pytest.mark.parametrize(("code", "again"), [(0, False), (3, True), (2, False)])
def test_a_job_of_slurm_goes_into_the_queue_again(
    played, tmp_path, monkeypatch, code, again
):
    play, run, asked = played
    play("srun", code)
    play("scontrol")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("")
    monkeypatch.chdir(tmp_path)
    done = run(
        "slurm_8x8.sh", "--experiment=a", RUNS="/shared", SLURM_JOB_ID="7"
    )
    assert done.returncode == code, done.stderr
    (words,) = asked("srun")
    assert words == (
        "python run_experiment.py --flagfile=flags/machine/slurm_8x8.flags "
        "--runs_dir=/shared --experiment=a"
    )
    assert asked("scontrol") == (["requeue 7"] if again else [])
