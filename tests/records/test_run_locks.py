"""Who may write a record: the locks of run directories."""

import contextlib
import json
import multiprocessing
import os
import socket
import subprocess
import time

import pytest
from run_folders import (
    IDENTITY,
    assert_refused,
    folder_of,
    make_finished,
    opened,
)

from ls_tf.records import locks, processes, runs
from ls_tf.records.runs import RunError
from ls_tf.spec.resolve import resolve


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
