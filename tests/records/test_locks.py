"""Locks: the dead lose theirs, the living never do without noticing."""

import contextlib
import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest
from etils import epath

from ls_tf.records import files, locks, processes
from ls_tf.records.locks import HeldError, LostError, locked

SPACE = "pid:[4026532000]"
# Of whom cannot be known from here whether it lives.
ELSEWHERE = {"namespace": SPACE, "machine": ""}


@pytest.fixture
def path(tmp_path):
    folder = epath.Path(tmp_path) / "run"
    folder.mkdir()
    return folder


def dead_pid():
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def hold(path, beat=None, **changes):
    """Makes a lock as another process would have left it."""
    lock = path / "lock"
    lock.mkdir(parents=True, exist_ok=True)
    owner = {**processes.this(), "since": "2020-01-02T03:04:05Z", "token": "t"}
    (lock / "owner.json").write_text(json.dumps({**owner, **changes}))
    if beat is not None:
        (lock / "beat.json").write_text(json.dumps({"count": beat}))
    return lock


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def assert_taken_over(path):
    assert locks.is_abandoned(path / "lock")
    with locked(path):
        assert locks.owner_of(path / "lock")["pid"] == os.getpid()
    assert names(path) == []


def assert_refused(path, *words):
    before = locks.owner_of(path / "lock")
    assert not locks.is_abandoned(path / "lock")
    with pytest.raises(HeldError) as caught, locked(path):
        pass
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 700
    for word in (*words, f"remove {path / 'lock'}"):
        assert word in text
    assert locks.owner_of(path / "lock") == before
    assert names(path) == ["lock"]


# --- who is provably dead


def test_a_dead_process_of_this_namespace_is_taken_over(path):
    hold(path, pid=dead_pid())
    assert_taken_over(path)
    boot, ticks = processes.state(os.getpid())[1].split(":")
    hold(path, process=f"{boot}:{int(ticks) - 1}")  # another had the number
    assert_taken_over(path)
    hold(path)
    assert_refused(path, f"in use by pid {os.getpid()} on ")


@pytest.mark.parametrize(
    "where",
    [
        {"namespace": "pid:[1]"},
        {"boot": "another"},
        {"boot": "another", "machine": ""},
        {"boot": "another", "machine": "another"},
        {"boot": "another", "host": "another"},
        {"boot": ""},
        {"boot": None, "machine": None},
        {"boot": [], "namespace": {"a": 1}},
    ],
    ids=str,
)
def test_what_cannot_be_known_is_refused(path, monkeypatch, where):
    monkeypatch.setattr(processes, "machine", lambda: "")
    hold(path, pid=dead_pid(), **where)
    assert_refused(path)


def test_a_machine_that_was_started_again_has_no_process_from_before(
    path, monkeypatch
):
    monkeypatch.setattr(processes, "machine", lambda: "this-machine")
    hold(path, boot="before")
    assert_taken_over(path)
    hold(path, boot="before", machine="another")
    assert_refused(path)


def test_a_container_has_no_id_of_its_machine(monkeypatch):
    processes.machine.cache_clear()
    monkeypatch.setattr(processes, "namespace", lambda: SPACE)
    assert processes.machine() == ""
    processes.machine.cache_clear()


def test_locks_of_older_programs_are_judged_by_host_and_number(
    path, monkeypatch
):
    old = dict.fromkeys(("boot", "namespace", "machine"))
    monkeypatch.setattr(processes, "namespace", lambda: "pid:[4026531836]")
    hold(path, pid=dead_pid(), **old)
    assert_taken_over(path)
    hold(path, pid=dead_pid(), host="elsewhere", **old)
    assert_refused(path, "on elsewhere")
    # In a container the number says nothing of another one's process.
    monkeypatch.setattr(processes, "namespace", lambda: SPACE)
    hold(path, pid=dead_pid(), **old)
    assert_refused(path)


def test_without_proc_of_this_namespace_numbers_alone_are_known(monkeypatch):
    monkeypatch.setattr(processes, "_text", lambda path: "7 (x) S" + " 1" * 30)
    assert processes.state(os.getpid()) == ("", "")
    assert processes._ended({"pid": dead_pid(), "process": "b:1"})
    assert not processes._ended({"pid": os.getpid(), "process": "b:1"})


_HOLDER = """
import signal, sys
from etils import epath
from ls_tf.records import locks
try:
    with locks.locked(epath.Path(sys.argv[1])):
        print("held", flush=True)
        signal.pause()
except locks.HeldError as error:
    print(error, flush=True)
"""


@contextlib.contextmanager
def in_a_container(path, *flags):
    """A process in a PID namespace of its own; gives what it says."""
    words = ["unshare", "--pid", "--fork", "--kill-child", *flags]
    if subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no namespaces may be made here")
    with subprocess.Popen(
        [*words, sys.executable, "-c", _HOLDER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("flags", [(), ("--mount-proc",)], ids=str)
def test_the_living_of_another_container_are_not_robbed(path, flags):
    with in_a_container(path, *flags) as said:
        assert said == "held"
        assert locks.owner_of(path / "lock")["host"] == processes.this()["host"]
        assert_refused(path)
        with in_a_container(path, *flags) as said_by_a_third:
            assert "in use by pid" in said_by_a_third
    # What became of it cannot be known from here.
    assert_refused(path)


@pytest.mark.parametrize("flags", [(), ("--mount-proc",)], ids=str)
def test_from_a_container_the_living_outside_are_not_robbed(path, flags):
    with locked(path):
        with in_a_container(path, *flags) as said:
            assert f"in use by pid {os.getpid()}" in said
        assert locks.owner_of(path / "lock")["pid"] == os.getpid()


# --- the lease


class Clock:
    """Time as a watch sees it."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        self.watch = locks._Watch()
        self.watch._clock = lambda: self.now
        monkeypatch.setattr(locks, "_watch", self.watch)

    def looks(self, lock, seconds, every=2.0):
        """Looks again and again for so long; gives what the last look says."""
        for _ in range(int(seconds / every)):
            self.now += every
            is_abandoned = locks.is_abandoned(lock)
        return is_abandoned


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.mark.parametrize("beat", [None, 7])
def test_who_does_not_renew_for_ten_minutes_is_taken_over(path, clock, beat):
    lock = hold(path, beat, **ELSEWHERE)
    assert not locks.is_abandoned(lock)
    assert not clock.looks(lock, 598)
    assert_refused(path, "if that process is gone")
    clock.now += 2
    assert_taken_over(path)


def test_who_renews_is_never_taken_over(path, clock):
    lock = hold(path, 0, **ELSEWHERE)
    for count in range(1, 100):
        assert not clock.looks(lock, 500, every=50)
        hold(path, count, **ELSEWHERE)
    assert not clock.looks(lock, 500, every=50)
    hold(path, 99, **ELSEWHERE, token="of the next")
    assert not clock.looks(lock, 500, every=50)


def test_a_watch_that_stood_still_itself_has_not_watched(path, clock):
    lock = hold(path, 0, **ELSEWHERE)
    assert not locks.is_abandoned(lock)
    for _ in range(9):
        clock.now += 1e6
        assert not locks.is_abandoned(lock)
    clock.now += 60
    assert locks.is_abandoned(lock)


def test_a_stopped_process_of_this_namespace_is_waited_for(path, clock):
    lock = hold(path, 0)
    assert not clock.looks(lock, 10_000, every=50)


@pytest.mark.parametrize(
    "owner", [{}, {"token": "t"}, {"namespace": "pid:[1]"}, {"token": ""}]
)
def test_what_never_renews_is_not_watched(path, clock, owner):
    lock = hold(path)
    (lock / "owner.json").write_text(json.dumps(owner))
    assert not clock.looks(lock, 10_000, every=50)


def waits(monkeypatch, clock, then=lambda: None):
    """Lets ``await_sign`` wait by the clock of the test; gives the waits."""
    waited = []

    def wait(seconds):
        waited.append(seconds)
        clock.now += seconds
        then()

    monkeypatch.setattr(locks.stopping, "wait", wait)
    return waited


def test_a_command_takes_over_who_gives_no_sign_of_life(
    path, clock, monkeypatch, capsys
):
    hold(path, 7, **ELSEWHERE, host="elsewhere")
    waited = waits(monkeypatch, clock)
    locks.await_sign(path)
    assert sum(waited) == pytest.approx(locks.LEASE_SECONDS, abs=3)
    assert capsys.readouterr().err.count("watching for a sign of life") == 1
    assert_taken_over(path)


def test_a_command_refuses_who_gives_a_sign_of_life(path, clock, monkeypatch):
    hold(path, 7, **ELSEWHERE, host="elsewhere")
    waited = waits(
        monkeypatch,
        clock,
        lambda: hold(path, 8, **ELSEWHERE, host="elsewhere"),
    )
    with pytest.raises(HeldError, match="on elsewhere"):
        locks.await_sign(path)
    assert len(waited) == 1


def test_a_command_goes_on_when_the_lock_is_let_go(path, clock, monkeypatch):
    lock = hold(path, 7, **ELSEWHERE, host="elsewhere")
    waited = waits(monkeypatch, clock, lambda: shutil.rmtree(lock))
    locks.await_sign(path)
    assert len(waited) == 1


@pytest.mark.parametrize("owner", [{}, {"token": "t"}])
def test_a_command_does_not_wait_for_who_never_renews(
    path, clock, monkeypatch, owner
):
    lock = hold(path)
    (lock / "owner.json").write_text(json.dumps(owner))
    waited = waits(monkeypatch, clock)
    with pytest.raises(HeldError):
        locks.await_sign(path)
    assert not waited


def test_an_owner_counts(path, monkeypatch):
    monkeypatch.setattr(locks, "_BEAT_SECONDS", 0.005)
    with locked(path):
        seen = set()
        deadline = time.monotonic() + 10
        while len(seen) < 3 and time.monotonic() < deadline:
            seen.add(locks._seen(path / "lock"))
        assert len(seen) == 3
        assert ", renewed 20" in locks.held(path / "lock")
    assert names(path) == []


def test_no_owner_counts_in_the_lock_of_another(path, monkeypatch):
    monkeypatch.setattr(locks, "_BEAT_SECONDS", 0.005)
    with locked(path):
        (path / "lock").rmtree()
        hold(path, 5, **ELSEWHERE)
        time.sleep(0.05)
        assert locks._fields(path / "lock" / "beat.json") == {"count": 5}
    assert names(path) == ["lock"]


# --- who lost its lock


def contents(path):
    return {
        str(file): file.read_bytes()
        for file in pathlib.Path(path).rglob("*")
        if file.is_file()
    }


def robbed(path):
    """Another process takes the lock over, as after ten minutes."""
    (path / "lock").rmtree()
    hold(path, 0, **ELSEWHERE, host="elsewhere")


WRITERS = {
    "a file": lambda path: files.write_bytes(path / "run.json", b"new"),
    "below": lambda path: files.write_bytes(path / "measurements/a", b"new"),
    "a folder": lambda path: files.write_folder(
        path / "checkpoints" / "step-1", {"a": b"new"}
    ),
    "more": lambda path: files.append(path / "metrics.csv", b"new"),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_who_lost_its_lock_writes_nothing_more(path, write):
    for name in ("run.json", "measurements/a", "checkpoints/step-1/a"):
        files.write_bytes(path / name, b"old")
    files.write_bytes(path / "metrics.csv", b"old")
    before = contents(path)
    assert len(before) == 4
    with locked(path):
        robbed(path)
        with pytest.raises(LostError) as caught:
            write(path)
    assert "\n" not in str(caught.value)
    assert "lost the lock of run directory" in str(caught.value)
    assert "and wrote nothing more: it is in use by" in str(caught.value)
    assert "on elsewhere" in str(caught.value)
    shutil.rmtree(path / "lock")
    assert contents(path) == before


def test_a_lock_that_was_removed_is_lost(path):
    with locked(path):
        files.write_bytes(path / "a", b"1")
        (path / "lock").rmtree()
        with pytest.raises(LostError, match="was removed while this process"):
            files.write_bytes(path / "a", b"2")
    assert (path / "a").read_bytes() == b"1"
    files.write_bytes(path / "a", b"3")  # nobody holds it any more


def test_other_directories_are_written_to(path):
    beside = path.parent / "run2"
    with locked(path):
        (path / "lock").rmtree()
        files.write_bytes(beside / "a", b"1")
    assert (beside / "a").read_bytes() == b"1"


# --- what may stand in a lock


@pytest.mark.parametrize(
    "token",
    [
        "../../out",
        "/tmp/out",
        "a/b",
        "..",
        "",
        "\0",
        "x" * 5000,
        "\ud800",
        7,
        None,
    ],
    ids=lambda token: repr(token)[:12],
)
def test_a_token_leads_nowhere(path, token):
    outside = sorted(pathlib.Path(path.parent).rglob("*"))
    hold(path, pid=dead_pid(), token=token)
    assert_taken_over(path)
    assert sorted(pathlib.Path(path.parent).rglob("*")) == outside


@pytest.mark.parametrize("large", ["token", "host", "pid"])
def test_a_lock_of_ten_megabytes_is_refused_in_one_line(path, large):
    hold(path, **{large: "x" * 10_000_000})
    assert locks.owner_of(path / "lock") == {}
    assert_refused(path, "an unknown process")


def test_words_of_a_lock_are_shown_in_one_line(path):
    hold(path, **ELSEWHERE, host="a\nb\r\x1b[31m" + "c" * 500, since=["\n"])
    assert_refused(path, "on a b")


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "\xff", "1e999", '{"pid":1e999}']
)
def test_a_lock_that_is_none_is_refused(path, text):
    lock = hold(path)
    (lock / "owner.json").write_bytes(text.encode("latin-1"))
    assert_refused(path)


@pytest.mark.parametrize("file", ["owner.json", "beat.json"])
def test_a_folder_in_place_of_a_file_is_refused(path, file):
    lock = hold(path, 0, **ELSEWHERE)
    (lock / file).unlink()
    (lock / file).mkdir()
    assert_refused(path)


# --- what the dead leave


def test_nothing_of_the_dead_stays_where_nobody_works(path):
    hold(path, pid=dead_pid())
    (path / "run.json").write_text("{}")
    (path / ".run.json.01234567.tmp").write_text("half")
    (path / f".lock.{'0' * 32}.tmp").mkdir()
    (path / "measurements").mkdir()
    (path / "measurements" / ".a.npz.01234567.tmp").write_text("half")
    locks.tidy(path)
    assert names(path) == ["measurements", "run.json"]
    assert names(path / "measurements") == []
    (path / f".lock.{'0' * 32}.tmp").mkdir()  # it let go and was killed
    locks.tidy(path)
    assert names(path) == ["measurements", "run.json"]
    hold(path)
    locks.tidy(path)
    assert (path / "lock").exists()


def test_a_late_burial_leaves_the_lock_of_the_living(path):
    """It saw a dead owner, which let go, and another took the lock since."""
    with locked(path):
        seen = locks._seen(path / "lock")
        locks._bury(path, ("of the dead", b""))
        assert locks._seen(path / "lock") == seen
        locks._bury(path, (seen[0], b"another count"))
        assert locks._seen(path / "lock") == seen


# --- many processes


def _hold_one(path, ready, tried, results):
    ready.wait(30)
    try:
        with locked(path):
            tried.wait(30)
            results.put("won")
    except HeldError as error:
        tried.wait(30)
        results.put(str(error))


def _race(target, count, *arguments):
    context = multiprocessing.get_context("fork")
    barriers = context.Barrier(count), context.Barrier(count)
    results = context.Queue()
    workers = [
        context.Process(target=target, args=(*arguments, *barriers, results))
        for _ in range(count)
    ]
    for worker in workers:
        worker.start()
    said = [results.get(timeout=60) for _ in range(count)]
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    return said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("of_the_dead", [False, True], ids=["free", "dead"])
def test_of_twenty_processes_one_wins(path, of_the_dead):
    for _ in range(3):
        if of_the_dead:
            hold(path, pid=dead_pid())
        said = _race(_hold_one, 20, path)
        assert said.count("won") == 1
        assert sum("in use by pid" in line for line in said) == 19
        assert names(path) == []


def _count(path, ready, tried, results):
    """Adds 1 to a number, under the lock."""
    files.sync = lambda path: None
    ready.wait(30)
    while True:
        try:
            with locked(path):
                number = int((path / "n").read_text())
                files.write_bytes(path / "n", str(number + 1).encode())
            break
        except HeldError:
            time.sleep(0.01)
        except LostError as error:
            results.put(str(error))
            return
    results.put("done")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_twenty_processes_take_turns(path):
    (path / "n").write_text("0")
    for number in range(1, 4):
        assert _race(_count, 20, path) == ["done"] * 20
        assert (path / "n").read_text() == str(20 * number)
    assert names(path) == ["n"]
