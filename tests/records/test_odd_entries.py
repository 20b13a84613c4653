"""What else may stand in a run folder: passed over, or refused in one line."""

import os
import pathlib
import socket

import numpy as np
import pytest

from ls_tf.records import local, runs
from ls_tf.records.files import RunError
from ls_tf.spec.resolve import resolve

IDENTITY = resolve("fc_digits", smoke=True)
FILES = (
    "run.json",
    "digests.json",
    "metrics.csv",
    "measurements/classification_report.json",
    "measurements/penultimate_report.npz",
)
FOLDERS = ("measurements", "checkpoints", "tensorboard")


def folder_of(root):
    return pathlib.Path(root) / IDENTITY.folder


def opened(root):
    return runs.opened(str(root), IDENTITY, git=None)


def make(root):
    """A run from its beginning to its end, wherever it stood."""
    with opened(root) as directory:
        directory.begin(0, steps=2)
        for step in (1, 2):
            directory.log(step, {"train/loss": 1 / step})
            directory.flush()
        for evaluator, arrays in (
            ("classification", {}),
            ("penultimate", {"points": np.ones(3)}),
        ):
            directory.measure(
                evaluator,
                "report",
                split="test",
                step=2,
                count=7,
                scalars={"nll": 0.25},
                arrays=arrays,
            )
        directory.update(outcome="finished")
    return folder_of(root)


def read_all(root):
    record = runs.find(str(root), IDENTITY)
    record.check()
    return (
        record.metrics(),
        record.scalars("classification", "report"),
        record.arrays("penultimate", "report")["points"].tolist(),
    )


def a_directory(path):
    path.mkdir()


def a_file(path):
    path.write_text("x")


def elsewhere(path):
    other = path.parents[len(path.parents) - 3] / "other"
    other.mkdir(exist_ok=True)
    (other / "file").write_text("theirs")
    path.symlink_to(other / "file")


def dangling(path):
    path.symlink_to(path.parent / "nowhere")


def loop(path):
    path.symlink_to(path)


def a_pipe(path):
    os.mkfifo(path)


def a_socket(path):
    # Its address is short, the folder's name is not.
    here = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{here}/{path.name}")
    finally:
        os.close(here)


ODD = (a_directory, elsewhere, dangling, loop, a_pipe, a_socket)


def entries(folder):
    """Every entry below a folder, and what is in its files."""
    return {
        str(path.relative_to(folder)): path.lstat().st_mode
        if path.is_symlink() or not path.is_file()
        else path.read_bytes()
        for path in folder.rglob("*")
    }


def remove(path):
    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def assert_refused(root, entry):
    """Opening and refusing say the same line, and nothing changes."""
    before = entries(root)
    said = []
    for act in (
        lambda: runs.refuse(str(root), IDENTITY),
        lambda: opened(root).__enter__(),
    ):
        with pytest.raises(RunError) as caught:
            act()
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "\n" not in said[0]
    assert str(entry) in said[0]
    assert entries(root) == before
    return said[0]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("is_there", [True, False], ids=["run", "new"])
def test_what_is_no_file_where_one_will_be_is_refused(
    tmp_path, name, odd, is_there
):
    entry = folder_of(tmp_path) / name
    if is_there:
        make(tmp_path)
        entry.unlink()
    entry.parent.mkdir(parents=True, exist_ok=True)
    odd(entry)
    assert_refused(tmp_path, entry)
    remove(entry)
    if not is_there:
        make(tmp_path)
        assert read_all(tmp_path)


@pytest.mark.parametrize("odd", [a_file, dangling, loop, a_pipe, a_socket])
@pytest.mark.parametrize("name", FOLDERS)
def test_what_is_no_folder_where_one_will_be_is_refused(tmp_path, name, odd):
    entry = folder_of(tmp_path) / name
    entry.parent.mkdir(parents=True)
    odd(entry)
    assert_refused(tmp_path, entry)
    remove(entry)
    make(tmp_path)
    assert read_all(tmp_path)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", FILES)
def test_a_reader_says_what_is_no_file(tmp_path, name, odd):
    entry = make(tmp_path) / name
    wanted, data = read_all(tmp_path), entry.read_bytes()
    entry.unlink()
    odd(entry)
    with pytest.raises(RunError) as caught:
        read_all(tmp_path)
    assert str(entry) in str(caught.value)
    assert "\n" not in str(caught.value)
    remove(entry)
    entry.write_bytes(data)
    assert read_all(tmp_path) == wanted


@pytest.mark.parametrize("odd", [a_file, *ODD])
@pytest.mark.parametrize(
    "name",
    [
        "run.json.bak",
        "measurements/classification_report (copy).json",
        "measurements/.classification_report.json.swp",
        "measurements/notes",
        "metrics.csv.old",
    ],
)
def test_further_entries_are_passed_over(tmp_path, name, odd):
    entry = folder_of(tmp_path) / name
    entry.parent.mkdir(parents=True)
    odd(entry)
    before = entries(tmp_path)
    runs.refuse(str(tmp_path), IDENTITY)
    make(tmp_path)
    assert read_all(tmp_path)
    assert make(tmp_path) == folder_of(tmp_path)
    after = entries(tmp_path)
    assert {key: after[key] for key in before} == before
    with pytest.raises(RunError, match="has no measurement x_report; existing"):
        runs.find(str(tmp_path), IDENTITY).scalars("x", "report")


def test_a_folder_of_runs_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    make(tmp_path / "runs")
    checkpoints = folder_of(tmp_path / "disk") / "checkpoints"
    (tmp_path / "large").mkdir()
    checkpoints.symlink_to(tmp_path / "large")
    make(tmp_path / "runs")
    assert read_all(tmp_path / "disk")
    assert checkpoints.is_symlink()


@pytest.mark.parametrize("odd", [dangling, loop, a_pipe])
@pytest.mark.parametrize("depth", range(3))
def test_a_place_of_runs_that_is_no_folder_is_one_line(tmp_path, odd, depth):
    folder = folder_of(tmp_path / "runs")
    entry = [folder, *folder.parents][depth]
    entry.parent.mkdir(parents=True, exist_ok=True)
    odd(entry)
    for act in (
        lambda: runs.refuse(str(tmp_path / "runs"), IDENTITY),
        lambda: opened(tmp_path / "runs").__enter__(),
    ):
        with pytest.raises(RunError) as caught:
            act()
        assert str(entry) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_user_is_one_line(tmp_path, monkeypatch, name):
    """Played, since the tests may run as the user who may read all."""
    entry = make(tmp_path) / name
    kind = type(runs.Path(tmp_path))
    plain = kind.read_bytes

    def denied(self):
        if str(self) == str(entry):
            raise PermissionError(13, "Permission denied", str(self))
        return plain(self)

    monkeypatch.setattr(kind, "read_bytes", denied)
    with pytest.raises(RunError) as caught:
        read_all(tmp_path)
    assert str(caught.value) == f"{entry} cannot be read: Permission denied"


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch, name):
    entry = folder_of(tmp_path) / name
    entry.mkdir(parents=True)
    monkeypatch.setattr(
        local.os, "access", lambda path, mode: str(path) != str(entry)
    )
    said = assert_refused(tmp_path, entry)
    assert said.endswith(f"{entry}: Permission denied")


def test_checkpoints_of_nobody_knows_what_are_refused(tmp_path):
    entry = folder_of(tmp_path) / "checkpoints" / "step-000000002"
    entry.mkdir(parents=True)
    said = assert_refused(tmp_path, folder_of(tmp_path))
    assert "has checkpoints and no run.json" in said


def test_a_run_json_that_was_removed_is_missed(tmp_path):
    path = make(tmp_path)
    (path / "run.json").unlink()
    said = assert_refused(tmp_path, path / "run.json")
    assert "is missing; put back what was written" in said
    with pytest.raises(RunError, match="run.json is missing"):
        runs.find(str(tmp_path), IDENTITY)
