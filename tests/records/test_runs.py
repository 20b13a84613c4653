"""Tests of ls_tf.records.runs, and of the files and locks below it."""

import contextlib
import csv
import errno
import json
import math
import multiprocessing
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import mapped_bucket
import numpy as np
import pytest
from etils import epath

from ls_tf.records import files, locks, processes, runs
from ls_tf.records.record import read_record
from ls_tf.records.runs import Record, RunError
from ls_tf.spec import as_dict, digest, from_dict
from ls_tf.spec.resolve import resolve

IDENTITY = resolve("fc_digits", smoke=True)
FACTS = {"command": ["x", "--smoke"], "git": {"commit": "abc", "dirty": False}}


def tree(folder):
    """Every file below a folder with its bytes and time of change."""
    return {
        str(p.relative_to(folder)): (
            p.stat().st_mtime_ns,
            p.read_bytes() if p.is_file() else None,
        )
        for p in sorted(pathlib.Path(folder).rglob("*"))
    }


def opened(folder, identity=IDENTITY):
    return runs.opened(str(folder), identity, **FACTS)


def folder_of(root, identity=IDENTITY):
    return pathlib.Path(root) / identity.folder


def make_finished(root, identity=IDENTITY):
    with opened(root, identity) as directory:
        directory.update(outcome="finished")
    return folder_of(root, identity)


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


def assert_refused(root, *words, identity=IDENTITY):
    """Opening and refusing say the same line, and nothing changes."""
    before = tree(root)
    messages = []
    for act in (
        lambda: runs.refuse(str(root), identity),
        lambda: opened(root, identity).__enter__(),
    ):
        with pytest.raises(RunError) as caught:
            act()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "\n" not in messages[0]
    for word in words:
        assert str(word) in messages[0]
    after = tree(root)
    assert after.keys() == before.keys()
    assert {k: v[1] for k, v in after.items()} == {
        k: v[1] for k, v in before.items()
    }


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


# --- locks


def hold(root, **changes):
    """Makes a lock as another process would have left it."""
    owner = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "process": "",
        "since": "2020-01-02T03:04:05Z",
        "token": "t",
        **changes,
    }
    lock = folder_of(root) / "lock"
    lock.mkdir(parents=True)
    (lock / "owner.json").write_text(json.dumps(owner))
    return lock


@contextlib.contextmanager
def child():
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            yield process
        finally:
            process.kill()


def dead_pid():
    with child() as process:
        pass
    return process.pid


def assert_taken_over(root):
    with opened(root) as directory:
        owner = json.loads((directory.path / "lock/owner.json").read_text())
        assert owner["pid"] == os.getpid()
        runs_of_this = [p.name for p in directory.path.iterdir()]
        assert "run.json" in runs_of_this
    left = sorted(p.name for p in folder_of(root).iterdir())
    assert left == ["digests.json", "run.json"]


def test_a_lock_of_a_living_process_is_refused(tmp_path):
    make_finished(tmp_path)
    with child() as process:
        hold(tmp_path, pid=process.pid)
        assert_refused(
            tmp_path,
            f"in use by pid {process.pid} on {socket.gethostname()} "
            "since 2020-01-02T03:04:05Z",
        )


def test_a_lock_of_this_process_is_refused(tmp_path):
    with opened(tmp_path):
        with pytest.raises(RunError, match=f"in use by pid {os.getpid()} on "):
            opened(tmp_path).__enter__()
        with pytest.raises(RunError, match="in use"):
            runs.refuse(str(tmp_path), IDENTITY)
    runs.refuse(str(tmp_path), IDENTITY)
    assert_taken_over(tmp_path)


def test_another_run_is_not_locked(tmp_path):
    with opened(tmp_path), opened(tmp_path, resolve("fc_digits", seed=1)):
        pass


def test_a_lock_of_a_dead_process_is_taken_over(tmp_path):
    hold(tmp_path, pid=dead_pid())
    runs.refuse(str(tmp_path), IDENTITY)
    assert_taken_over(tmp_path)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc here")
def test_a_lock_of_a_zombie_is_taken_over(tmp_path):
    with subprocess.Popen(["true"]) as process:
        deadline = time.monotonic() + 10
        while processes.state(process.pid)[0] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        hold(tmp_path, pid=process.pid)
        assert_taken_over(tmp_path)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc here")
def test_a_later_process_of_the_same_number_is_no_owner(tmp_path):
    with child() as process:
        state, start = processes.state(process.pid)
        assert state and start
        lock = hold(tmp_path, pid=process.pid, process=start)
        assert_refused(tmp_path, process.pid)
        owner = json.loads((lock / "owner.json").read_text())
        for other in ("another-boot:" + start.split(":")[1], start + "0"):
            owner["process"] = other
            lock.mkdir(exist_ok=True)
            (lock / "owner.json").write_text(json.dumps(owner))
            assert_taken_over(tmp_path)


def test_a_lock_of_another_host_is_refused(tmp_path):
    lock = hold(tmp_path, host="elsewhere", pid=dead_pid())
    assert_refused(tmp_path, "on elsewhere", f"remove {lock}")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"pid": 1}', '{"pid": "1"}', "null"]
)
def test_a_lock_that_cannot_be_read_is_refused(tmp_path, text):
    lock = hold(tmp_path)
    (lock / "owner.json").write_text(text)
    assert_refused(tmp_path, f"remove {lock}")


@pytest.mark.parametrize("pid", [0, -1, "12", None, 1.5])
def test_a_number_that_is_no_process_is_refused(tmp_path, pid):
    hold(tmp_path, pid=pid)
    assert_refused(tmp_path, "in use by pid")


def test_a_number_too_large_for_a_process_is_dead(tmp_path):
    hold(tmp_path, pid=2**40)
    assert_taken_over(tmp_path)


def test_a_late_burial_gives_back_the_lock_of_the_living(tmp_path):
    """Two processes saw the same dead owner; the first has taken over."""
    with opened(tmp_path) as directory:
        before = (directory.path / "lock/owner.json").read_text()
        locks._bury(directory.path, ("of the dead", b""))
        assert (directory.path / "lock/owner.json").read_text() == before
    assert not (folder_of(tmp_path) / "lock").exists()


def test_who_lost_its_lock_does_not_remove_that_of_another(tmp_path):
    with opened(tmp_path) as directory:
        (directory.path / "lock").rmtree()
        lock = hold(tmp_path, token="another")
    assert json.loads((lock / "owner.json").read_text())["token"] == "another"


def test_half_written_files_of_the_dead_are_swept(tmp_path):
    path = make_finished(tmp_path)
    (path / "measurements").mkdir()
    hold(tmp_path, pid=dead_pid())
    for name in (
        ".run.json.0123abcd.tmp",
        "measurements/.e_report.json.0123abcd.tmp",
        ".lock.0123abcd.tmp",
    ):
        (path / name).write_text("half")
    (path / ".hidden").write_text("kept")
    with opened(tmp_path):
        pass
    left = sorted(str(p.relative_to(path)) for p in path.rglob("*"))
    assert left == [".hidden", "digests.json", "measurements", "run.json"]


# --- several processes (they import runs only, no TensorFlow)


def _contend(root, rounds, ready, tried, results):
    """Tries to open each of some run directories at the same time as others."""
    for number in range(rounds):
        identity = resolve("fc_digits", smoke=True, seed=number)
        ready.wait(30)
        try:
            with runs.opened(root, identity):
                tried.wait(30)
                results.put((number, os.getpid(), "won"))
        except RunError as error:
            tried.wait(30)
            results.put((number, os.getpid(), str(error)))


@pytest.mark.parametrize("of_the_dead", [False, True], ids=["free", "dead"])
def test_of_several_processes_exactly_one_wins(tmp_path, of_the_dead):
    count, rounds = 3, 12
    if of_the_dead:
        pid = dead_pid()
        for number in range(rounds):
            lock = folder_of(
                tmp_path, resolve("fc_digits", smoke=True, seed=number)
            )
            (lock / "lock").mkdir(parents=True)
            owner = {"pid": pid, "host": socket.gethostname(), "token": "d"}
            (lock / "lock" / "owner.json").write_text(json.dumps(owner))
    context = multiprocessing.get_context("spawn")
    ready, tried = context.Barrier(count), context.Barrier(count)
    results = context.Queue()
    arguments = (str(tmp_path), rounds, ready, tried, results)
    workers = [
        context.Process(target=_contend, args=arguments) for _ in range(count)
    ]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=60) for _ in range(count * rounds)]
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    results.close()
    for number in range(rounds):
        here = [(pid, said) for n, pid, said in found if n == number]
        winners = [pid for pid, said in here if said == "won"]
        assert len(winners) == 1, here
        for _, said in here:
            if said != "won":
                assert f"in use by pid {winners[0]} on " in said
    left = [p for p in tmp_path.rglob("*") if p.name.startswith((".", "lock"))]
    assert left == []


_REWRITE = """
import json, os, random, signal, sys, time
import numpy as np
from ls_tf.records import files, runs
from ls_tf.records.record import read_record
from ls_tf.spec.resolve import resolve

# The power stays on: waits for the disk would only part the kills.
files.sync = lambda path: None
root, kills = sys.argv[1], int(sys.argv[2])
identity = resolve("fc_digits", smoke=True)
path = runs.Path(root) / identity.folder
rng = random.Random(0)


def rewrite(told):
    with runs.opened(root, identity) as directory:
        rows = runs.Record(path, {}).metrics()
        step = int(rows[-1]["step"]) if rows else 0
        directory.rewind(step)
        os.write(told, b".")
        while True:
            step += 1
            directory.log(step, {"train/loss": 1 / step, "train/nll": 2 / step})
            directory.update(step=step)
            directory.measure(
                "e", "report", split="test", step=step, count=step,
                scalars={"x": 1 / step}, arrays={"x": np.full(9, 1 / step)},
            )
            os.write(told, b".")


seen = {"run": 0, "metrics": 0, "measurement": 0}
for number in range(kills):
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            rewrite(told)
        finally:
            os._exit(1)
    # Past the opening, or some steps, however busy the machine is.
    for _ in range(number % 4):
        os.read(ready, 1)
    time.sleep(rng.uniform(0.0, 0.03))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(ready), os.close(told)
    record = read_record(path)
    if record is None:
        # The first of them, on a busy machine: before there is a record.
        assert seen["run"] == 0 and not (path / "run.json").exists()
        continue
    run = record.run
    rows = record.metrics()
    seen["run"] += run is not None and run["digest"] == identity.digest
    seen["metrics"] += bool(rows)
    for row in rows:
        assert row["train/loss"] == 1 / row["step"], row
    if (path / "measurements" / "e_report.json").exists():
        found = record.measurement("e", "report")
        assert found["scalars"] == {"x": 1 / found["step"]}
        # The arrays are written first: they are this step's or a later one's.
        x = record.arrays("e", "report")["x"]
        assert x.shape == (9,) and (x == x[0]).all(), x
        assert round(1 / x[0]) >= found["step"], (x, found)
        seen["measurement"] += 1
with runs.opened(root, identity):
    pass
left = [str(p) for p in path.iterdir() if p.name.startswith(".")]
assert left == [], left
print(json.dumps(seen))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_at_any_instant_leaves_a_readable_record(tmp_path):
    kills = 120
    done = subprocess.run(
        [sys.executable, "-c", _REWRITE, str(tmp_path), str(kills)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    # The kills fell where they tell something.
    assert seen["run"] > kills / 2
    assert seen["metrics"] > kills / 2
    assert seen["measurement"] > kills / 2


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
