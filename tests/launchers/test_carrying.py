"""The child of a job: its exit code, its signals, its parent's death."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from ls_tf.launchers.carrying import Carrier

ROOT = pathlib.Path(__file__).parents[2]
# Says what it is, and ends with 3 after one SIGINT.
LISTENER = """\
import json, os, signal, sys, time
numbers = []
signal.signal(signal.SIGINT, lambda n, f: numbers.append(n))
facts = {
    "session": os.getsid(0) == os.getpid(),
    "ignored": [n for n in range(1, 30)
                if signal.getsignal(n) == signal.SIG_IGN],
    "blocked": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
    "x": os.environ.get("LAUNCHED"), "y": os.environ.get("TAKEN_AWAY"),
    "folder": os.getcwd(), "parent": os.getppid(), "pid": os.getpid(),
}
with open(sys.argv[1] + ".new", "w") as file:
    json.dump(facts, file)
os.rename(sys.argv[1] + ".new", sys.argv[1])
while not numbers:
    time.sleep(0.01)
time.sleep(0.3)
sys.exit(3 if len(numbers) == 1 else 9)
"""


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def carrier(tmp_path):
    (tmp_path / "listener.py").write_text(LISTENER)
    words = (str(tmp_path / "listener.py"), str(tmp_path / "facts"))
    return Carrier(words, str(tmp_path), {"LAUNCHED": "1", "TAKEN_AWAY": None})


def test_the_exit_code_is_known(tmp_path):
    for code, words in [(0, "0"), (2, "2")]:
        found = Carrier(("-c", f"raise SystemExit({words})"), "/", {})()
        assert found == code
    kill = "import os; os.kill(os.getpid(), 9)"
    # A folder that is not there is no reason to fail.
    assert Carrier(("-c", kill), str(tmp_path / "gone"), {})() == -9


def test_a_child_is_alone_with_its_signals(tmp_path, carrier, monkeypatch):
    monkeypatch.setenv("TAKEN_AWAY", "1")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        process = carrier.started()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    until((tmp_path / "facts").exists)
    facts = json.loads((tmp_path / "facts").read_text())
    assert facts["session"] and facts["blocked"] == []
    assert (facts["x"], facts["y"]) == ("1", None)
    assert facts["folder"] == str(tmp_path)
    assert int(signal.SIGUSR2) in facts["ignored"]
    assert int(signal.SIGTERM) not in facts["ignored"]
    os.kill(facts["pid"], signal.SIGUSR2)
    process.tell()
    time.sleep(0.1)  # else it would be one signal
    process.tell()
    assert process.wait() == 3


PARENT = """\
import sys
sys.path.insert(0, {root!r})
from ls_tf.launchers.carrying import Carrier
sys.exit(Carrier({words!r}, "/", {{}})())
"""


def parent(carrier):
    source = PARENT.format(root=str(ROOT), words=carrier.words)
    return subprocess.Popen([sys.executable, "-c", source])


def test_a_sigterm_is_passed_on_once(tmp_path, carrier):
    process = parent(carrier)
    until((tmp_path / "facts").exists)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)  # else it would be one signal
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 3


def test_a_child_is_asked_to_stop_when_its_parent_dies(tmp_path, carrier):
    process = parent(carrier)
    until((tmp_path / "facts").exists)
    facts = json.loads((tmp_path / "facts").read_text())
    assert facts["parent"] == process.pid
    process.kill()
    process.wait(30)

    def is_gone():
        try:
            with open(f"/proc/{facts['pid']}/stat") as file:
                return file.read().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    until(is_gone)


def test_a_checkpoint_stops_the_child_and_names_the_job(tmp_path, carrier):
    pytest.importorskip("submitit")
    process = carrier.started()
    until((tmp_path / "facts").exists)
    again = carrier.checkpoint()
    assert process.wait() == 3
    assert again.function == carrier and again.args == ()
