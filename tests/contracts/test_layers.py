"""Who may import whom, and what every module has.

The rooms and their order stand in ``pyproject.toml`` as import-linter's
contracts; what these cannot say is here.
"""

import ast
import pathlib
import re
import subprocess
import sys

import grimp
import pytest

from ls_tf import extras
from ls_tf.spec import registry

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "ls_tf"
FILES = sorted(PACKAGE.rglob("*.py"))
ids = {"ids": lambda path: str(path.relative_to(PACKAGE))}

# What each room may import from outside, beside the standard library. A
# contract can forbid a library by its name, but not all others.
OUTSIDE = {
    "__init__": set(),
    "__main__": set(),
    "spec": set(),
    "seeds": {"numpy"},
    "extras": set(),
    "stopping": set(),
    "durations": set(),
    "exit_codes": set(),
    "text_lines": set(),
    "started": set(),
    "streams": set(),
    "records": {"numpy", "etils"},
    "experiments": set(),
    "analysis": {"numpy", "scipy", "sklearn", "sacrebleu"},
    "calibration": {"numpy"},
    "temperature": {"numpy", "scipy", "sklearn"},
    "geometry": {"numpy"},
    "distillation": {"numpy"},
    "plot": {"matplotlib"},
    "runs": {"numpy", "pandas", "keras"},
    "verdict": {"numpy", "scipy", "etils"},
    "protocols": {"keras", "numpy"},
    "layers": {"keras", "numpy", "tensorflow", "jax"},
    "kernels": {"keras", "tensorflow", "jax"},
    "pipeline": {
        *("keras", "numpy", "tensorflow", "tensorflow_datasets"),
        *("etils", "absl", "sentencepiece"),
        *("cv2", "simplejpeg", "PIL", "grain", "array_record", "datasets"),
    },
    "data": {"numpy", "sklearn", "etils", "absl"},
    "decoding": {"keras", "numpy"},
    "models": {"keras", "numpy"},
    "losses": {"keras", "numpy"},
    "objective": {"keras", "numpy"},
    "optimizers": {"keras", "numpy"},
    "schedules": {"keras", "numpy"},
    "measuring": {"keras", "numpy"},
    "evaluators": {"keras", "numpy"},
    "tasks": {"keras", "numpy"},
    "training": {
        *("keras", "numpy", "tensorflow", "jax", "safetensors"),
        *("tensorboard", "tqdm", "absl", "etils", "h5py"),
    },
    "pages": {"numpy", "matplotlib", "jinja2", "markupsafe"},
    "reports": {"numpy", "scipy", "matplotlib"},
    "running": {"numpy", "keras", "tensorflow"},
    "launchers": {"etils", "ray", "submitit"},
    "bundles": {"numpy", "etils"},
    "flagfiles": set(),
    "arguments": {"absl"},
    "cli": set(),
    "commands": set(),
}


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph(
        "ls_tf", include_external_packages=True, cache_dir=None
    )


def room_of(module):
    """``ls_tf.models.resnet`` -> ``models``; ``ls_tf`` -> ``__init__``."""
    return (module.split(".") + ["__init__"])[1]


def lint_imports(folder):
    program = "import importlinter.cli as c; c.lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(folder), "PATH": ""},
    )


def test_the_contracts_of_the_rooms_are_kept():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


def test_an_import_from_a_room_above_breaks_the_contract(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        (ROOT / "pyproject.toml").read_text()
    )
    for path in FILES:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    seeds = tmp_path / "ls_tf/seeds.py"
    late = "def late():\n    import ls_tf.tasks.translation\n"
    seeds.write_text(f"{seeds.read_text()}\n\n{late}")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "ls_tf.seeds -> ls_tf.tasks.translation" in done.stdout


def test_a_room_imports_no_other_library(graph):
    wrong = []
    for module in graph.modules:
        if module.partition(".")[0] != "ls_tf":
            continue
        allowed = OUTSIDE[room_of(module)] | {"ls_tf"}
        wrong += [
            f"{module} -> {name}"
            for name in graph.find_modules_directly_imported_by(module)
            if name.partition(".")[0] not in allowed
            and name not in sys.stdlib_module_names
        ]
    assert wrong == []


def test_every_room_has_its_libraries_and_no_more(graph):
    rooms = {room_of(m) for m in graph.modules if m.startswith("ls_tf")}
    assert rooms == OUTSIDE.keys()


def test_every_library_has_an_extra():
    imported = set().union(*OUTSIDE.values())
    # NumPy and SciPy are the library's own need.
    assert imported - {"numpy", "scipy"} == extras.EXTRAS.keys()


def test_no_private_name_is_imported_from_another_package():
    wrong = []
    for path in FILES:
        package = ".".join(path.relative_to(ROOT).parent.parts)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [*node.module.split("."), *(a.name for a in node.names)]
                private = [n for n in names if re.match(r"_(?!_)", n)]
                inside = f"{node.module}.".startswith(f"{package}.")
                if private and not inside:
                    wrong.append(f"{path.relative_to(ROOT)}: {private}")
    assert wrong == []


@pytest.mark.parametrize("path", FILES, **ids)
def test_no_library_comes_by_a_back_door(path):
    source = path.read_text("utf-8")
    assert not re.search(r"import_module\(.{0,3}(tensorflow|keras)", source)
    assert not re.search(r"\bkeras\.src\b|\b__import__\b", source)


def test_importing_the_batch_norm_layer_imports_no_kernel():
    path = PACKAGE / "layers/batch_norm.py"
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            line = ast.unparse(node)
            assert "fused" not in line
            assert "jax" not in line


# --- paths of a run directory go through epath

ON_RECORDS = {
    *("records", "launchers", "running", "training", "pages", "reports"),
    "verdict",
}
# The one module that asks the operating system, of local paths alone.
OF_THE_SYSTEM = PACKAGE / "records" / "local.py"
FILE_MODULES = {"shutil", "glob", "tempfile", "fileinput", "mmap"}
# Of `os`: what looks at or changes a file.
OS_NAMES = {
    *("access", "chmod", "link", "listdir", "lstat", "makedirs", "mkdir"),
    *("open", "path", "remove", "removedirs", "rename", "renames", "replace"),
    *("rmdir", "scandir", "stat", "symlink", "truncate", "unlink", "walk"),
}


def local_file_access(path):
    """Lines that use ``open`` or ``os.path`` and the like."""
    found = []
    source = path.read_text("utf-8").replace("os.open(os.devnull", "sink(0")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "open":
                found.append((node.lineno, "open"))
        elif isinstance(node, ast.Attribute) and isinstance(
            node.value, ast.Name
        ):
            name = (node.value.id, node.attr)
            if name == ("io", "open") or (
                name[0] == "os" and name[1] in OS_NAMES
            ):
                found.append((node.lineno, ".".join(name)))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{n}" for n in names] + [node.module]
            for name in names:
                if name and (
                    name.split(".")[0] in FILE_MODULES
                    or name.startswith(("os.", "io.open", "posixpath"))
                ):
                    found.append((node.lineno, name))
    return found


@pytest.mark.parametrize(
    "path",
    [
        p
        for p in FILES
        if p.relative_to(PACKAGE).parts[0] in ON_RECORDS and p != OF_THE_SYSTEM
    ],
    **ids,
)
def test_records_are_reached_through_epath_only(path):
    assert local_file_access(path) == []


def test_the_reader_of_file_access_sees_every_form(tmp_path):
    path = tmp_path / "x.py"
    path.write_text(
        "import os, os.path, io, shutil\n"
        "from os import path, makedirs\n"
        "from glob import glob\n"
        "open('a')\n"
        "os.path.join('a', 'b')\n"
        "io.open('a')\n"
        "os.rename('a', 'b')\n"
        "os.getpid()\n"
        "thing.open('a')\n"
    )
    lines = {line for line, _ in local_file_access(path)}
    assert lines == {1, 2, 3, 4, 5, 6, 7}


# --- what every module has


@pytest.mark.parametrize("path", FILES, **ids)
def test_every_module_has_a_docstring(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree)
    # `ls_tf.spec` is what an experiment is written with: it says its names.
    # The others give the library's public names when they are asked for.
    rooms = ("", "spec/", "losses/", "decoding/", "stopping/", "arguments/")
    faces = {PACKAGE / f"{room}__init__.py" for room in rooms}
    if path.name == "__init__.py" and path not in faces:
        assert len(tree.body) == 1, "a docstring and nothing else"
    asserts = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Assert)]
    assert asserts == []


def test_flags_are_read_in_one_place():
    readers = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        if re.search(r"absl(\.| import )flags", path.read_text("utf-8"))
    }
    # Grain has flags of its own, which wait to be called parsed.
    assert readers == {"arguments/flags.py", "pipeline/stream.py"}


def test_every_package_of_parts_is_found():
    for name in ("models", "data", "evaluators", "tasks", "reports"):
        assert registry.names(f"ls_tf.{name}")
