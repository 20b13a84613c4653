"""docs/adding.md does what it says: its files are put in place and run.

A copy of the project gets every file of the page. One process in it gives the
page's commands one after the other, and sends the new modules through the
contract tests.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from command_line import refusal

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding.md").read_text(encoding="utf-8")
COPIED = (
    *("ls_tf", "tests", "flags", "docs"),
    *("run_experiment.py", "pyproject.toml"),
)

# ```python with a first line "# path/of/the/file.py"
FILES = dict(
    re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```$", PAGE, re.M | re.S)
)
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
    for line in re.sub(r"\\\n +", "", block).splitlines()
]
PARTS = sorted(
    path.removeprefix("ls_tf/").removesuffix(".py").partition("/")[::2]
    for path in FILES
    if path.startswith("ls_tf/")
)
# Nobody fetches these here; one line must say so, one of them as the page does.
DATA_SETS = [name for package, name in PARTS if package == "data"]
(SHOWN,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.M | re.S)
MESSAGE = re.sub("<[^>]+>", ".+", re.escape(" ".join(SHOWN.split())))

# Gives commands in the copy, and prints what became of each.
DRIVER = """
import contextlib, io, json, runpy, shlex, sys, traceback
import ls_tf
print(ls_tf.__file__, file=sys.stderr)
done = {}
for line in json.loads(sys.stdin.readline()):
    word, *sys.argv = shlex.split(line)
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
        except Exception:
            code = traceback.format_exc()
    done[line] = [word, code, out.getvalue(), err.getvalue()]
import pytest
checked = pytest.main(json.loads(sys.stdin.readline()))
print(json.dumps({"done": done, "checked": int(checked)}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project with the page's files, and the environment to use it."""
    folder = tmp_path_factory.mktemp("adding") / "copy"
    folder.mkdir()
    skipped = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=skipped)
        else:
            shutil.copy(ROOT / name, folder / name)
    (folder / "tests/contracts/test_adding.py").unlink()
    for path, text in FILES.items():
        assert not (folder / path).exists(), f"{path} is there already"
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "empty").mkdir()
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "TFDS_DATA_DIR": str(folder / "empty"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return folder, environment


def run(copy, *words, text=""):
    folder, environment = copy
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def seen(copy):
    """What became of the commands, and of the contract tests."""
    names = " or ".join(name for _, name in PARTS)
    tests = [path for path in FILES if path.startswith("tests/")]
    # The names of the new modules, and what looks at all modules at once.
    wanted = f"({names} or contracts_of_the_rooms or other_library or no_file)"
    options = [
        *("-q", "-n0", "-p", "no:cacheprovider", "-m", "", "-k", wanted),
        *("tests/contracts", "tests/golden", "tests/spec"),
        *("tests/reports/test_reports_build.py", *tests),
    ]
    done = run(
        copy,
        *("-c", DRIVER),
        text=f"{json.dumps(COMMANDS)}\n{json.dumps(options)}\n",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0].startswith(str(copy[0]))
    tests_said, _, answers = done.stdout.strip().rpartition("\n")
    return json.loads(answers) | {"said": tests_said, "folder": copy[0]}


def test_each_addition_is_one_file():
    sections = re.split(r"^## ", PAGE, flags=re.M)[1:]
    packages = {
        "An experiment": "experiments",
        "A model": "models",
        "A data set": "data",
        "A data set of translations": "data",
        "A loss": "losses",
        "A student's loss": "losses",
        "An evaluator": "evaluators",
        "A report": "reports",
    }
    found = {}
    for section in sections:
        title = section.partition("\n")[0]
        paths = re.findall(r"^```python\n# ls_tf/(\w+)/\w+\.py$", section, re.M)
        found[title] = [p for p in paths if p == packages.get(title)]
        # Beside its own file a section has at most an experiment to use it.
        assert set(paths) <= {packages.get(title), "experiments"}
    assert {t: len(p) for t, p in found.items() if p} == dict.fromkeys(
        packages, 1
    )
    # Every block of Python is a file.
    assert PAGE.count("```python\n") == len(FILES)


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_does_what_the_page_says(line, seen):
    word, code, out, err = seen["done"][line]
    assert word == "python"
    data = re.search(r"--set=data.name=(\w+)", line)
    if data:
        assert data[1] in DATA_SETS
        own = [w for w in err.splitlines() if w.startswith("ls_tf: ")]
        message = refusal("\n".join(own))
        assert code == 2
        assert re.match(f"ls_tf: {data[1]}: not in .* run `python -m ", message)
        if f" {data[1]}: " in MESSAGE:
            assert re.fullmatch(MESSAGE, message)
        return
    assert code == 0, f"{code} {err}"
    if "--report" in line:
        page = (seen["folder"] / out.strip().splitlines()[-1]).read_text()
        assert "smoothing lowers the error" in page
        return
    if "run_experiment.py" in line:
        folder = seen["folder"] / out.strip().splitlines()[-1]
        record = json.loads((folder / "run.json").read_text())
        assert record["outcome"] == "finished"
        used = json.dumps(record["spec"])
        for word in re.findall(r"--set=\S+\.name=(\w+)", line):
            assert f'"name": "{word}"' in used


def test_every_part_of_the_page_is_used_by_a_command():
    # By an experiment of the page, which a command names, or by the command.
    lines = [line for line in COMMANDS if "run_experiment.py" in line]
    used = "\n".join([*lines, *FILES.values()])
    for package, name in PARTS:
        pattern = rf"""--report={name}\b|--experiment={name}\b|name={name}\b"""
        if package == "models":
            pattern += rf"""|Part\("{name}","""
        assert re.search(pattern, used), name


@pytest.mark.slow
def test_no_other_file_was_needed(seen):
    added = set()
    for file in seen["folder"].rglob("*"):
        path = file.relative_to(seen["folder"])
        if file.is_file() and path.parts[0] in COPIED:
            if (ROOT / path).exists():
                assert file.read_bytes() == (ROOT / path).read_bytes()
            else:
                added.add(str(path))
    golden = {
        f"tests/golden/specs/{name}.json"
        for package, name in PARTS
        if package == "experiments"
    }
    assert added == FILES.keys() | golden


@pytest.mark.slow
def test_the_measurement_of_the_pages_evaluator_is_recorded(seen):
    (file,) = (seen["folder"]).rglob("measurements/class_accuracy_report.json")
    measured = json.loads(file.read_text())
    assert 0 <= measured["scalars"]["worst_class_accuracy"] <= 1
    assert measured["count"] == 250


@pytest.mark.slow
def test_the_new_modules_pass_the_contract_tests(seen):
    assert seen["checked"] == 0, seen["said"]
    passed = re.search(r"(\d+) passed", seen["said"])
    # Each is documented and found in its layer, at least.
    assert int(passed[1]) >= 2 * len(PARTS)


@pytest.mark.slow
def test_lint_and_types_accept_the_files(copy):
    files = list(FILES)
    for words in (
        ("ruff", "check", "--no-cache", *files),
        ("ruff", "format", "--no-cache", "--check", *files),
        ("mypy", "--cache-dir=mypy", *(f for f in files if f[:5] == "ls_tf")),
    ):
        done = run(copy, "-m", *words)
        assert done.returncode == 0, done.stdout + done.stderr
