"""A bundle unpacks itself with Python alone, whole or not at all."""

import ast
import json
import os
import subprocess
import sys
import zipfile

import pytest

from ls_tf.bundles import archive, making
from ls_tf.running import provenance
from ls_tf.spec import SpecError

FILES = {
    "run": b"#!/bin/sh\n",
    "data/digits.npz": bytes(1000),
    "runs/a/b/run.json": b"{}",
}


def made(folder, files=FILES, **about):
    path = folder / "made.zip"
    archive.write(path, files, about)
    return path


def changed(path, change):
    """The bundle with a change of its list, and of nothing else."""
    with zipfile.ZipFile(path) as old:
        contents = {name: old.read(name) for name in old.namelist()}
    listed = json.loads(contents["bundle.json"])
    change(listed, contents)
    contents["bundle.json"] = json.dumps(listed).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, data in contents.items():
            new.writestr(name, data)
    return path


def test_it_unpacks_itself_without_any_package(tmp_path):
    path = made(tmp_path, {**FILES, **provenance.package()}, commit="c" * 40)
    done = subprocess.run(
        # No packages of the machine, and no environment.
        [sys.executable, "-I", "-S", str(path), str(tmp_path / "out")],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"unpacked; train with: {tmp_path}/out/run\n"
    for name, data in FILES.items():
        assert (tmp_path / "out" / name).read_bytes() == data
    assert os.access(tmp_path / "out/run", os.X_OK)
    listed = json.loads((tmp_path / "out/bundle.json").read_text())
    assert (listed["version"], listed["commit"]) == (1, "c" * 40)
    assert listed["files"].keys() >= FILES.keys()


def test_the_same_contents_are_the_same_bytes(tmp_path):
    first = made(tmp_path).read_bytes()
    assert made(tmp_path).read_bytes() == first


def set_version(listed, contents):
    listed["version"] = 2


def point_outside(listed, contents):
    for name in ("../escaped", "run"):
        listed["files"][name] = listed["files"]["run"]
        contents[name] = contents["run"]


def point_to_the_root(listed, contents):
    listed["files"]["/tmp/escaped"] = "0" * 64
    contents["/tmp/escaped"] = b""


def alter(listed, contents):
    contents["run"] = b"#!/bin/rm\n"


def add(listed, contents):
    contents["more"] = b""


def lack(listed, contents):
    del contents["run"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_version, "is a bundle of version 2; wanted version 1: make it"),
        (point_outside, "holds a path outside itself: '../escaped'; nothing"),
        (point_to_the_root, "a path outside itself: '/tmp/escaped'"),
        (alter, "is damaged: run is not what was packed"),
        (add, "it holds other files than its list says: ['more']"),
        (lack, "it holds other files than its list says: ['run']"),
    ],
)
def test_what_is_no_bundle_of_ours_is_one_line(tmp_path, capsys, change, words):
    path = changed(made(tmp_path), change)
    out = tmp_path / "out"
    assert archive.main([str(path), str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ls_tf: {path}") and words in line
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("words", [["--help"], ["a", "b"]])
def test_other_words_than_a_folder_are_refused(tmp_path, capsys, words):
    path = made(tmp_path)
    assert archive.main([str(path), *words]) == 2
    got = " ".join(words)
    assert capsys.readouterr().err == (
        f"ls_tf: wanted python {path} [FOLDER], got {got}\n"
    )
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", [archive._MAIN_TEXT, making._SCRIPT])
def test_an_old_python_is_one_line(text, capsys, monkeypatch):
    ast.parse(text, feature_version=(3, 7))
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    monkeypatch.setattr(sys, "version", "3.10.4 (main)")
    with pytest.raises(SystemExit, match="2"):
        exec(text, {"__name__": "__main__", "__file__": "/nonexistent/run"})
    assert capsys.readouterr().err == (
        "ls_tf: wanted Python 3.11 or later, got 3.10.4\n"
    )


def test_the_program_is_that_of_its_folder(tmp_path):
    (tmp_path / "run_experiment.py").write_bytes(making._PROGRAM)
    (tmp_path / "ls_tf").mkdir()
    (tmp_path / "ls_tf/__init__.py").write_text("raise SystemExit(7)")
    done = subprocess.run(
        [sys.executable, "-P", str(tmp_path / "run_experiment.py")], check=False
    )
    assert done.returncode == 7


def test_what_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        archive.read(tmp_path / "none.zip")
    path = made(tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SpecError, match="is damaged or no bundle"):
        archive.read(path)
    with pytest.raises(SpecError, match="is no bundle, or its list is damaged"):
        archive.parse(b"[]", path)


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    path = made(tmp_path)
    (tmp_path / "made").mkdir()
    with pytest.raises(SpecError, match="is there already; remove it, or name"):
        archive.unpack(path, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []
