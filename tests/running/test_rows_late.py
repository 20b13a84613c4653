"""The host waits for a call's rows when the devices have the next call."""

import contextlib
import dataclasses
import json

import numpy as np
import pytest

from ls_tf import stopping
from ls_tf.running import loop
from ls_tf.running.run import Run
from ls_tf.spec.resolve import RunIdentity, resolve
from ls_tf.stopping import StoppedError
from ls_tf.training import checkpoints
from ls_tf.training.engine import Underway

FACTS = {"git": None, "command": []}
STEPS = 24


class Task:
    logged = ("loss",)
    total_steps = STEPS
    data_used = {}

    def __init__(self, spec):
        self.spec = spec

    def plan(self, start, count):
        return {"index": np.arange(start, start + count)[:, None] * 10}

    def epoch(self, step):
        return step / 4


class Device:
    """Works on calls by itself; its state is the step that it will reach."""

    num_workers = 1
    runs_ahead = True

    def __init__(self, losses, tasks, *, breaks_at=None, stops_at=None):
        self.losses = [np.array(one, np.float32) for one in losses]
        self.events, self.reached = [], 0
        self.breaks_at, self.stops_at = breaks_at, stops_at
        self.networks = [Network(self, task) for task in tasks]

    def agree(self, stop, count):
        return stop, count

    def begin(self, start, count):
        number = sum(e.startswith("begin") for e in self.events)
        if number == self.breaks_at:
            raise RuntimeError("the device is lost")
        if number == self.stops_at:
            raise StoppedError  # as within the compiling of another shape
        assert start == self.reached
        self.events.append(f"begin {number}")
        self.reached = start + count

        def logs():
            self.events.append(f"wait {number}")
            return [{"loss": v[start : start + count]} for v in self.losses]

        return Underway(count, logs)


class Network:
    def __init__(self, device, task):
        self.device, self.task = device, task

    def state(self):
        self.device.events.append(f"state {self.device.reached}")
        return {"model/0000/kernel": np.float32([self.device.reached])}


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Trains runs on a device whose calls are of two steps at most."""
    monkeypatch.setattr(loop, "max_chunk", lambda spec: 2)

    def train(*losses, checkpoint_every=100, error=None, **how):
        changes = {"train.steps": STEPS, "train.log_every_steps": 2}
        changes["train.checkpoint_every_steps"] = checkpoint_every
        together = []
        with contextlib.ExitStack() as records:
            for seed in range(len(losses)):
                spec = resolve("fc_digits", changed=changes, seed=seed).spec
                spec = dataclasses.replace(spec, evaluators=())
                identity = RunIdentity("fc_digits", spec, {}, False)
                together.append((identity, Task(spec)))
            device = Device(losses, [task for _, task in together], **how)
            members = [
                Run(identity, network, str(tmp_path))
                for (identity, _), network in zip(
                    together, device.networks, strict=True
                )
            ]
            if error is not None:
                records.enter_context(pytest.raises(error))
            for run in members:
                records.enter_context(run.opened(FACTS))
                run.begin()
            loop.train(device, members, "title")
        return device, members

    return train


def rows(run):
    file = run.checkpoint_folder.parent / "metrics.csv"
    if not file.exists():
        return []
    head, *lines = file.read_text().splitlines()
    place = head.split(",").index("train/loss")
    return [
        (int(cells[0]), float(cells[place]))
        for cells in (line.split(",") for line in lines)
    ]


def outcome(run):
    about = json.loads((run.checkpoint_folder.parent / "run.json").read_text())
    return about["outcome"]


def means(until):
    """Of each two steps whose losses are their numbers."""
    return [(step, step - 1.5) for step in range(2, until + 1, 2)]


def test_the_next_call_is_given_before_the_rows_are_waited_for(trained):
    device, (run,) = trained(range(STEPS))
    begun = sum(e.startswith("begin") for e in device.events)
    # The first call alone, which compiles; of the others each has the next
    # one behind it when it is waited for, but for the last.
    assert device.events == [
        *("begin 0", "wait 0", "begin 1"),
        *(
            event
            for k in range(1, begun - 1)
            for event in (f"begin {k + 1}", f"wait {k}")
        ),
        *(f"wait {begun - 1}", f"state {STEPS}"),
    ]
    assert begun >= STEPS / 2
    assert rows(run) == means(STEPS)


def test_a_state_is_saved_with_nothing_under_way(trained):
    device, (run,) = trained(range(STEPS), checkpoint_every=8)
    events = device.events
    for place in (i for i, e in enumerate(events) if e.startswith("state")):
        begun = [e for e in events[:place] if e.startswith("begin")]
        waited = [e for e in events[:place] if e.startswith("wait")]
        assert len(begun) == len(waited)
    for step in (8, 16, 24):
        assert f"state {step}" in events
        if step in checkpoints.steps(run.checkpoint_folder):
            saved = checkpoints.read(run.checkpoint_folder, step)
            assert saved.arrays["model/0000/kernel"] == step
    assert rows(run) == means(STEPS)


@pytest.mark.parametrize("bad", [1, 2, 7, 8, 11, 23])
def test_a_loss_that_is_no_number_ends_it_one_call_late(trained, bad):
    losses = np.arange(STEPS, dtype=np.float32)
    losses[bad] = np.nan
    device, (run,) = trained(losses, checkpoint_every=8)
    assert run.failure == (
        f"the loss of step {bad} is nan; examples {bad * 10}; last finite "
        f"loss {bad - 1}"
    )
    assert outcome(run) == "failed"
    # Steps were made behind it, and nothing is saved of them.
    assert device.reached <= bad + 4
    kept = checkpoints.steps(run.checkpoint_folder)
    assert kept == [step for step in (8, 16) if step <= bad]
    assert rows(run) == means(bad - bad % 2)


def test_of_a_stack_the_others_go_on(trained):
    losses = np.tile(np.arange(STEPS, dtype=np.float32), (2, 1))
    losses[0, 11] = np.inf
    device, (failed, other) = trained(*losses, checkpoint_every=8)
    assert failed.failure.startswith("the loss of step 11 is inf")
    assert not other.failure and other.step == STEPS
    assert rows(failed) == means(10)
    assert rows(other) == means(STEPS)
    assert checkpoints.steps(failed.checkpoint_folder) == [8]
    assert 24 in checkpoints.steps(other.checkpoint_folder)


@pytest.mark.parametrize("number", [1, 2, 5, 6])
def test_a_stop_takes_what_is_under_way(trained, number):
    device, (run,) = trained(range(STEPS), stops_at=number, error=StoppedError)
    assert (outcome(run), run.step) == ("stopped", device.reached)
    assert rows(run) == means(run.step - run.step % 2)
    (step,) = checkpoints.steps(run.checkpoint_folder)
    saved = checkpoints.read(run.checkpoint_folder, step)
    assert step == saved.arrays["model/0000/kernel"] == device.reached
    assert len(saved.arrays["pending/loss"]) == step % 2


def test_a_signal_stops_it_with_all_rows(trained, monkeypatch):
    begin = Device.begin

    def begun(device, start, count):
        if start >= 10:
            stopping.request()
        return begin(device, start, count)

    monkeypatch.setattr(Device, "begin", begun)
    with stopping.listening():
        device, (run,) = trained(range(STEPS), error=StoppedError)
    assert 10 < run.step == device.reached < STEPS
    assert rows(run) == means(run.step - run.step % 2)


@pytest.mark.parametrize("number", [1, 2, 5, 6])
def test_an_error_loses_no_row_that_was_computed(trained, number):
    device, (run,) = trained(range(STEPS), breaks_at=number, error=RuntimeError)
    assert run.step == device.reached
    assert rows(run) == means(run.step - run.step % 2)
    assert checkpoints.steps(run.checkpoint_folder) == []


def test_several_processes_agree_before_each_call(trained, monkeypatch):
    monkeypatch.setattr(Device, "num_workers", 2)
    monkeypatch.setattr(Device, "runs_ahead", False)
    device, (run,) = trained(range(STEPS))
    steps = [e for e in device.events if not e.startswith("state")]
    assert steps == [
        event
        for k in range(len(steps) // 2)
        for event in (f"begin {k}", f"wait {k}")
    ]
    assert rows(run) == means(STEPS)
