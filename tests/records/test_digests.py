"""Digests of a record's files: damage is seen, and a kill makes none."""

import contextlib
import itertools
import json
import os
import pathlib
import random
import shutil
import tempfile

import numpy as np
import pytest
from etils import epath
from kills import Kill, KilledError

from ls_tf.records import runs
from ls_tf.records.digests import Digests, State
from ls_tf.records.files import RunError
from ls_tf.records.record import read_record
from ls_tf.spec.resolve import resolve

IDENTITY = resolve("fc_digits", smoke=True)
FILES = (
    "digests.json",
    "measurements/classification_report.json",
    "measurements/penultimate_report.json",
    "measurements/penultimate_report.npz",
    "metrics.csv",
    "run.json",
)


def make(root, seed=0):
    """A small run from its first to its last step; its measurements twice."""
    rng = np.random.default_rng(seed)
    with runs.opened(str(root), IDENTITY, git=None) as directory:
        directory.begin(0, steps=3)
        for step in (1, 2, 3):
            directory.log(step, {"train/loss": 1 / step + seed})
            directory.flush()
        directory.update(step=step)
        for _ in range(2):
            for evaluator, arrays in (
                ("classification", {}),
                ("penultimate", {"templates": rng.random((3, 2))}),
            ):
                directory.measure(
                    evaluator,
                    "report",
                    split="test",
                    step=3,
                    count=7,
                    scalars={"nll": 0.25 + seed},
                    arrays=arrays,
                )
        directory.log(3, {"report/nll": 0.25})
        directory.update(outcome="finished")


def folder_of(root):
    return pathlib.Path(root) / IDENTITY.folder


def read_all(root):
    """All that a reader can have of the record."""
    record = runs.find(str(root), IDENTITY)
    record.check()
    return (
        record.run,
        record.metrics(),
        record.measurement("classification", "report"),
        record.measurement("penultimate", "report"),
        record.arrays("penultimate", "report")["templates"].tolist(),
    )


@pytest.fixture
def memory():
    """A folder in memory where there is one: renames cost no time there."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield pathlib.Path(folder)


def test_every_file_has_one_digest_in_the_end(tmp_path):
    make(tmp_path)
    path = folder_of(tmp_path)
    content = json.loads((path / "digests.json").read_text())
    assert sorted([*content["files"], "digests.json"]) == list(FILES)
    for name, states in content["files"].items():
        state = State.of((path / name).read_bytes())
        assert states == [{"sha256": state.sha256, "bytes": state.size}]
    record = runs.find(str(tmp_path), IDENTITY)
    assert record.checked
    assert record.run["indexed"] is True
    # Opened again and closed: as it was, but for the history.
    with runs.opened(str(tmp_path), IDENTITY):
        pass
    assert read_all(tmp_path)[1:] == read_all(tmp_path)[1:]


def test_no_flipped_bit_is_silent(memory):
    make(memory)
    path = folder_of(memory)
    wanted = read_all(memory)
    rng = random.Random(0)
    flips = [
        (name, place, 1 << rng.randrange(8))
        for name in FILES
        for place in range((path / name).stat().st_size)
    ]
    for name, place, bit in rng.sample(flips, 500):
        file = path / name
        data = bytearray(file.read_bytes())
        data[place] ^= bit
        file.write_bytes(data)
        with pytest.raises(RunError) as caught:
            read_all(memory)
        assert str(file) in str(caught.value), (name, place, bit)
        assert "\n" not in str(caught.value)
        data[place] ^= bit
        file.write_bytes(data)
    assert read_all(memory) == wanted


@pytest.mark.parametrize("name", FILES)
def test_what_is_cut_emptied_or_gone_is_said(tmp_path, name):
    make(tmp_path)
    file = folder_of(tmp_path) / name
    data = file.read_bytes()

    def says(*words):
        with pytest.raises(RunError) as caught:
            read_all(tmp_path)
        assert str(file) in str(caught.value)
        assert any(word in str(caught.value) for word in words), caught.value
        assert "\n" not in str(caught.value)

    for size in (0, 1, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:size])
        says("is cut", "is damaged", "is not what was written")
    file.write_bytes(data + b"\n")
    says("is not what was written")
    file.unlink()
    says("is missing")


def test_rows_that_are_cut_off_at_a_line_are_missed(tmp_path):
    make(tmp_path)
    file = folder_of(tmp_path) / "metrics.csv"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(RunError, match="metrics.csv is cut: wanted .* bytes"):
        runs.find(str(tmp_path), IDENTITY).metrics()
    # Nor does a command go on with it.
    with pytest.raises(RunError, match="metrics.csv is cut"):
        runs.refuse(str(tmp_path), IDENTITY)


def test_a_line_says_what_to_do(tmp_path):
    make(tmp_path)
    path = folder_of(tmp_path)
    run = path / "run.json"
    run.write_text(run.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(RunError) as caught:
        runs.find(str(tmp_path), IDENTITY)
    assert str(caught.value) == (
        f"{run} is not what was written, digests.json has another SHA-256 of "
        "it; put back what was written, or move the run directory away and "
        "make the run again"
    )
    make(tmp_path / "other")
    file = folder_of(tmp_path / "other") / FILES[1]
    file.write_text(file.read_text().replace("0.25", "0.15"))
    record = runs.find(str(tmp_path / "other"), IDENTITY)
    with pytest.raises(RunError) as caught:
        record.scalars("classification", "report")
    assert str(caught.value).endswith(
        "; put back what was written, or measure again with --mode=eval"
    )


def test_a_damaged_measurement_is_made_again(tmp_path):
    make(tmp_path)
    file = folder_of(tmp_path) / FILES[1]
    file.write_text("{")
    runs.refuse(str(tmp_path), IDENTITY)
    with runs.opened(str(tmp_path), IDENTITY) as directory:
        directory.measure(
            "classification",
            "report",
            split="test",
            step=3,
            count=7,
            scalars={"nll": 0.125},
            arrays={},
        )
    record = runs.find(str(tmp_path), IDENTITY)
    record.check()
    assert record.scalars("classification", "report") == {"nll": 0.125}


def test_a_file_of_another_record_is_not_of_this_one(tmp_path):
    make(tmp_path / "a")
    make(tmp_path / "b", seed=1)
    place = folder_of(tmp_path / "a")
    shutil.copy(folder_of(tmp_path / "b") / FILES[1], place / FILES[1])
    with pytest.raises(RunError, match="is not what was written"):
        read_all(tmp_path / "a")
    shutil.copy(place / FILES[2], place / "measurements/mine_report.json")
    record = runs.find(str(tmp_path / "a"), IDENTITY)
    with pytest.raises(RunError, match="is no file of this record"):
        record.scalars("mine", "report")


def old(root):
    """As a record was before there were digests."""
    path = folder_of(root)
    (path / "digests.json").unlink()
    run = json.loads((path / "run.json").read_text())
    del run["indexed"]
    (path / "run.json").write_text(json.dumps(run))
    return path


def test_an_old_record_is_read_unchecked_until_it_is_written_to(tmp_path):
    make(tmp_path)
    wanted = read_all(tmp_path)[1:]
    path = old(tmp_path)
    assert not runs.find(str(tmp_path), IDENTITY).checked
    assert read_all(tmp_path)[1:] == wanted
    assert not (path / "digests.json").exists()
    with runs.opened(str(tmp_path), IDENTITY):
        pass
    assert runs.find(str(tmp_path), IDENTITY).checked
    assert read_all(tmp_path)[1:] == wanted


def test_an_old_record_whose_table_is_cut_is_refused(tmp_path):
    make(tmp_path)
    file = old(tmp_path) / "metrics.csv"
    record = runs.find(str(tmp_path), IDENTITY)
    for lines in (3, 1, 0):
        kept = file.read_bytes().splitlines(keepends=True)[:lines]
        file.write_bytes(b"".join(kept))
        with pytest.raises(RunError, match="metrics.csv is (cut|missing)"):
            record.metrics()
    file.unlink()
    with pytest.raises(RunError, match="missing or empty; the run has 3 steps"):
        record.metrics()


def test_a_kill_at_any_file_operation_damages_nothing(memory, monkeypatch):
    for operation in itertools.count(1):
        with monkeypatch.context() as patch:
            kill = Kill(patch, operation)
            with contextlib.suppress(KilledError):
                make(memory)
        record = read_record(epath.Path(folder_of(memory)))
        if record is not None:
            assert record.checked
            record.check()
            record.metrics()
        shutil.rmtree(folder_of(memory) / "lock", ignore_errors=True)
        make(memory)
        read_all(memory)
        # Killed while it is measured again, or goes on from its last step.
        with monkeypatch.context() as patch:
            kill_again = Kill(patch, operation)
            with contextlib.suppress(KilledError):
                make(memory, seed=1)
        read_record(epath.Path(folder_of(memory))).check()
        shutil.rmtree(memory / "fc_digits")
        if not (kill.is_done or kill_again.is_done):
            break
    assert operation > 50


def test_a_kill_while_an_old_record_gets_digests(memory, monkeypatch):
    make(memory)
    wanted = read_all(memory)[1:]
    old(memory)
    shutil.copytree(memory, memory / "kept")
    for operation in itertools.count(1):
        with monkeypatch.context() as patch:
            kill = Kill(patch, operation)
            with (
                contextlib.suppress(KilledError),
                runs.opened(str(memory), IDENTITY),
            ):
                pass
        assert read_all(memory)[1:] == wanted
        shutil.rmtree(memory / "fc_digits")
        shutil.copytree(memory / "kept" / "fc_digits", memory / "fc_digits")
        if not kill.is_done:
            break
    assert operation > 5


def test_a_reader_beside_a_writer_sees_no_damage(tmp_path, monkeypatch):
    """The record changes between the reading of digests and of the run."""
    make(tmp_path)
    plain, changes = Digests.read, []

    def read_and_change(folder):
        entries = plain(folder)
        if len(changes) < 2:
            changes.append(True)
            with runs.opened(str(tmp_path), IDENTITY):
                pass
        return entries

    monkeypatch.setattr(Digests, "read", read_and_change)
    assert runs.find(str(tmp_path), IDENTITY).checked
    assert len(changes) == 2


def test_a_row_before_a_checkpoint_is_missed_if_it_is_cut(tmp_path):
    with runs.opened(str(tmp_path), IDENTITY, git=None) as directory:
        directory.begin(0, steps=9)
        for step in (1, 2, 3):
            directory.log(step, {"train/loss": 1 / step})
            directory.seal()  # then comes the checkpoint, or a kill
        folder = epath.Path(folder_of(tmp_path))
        data = (folder / "metrics.csv").read_bytes()
        known = Digests.read(folder)
        assert known.found("metrics.csv", data, is_growing=True)
        with pytest.raises(LookupError):
            known.found("metrics.csv", data[:-1], is_growing=True)
