"""Processes of one run: killed, late, never there, or of another run.

Whatever becomes of one, each of the others ends within a minute, in one line
that says why, and the run that they made goes on later to the same weights.
"""

import contextlib
import json
import socket
import time

import numpy as np
import pytest
from command_line import arrays, said
from harness import FaultyLine, checkpoints_of

FLAGS = (
    "--experiment=fc_digits",
    "--strategy=multi_worker",
    "--set=model.options.hidden=16,16",
    "--set=train.global_batch_size=48",
    "--set=train.steps=400",
    "--set=train.log_every_steps=40",
    "--set=train.checkpoint_every_steps=40",
)
END_SECONDS = 60.0
ENGINES = ("tensorflow", "jax")
REFUSED, LOST = 2, 6


def _ports(number):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Workers:
    """The processes of one run on this machine."""

    def __init__(self, line, number, engine):
        self._line, self._flags = line, (*FLAGS, f"--engine={engine}")
        self._addresses = [f"127.0.0.1:{port}" for port in _ports(number)]
        self.processes = {}

    def start(self, index, *more, line=None):
        task = {"type": "worker", "index": index}
        cluster = {"worker": self._addresses}
        self.processes[index] = (line or self._line).begin(
            *self._flags,
            *more,
            TF_CONFIG=json.dumps({"cluster": cluster, "task": task}),
        )
        return self.processes[index]

    def start_all(self, *more):
        for index in range(len(self._addresses)):
            self.start(index, *more)
        return self

    def ended(self, seconds=240.0):
        """Exit code and lines of errors of each."""
        until = time.monotonic() + seconds
        try:
            for process in self.processes.values():
                process.wait(max(until - time.monotonic(), 0.1))
        finally:
            for process in self.processes.values():
                process.send_signal(9)
        return {
            index: (process.returncode, process.communicate()[1].splitlines())
            for index, process in self.processes.items()
        }


def _finished(line, number, engine):
    workers = Workers(line, number, engine).start_all()
    for code, err in workers.ended().values():
        assert code == 0, err


def _weights(line):
    (folder,) = line.runs.glob("*/*/seed=0")
    return arrays(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights of an unbroken run, by engine and number of processes."""
    made = {}

    def of(number, engine):
        if (number, engine) not in made:
            folder = tmp_path_factory.mktemp(f"workers{number}{engine}")
            line = FaultyLine(folder / "whole")
            _finished(line, number, engine)
            made[number, engine] = _weights(line)
        return made[number, engine]

    return of


def _assert_close(a, b):
    assert a.keys() == b.keys()
    for name in a:
        # Sums over processes may be added in another order.
        np.testing.assert_allclose(a[name], b[name], rtol=0, atol=1e-6)


def _one_line(err, *words):
    assert not any("Traceback" in text for text in err), err
    lines = [
        text
        for text in said(err)
        if not any(w in text for w in ("waiting", "again to stop"))
    ]
    assert len(lines) == 1, err
    for word in words:
        assert word in lines[0], lines[0]


def killed(line, number, engine, whole):
    """The last one is killed in the middle; all go on later."""
    workers = Workers(line, number, engine).start_all()
    until = time.monotonic() + 120
    while not checkpoints_of(line.runs):
        assert time.monotonic() < until
        assert all(p.poll() is None for p in workers.processes.values())
        time.sleep(0.02)
    workers.processes[number - 1].send_signal(9)
    began = time.monotonic()
    ended = workers.ended(END_SECONDS)
    took = time.monotonic() - began
    assert ended.pop(number - 1)[0] == -9
    for code, err in ended.values():
        assert code == LOST, (code, err)
        _one_line(err, f"worker {number - 1}")
    _finished(line, number, engine)
    _assert_close(_weights(line), whole(number, engine))
    return took


def late(line, number, engine, whole):
    """The last one comes after the others have waited for a while."""
    workers = Workers(line, number, engine)
    for index in range(number - 1):
        workers.start(index)
    time.sleep(8.0)
    began = time.monotonic()
    workers.start(number - 1)
    for code, err in workers.ended().values():
        assert code == 0, err
    _assert_close(_weights(line), whole(number, engine))
    return time.monotonic() - began


def never_there(line, number, engine, whole):
    """The last one never comes; nothing is written."""
    workers = Workers(line, number, engine)
    began = time.monotonic()
    for index in range(number - 1):
        workers.start(index, "--worker_timeout=5")
    for code, err in workers.ended(END_SECONDS).values():
        assert code == LOST, (code, err)
        _one_line(err, f"worker {number - 1}")
    assert not list(line.runs.glob("*/*/seed=0/run.json"))
    return time.monotonic() - began


def _refused(line, number, engine, *other, to=None):
    """The last one does another run; all say so in one line."""
    workers = Workers(line, number, engine)
    began = time.monotonic()
    for index in range(number - 1):
        workers.start(index)
    workers.start(number - 1, *other, line=to)
    for code, err in workers.ended(END_SECONDS).values():
        assert code in (REFUSED, LOST), (code, err)
        _one_line(err)
    return time.monotonic() - began


def of_another_spec(line, number, engine, whole):
    """The last one has another alpha."""
    took = _refused(line, number, engine, "--alpha=0.3")
    assert not list(line.runs.glob("*/*/seed=0/run.json"))
    return took


def of_other_steps(line, number, engine, whole):
    """The last one trains less."""
    took = _refused(line, number, engine, "--set=train.steps=200")
    assert not list(line.runs.glob("*/*/seed=0/run.json"))
    return took


def in_another_folder(line, number, engine, whole):
    """On going on, the last one looks for checkpoints elsewhere."""
    workers = Workers(line, number, engine).start_all()
    while not checkpoints_of(line.runs):
        time.sleep(0.02)
    for process in workers.processes.values():
        process.send_signal(9)
    workers.ended(END_SECONDS)
    elsewhere = FaultyLine(line.folder / "elsewhere")
    took = _refused(line, number, engine, to=elsewhere)
    _finished(line, number, engine)
    _assert_close(_weights(line), whole(number, engine))
    return took


CASES = (
    *(killed, late, never_there),
    *(of_another_spec, of_other_steps, in_another_folder),
)


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", [2, 4])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.xdist_group("workers")
def test_one_of_several(line, whole, figures, case, number, engine):
    seconds = case(line, number, engine, whole)
    name = case.__name__.replace("_", " ")
    what = f"{engine}, {number} processes, one {name}"
    figures(what, ended=round(seconds, 1))


@pytest.mark.xdist_group("workers")
@pytest.mark.parametrize("engine", ENGINES)
def test_one_of_two_of_another_spec(line, whole, engine):
    of_another_spec(line, 2, engine, whole)
