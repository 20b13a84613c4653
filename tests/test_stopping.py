"""Signals ask to stop: they are noted, answered and looked for."""

import ctypes
import gc
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref

import programs
import pytest

from ls_tf import exit_codes, stopping
from ls_tf.stopping import StoppedError, limits, requests

COMMAND_LINE = programs.ROOT / "run_experiment.py"


def send(number):
    os.kill(os.getpid(), number)


@pytest.fixture
def heard():
    with stopping.listening():
        yield


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_signal_is_noted_and_raised_by_a_look(heard, number):
    stopping.look()
    assert not stopping.requested()
    send(number)
    assert stopping.requested()
    with pytest.raises(StoppedError):
        stopping.look()


def test_the_handlers_of_before_come_back():
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    with stopping.listening():
        with stopping.listening(program=True):
            pass
        send(signal.SIGTERM)  # still heard
        assert stopping.requested()
    assert [signal.getsignal(n) for n in stopping.SIGNALS] == before
    assert not stopping.requested()


@pytest.mark.parametrize("how", ["importing", "listening"])
def test_a_handler_that_a_library_sets_does_not_stay(heard, how):
    taken = []
    action = ctypes.CFUNCTYPE(None, ctypes.c_int)(taken.append)
    with stopping.importing("a library"):
        # Python is not told.
        ctypes.CDLL(None).signal(signal.SIGTERM, action)
        if how == "listening":
            with stopping.listening():
                send(signal.SIGTERM)
                assert stopping.requested()
                requests.noted.number = 0
    send(signal.SIGTERM)
    assert stopping.requested()
    assert not taken


class Cycle:
    """What the collector deletes, and what asks to stop as it does."""

    def __init__(self):
        self.itself = self

    def __del__(self):
        send(signal.SIGINT)


def test_no_signal_is_lost_where_nothing_can_be_raised(heard):
    Cycle()
    gc.collect()
    assert stopping.requested()


def test_nor_in_a_callback_of_a_weak_reference(heard):
    kept = {1, 2}
    watched = weakref.ref(kept, lambda _: send(signal.SIGTERM))
    del kept
    assert watched() is None
    assert stopping.requested()


def test_an_error_handler_does_not_take_it_for_an_error(heard):
    stopping.request()
    with pytest.raises(StoppedError):
        try:
            stopping.look()
        except Exception:
            pytest.fail("it is no Exception")


def test_a_second_signal_is_for_the_handler_that_was_there(monkeypatch):
    monkeypatch.setattr(requests, "SAME_SECONDS", 0.0)
    taken = []
    before = signal.signal(signal.SIGTERM, lambda *_: taken.append(1))
    try:
        with stopping.listening():
            send(signal.SIGTERM)
            assert not taken
            send(signal.SIGTERM)
            assert taken == [1]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_repeat_at_once_is_the_same_request(heard):
    send(signal.SIGINT)
    send(signal.SIGINT)  # else KeyboardInterrupt, by the handler of before
    assert stopping.requested()


def test_what_is_ignored_stays_so_but_for_sigint():
    numbers = (signal.SIGHUP, signal.SIGINT)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        with stopping.listening():
            send(signal.SIGHUP)
            assert not stopping.requested()
            send(signal.SIGINT)
            assert stopping.requested()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_what_must_be_done_to_the_end_is(heard):
    stopping.request()
    with stopping.deferred(), stopping.doing("saving"):
        stopping.look()
    with pytest.raises(StoppedError), stopping.doing("the next"):
        pytest.fail("nothing begins after a request")


def test_a_wait_ends_at_once(heard):
    began = time.monotonic()
    timer = threading.Timer(0.1, send, [signal.SIGTERM])
    timer.start()
    with pytest.raises(StoppedError):
        stopping.wait(60)
    assert time.monotonic() - began < 5
    timer.join()


def test_input_is_waited_for_until_it_comes_or_a_stop(heard):
    ours, theirs = os.pipe()
    try:
        assert not stopping.readable(ours, 0)
        assert not stopping.readable(ours, 0.01)
        os.write(theirs, b"x")
        assert stopping.readable(ours)
        os.read(ours, 1)
        timer = threading.Timer(0.05, send, [signal.SIGHUP])
        timer.start()
        with pytest.raises(StoppedError):
            stopping.readable(ours)
        timer.join()
    finally:
        os.close(theirs)
        # The end of the input can be read.
        with stopping.deferred():
            assert stopping.readable(ours)
        os.close(ours)


def test_imports_look(heard, monkeypatch, tmp_path):
    (tmp_path / "slow_library.py").write_text(
        "from ls_tf import stopping\n"
        "stopping.request()\n"
        "try:\n"
        "    import wave\n"
        "except BaseException as error:\n"
        "    raise ImportError('initialization failed') from error\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    before = list(sys.meta_path)
    with pytest.raises(StoppedError), stopping.importing("a library"):
        import slow_library  # noqa: F401
    assert sys.meta_path == before


def test_a_missing_library_is_no_request_to_stop(heard):
    with pytest.raises(ImportError), stopping.importing("a library"):
        import no_such_library  # noqa: F401


def test_in_another_thread_nothing_is_installed():
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    seen = []

    def work():
        with stopping.listening(program=True):
            seen.extend(signal.getsignal(n) for n in stopping.SIGNALS)
            stopping.request()
            seen.append(stopping.requested())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [*before, True]


def test_a_long_call_of_a_library_is_left_to_itself(heard):
    assert stopping.aside(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        stopping.aside(lambda: 1 // 0)
    assert not stopping.is_abandoned()
    go_on = threading.Event()
    timer = threading.Timer(0.05, send, [signal.SIGTERM])
    timer.start()
    try:
        with pytest.raises(StoppedError):
            stopping.aside(lambda: go_on.wait(60))
        assert stopping.is_abandoned()
    finally:
        go_on.set()
        timer.join()


def test_a_time_limit_asks_to_stop_and_says_how_to_go_on(heard):
    assert stopping.left() == float("inf")
    stopping.refuse(1e9, "a call takes {}")
    stopping.limit(0.05, "python it.py")
    assert 0 < stopping.left() <= 0.05
    with pytest.raises(StoppedError):
        stopping.wait(60)
    assert stopping.farewell() == (
        "stopped; the state is saved; go on with: python it.py"
    )


def test_a_signal_before_a_time_limit_is_said_as_such(heard):
    stopping.limit(60, "python it.py")
    send(signal.SIGTERM)
    assert "the same command" in stopping.farewell()


def test_what_would_last_beyond_a_time_limit_is_not_begun(heard, capfd):
    stopping.limit(30, "python it.py")
    stopping.refuse(20, "a call takes {}")
    stopping.refuse(33, "a call takes {}", late=5)
    with pytest.raises(StoppedError):
        stopping.refuse(40, "a call takes {}", late=5)
    assert capfd.readouterr().err == (
        "ls_tf: 30 s are left of the time limit of 0.5 min, a call takes 40 "
        "s: stopping\n"
    )
    assert "python it.py" in stopping.farewell()


def test_more_than_an_hour_is_said_in_hours(heard, capfd):
    stopping.limit(5400, "python it.py")
    with pytest.raises(StoppedError):
        stopping.refuse(7500, "a run takes {} to its first steps")
    assert capfd.readouterr().err == (
        "ls_tf: 1 h 30 min are left of the time limit of 1 h 30 min, a run "
        "takes 2 h 05 min to its first steps: stopping\n"
    )


def test_a_time_limit_ends_with_what_it_was_for(monkeypatch):
    monkeypatch.setattr(os, "_exit", lambda code: pytest.fail("it has ended"))
    monkeypatch.setattr(limits, "PATIENCE_SECONDS", 0.0)
    with stopping.listening():
        stopping.limit(0.02, "python it.py")
    time.sleep(0.1)
    assert not stopping.requested()
    assert stopping.left() == float("inf")


# --- The process's own: a watch, and a second signal --------------------------

PROGRAM = """
import os, sys, time
from ls_tf import stopping
with stopping.listening(program=True):
    with stopping.doing("counting"):
        os.write(1, b"ready")
        {body}
"""
# One call that runs no Python and so no handler, as a compiled one.
DEAF = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"


class Program:
    def __init__(self, body, **options):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(body=body)],
            stdout=subprocess.PIPE,
            stderr=options.pop("stderr", subprocess.PIPE),
            **options,
        )
        assert self.process.stdout.read(5) == b"ready"

    def send(self, number):
        self.process.send_signal(number)

    def line(self, seconds=1.0):
        """The next line of standard error, if it comes in time."""
        if not select.select([self.process.stderr], [], [], seconds)[0]:
            return None
        return self.process.stderr.readline().decode()


@pytest.fixture
def program():
    programs = []

    def start(body, **options):
        programs.append(Program(body, **options))
        return programs[-1]

    yield start
    for started in programs:
        with started.process as process:
            process.kill()


STOPPING = "ls_tf: stopping after counting; again to stop at once\n"
LIMIT = "the time limit of 0.00166667 min"


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_deaf_call_is_told_of_and_ended_by_the_second(program, number):
    deaf = program(DEAF)
    deaf.send(number)
    assert deaf.line() == STOPPING
    assert deaf.process.poll() is None
    time.sleep(2 * requests.SAME_SECONDS)
    deaf.send(signal.SIGTERM)
    assert deaf.process.wait(5) == exit_codes.STOPPED
    assert deaf.line() == (
        "ls_tf: stopped at once; the last checkpoint is intact, the same "
        "command resumes\n"
    )


def test_a_deaf_call_is_ended_behind_a_time_limit(program):
    deaf = program(
        "stopping.limits.PATIENCE_SECONDS = 0.1\n"
        f"        stopping.limit(0.1, 'python it.py'); {DEAF}"
    )
    assert deaf.line() == (f"ls_tf: {LIMIT} is over: stopping after counting\n")
    assert deaf.process.wait(5) == exit_codes.STOPPED
    assert deaf.line() == (
        f"ls_tf: {LIMIT} is over: stopped at once; the last checkpoint is "
        "intact; go on with: python it.py\n"
    )


def test_a_time_limit_waits_until_the_state_is_saved(program):
    saves = program(
        "stopping.limits.PATIENCE_SECONDS = 0.05\n"
        "        stopping.limit(0.01, 'python it.py')\n"
        "        with stopping.saving(): time.sleep(0.8)\n"
        "        os._exit(7)"
    )
    assert saves.process.wait(5) == 7


def test_two_signals_at_once_are_one(program):
    deaf = program(DEAF)
    deaf.send(signal.SIGHUP)
    deaf.send(signal.SIGTERM)
    assert deaf.line() == STOPPING
    assert deaf.line(2 * requests.SAME_SECONDS) is None
    assert deaf.process.poll() is None


@pytest.mark.parametrize("reader", ["gone", "closed", "asleep"])
def test_the_answer_needs_no_reader(program, reader):
    ours, theirs = os.pipe()
    if reader == "asleep":  # and the pipe is full
        os.set_blocking(theirs, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(theirs, b"x" * 4096)
        os.set_blocking(theirs, True)
    if reader == "gone":
        os.close(ours)
    body = f"os.close(2); {DEAF}" if reader == "closed" else DEAF
    deaf = program(body, stderr=theirs)
    os.close(theirs)
    deaf.send(signal.SIGINT)
    time.sleep(2 * requests.SAME_SECONDS)
    deaf.send(signal.SIGINT)
    assert deaf.process.wait(5) == exit_codes.STOPPED
    if reader != "gone":
        os.close(ours)


def test_a_turned_away_standard_error_is_no_hindrance(program):
    deaf = program(
        "os.dup2(os.open(os.devnull, os.O_WRONLY), 2); "
        f"os.write(1, b'turned'); {DEAF}"
    )
    assert deaf.process.stdout.read(6) == b"turned"
    deaf.send(signal.SIGINT)
    assert deaf.line() == STOPPING


def test_a_late_signal_does_not_disturb_the_end(program):
    late = program(
        "pass\n"
        "with stopping.listening(program=True, last=True):\n"
        "    pass\n"
        "for number in stopping.SIGNALS: os.kill(os.getpid(), number)\n"
        "sys.exit(0)"
    )
    assert late.process.wait(5) == 0


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_signal_while_python_ends_does_not_disturb_it_either(number):
    # Globals of modules go after Python has taken its handlers away.
    code = (
        "import os\n"
        "from ls_tf import stopping\n"
        "class Late:\n"
        f"    def __del__(self, kill=os.kill, pid=os.getpid()):\n"
        f"        kill(pid, {int(number)})\n"
        "        print('ended', flush=True)\n"
        "with stopping.listening(program=True, last=True):\n"
        "    late = Late()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


def test_a_signal_before_the_program_is_loaded_is_noted():
    # Sent as the command line begins to be imported.
    code = (
        "import os, runpy, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'ls_tf.cli':\n"
        "            sys.meta_path.remove(self)\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        f"sys.argv = [{str(COMMAND_LINE)!r}, '--experiment=fc_digits', "
        "'--mode=print']\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.returncode == exit_codes.STOPPED, done.stderr
    assert done.stderr.splitlines() == [
        "ls_tf: stopping after the present work; again to stop at once",
        "ls_tf: stopped; the state is saved and the same command resumes",
    ]
    assert not done.stdout
