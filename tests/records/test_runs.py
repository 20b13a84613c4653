"""Tests of ls_tf.records.runs, and of the files and locks below it."""

import csv
import errno
import json
import math
import os
import pathlib
import shutil
import tempfile
import time

import mapped_bucket
import numpy as np
import pytest
from etils import epath
from run_folders import (
    FACTS,
    IDENTITY,
    assert_refused,
    folder_of,
    make_finished,
    opened,
    tree,
)

from ls_tf.records import files, runs
from ls_tf.records.record import read_record
from ls_tf.records.runs import Record, RunError
from ls_tf.spec import as_dict, digest, from_dict
from ls_tf.spec.resolve import resolve


def make_old(root):
    """A finished record as it was before records had digests."""
    path = make_finished(root)
    (path / "digests.json").unlink()
    edit(path / "run.json", indexed=None)
    return path


def edit(file, **fields):
    """Writes a JSON file with other fields; None takes one away."""
    content = json.loads(file.read_text()) | fields
    for name, value in fields.items():
        if value is None:
            del content[name]
    file.write_text(json.dumps(content))


# --- a record, written and read


def test_a_new_record(tmp_path):
    began = runs.now()
    with opened(tmp_path) as directory:
        assert not directory.finished
        assert directory.path == epath.Path(tmp_path) / IDENTITY.folder
        assert (directory.path / "lock" / "owner.json").exists()
    path = folder_of(tmp_path)
    assert sorted(p.name for p in path.iterdir()) == [
        "digests.json",
        "run.json",
    ]
    run = json.loads((path / "run.json").read_text())
    assert run["version"] == 1
    assert run["experiment"] == "fc_digits"
    assert run["changes"] == {}
    assert run["smoke"] is True
    assert run["seed"] == 0
    assert run["digest"] == IDENTITY.digest
    assert run["spec"] == json.loads(json.dumps(as_dict(IDENTITY.spec)))
    assert digest(from_dict(run["spec"])) == IDENTITY.digest
    assert run["command"] == FACTS["command"]
    assert run["git"] == FACTS["git"]
    assert run["outcome"] == "running"
    assert run["ended"] is None
    assert run["step"] == 0
    assert began <= run["started"] <= runs.now()
    assert [h["command"] for h in run["history"]] == [FACTS["command"]]


def test_now_is_iso_utc():
    assert time.strptime(runs.now(), "%Y-%m-%dT%H:%M:%SZ")


def test_a_resumed_record_keeps_what_it_had(tmp_path):
    with opened(tmp_path) as directory:
        directory.update(step=7, outcome="stopped")
        directory.log(7, {"train/loss": 0.5})
    first = json.loads((folder_of(tmp_path) / "run.json").read_text())
    with runs.opened(str(tmp_path), IDENTITY, command=["again"]) as directory:
        assert directory.run["step"] == 7
        directory.log(8, {"train/loss": 0.25})
    run = json.loads((folder_of(tmp_path) / "run.json").read_text())
    assert run["started"] == first["started"]
    assert run["command"] == FACTS["command"]
    assert [h["command"] for h in run["history"]] == [
        FACTS["command"],
        ["again"],
    ]
    rows = Record(epath.Path(folder_of(tmp_path)), run).metrics()
    assert [row["step"] for row in rows] == [7, 8]


def test_metrics_keep_every_digit_and_leave_gaps_out(tmp_path):
    rows = [
        (100, {"train/loss": 0.1 + 0.2, "learning_rate": np.float32(0.1)}),
        (200, {"train/loss": math.nan, "report/ece": 1e-300}),
        (np.int64(300), {"train/loss": np.float64(-0.0), "n": 3}),
    ]
    with opened(tmp_path) as directory:
        for step, values in rows:
            directory.log(step, values)
        directory.log(300, {"report/ece": math.inf})  # joins its row
    text = (folder_of(tmp_path) / "metrics.csv").read_text()
    assert text.splitlines()[0] == "step,train/loss,learning_rate,report/ece,n"
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == [
        "100",
        "200",
        "300",
    ]
    make_finished(tmp_path)
    found = runs.find(str(tmp_path), IDENTITY).metrics()
    assert found[0] == {
        "step": 100,
        "train/loss": 0.1 + 0.2,
        "learning_rate": float(np.float32(0.1)),
    }
    assert math.isnan(found[1]["train/loss"])
    assert found[1]["report/ece"] == 1e-300
    assert found[2] == {
        "step": 300,
        "train/loss": -0.0,
        "n": 3,
        "report/ece": math.inf,
    }
    assert len(found) == 3


def test_a_curve_has_every_step_at_which_its_number_was_written(tmp_path):
    with opened(tmp_path) as directory:
        directory.log(25, {"train/loss": 2.0, "epoch": 0.08})
        directory.log(312, {"report/accuracy": 0.4})
        directory.log(325, {"train/loss": 1.0, "report/accuracy": 0.5})
    make_finished(tmp_path)
    record = runs.find(str(tmp_path), IDENTITY)
    assert record.curve("report/accuracy") == {312: 0.4, 325: 0.5}
    assert record.curve("train/loss") == {25: 2.0, 325: 1.0}
    assert record.curve("report/ece") == {}


def test_a_resume_makes_the_rows_behind_its_checkpoint_again(tmp_path):
    with opened(tmp_path) as directory:
        for step in (1, 2, 3, 4):
            directory.log(step, {"x": step})
    with opened(tmp_path) as directory:
        directory.rewind(2)
        directory.log(3, {"x": 30})
    make_finished(tmp_path)
    found = runs.find(str(tmp_path), IDENTITY).metrics()
    assert [(r["step"], r["x"]) for r in found] == [(1, 1), (2, 2), (3, 30)]


def test_a_measurement_is_read_back(tmp_path):
    arrays = {
        "bin_edges": np.linspace(0, 1, 4),
        "classes": np.array([2, 0, 1], np.int32),
        "empty": np.zeros((0, 2), np.float32),
    }
    scalars = {"ece": np.float32(0.1), "nll": 0.1 + 0.2, "bad": math.nan}
    with opened(tmp_path) as directory:
        directory.measure(
            "reliability",
            "report",
            split="test",
            step=5,
            count=97,
            scalars=scalars,
            arrays=arrays,
        )
        directory.measure(
            "classification",
            "train",
            split="train",
            step=5,
            count=3,
            scalars={"error": 0.5},
            arrays={},
        )
        directory.update(outcome="finished")
    path = folder_of(tmp_path)
    assert sorted(p.name for p in (path / "measurements").iterdir()) == [
        "classification_train.json",
        "reliability_report.json",
        "reliability_report.npz",
    ]
    record = runs.find(str(tmp_path), IDENTITY)
    found = record.scalars("reliability", "report")
    assert found["ece"] == float(np.float32(0.1))
    assert found["nll"] == 0.1 + 0.2
    assert math.isnan(found["bad"])
    whole = record.measurement("reliability", "report")
    assert {k: whole[k] for k in ("version", "split", "step", "count")} == {
        "version": 1,
        "split": "test",
        "step": 5,
        "count": 97,
    }
    assert whole["digest"] == IDENTITY.digest
    assert whole["git"] == FACTS["git"]
    back = record.arrays("reliability", "report")
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
    with pytest.raises(RunError) as caught:
        record.scalars("reliabilty", "report")
    assert str(caught.value).endswith(
        "has no measurement reliabilty_report; existing: "
        "classification_train, reliability_report"
    )
    with pytest.raises(RunError, match="classification_train.npz cannot be"):
        record.arrays("classification", "train")


def test_a_record_without_measurements(tmp_path):
    make_finished(tmp_path)
    record = runs.find(str(tmp_path), IDENTITY)
    assert record.metrics() == []
    with pytest.raises(RunError, match="existing: none"):
        record.scalars("reliability", "report")
    with pytest.raises(RunError, match="existing: none"):
        record.arrays("reliability", "report")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metrics.csv", "step,x\n1,a\n"),
        ("metrics.csv", "step,x\n1,2,3\n"),
        ("metrics.csv", 'step,x\n1,"2\n'),
        ("measurements/e_report.json", "{"),
        ("measurements/e_report.json", "[]"),
        ("measurements/e_report.json", '{"version": 2}'),
        ("measurements/e_report.npz", "PK\x03\x04 damaged"),
        ("measurements/e_report.npz", ""),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path, name, text):
    path = make_old(tmp_path)
    (path / "measurements").mkdir()
    good = {
        "version": 1,
        "evaluator": "e",
        "role": "report",
        "split": "test",
        "step": 1,
        "count": 1,
        "digest": IDENTITY.digest,
        "measured": "2020-01-02T03:04:05Z",
        "git": None,
        "scalars": {},
    }
    (path / "measurements" / "e_report.json").write_text(json.dumps(good))
    (path / name).write_text(text)
    record = runs.find(str(tmp_path), IDENTITY)
    with pytest.raises(RunError, match=name) as caught:
        record.metrics()
        record.measurement("e", "report")
        record.arrays("e", "report")
    assert "\n" not in str(caught.value)


# --- finding


def test_find_wants_a_finished_run_of_the_same_digest(tmp_path):
    root = str(tmp_path / "runs")
    assert runs.find(root, IDENTITY) is None
    with opened(root) as directory:
        assert runs.find(root, IDENTITY) is None
        for outcome in ("stopped", "failed", "trained"):
            directory.update(outcome=outcome)
            assert runs.find(root, IDENTITY) is None
        directory.update(outcome="finished")
    record = runs.find(root, IDENTITY)
    assert record.run["digest"] == IDENTITY.digest
    file = make_old(root) / "run.json"
    assert runs.find(root, IDENTITY) is not None
    edit(file, digest="0" * 64)
    assert runs.find(root, IDENTITY) is None
    assert runs.find(str(file), IDENTITY) is None  # a file, no directory
    assert runs.find(root, resolve("fc_digits", smoke=True, seed=1)) is None


# --- refusing


def test_another_digest_is_refused(tmp_path):
    path = make_old(tmp_path)
    edit(path / "run.json", digest="0123456789abcdef" * 4)
    assert_refused(
        tmp_path,
        f"run directory {path} holds another specification",
        "digest 0123456789ab, wanted " + IDENTITY.digest[:12],
    )


def test_a_newer_record_is_refused(tmp_path):
    path = make_finished(tmp_path)
    edit(path / "run.json", version=2)
    assert_refused(tmp_path, "record version 2", "reads up to 1")
    with pytest.raises(RunError, match="record version 2"):
        runs.find(str(tmp_path), IDENTITY)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'"text"',
        b"{}",
        b'{"version": null}',
        b'{"version": "new"}',
        b"\xff\xfe\x00",
    ],
)
def test_a_damaged_record_is_refused(tmp_path, data):
    path = make_finished(tmp_path)
    (path / "run.json").write_bytes(data)
    assert_refused(tmp_path, path / "run.json", "is damaged")
    with pytest.raises(RunError, match="is damaged"):
        runs.find(str(tmp_path), IDENTITY)


def test_a_directory_in_place_of_the_record_is_refused(tmp_path):
    path = folder_of(tmp_path)
    (path / "run.json").mkdir(parents=True)
    assert_refused(tmp_path, path / "run.json", "cannot be read")


@pytest.mark.parametrize("depth", range(4))
def test_a_file_where_a_directory_should_be_is_refused(tmp_path, depth):
    root = tmp_path / "runs"
    place = (root / IDENTITY.folder, *(root / IDENTITY.folder).parents)[depth]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("")
    before = tree(tmp_path)
    with pytest.raises(RunError, match=f"{place} is not a directory"):
        runs.refuse(str(root), IDENTITY)
    with pytest.raises(RunError, match="cannot be written"):
        opened(root).__enter__()
    assert tree(tmp_path) == before


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc here")
def test_a_place_that_takes_no_files_is_refused():
    with pytest.raises(RunError, match="cannot be written") as caught:
        opened("/proc/self/runs").__enter__()
    assert "\n" not in str(caught.value)


@pytest.fixture
def read_only():
    """A directory that takes no files, and nobody who may write anywhere."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if was_root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_a_read_only_directory_is_refused(read_only):
    for root in (read_only, read_only / "runs"):
        with pytest.raises(RunError, match="cannot be written: Permission"):
            opened(root).__enter__()
    assert list(read_only.iterdir()) == []


def test_an_unreadable_record_is_refused(read_only):
    with pytest.raises(RunError, match="run.json cannot be read: Permission"):
        read_record(epath.Path(_secret(read_only)))


def _secret(folder):
    """A record of somebody else's that only they may read."""
    user = os.geteuid()
    if user == 65534:
        os.seteuid(0)
    folder.chmod(0o755)
    (folder / "run.json").write_text("{}")
    (folder / "run.json").chmod(0)
    if user == 65534:
        os.seteuid(65534)
    return folder


@pytest.mark.parametrize(
    "number", [errno.EROFS, errno.EACCES, errno.EPERM], ids=errno.errorcode.get
)
def test_a_disk_that_turns_read_only_is_refused(tmp_path, monkeypatch, number):
    def fail(self, data):
        raise OSError(number, os.strerror(number), str(self))

    with (
        pytest.raises(RunError, match="cannot be written") as caught,
        opened(tmp_path) as directory,
    ):
        monkeypatch.setattr(type(directory.path), "write_bytes", fail)
        directory.update(step=1)
    assert "\n" not in str(caught.value)
    assert not (folder_of(tmp_path) / "lock").exists()


def test_errors_of_the_work_itself_pass_through(tmp_path):
    for error in (
        ValueError("a bug"),
        FileNotFoundError(errno.ENOENT, "no file", "elsewhere"),
        PermissionError(errno.EACCES, "denied", "/elsewhere"),
        OSError(errno.ENOSPC, "no space", str(folder_of(tmp_path))),
        KeyboardInterrupt(),
    ):
        with pytest.raises(type(error)) as caught, opened(tmp_path):
            raise error
        assert caught.value is error
        assert not (folder_of(tmp_path) / "lock").exists()


# --- whole files


@pytest.mark.parametrize("method", ["write_bytes", "replace"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch, method):
    path = epath.Path(tmp_path) / "deep" / "run.json"
    files.write_json(path, {"a": 1})
    whole = getattr(type(path), method)

    def fail(self, *args):
        if method == "write_bytes":
            whole(self, b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(type(path), method, fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_json(path, {"a": 2})
    monkeypatch.undo()
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in path.parent.iterdir()] == ["run.json"]


def test_json_keeps_every_digit(tmp_path):
    path = epath.Path(tmp_path) / "a.json"
    value = {"x": 0.1 + 0.2, "y": 1e-320, "z": [1, None, True, "ü"]}
    files.write_json(path, value)
    assert json.loads(path.read_text()) == value


# --- another file system


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """``gs://bucket`` in a folder, and an empty working directory."""
    backend = mapped_bucket.Mapped(tmp_path / "cloud")
    (tmp_path / "cloud" / "bucket").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    mapped_bucket.install(backend, monkeypatch.setattr, monkeypatch.setitem)
    yield backend
    assert list((tmp_path / "here").iterdir()) == []


def test_no_path_goes_around_the_file_system(bucket, tmp_path):
    """Neither ``open`` nor ``os.path`` would find a ``gs://`` path."""
    from ls_tf.training import checkpoints

    root = "gs://bucket/runs"
    runs.refuse(root, IDENTITY)
    assert runs.find(root, IDENTITY) is None
    with opened(root) as directory:
        directory.log(1, {"train/loss": 0.5})
        directory.measure(
            "e",
            "report",
            split="test",
            step=1,
            count=2,
            scalars={"x": 1.0},
            arrays={"x": np.ones(3)},
        )
        folder = runs.checkpoint_folder(root, IDENTITY)
        for step in (1, 2, 3):
            state = {"w": np.full(2, step, np.float32)}
            checkpoints.save(folder, checkpoints.Checkpoint(step, state, {}))
        checkpoints.sweep(folder)
        assert checkpoints.steps(folder) == [2, 3]
        assert checkpoints.latest(folder).arrays["w"][0] == 3
        with pytest.raises(RunError, match="in use by pid"):
            opened(root).__enter__()
        assert str(directory.tensorboard) == (
            f"{root}/{IDENTITY.folder}/tensorboard"
        )
        directory.update(outcome="finished")
    with opened(root) as directory:
        directory.rewind(1)
    record = runs.find(root, IDENTITY)
    assert record.metrics() == [{"step": 1.0, "train/loss": 0.5}]
    assert record.scalars("e", "report") == {"x": 1.0}
    assert record.arrays("e", "report")["x"].tolist() == [1, 1, 1]
    there = folder_of(tmp_path / "cloud" / "bucket" / "runs")
    assert sorted(p.name for p in there.iterdir()) == [
        "checkpoints",
        "digests.json",
        "measurements",
        "metrics.csv",
        "run.json",
    ]
    with (there / "metrics.csv").open() as file:
        assert list(csv.reader(file)) == [["step", "train/loss"], ["1", "0.5"]]
    assert {"open", "replace", "rename", "rmtree"} <= set(bucket.calls)


def test_the_modules_of_records_are_the_ones_tested():
    assert runs.RunError is files.RunError
    assert runs.Path is epath.Path
