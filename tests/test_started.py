"""What a user is told to type begins as what they have typed."""

import os
import re
import subprocess
import sys

import pytest
from programs import ROOT

from ls_tf import started
from ls_tf.reports import experiments
from ls_tf.spec.resolve import resolve

# What an installer makes of the entry point.
ENTRY = f"#!{sys.executable}\nfrom ls_tf.__main__ import main\nmain()\n"
SHOW = ("--experiment=fc_emnist", "--mode=show")
MAKE = "make it with: "


@pytest.fixture
def entry(tmp_path):
    """The program of a wheel, in a folder of programs."""
    program = tmp_path / "bin/ls_tf"
    program.parent.mkdir()
    program.write_text(ENTRY)
    program.chmod(0o755)
    return program


@pytest.fixture
def typed(tmp_path):
    """Types a command in an empty folder; what it says."""
    folder = tmp_path / "empty"
    folder.mkdir()

    def run(*words, **environment):
        given = {"PYTHONPATH": str(ROOT), **environment}
        done = subprocess.run(
            [*words],
            cwd=folder,
            env=os.environ | given,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert list(folder.iterdir()) == []
        return done.stdout + done.stderr

    return run


def test_the_script_names_itself(typed):
    script = ROOT / "run_experiment.py"
    said = typed(sys.executable, script, *SHOW)
    assert said.endswith(f"{MAKE}python {script} --experiment=fc_emnist\n")


def test_the_module_names_itself(typed):
    said = typed(sys.executable, "-m", "ls_tf", *SHOW)
    assert said.endswith(f"{MAKE}python -m ls_tf --experiment=fc_emnist\n")
    usage = typed(sys.executable, "-m", "ls_tf", "--help")
    assert "\n  python -m ls_tf --experiment=NAME [--alpha=A]" in usage
    assert "run_experiment.py" not in usage
    analyze = typed(sys.executable, "-m", "ls_tf", "analyze", "--help")
    assert "\n  python -m ls_tf analyze --hard=A.npz [--smoothed=" in analyze
    assert "logits (or probabilities) and labels" in analyze
    assert "run_experiment.py" not in analyze and "absl" not in analyze


def test_the_entry_point_names_itself_as_it_is_reached(entry, typed):
    paths = f"{entry.parent}{os.pathsep}{os.environ['PATH']}"
    said = typed("ls_tf", *SHOW, PATH=paths)
    assert said.endswith(f"{MAKE}ls_tf --experiment=fc_emnist\n")
    said = typed(entry, *SHOW)
    assert said.endswith(f"{MAKE}{entry} --experiment=fc_emnist\n")


def test_a_script_below_this_folder_is_named_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for script, word in (
        ("clone/run_experiment.py", "clone/run_experiment.py"),
        (f"{tmp_path}/clone/run_experiment.py", "clone/run_experiment.py"),
        ("/else where/run_experiment.py", "'/else where/run_experiment.py'"),
    ):
        monkeypatch.setattr(sys, "argv", [script])
        assert started.command(["--list"]) == f"python {word} --list"


def test_a_program_of_a_users_own_is_told_what_is_there(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/home/me/mine.py"])
    command = resolve("fc_digits", changed={"alpha": 0.2}).command()
    assert command.startswith("python run_experiment.py --experiment=fc_digits")
    monkeypatch.setattr(started, "in_clone", lambda: False)
    command = resolve("fc_digits", changed={"alpha": 0.2}).command()
    assert command == "ls_tf --experiment=fc_digits --alpha=0.2 --seed=0"


def test_the_list_of_experiments_has_commands_of_a_wheel(monkeypatch, entry):
    def commands():
        *_, table = experiments.build({})
        return [str(cell) for cell in list(zip(*table.rows, strict=True))[-1]]

    in_clone = commands()
    assert (
        "python run_experiment.py --flagfile=flags/fc_mnist.flags" in in_clone
    )
    monkeypatch.setattr(sys, "argv", [str(entry)])
    monkeypatch.setattr(started, "in_clone", lambda: False)
    pattern = re.compile(rf"{entry} --experiment=\w+")
    of_wheel = commands()
    assert all(pattern.fullmatch(command) for command in of_wheel)
    assert len(of_wheel) == len(in_clone) > 50


def test_it_is_started_again_from_any_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    again = started.after_interpreter("clone/run_experiment.py")
    assert again == [f"{tmp_path}/clone/run_experiment.py"]


def test_no_message_writes_the_program_itself():
    """Docstrings say how a clone is used; nothing else names a program."""
    allowed = {"started.py": '"run_experiment.py"'}
    for path in sorted((ROOT / "ls_tf").rglob("*.py")):
        code = re.sub(r'(?s)"""(?!\\\n).*?"""', "", path.read_text("utf-8"))
        code = re.sub(r"#.*", "", code)
        if path.name in allowed:
            code = code.replace(allowed[path.name], "")
        if path.relative_to(ROOT).parts[1] == "bundles":
            continue  # a bundle has a program of its own
        if path.name == "experiments.py":
            code = code.replace('_PROGRAM = "python run_experiment.py"', "")
        assert "run_experiment" not in code, path
