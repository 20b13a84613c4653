"""Tables of logits: made in parts, resumed, refused, shared."""

import dataclasses
import json
import os
import socket
import threading
import types

import numpy as np
import pytest
from etils import epath

from ls_tf import stopping
from ls_tf.records.files import RunError
from ls_tf.records.locks import locked
from ls_tf.stopping import StoppedError
from ls_tf.training import parts, tables

KEY = tables.Key(
    teacher="a" * 64,
    weights="b" * 64,
    data="digits",
    split="train[:7]",
    images="c" * 64,
    augmentation="shift2",
    examples=7,
    views=5,
    classes=3,
)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(tables, "_PART_ROWS", 8)
    monkeypatch.setattr(tables, "_CALL_ROWS", 2)
    monkeypatch.setattr(parts, "_WAIT_SECONDS", 0.01)


class Logits:
    """Made-up logits that tell their row; counts what was asked."""

    def __init__(self, broken_at=None):
        self.asked = []
        self.broken_at = broken_at

    def __call__(self, first, last):
        if self.broken_at is not None and last > self.broken_at:
            raise KeyboardInterrupt
        self.asked += range(first, last)
        return made(first, last)


def made(first, last):
    rows = np.arange(first, last, dtype=np.float32)
    return np.stack([rows, -rows / 3, 1000 + rows / 7], axis=1)


def obtain(path, logits_of, key=KEY):
    return tables.obtain(path, key, logits_of, title="teacher")


@pytest.fixture
def path(tmp_path):
    return tables.folder(epath.Path(tmp_path), KEY)


def files(path):
    return sorted(p.name for p in path.iterdir())


def test_a_table_holds_every_view_of_every_example(path, capfd):
    logits = Logits()
    table = obtain(path, logits)
    assert table.shape == (7, 5, 3) and table.dtype == np.float16
    want = made(0, 35).astype(np.float16).reshape(7, 5, 3)
    np.testing.assert_array_equal(table, want)
    assert logits.asked == list(range(35))
    # 35 rows in parts of 8, and nothing that was half-written.
    assert files(path) == [
        *(f"logits-{n:05d}.npy" for n in range(5)),
        "manifest.json",
    ]
    said = capfd.readouterr().err
    assert "7 images x 5 views, 0.0 MiB in" in said
    assert "view 35 of 35" in said
    # A finished table is only read; what a kill left behind its end goes.
    (path / "lock").mkdir()
    (path / "lock" / "owner.json").write_text(
        json.dumps({"pid": 2**40, "host": socket.gethostname(), "token": "t"})
    )
    again = obtain(path, None)
    np.testing.assert_array_equal(again, table)
    assert capfd.readouterr().err == ""
    assert len(files(path)) == 6


def test_its_folder_says_what_it_is(tmp_path):
    run = epath.Path(tmp_path)
    found = tables.folder(run, KEY)
    assert found.parent == run / "tables"
    assert found.name == "digits,train%5B%3A7%5D,shift2"
    other = dataclasses.replace(KEY, augmentation="none")
    assert tables.folder(run, other) != found
    # Another teacher has another run.
    other = dataclasses.replace(KEY, weights="d" * 64)
    assert tables.folder(run, other) == found


def test_a_build_that_was_killed_goes_on(path):
    first = Logits(broken_at=21)
    with pytest.raises(KeyboardInterrupt):
        obtain(path, first)
    # Two whole parts of 8 are there, of the third nothing.
    assert files(path) == [
        "logits-00000.npy",
        "logits-00001.npy",
        "manifest.json",
    ]
    left = path / ".logits-00002.npy.12345678.tmp"
    left.write_bytes(b"half")
    second = Logits()
    table = obtain(path, second)
    assert second.asked == list(range(16, 35))
    np.testing.assert_array_equal(
        table.reshape(35, 3), made(0, 35).astype(np.float16)
    )
    assert not left.exists()
    assert not (path / "lock").exists()


def test_it_goes_on_with_the_parts_it_began_with(path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        obtain(path, Logits(broken_at=21))
    monkeypatch.setattr(tables, "_PART_ROWS", 11)  # a later version's
    table = obtain(path, Logits())
    np.testing.assert_array_equal(
        table.reshape(35, 3), made(0, 35).astype(np.float16)
    )


def test_a_signal_stops_between_calls(path):
    logits = Logits()

    def signalled(first, last):
        if last > 16:
            stopping.request()
        return logits(first, last)

    with stopping.listening(), pytest.raises(StoppedError):
        obtain(path, signalled)
    # The call under way ends, no other begins.
    kept = len([f for f in files(path) if f.endswith(".npy")])
    assert 16 < len(logits.asked) <= 24
    assert kept == len(logits.asked) // 8
    rest = Logits()
    assert obtain(path, rest).shape == (7, 5, 3)
    assert rest.asked == list(range(8 * kept, 35))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"teacher": "d" * 64}, "another teacher"),
        ({"weights": "d" * 64}, "another teacher .weights bbbbbbbbbbbb, want"),
        ({"images": "d" * 64}, "another view set"),
        ({"views": 6}, "another view set .views 5, wanted 6"),
        ({"classes": 4}, "another view set"),
    ],
)
def test_another_table_is_refused(path, change, says):
    obtain(path, Logits())
    with pytest.raises(RunError, match=says) as caught:
        obtain(path, None, dataclasses.replace(KEY, **change))
    assert "\n" not in str(caught.value)
    assert "remove it" in str(caught.value)


def test_an_unfinished_table_of_another_teacher_is_refused_too(path):
    with pytest.raises(KeyboardInterrupt):
        obtain(path, Logits(broken_at=10))
    with pytest.raises(RunError, match="another teacher"):
        obtain(path, None, dataclasses.replace(KEY, weights="d" * 64))


def damage_short(file):
    file.write_bytes(file.read_bytes()[:-7])


def damage_values(file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))


def damage_shape(file):
    with file.open("wb") as out:
        np.save(out, np.zeros((2, 3), np.float16))


@pytest.mark.parametrize(
    "damage",
    [damage_short, damage_values, damage_shape, lambda file: file.unlink()],
)
def test_a_damaged_part_is_refused(path, damage):
    obtain(path, Logits())
    damage(path / "logits-00002.npy")
    with pytest.raises(RunError, match="logits-00002.npy is damaged") as caught:
        obtain(path, None)
    assert "\n" not in str(caught.value)


def test_a_damaged_or_newer_manifest_is_refused(path):
    obtain(path, Logits())
    file = path / "manifest.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(RunError, match="version 99"):
        obtain(path, None)
    file.write_text("{")
    with pytest.raises(RunError, match="is damaged"):
        obtain(path, None)


def test_logits_that_float16_cannot_hold_are_refused(path):
    with pytest.raises(RunError, match="up to 65504.*got 70000") as caught:
        obtain(path, lambda first, last: np.full((last - first, 3), 7e4))
    assert "teacher.table=never" in str(caught.value)
    with pytest.raises(RunError, match="up to 65504"):
        obtain(path, lambda first, last: np.full((last - first, 3), np.nan))


def test_a_disk_that_is_too_full_is_refused_before(path, monkeypatch):
    logits, key = Logits(), dataclasses.replace(KEY, examples=10**6)
    disk = types.SimpleNamespace(f_bavail=5, f_frsize=2**20)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    # 5e6 rows of 6 bytes: 28.6 MiB
    with pytest.raises(RunError, match="28.6 MiB more, the disk has 5.0"):
        obtain(path, logits, key)
    assert logits.asked == []


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "tables").write_text("no folder")
    path = tables.folder(epath.Path(tmp_path), KEY)
    with pytest.raises(RunError, match="cannot be written") as caught:
        obtain(path, Logits())
    assert "\n" not in str(caught.value)


def test_a_second_process_waits_for_the_first(path, capfd):
    inside, go_on = threading.Event(), threading.Event()
    first, second = Logits(), Logits()

    def slow(begin, end):
        if begin == 8:
            inside.set()
            assert go_on.wait(10)
        return first(begin, end)

    found = {}
    builder = threading.Thread(
        target=lambda: found.update(one=obtain(path, slow))
    )
    builder.start()
    assert inside.wait(10)
    waiter = threading.Thread(
        target=lambda: found.update(two=obtain(path, second))
    )
    waiter.start()
    waiter.join(0.3)
    assert waiter.is_alive()
    go_on.set()
    builder.join(10)
    waiter.join(10)
    np.testing.assert_array_equal(found["one"], found["two"])
    assert second.asked == []
    assert "waiting, run directory" in capfd.readouterr().err


def test_waiting_ends_with_a_signal_or_patience(path, monkeypatch):
    with locked(path):
        with stopping.listening(), pytest.raises(StoppedError):
            stopping.request()
            obtain(path, Logits())
        monkeypatch.setattr(parts, "_PATIENCE_SECONDS", -1.0)
        with pytest.raises(RunError, match="in use by pid"):
            obtain(path, Logits())


def test_calls_grow_to_the_time_that_a_signal_may_wait(path, monkeypatch):
    key = dataclasses.replace(KEY, examples=40)
    monkeypatch.setattr(tables, "_PART_ROWS", 50)
    sizes = []

    def logits_of(first, last):
        sizes.append(last - first)
        return made(first, last)

    obtain(path, logits_of, key)
    # The first of one prediction batch; then, as quick as these are, parts.
    assert sizes == [2, 48, 50, 50, 50]
