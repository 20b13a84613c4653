"""Who may import whom, read from the source with ast."""

import ast
import pathlib
import re
import sys

import pytest

from ls_tf import registry

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "ls_tf"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYER_0 = {"spec", "registry", "seeds", "runs", "resolve"}
LAYER_0_HELPERS = {"_values", "_changes", "_files", "_locks"}
LAYER_2 = {"models", "data", "losses", "optimizers", "schedules", "decoding"}
PARTS = LAYER_0 | {"analysis"} | LAYER_2 | {"evaluators"}

# What each unit (a module of ls_tf, or a package below it) may import from
# ls_tf beside itself. `tasks._protocol` says what an engine and an evaluator
# are given; it is no task.
MAY_IMPORT = {
    "__init__": set(),
    "_values": set(),
    "_changes": {"_values"},
    "_files": set(),
    "_locks": {"_files"},
    "spec": {"_values", "_changes"},
    "registry": {"spec"},
    "seeds": set(),
    "resolve": {"spec", "registry", "_values"},
    "runs": {"spec", "resolve", "_files", "_locks"},
    "stack": {"spec", "resolve"},
    "experiments": {"spec"},
    "analysis": set(),
    **{name: LAYER_0 | {"analysis"} for name in LAYER_2},
    "evaluators": LAYER_0
    | {"analysis", "tasks._protocol"}
    | (LAYER_2 - {"data"}),
    "tasks": PARTS,
    "training": LAYER_0 | {"tasks._protocol"},
    "reports": LAYER_0 - {"seeds"} | {"experiments", "analysis"},
    "session": {"spec", "training"},
    "_teachers": PARTS | {"tasks", "training", "session"},
    "execute": PARTS
    | {"experiments", "tasks", "training", "reports", "session", "stack"}
    | {"_teachers"},
    "sweep": {"spec", "resolve", "runs", "session", "stack", "execute"},
    "translate": {"spec", "resolve", "session", "execute", "tasks._protocol"},
    "cli": PARTS
    | {"experiments", "tasks", "training", "reports", "session", "stack"}
    | {"execute", "sweep", "translate"},
}

# What it may import from outside, beside the standard library.
OUTSIDE = {
    "__init__": set(),
    **{name: set() for name in ("_values", "_changes")},
    **{name: set() for name in ("spec", "registry", "resolve", "experiments")},
    "stack": set(),
    **{name: {"numpy", "etils"} for name in ("_files", "_locks", "runs")},
    "seeds": {"numpy"},
    "analysis": {"numpy", "scipy", "sklearn", "sacrebleu"},
    **{name: {"keras", "numpy"} for name in LAYER_2},
    "data": {
        "keras",
        "numpy",
        "tensorflow",
        "tensorflow_datasets",
        "sklearn",
        "etils",
        "absl",
        "sentencepiece",
    },
    "evaluators": {"keras", "numpy"},
    "tasks": {"keras", "numpy"},
    "training": {
        "keras",
        "numpy",
        "tensorflow",
        "jax",
        "safetensors",
        "tensorboard",
        "tqdm",
        "absl",
        "etils",
    },
    "reports": {"numpy", "scipy", "pandas", "matplotlib", "etils"},
    "session": {"numpy", "keras", "tensorflow"},
    "_teachers": {"numpy", "keras"},
    "execute": {"numpy", "keras"},
    "sweep": set(),
    "translate": set(),
    "cli": {"absl"},
}

TENSORFLOW = {"data", "training", "session"}
# The one kernel of TensorFlow's that `keras.ops` lacks, imported at its first
# use on that backend.
KERNEL = PACKAGE / "models/_layers/_fused_batch_norm.py"
NOT_TENSORFLOW = {"tensorflow", "tensorflow_datasets", "tf_keras"}


def unit_of(path):
    """``models/resnet.py`` -> ``models``; ``runs.py`` -> ``runs``."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(path):
    """Every module that a file imports, at whatever depth, as dotted names."""
    folder = ["ls_tf", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = folder[: len(folder) - node.level + 1] if node.level else []
            module = ".".join([*up, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def ours(name):
    """``ls_tf.models.resnet.build`` -> ``models``; the protocol apart."""
    words = name.split(".")[1:]
    if words[:2] == ["tasks", "_protocol"]:
        return "tasks._protocol"
    return words[0] if words else ""


def wrong_imports(path):
    unit = unit_of(path)
    wrong = []
    for name in imports_of(path):
        top = name.split(".")[0]
        if top == "ls_tf":
            target = ours(name)
            if target == "tasks._protocol" and unit == "tasks":
                continue
            if target != unit and target not in MAY_IMPORT[unit]:
                wrong.append(name)
        elif top == "tensorflow" and path == KERNEL:
            continue
        elif top not in sys.stdlib_module_names and top not in OUTSIDE[unit]:
            wrong.append(name)
    return sorted(wrong)


@pytest.mark.parametrize(
    "path", FILES, ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_a_module_imports_only_what_its_layer_may(path):
    assert unit_of(path) in MAY_IMPORT, "a new unit: give it a layer"
    assert wrong_imports(path) == []


@pytest.mark.parametrize(
    "path", FILES, ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_tensorflow_stays_where_it_is(path):
    tops = {name.split(".")[0] for name in imports_of(path)}
    if unit_of(path) not in TENSORFLOW and path != KERNEL:
        assert not tops & NOT_TENSORFLOW
    if unit_of(path) != "training":
        assert not tops & {"jax", "jaxlib"}
    if unit_of(path) in {"reports", "analysis", *LAYER_0}:
        assert "keras" not in tops
    source = path.read_text("utf-8")
    if unit_of(path) not in TENSORFLOW:
        # Nor by a back door.
        assert not re.search(r"import_module\(.{0,3}(tensorflow|keras)", source)
        assert not re.search(r"\bkeras\.src\b|\b__import__\b", source)


def test_the_kernel_is_wanted_by_one_function_alone():
    name = f"ls_tf.models._layers.{KERNEL.stem}"
    users = [path for path in FILES if name in imports_of(path)]
    assert users == [KERNEL.with_name("batch_norm.py")]
    # Importing the layer imports no TensorFlow.
    for node in ast.parse(users[0].read_text("utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert KERNEL.stem not in ast.unparse(node)


def test_the_table_has_no_unit_too_many():
    known = {unit_of(path) for path in FILES}
    assert known - MAY_IMPORT.keys() == set()
    assert MAY_IMPORT.keys() == OUTSIDE.keys()
    assert MAY_IMPORT.keys() - known <= {"decoding"}


def test_the_reader_of_imports_sees_every_form(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "resnet.py"
    path.write_text(
        "import keras.ops as ops, ls_tf.data.mnist\n"
        "from ls_tf import losses, seeds\n"
        "from . import _layers\n"
        "from .. import data\n"
        "from ..losses import label_smoothing\n"
        "def build():\n"
        "    import tensorflow as tf\n"
        "    from ls_tf.evaluators import reliability\n"
    )
    assert imports_of(path) == {
        "keras.ops",
        "ls_tf.data.mnist",
        "ls_tf.losses",
        "ls_tf.seeds",
        "ls_tf.models._layers",
        "ls_tf.data",
        "ls_tf.losses.label_smoothing",
        "tensorflow",
        "ls_tf.evaluators.reliability",
    }
    assert wrong_imports(path) == [
        "ls_tf.data",
        "ls_tf.data.mnist",
        "ls_tf.evaluators.reliability",
        "ls_tf.losses",
        "ls_tf.losses.label_smoothing",
        "tensorflow",
    ]


# --- paths of a run directory go through epath

ON_RECORDS = {
    *("runs", "_files", "_locks"),
    *("execute", "_teachers", "training", "reports"),
}
FILE_MODULES = {"shutil", "glob", "tempfile", "fileinput", "mmap"}
# Of `os`: what looks at or changes a file.
OS_NAMES = {
    "access",
    "chmod",
    "link",
    "listdir",
    "lstat",
    "makedirs",
    "mkdir",
    "open",
    "path",
    "remove",
    "removedirs",
    "rename",
    "renames",
    "replace",
    "rmdir",
    "scandir",
    "stat",
    "symlink",
    "truncate",
    "unlink",
    "walk",
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
    [p for p in FILES if unit_of(p) in ON_RECORDS],
    ids=lambda p: str(p.relative_to(PACKAGE)),
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
    assert {line for line, _ in local_file_access(path)} == {
        1,
        2,
        3,
        4,
        5,
        6,
        7,
    }


# --- what every module has


@pytest.mark.parametrize(
    "path", FILES, ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_every_module_has_a_docstring(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree)
    if path.name == "__init__.py" and path.parent != PACKAGE:
        assert len(tree.body) == 1, "a docstring and nothing else"
    asserts = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Assert)]
    assert asserts == []


def test_flags_are_read_in_one_place():
    readers = {
        unit_of(path)
        for path in FILES
        if any(n.startswith("absl.flags") for n in imports_of(path))
    }
    assert readers == {"cli"}


def test_every_package_of_parts_is_found():
    for name in ("models", "data", "evaluators", "tasks", "reports"):
        assert registry.names(f"ls_tf.{name}")
