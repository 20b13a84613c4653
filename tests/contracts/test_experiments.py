"""Every experiment and every flagfile keeps the contract, found by name."""

import json
import pathlib
import shlex
import subprocess
import sys

import pytest

from ls_tf import cli
from ls_tf.spec import ExperimentSpec, check, digest, registry
from ls_tf.spec.resolve import resolve, teacher_of

ROOT = pathlib.Path(__file__).parents[2]
EXPERIMENTS = registry.names("ls_tf.experiments")
FLAGFILES = sorted((ROOT / "flags").glob("*.flags"))
HEADLINES = [p.stem for p in FLAGFILES if p.stem in EXPERIMENTS]
MACHINES = sorted((ROOT / "flags" / "machine").glob("*.flags"))
MACHINE_FLAGS = {
    "strategy",
    "micro_batches",
    "engine",
    "logical_devices",
    "deterministic",
    "runs_dir",
    "data_dir",
    "worker_timeout",
}


def module(name):
    return registry.get("ls_tf.experiments", name)


def flags_of(path):
    """The flags of a flagfile: name -> value; comments have their own lines."""
    found = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            assert line.startswith("--"), line
            name, _, value = line[2:].partition("=")
            assert name not in found, line
            assert not {"#", " "} & set(line), line
            found[name] = value
    return found


def printed(capsys, *flags):
    code = cli.main(["run_experiment.py", *flags, "--mode=print"])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_alpha_is_that_of_tensor2tensor_in_transformers_alone(name):
    # As docs/deviations.md says; the students have hard labels.
    spec = module(name).SPEC
    if spec.task == "translation" and name != "transformer_multi30k_re":
        assert spec.train.smoothing == "others" or spec.train.alpha == 0
    else:
        assert spec.train.smoothing != "others"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_spec_passes_its_checks(name):
    spec = module(name).SPEC
    assert isinstance(spec, ExperimentSpec)
    check(spec)
    identity = resolve(name)
    assert identity.spec == spec
    assert identity.folder == f"{name}/paper/seed={spec.seed}"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_docstring_says_source_and_command(name):
    text = module(name).__doc__
    assert "\nSource: " in text
    start = "\nRun: python run_experiment.py "
    assert (
        f"{start}--flagfile=flags/{name}.flags\n" in text
        # where the flagfile's name does not fit into the line
        or f"{start}--experiment={name}\n" in text
    )
    first = text.splitlines()[0]
    assert first.endswith(".")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_smoke_shrinks_the_run(name):
    spec = module(name).SPEC
    shrunk = resolve(name, smoke=True)
    assert spec.smoke
    assert shrunk.spec.train.steps is not None
    assert shrunk.spec.train.steps <= 10
    assert shrunk.folder == f"{name}/smoke/seed={spec.seed}"
    assert shrunk.digest != digest(spec)
    assert resolve(name, changed={"alpha": 0.0}, smoke=True).spec.smoke


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_teachers_exist_and_end(name):
    for smoke in (False, True):
        one, seen = resolve(name, smoke=smoke), []
        while one is not None:
            assert one.folder not in seen
            seen.append(one.folder)
            assert one.smoke is smoke
            one = teacher_of(one)
        assert (len(seen) > 1) == (module(name).SPEC.teacher is not None)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_of_a_paper_has_a_flagfile(name):
    source = module(name).__doc__.split("\nSource: ")[1]
    assert source.startswith("ours") or name in HEADLINES


@pytest.mark.parametrize("name", HEADLINES)
def test_flagfile_sets_only_experiment_alpha_and_seed(name, capsys):
    path = ROOT / "flags" / f"{name}.flags"
    given = flags_of(path)
    assert given["experiment"] == name
    assert given.keys() <= {"experiment", "alpha", "seed"}
    found = printed(capsys, f"--flagfile={path}")
    # The flagfile is the paper's headline run.
    assert found["folder"] == f"{name}/paper/seed=0"
    assert found["digest"] == digest(module(name).SPEC)


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda p: p.name)
def test_every_flagfile_parses(path, capsys):
    given = flags_of(path)
    if path.stem not in EXPERIMENTS:
        assert given.keys() <= {"smoke"}, "neither an experiment nor a size"
        more = ["--experiment=fc_digits"]
    else:
        more = []
    printed(capsys, *more, f"--flagfile={path}")


@pytest.mark.parametrize("path", MACHINES, ids=lambda p: p.name)
def test_a_machine_changes_no_number(path, capsys):
    assert flags_of(path).keys() <= MACHINE_FLAGS
    plain = printed(capsys, "--experiment=fc_digits")
    there = printed(capsys, "--experiment=fc_digits", f"--flagfile={path}")
    assert there == plain


def test_there_are_machines():
    assert MACHINES


def test_no_flagfile_includes_another():
    for path in [*FLAGFILES, *MACHINES]:
        assert "flagfile" not in flags_of(path)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_documented_command_is_the_documented_run(
    name, capsys, monkeypatch
):
    monkeypatch.chdir(ROOT)
    line = module(name).__doc__.split("\nRun: ")[1].splitlines()[0]
    flags = shlex.split(line)[2:]
    found = printed(capsys, *flags)
    assert found["digest"] == resolve(name).digest


def test_experiments_import_without_tensorflow():
    names = ", ".join(f"ls_tf.experiments.{name}" for name in EXPERIMENTS)
    code = (
        f"import sys, {names}\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'jax', 'torch'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60
    )
