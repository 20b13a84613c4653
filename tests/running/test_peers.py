"""Processes of a run meet, compare and miss each other; here as threads."""

import json
import socket
import threading
import time

import numpy as np
import pytest

from ls_tf import exit_codes
from ls_tf.running import agreement, connections, meeting, peers
from ls_tf.running.places import Place
from ls_tf.spec import SpecError


@pytest.fixture
def addresses():
    """Gives addresses of this machine that are free."""

    def addresses(number):
        sockets = [socket.socket() for _ in range(number)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        found = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
        for s in sockets:
            s.close()
        return found

    return addresses


@pytest.fixture
def ends(monkeypatch):
    """What would end the process, instead of it; closes what is left open."""
    ends = []
    made = []
    make = peers.Peers.__init__

    def noted(self, *args):
        made.append(self)
        make(self, *args)

    monkeypatch.setattr(peers.Peers, "__init__", noted)
    monkeypatch.setattr(peers, "_GRACE_SECONDS", 0.1)
    monkeypatch.setattr(peers, "_silence", lambda: None)
    monkeypatch.setattr(peers.os, "_exit", ends.append)
    yield ends
    for one in made:
        one.leave()
    for thread in threading.enumerate():
        if "_read" in thread.name:
            thread.join(5)


def together(calls):
    """Calls functions at one time; gives what each returned or raised."""
    results = [None] * len(calls)

    def call(index):
        try:
            results[index] = calls[index]()
        except Exception as error:
            results[index] = error

    threads = [
        threading.Thread(target=call, args=(i,)) for i in range(len(calls))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return results


def met(found, seconds=20.0):
    all_of = [peers.Peers(i, found) for i in range(len(found))]
    met = together([lambda p=p: p.meet(seconds) for p in all_of])
    assert met == [None] * len(found)
    return all_of


def test_a_loss_is_said_before_anybody_else_can_say_it(
    addresses, ends, monkeypatch
):
    chief, _ = met(addresses(2))
    known = []
    monkeypatch.setattr(peers.os, "write", lambda *_: known.append(chief.lost))
    chief._lose("worker 1 is lost")
    assert known[0] == ""  # later the other one says it too
    assert chief.lost == "worker 1 is lost"
    assert ends


def test_a_process_alone_meets_nobody():
    alone = peers.Peers()
    alone.meet(0.0)
    assert alone.gather({"a": 1}, lambda _: False) == [{"a": 1}]
    alone.leave()


def test_all_hear_what_each_says(addresses, ends):
    all_of = met(addresses(3))
    for turn in range(2):
        said = [{"turn": turn, "worker": i} for i in range(3)]
        heard = together(
            [
                lambda p=p, s=s: p.gather(s, lambda _: True)
                for p, s in zip(all_of, said, strict=True)
            ]
        )
        assert heard == [said] * 3
    for one in all_of:
        one.leave()
    time.sleep(0.3)
    assert [one.lost for one in all_of] == ["", "", ""]
    assert ends == []


def test_the_address_is_free_after_the_meeting(addresses, ends):
    found = addresses(2)
    all_of = met(found)
    port = int(found[0].rpartition(":")[2])
    with socket.create_server(("", port)):  # as the engine will
        pass
    for one in all_of:
        one.leave()


def test_who_differs_is_told_to_all(addresses, ends):
    all_of = met(addresses(3))
    about = [{"same": 1, "step": s, "source of a": s} for s in (0, 0, 4)]
    said = together(
        [
            lambda p=p, a=a: agreement.compare(p, lambda: a)
            for p, a in zip(all_of, about, strict=True)
        ]
    )
    for error, index, theirs, ours in zip(
        said, (2, 2, 0), (4, 4, 0), (0, 0, 4), strict=True
    ):
        assert isinstance(error, SpecError)
        assert str(error) == (
            f"{all_of[0].name(index)} does not do the same run: step: "
            f"{theirs} there, {ours} here"
        )
    for one in all_of:
        one.leave("refused")  # nobody is missed any more
    time.sleep(0.5)
    assert ends == []


@pytest.mark.parametrize("lost", [0, 2])
def test_a_lost_one_is_told_to_all(addresses, ends, capfd, lost):
    all_of = met(addresses(3))
    with all_of[1]._changed:
        all_of[lost]._is_closing = True  # a dead process says nothing
    all_of[lost]._meeting.close()
    told = []

    def wait(one):
        with one.watched(told.append):
            one.gather({}, lambda _: True)

    left = [one for one in all_of if one.index != lost]
    said = together([lambda p=p: wait(p) for p in left])
    for error in said:
        assert isinstance(error, connections.PeerError)
        assert str(error).startswith(f"{all_of[0].name(lost)} is lost (")
    assert told == [str(said[0])] * 2  # once each
    time.sleep(0.3)
    assert ends == [exit_codes.LOST] * 2
    lines = capfd.readouterr().err.splitlines()
    assert lines == [
        f"ls_tf: {said[0]}; the last checkpoint is intact",
    ] * len(lines)
    assert len(lines) == 2


def test_an_engine_that_waits_for_a_lost_one_is_ended(addresses, ends):
    one, other = met(addresses(2))
    told = []
    with pytest.raises(connections.PeerError), one.watched(told.append):
        with other._changed:
            other._is_closing = True
        other._meeting.close()
        until = time.monotonic() + 10
        while not ends and time.monotonic() < until:
            time.sleep(0.01)
        assert told == [one.lost]
        raise ZeroDivisionError
    assert ends == [exit_codes.LOST]
    assert len(told) == 1


def test_who_is_waited_for_is_said(addresses, capsys, monkeypatch):
    monkeypatch.setattr(connections, "SAY_SECONDS", 0.2)
    found = addresses(3)
    first, second = peers.Peers(0, found), peers.Peers(1, found)
    said = together([lambda: first.meet(1.0), lambda: second.meet(20.0)])
    absent = f"worker 2 at {found[2]}"
    for error in said:
        assert isinstance(error, connections.PeerError)
        assert str(error) == (
            f"{absent} did not come within 1 s (--worker_timeout)"
        )
    lines = capsys.readouterr().err.splitlines()
    assert f"ls_tf: waiting for {absent}, 1 s" in lines
    chief = peers.Peers(1, addresses(2))
    with pytest.raises(
        connections.PeerError, match="worker 0 at .* within 0.3 s"
    ):
        chief.meet(0.3)


def test_one_that_goes_during_the_meeting_may_come_again(addresses, ends):
    found = addresses(3)
    first = peers.Peers(0, found)

    gone = threading.Event()

    def second():
        hello = {"hello": 1, "workers": found}
        for _ in range(100):
            try:
                connections.connected(found[0], hello).close()
                break
            except OSError:
                time.sleep(0.02)
        gone.set()
        peers.Peers(1, found).meet(20.0)

    def third():
        assert gone.wait(20.0)
        peers.Peers(2, found).meet(20.0)

    assert together([lambda: first.meet(20.0), second, third]) == [None] * 3


def test_one_that_comes_again_before_its_end_was_seen_is_welcome(addresses):
    found = addresses(3)
    chief, missing = peers.Peers(0, found), {1, 2}
    hello = {"hello": 1, "workers": found}
    answers = []

    def twice():
        for _ in range(2):
            line = connections.connected(found[0], hello)
            answers.append(line.receive(5.0))
            line.close()

    with connections.listening(found[0], "TF_CONFIG") as server:
        thread = threading.Thread(target=twice)
        thread.start()
        until = time.monotonic() + 10
        while len(answers) < 2 and time.monotonic() < until:
            # Nobody is looked for in between.
            chief._meeting._accept(server, missing)
        thread.join(10)
    chief._meeting.close()
    assert answers == [{"welcome": True}] * 2
    assert missing == {2}


def test_other_workers_in_the_configuration_are_refused(addresses):
    found = addresses(2)
    said = together(
        [
            lambda: peers.Peers(0, found).meet(20.0),
            lambda: peers.Peers(1, [found[0], "other:1"]).meet(20.0),
        ]
    )
    for error in said:
        assert isinstance(error, SpecError)
        assert str(error).startswith("TF_CONFIG names the workers ['127")


def test_two_with_one_number_are_refused(addresses, ends):
    found = addresses(3)
    said = together(
        [
            lambda: peers.Peers(0, found).meet(3.0),
            lambda: peers.Peers(1, found).meet(20.0),
            lambda: peers.Peers(1, found).meet(20.0),
        ]
    )
    assert isinstance(said[0], connections.PeerError)
    kinds = sorted(type(error).__name__ for error in said[1:])
    assert kinds == ["PeerError", "SpecError"]
    (error,) = [e for e in said if isinstance(e, SpecError)]
    assert str(error) == f"TF_CONFIG: worker 1 at {found[1]} is there already"


def test_what_is_no_worker_is_passed_over(addresses, ends):
    found = addresses(2)
    port = int(found[0].rpartition(":")[2])

    def stranger():
        for message in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"[]\n",
            b"{}\n",
            b'{"hello": 1}\n',
            b'{"hello": 1, "reason": "none"}\n',
            b"[" * 100_000 + b"\n",
        ):
            for _ in range(100):
                try:
                    with socket.create_connection(("127.0.0.1", port)) as s:
                        s.sendall(message)
                    break
                except OSError:
                    time.sleep(0.02)
        peers.Peers(1, found).meet(20.0)

    said = together([lambda: peers.Peers(0, found).meet(20.0), stranger])
    assert said == [None, None]


@pytest.mark.parametrize("absent", [0, 1])
def test_one_that_will_not_come_says_so(addresses, absent):
    found = addresses(2)
    said = together(
        [
            lambda: meeting.tell_absence(
                Place(absent, tuple(found)), "no such flag", 20.0
            ),
            lambda: peers.Peers(1 - absent, found).meet(20.0),
        ]
    )
    assert said[0] is None
    assert isinstance(said[1], connections.PeerError)
    name = f"worker {absent} at {found[absent]}"
    assert str(said[1]) == f"{name} ended: no such flag"


def test_what_is_compared_of_the_data():
    class Task:
        total_steps = 2

        def __init__(self, image, order):
            self.resident = {"image": np.asarray(image, np.uint8)}
            self.order = order

        def plan(self, start, count):
            return {"index": np.asarray([self.order[start]])}

    one = agreement.about_data([Task([1, 2], [0, 1])])
    assert json.loads(json.dumps(one)) == one
    assert agreement.difference(one, dict(one)) is None
    for other, field in (
        (Task([1, 3], [0, 1]), "data 'image'"),
        (Task([1, 2], [0, 0]), "index of batch 1"),
    ):
        difference = agreement.difference(one, agreement.about_data([other]))
        assert difference.startswith(f"{field}: ")


def test_what_one_does_not_know_is_no_difference():
    mine = {"git commit": None, "source of a": "1", "version of b": "1"}
    theirs = {"git commit": "f", "source of c": "2", "version of b": "1"}
    assert agreement.difference(mine, theirs) is None
    del theirs["version of b"]
    assert agreement.difference(mine, theirs) == (
        "version of b: nothing there, 1 here"
    )
