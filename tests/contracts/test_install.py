"""The package is found beside a folder of its name that is not it."""

import os
import pathlib
import shutil
import subprocess
import sys
import venv

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FILES = ("setup.py", "pyproject.toml", "README.md", "run_experiment.py")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A clone called ls_tf with results in it, installed as README says."""
    folder = tmp_path_factory.mktemp("workplace")
    clone = folder / "ls_tf"
    shutil.copytree(
        ROOT / "ls_tf",
        clone / "ls_tf",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in FILES:
        shutil.copy(ROOT / name, clone / name)
    for name in ("runs", "reports", "made"):
        (clone / name).mkdir()
        (clone / name / "output.txt").write_text("")
    venv.create(folder / "venv", with_pip=False)
    # The libraries of the tests' own environment, but not what is installed
    # there in an editable way: a `.pth` file is not followed by another.
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    libraries = [path for path in sys.path if path.endswith("-packages")]
    (packages / "zz_libraries.pth").write_text("\n".join(libraries))
    done = run(
        folder,
        "-m",
        *("pip", "install", "--no-index", "--no-deps", "--ignore-installed"),
        *("--no-build-isolation", "--disable-pip-version-check"),
        *("-e", str(clone)),
    )
    assert done.returncode == 0, done.stderr
    return folder


def run(folder, *arguments, program="python"):
    unwanted = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH")
    return subprocess.run(
        [folder / "venv/bin" / program, *arguments],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k not in unwanted},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_a_clone_of_the_same_name_is_not_taken_for_the_package(workplace):
    done = run(
        workplace,
        "-c",
        "import ls_tf, ls_tf.cli, ls_tf.reports\n"
        "for module in (ls_tf, ls_tf.cli, ls_tf.reports):\n"
        "    print(module.__file__)",
    )
    assert done.returncode == 0, done.stderr
    package = workplace / "ls_tf/ls_tf"
    assert done.stdout.split() == [
        str(package / name)
        for name in ("__init__.py", "cli.py", "reports/__init__.py")
    ]


@pytest.mark.slow
def test_a_folder_of_output_is_no_module(workplace):
    done = run(workplace, "-c", "import ls_tf.made")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'ls_tf.made'" in done.stderr


@pytest.mark.slow
def test_programs_start_beside_the_clone(workplace):
    asked = ("--experiment=fc_digits", "--mode=print")
    script = run(workplace, *asked, program="ls_tf")
    assert script.returncode == 0, script.stderr
    assert '"fc_digits"' in script.stdout
    file = run(workplace, "ls_tf/run_experiment.py", *asked)
    assert (file.returncode, file.stdout) == (0, script.stdout), file.stderr
