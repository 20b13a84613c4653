"""A run's books: rows, measurements, failure, record; no engine is needed."""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import shutil
import tempfile
import types

import numpy as np
import pytest
from kills import Kill, KilledError

from ls_tf import stopping
from ls_tf.measuring import measure
from ls_tf.pipeline.contract import DataError
from ls_tf.pipeline.usage import LeftOut, Usage
from ls_tf.records import runs
from ls_tf.running import loop
from ls_tf.running.run import Run
from ls_tf.spec import EvaluatorSpec
from ls_tf.spec.resolve import RunIdentity, resolve
from ls_tf.stopping import StoppedError
from ls_tf.training import checkpoints
from ls_tf.training.engine import Underway

CHANGES = {
    "train.steps": 6,
    "train.log_every_steps": 2,
    "train.checkpoint_every_steps": 4,
}
MEASURED = tuple(
    EvaluatorSpec("classification", role, every_steps=3)
    for role in ("report", "train")
)
FACTS = {"git": None, "command": []}


class View:
    """Two images, one of them answered rightly."""

    class_names = tuple("ab")
    num_views = 1

    def image_shape(self):
        return (1, 1, 1)

    def __init__(self, spec):
        self.spec, self.model = spec, None

    def labels(self, role):
        return np.array([0, 1], np.int32)

    def outputs(self, role, index=None):
        logits = np.array([[1.0, 0.0], [2.0, 0.0]], np.float32)
        return {"logits": logits, "penultimate": logits}

    def outputs_of(self, images):
        raise NotImplementedError

    def other_data(self, name, split):
        raise NotImplementedError

    def views(self, role, index, view):
        raise NotImplementedError

    def teacher_logits(self, *, every_view):
        return None


class Task:
    logged = ("loss", "nll")
    total_steps = 6
    data_used = {
        "train": Usage(7, (LeftOut("too red", 3, "line 2"),), "apples"),
        "test": Usage(4),
        "subwords": Usage(9, (), "sentences", 300, 290),
    }

    def __init__(self, spec):
        self.spec, self.views_given = spec, 0

    def plan(self, start, count):
        return {"index": np.arange(start, start + count)[:, None] * 10}

    def epoch(self, step):
        return step / 3

    def view(self, network):
        assert network.is_measured
        self.views_given += 1
        return View(self.spec)


class Network:
    is_measured = False

    def __init__(self, spec):
        self.task, self.loaded = Task(spec), None

    def state(self):
        return {"model/0000/kernel": np.ones(2, np.float32)}

    def load(self, arrays):
        self.loaded = arrays

    @contextlib.contextmanager
    def measuring(self):
        self.is_measured = True
        try:
            yield
        finally:
            self.is_measured = False


class Engine:
    """Losses that are the number of the step, from a list."""

    num_workers = 1
    runs_ahead = False

    def __init__(self, losses):
        self.losses = np.array(losses, np.float32)

    def agree(self, stop, count):
        return stop, count

    def begin(self, start, count):
        return Underway(count, lambda: self.rows(start, count))

    def rows(self, start, count):
        loss = self.losses[start : start + count]
        return [{"loss": loss, "nll": loss / 2}]


@pytest.fixture
def identity():
    spec = resolve("fc_digits", changed=CHANGES).spec
    spec = dataclasses.replace(spec, evaluators=MEASURED)
    return RunIdentity("fc_digits", spec, {}, False)


@contextlib.contextmanager
def opened(identity, folder):
    run = Run(identity, Network(identity.spec), str(folder))
    with run.opened(FACTS):
        run.begin()
        yield run


def record(identity, folder):
    return json.loads((folder / identity.folder / "run.json").read_text())


def rows(identity, folder):
    text = (folder / identity.folder / "metrics.csv").read_text().splitlines()
    names = text[0].split(",")
    return [dict(zip(names, r.split(","), strict=True)) for r in text[1:]]


def logs(*losses):
    loss = np.array(losses, np.float32)
    return {"loss": loss, "nll": loss / 2}


def test_a_row_is_the_mean_since_the_last_however_the_calls_are_cut(
    identity, tmp_path
):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder, parts in ((whole, [(1, 3)]), (cut, [(1,), (3,)])):
        with opened(identity, folder) as run:
            for part in parts:
                run.take(logs(*part), 0.5)
            run.write_due()
        (row,) = rows(identity, folder)
        assert (row["step"], row["train/loss"]) == ("2", "2.0")
        assert (row["train/nll"], float(row["epoch"])) == ("1.0", 2 / 3)
    assert rows(identity, whole) == rows(identity, cut)


def test_what_is_left_out_of_the_data_is_said_and_recorded(
    identity, tmp_path, capsys
):
    with opened(identity, tmp_path):
        pass
    assert record(identity, tmp_path)["data"] == {
        "train": {"examples": 7, "left_out": {"too red": 3}},
        "test": {"examples": 4, "left_out": {}},
        "subwords": {
            **{"examples": 9, "left_out": {}, "wanted": 300, "learnt": 290}
        },
    }
    assert capsys.readouterr().err.splitlines() == [
        "ls_tf: data: train: left out 3 of 10 apples, too red, the first at "
        "line 2",
        "ls_tf: data: subwords: learnt 290 of 300, the text has no more",
    ]


def test_a_run_goes_on_on_the_data_it_was_begun_on(
    identity, tmp_path, monkeypatch
):
    def with_train(sha256):
        used = dict(Task.data_used)
        used["train"] = dataclasses.replace(used["train"], sha256=sha256)
        monkeypatch.setattr(Task, "data_used", used)

    def again():
        run = Run(identity, Network(identity.spec), str(tmp_path))
        with run.opened(FACTS):
            run.restore(checkpoints.latest(run.checkpoint_folder))
            run.refuse_other_data()
            run.begin()

    with_train("a" * 64)
    with opened(identity, tmp_path) as run:
        run.refuse_other_data()  # at step 0 any will do
        run.take(logs(1.0, 2.0), 0.5)
        run.stop()
    with_train("b" * 64)
    before = rows(identity, tmp_path)
    with pytest.raises(DataError, match="other data: train had .* a{12} then"):
        again()
    about = record(identity, tmp_path)
    assert about["data"]["train"]["sha256"] == "a" * 64
    assert (about["outcome"], rows(identity, tmp_path)) == ("stopped", before)
    with_train("a" * 64)
    again()
    with_train("")  # not looked at, as by an older program
    again()


def test_what_is_measured_at_one_step_is_computed_once(identity, tmp_path):
    with opened(identity, tmp_path) as run:
        run.take(logs(1, 1, 1), 0.5)
        run.write_due()
        assert run.task.views_given == 1
        assert not run.network.is_measured
    (row,) = rows(identity, tmp_path)
    assert row["report/accuracy"] == "0.5"
    assert row["train_split/accuracy"] == "0.5"
    # No measurement file before the end.
    assert not (tmp_path / identity.folder / "measurements").exists()


def test_a_loss_that_is_no_number_names_step_examples_and_the_last_one(
    identity, tmp_path
):
    with opened(identity, tmp_path) as run:
        run.take(logs(3.0, 2.5), 0.5)
        # What came behind the failure is not looked at.
        run.take(logs(2.0, np.inf, 1.5), 0.5)
        assert run.failure == (
            "the loss of step 3 is inf; examples 30; last finite loss 2"
        )
        assert run.is_over and run.step == 2
        run.finish("train_and_eval")
    about = record(identity, tmp_path)
    assert (about["outcome"], about["reason"]) == ("failed", run.failure)
    assert not (tmp_path / identity.folder / "measurements").exists()


def test_a_process_that_writes_no_record_writes_nothing(identity, tmp_path):
    run = Run(identity, Network(identity.spec), str(tmp_path))
    run.begin()
    run.take(logs(1, 2), 0.5)
    run.write_due()
    run.stop()
    run.finish("train_and_eval")
    assert list(tmp_path.iterdir()) == []


def test_the_loop_leads_a_run_to_its_finished_record(identity, tmp_path):
    with opened(identity, tmp_path) as run:
        loop.train(Engine(range(6)), [run], "title")
        assert run.is_over and not run.failure
        run.finish("train_and_eval")
    steps = [row["step"] for row in rows(identity, tmp_path)]
    assert steps == ["2", "3", "4", "6"]
    assert checkpoints.steps(run.checkpoint_folder) == [4, 6]
    about = record(identity, tmp_path)
    assert (about["outcome"], about["step"]) == ("finished", 6)
    found = runs.find(str(tmp_path), identity)
    assert found.scalars("classification", "report")["accuracy"] == 0.5


def test_a_stopped_run_goes_on_with_the_values_of_its_open_row(
    identity, tmp_path
):
    with opened(identity, tmp_path) as run:
        run.take(logs(5.0), 0.5)
        with stopping.listening(), pytest.raises(StoppedError):
            stopping.request()
            loop.train(Engine([]), [run], "title")
    assert record(identity, tmp_path)["outcome"] == "stopped"
    again = Run(identity, Network(identity.spec), str(tmp_path))
    with again.opened(FACTS):
        again.restore(checkpoints.latest(again.checkpoint_folder))
        assert again.step == 1
        np.testing.assert_array_equal(
            again.network.loaded["pending/loss"], np.float32([5.0])
        )
        again.take(logs(7.0), 0.5)
        again.write_due()
    (row,) = rows(identity, tmp_path)
    assert (row["step"], row["train/loss"]) == ("2", "6.0")


def made(identity, folder):
    """What a finished run leaves, but for times."""
    path = folder / identity.folder
    about = record(identity, folder)
    history = about.pop("history")
    for name in ("started", "ended", "eval_seconds", "steps_per_second"):
        assert about.pop(name)
    assert about.pop("train_seconds") >= 0
    measurements = {}
    for file in sorted((path / "measurements").iterdir()):
        measurements[file.name] = json.loads(file.read_text())
        del measurements[file.name]["measured"]
    metrics = (path / "metrics.csv").read_bytes()
    return metrics, about, measurements, len(history)


def complete(identity, folder, losses=range(6), total=6):
    """Trains and measures from wherever the record stands."""
    run = Run(identity, Network(identity.spec), str(folder))
    run.task.total_steps = total
    with run.opened(FACTS):
        run.restore(checkpoints.latest(run.checkpoint_folder))
        run.begin()
        loop.train(Engine(losses), [run], "title")
        run.finish("train_and_eval")
    return made(identity, folder)


def test_a_beginning_over_leftovers_is_a_beginning(identity, tmp_path):
    """Rows, measurements and an end are left; the checkpoints are gone."""
    whole, again = tmp_path / "whole", tmp_path / "again"
    *unbroken, _ = complete(identity, whole)
    complete(identity, again, losses=range(10, 16))
    with opened(identity, again) as run:
        assert rows_left(again, identity) == []
        about = record(identity, again)
        assert (about["outcome"], about["step"]) == ("running", 0)
        assert (about["ended"], about["train_seconds"]) == (None, 0.0)
        assert not {"eval_seconds", "steps_per_second"} & about.keys()
        folder = again / identity.folder / "measurements"
        assert list(folder.iterdir()) == []
        run.checkpoint_folder.rmtree()
    *begun_again, processes = complete(identity, again)
    assert begun_again == unbroken
    assert processes == 3


def rows_left(folder, identity):
    file = folder / identity.folder / "metrics.csv"
    return rows(identity, folder) if file.exists() else []


def test_rows_before_the_first_checkpoint_are_made_again(identity, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    *unbroken, _ = complete(identity, whole)
    with opened(identity, broken) as run:
        run.take(logs(7, 8, 9), 0.5)
        run.write_due()  # as killed after this
    assert [row["step"] for row in rows(identity, broken)] == ["3"]
    *begun_again, _ = complete(identity, broken)
    assert begun_again == unbroken


def test_a_failed_run_that_begins_again_has_failed_no_more(identity, tmp_path):
    with opened(identity, tmp_path) as run:
        run.take(logs(1, np.nan), 0.5)
    assert record(identity, tmp_path)["reason"].startswith("the loss of step 1")
    with opened(identity, tmp_path):
        about = record(identity, tmp_path)
    assert about["outcome"] == "running"
    assert "reason" not in about


def test_what_is_refused_before_it_begins_keeps_its_record(identity, tmp_path):
    """As a finished run whose checkpoints are gone and is to be measured."""
    before = complete(identity, tmp_path)[:1]
    run = Run(identity, Network(identity.spec), str(tmp_path))
    with run.opened(FACTS):
        run.restore(None)
    assert made(identity, tmp_path)[:1] == before


@pytest.fixture
def quick_folder():
    """A folder in memory where there is one: renames cost no time there."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield pathlib.Path(folder)


def test_a_kill_at_any_file_operation_changes_no_byte(
    quick_folder, monkeypatch
):
    """At step 2 a row, a measurement and a checkpoint are due."""
    spec = resolve("fc_digits", changed={"train.steps": 3}).spec
    train = dataclasses.replace(
        spec.train, log_every_steps=1, checkpoint_every_steps=2
    )
    measured = dataclasses.replace(MEASURED[0], every_steps=2)
    spec = dataclasses.replace(spec, evaluators=(measured,), train=train)
    identity = RunIdentity("fc_digits", spec, {}, False)
    *unbroken, _ = complete(identity, quick_folder / "whole", total=3)
    folder = quick_folder / "broken"
    for operation in itertools.count(1):
        with monkeypatch.context() as patch:
            kill = Kill(patch, operation)
            with contextlib.suppress(KilledError):
                complete(identity, folder, total=3)
        shutil.rmtree(folder / identity.folder / "lock", ignore_errors=True)
        *resumed, _ = complete(identity, folder, total=3)
        assert resumed == unbroken, operation
        shutil.rmtree(folder)
        if not kill.is_done:
            break
    assert operation > 60


@pytest.mark.parametrize("when", range(1, 5))
def test_a_stop_within_a_measurement_loses_none(
    identity, tmp_path, monkeypatch, when
):
    """At steps 2 and 4 two evaluators are due; the signal comes in the n-th."""
    spec = dataclasses.replace(
        identity.spec,
        evaluators=tuple(
            dataclasses.replace(e, every_steps=2) for e in MEASURED
        ),
    )
    identity = RunIdentity("fc_digits", spec, {}, False)
    *unbroken, _ = complete(identity, tmp_path / "whole")
    measured = measure.measure
    calls = []

    def broken_off(evaluator, view):
        calls.append(evaluator)
        if len(calls) == when:
            raise StoppedError
        return measured(evaluator, view)

    monkeypatch.setattr(measure, "measure", broken_off)
    folder = tmp_path / "stopped"
    with opened(identity, folder) as run, pytest.raises(StoppedError):
        loop.train(Engine(range(6)), [run], "title")
    at = 2 * ((when + 1) // 2)
    assert checkpoints.steps(run.checkpoint_folder) == [at]
    monkeypatch.undo()
    *resumed, _ = complete(identity, folder)
    assert resumed == unbroken


def test_a_stop_before_a_due_row_writes_it(identity, tmp_path):
    """As of a stack whose first network is measured when the signal comes."""
    *unbroken, _ = complete(identity, tmp_path / "whole")
    folder = tmp_path / "stopped"
    with opened(identity, folder) as run:
        run.take(logs(0, 1), 0.5)
        run.stop()
    assert [row["step"] for row in rows(identity, folder)] == ["2"]
    *resumed, _ = complete(identity, folder)
    assert resumed == unbroken


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_stop_outside_the_training_leaves_no_run_running(
    identity, tmp_path, place
):
    run = Run(identity, Network(identity.spec), str(tmp_path))
    with pytest.raises(StoppedError), run.opened(FACTS):
        if place == "after":
            run.begin()
            loop.train(Engine(range(6)), [run], "title")
        assert record(identity, tmp_path)["outcome"] == "running"
        raise StoppedError
    assert record(identity, tmp_path)["outcome"] == "stopped"
    complete(identity, tmp_path)
    assert record(identity, tmp_path)["outcome"] == "finished"


def test_a_stop_before_anything_begins_leaves_a_finished_run_finished(
    identity, tmp_path
):
    complete(identity, tmp_path)
    run = Run(identity, Network(identity.spec), str(tmp_path))
    with pytest.raises(StoppedError), run.opened(FACTS):
        raise StoppedError
    assert record(identity, tmp_path)["outcome"] == "finished"


class Paced(Engine):
    """Keeps the counts of its calls, whose steps take a time."""

    def __init__(self, seconds, monkeypatch, first=100.0):
        super().__init__(range(10_000))
        self.counts, self.seconds, self.first = [], seconds, first
        self.time = 0.0
        clock = types.SimpleNamespace(
            perf_counter=lambda: self.time, monotonic=lambda: self.time
        )
        monkeypatch.setattr(loop, "time", clock)

    def rows(self, start, count):
        self.time += count * self.seconds + (0 if start else self.first)
        self.counts.append(count)
        return super().rows(start, count)


@pytest.fixture
def long_identity():
    changes = {
        "train.steps": 1000,
        "train.log_every_steps": 1000,
        "train.checkpoint_every_steps": 1000,
    }
    spec = resolve("fc_digits", changed=changes).spec
    spec = dataclasses.replace(spec, evaluators=())
    return RunIdentity("fc_digits", spec, {}, False)


@pytest.mark.parametrize(
    ("seconds", "counts"),
    [
        (0.001, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 488]),
        (0.1, [1, 1, 2, 4, 8, 16, 20, 20, 20]),
        (4.0, [1] * 9),
    ],
)
def test_the_first_calls_are_short_and_the_others_of_two_seconds(
    long_identity, tmp_path, monkeypatch, seconds, counts
):
    engine = Paced(seconds, monkeypatch)
    with opened(long_identity, tmp_path) as run:
        run.task.total_steps = 1000
        loop.train(engine, [run], "title")
    assert engine.counts[: len(counts)] == counts
    assert sum(engine.counts) == 1000


class Workers(Engine):
    """One of two workers; the other is the chief and asks for a stop."""

    num_workers = 2

    def __init__(self, losses, stop_at):
        super().__init__(losses)
        self.stop_at, self.step = stop_at, 0

    def agree(self, stop, count):
        assert stop  # this worker asks from the first step on
        return self.step >= self.stop_at, 1

    def begin(self, start, count):
        self.step = start + count
        return super().begin(start, count)


def test_of_several_workers_none_stops_by_itself(identity, tmp_path):
    with opened(identity, tmp_path) as run, stopping.listening():
        stopping.request()
        with pytest.raises(StoppedError):
            loop.train(Workers(range(6), stop_at=3), [run], "title")
    assert record(identity, tmp_path)["step"] == 3
    assert checkpoints.steps(run.checkpoint_folder) == [3]
