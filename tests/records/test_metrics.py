"""``metrics.csv``: appended, of the same bytes as if it were written whole."""

import csv
import io
import itertools
import math
import random

import numpy as np
import pytest
from etils import epath
from kills import Kill, KilledError

from ls_tf.records import files, metrics
from ls_tf.records.files import RunError
from ls_tf.records.metrics import Metrics


def table(file):
    return Metrics(
        file, lambda data: files.write_bytes(file, data), lambda: file.unlink()
    )


@pytest.fixture
def file(tmp_path):
    return epath.Path(tmp_path) / "metrics.csv"


def written(rows):
    """All rows at once, by the library: what the table must be in the end."""
    names = list(dict.fromkeys(k for row in rows for k in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                k: int(v) if k == "step" else repr(float(v))
                for k, v in row.items()
            }
        )
    return text.getvalue().encode()


def made_calls(rng, count):
    """Calls of ``log``: some steps have two, some columns come late."""
    calls = []
    for step in range(1, count):
        if rng.random() < 0.8:
            values = {"train/loss": rng.gauss(0, 1), "epoch": step / 7}
            if rng.random() < 0.1:
                values["train/loss"] = math.nan
            calls.append((step, values))
        for role in ("report", "calibrate"):
            if rng.random() < 0.1:
                names = rng.sample(["ece", "nll", "a,b"], rng.randint(1, 3))
                drawn = np.float32(rng.random())
                values = {f"{role}/{name}": drawn for name in names}
                calls.append((step, values))
    return calls


def rows_of(calls):
    rows = []
    for step, values in calls:
        if not rows or rows[-1]["step"] != step:
            rows.append({"step": step})
        rows[-1].update(values)
    return rows


@pytest.mark.parametrize("seed", range(20))
def test_the_bytes_are_those_of_a_table_written_whole(file, seed):
    rng = random.Random(seed)
    calls = made_calls(rng, 40)
    made = table(file)
    for step, values in calls:
        made.log(step, values)
        if rng.random() < 0.5:
            made.flush()
    made.flush()
    assert file.read_bytes() == written(rows_of(calls))
    found = metrics.read(file, file.read_bytes())
    for row, wanted in zip(found, rows_of(calls), strict=True):
        assert row.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_equal(row[name], float(value))


@pytest.mark.parametrize("seed", range(20))
def test_a_rewind_leaves_the_table_of_the_steps_before(file, seed):
    rng = random.Random(seed)
    calls = made_calls(rng, 30)
    made = table(file)
    for step, values in calls:
        made.log(step, values)
    made.flush()
    kept = calls
    for back in sorted((rng.randint(0, 30) for _ in range(4)), reverse=True):
        made = table(file)
        made.rewind(back)
        kept = [(step, values) for step, values in kept if step <= back]
        if kept:
            assert file.read_bytes() == written(rows_of(kept))
        else:
            assert not file.exists()
    for step, values in calls:
        if step > back:
            made.log(step, values)
    made.flush()
    assert file.read_bytes() == written(rows_of(calls))


def test_values_join_the_last_row_after_a_resume(file):
    made = table(file)
    made.log(1, {"a": 0.5})
    made.log(2, {"a": 0.25})
    made.flush()
    again = table(file)
    again.rewind(2)
    again.log(2, {"b": 3})
    again.flush()
    assert file.read_text() == "step,a,b\n1,0.5,\n2,0.25,3.0\n"


def test_a_row_is_appended_and_no_other_is_read_or_written(file, monkeypatch):
    made = table(file)
    made.log(1, {"a": 1.0})
    made.flush()
    before = file.read_bytes()
    opened = []
    kind = type(file)
    plain = kind.open

    def noted(self, mode):
        opened.append(mode)
        return plain(self, mode)

    monkeypatch.setattr(kind, "open", noted)
    for step in range(2, 50):
        made.log(step, {"a": step / 2})
    made.flush()
    assert opened == ["ab"] * 48
    monkeypatch.undo()
    assert file.read_bytes().startswith(before)


def test_a_torn_line_is_dropped_by_who_goes_on(file):
    good = b"step,a\n1,0.5\n2,0.25\n"
    for torn in (b"3", b"3,0.1", b"3,0.125"):
        file.write_bytes(good + torn)
        assert metrics.read(file, good + torn) == metrics.read(file, good)
        made = table(file)
        made.rewind(5)
        assert file.read_bytes() == good
        file.write_bytes(good + torn)
        made = table(file)  # goes on at once
        made.log(3, {"a": 1})
        made.flush()
        assert file.read_bytes() == good + b"3,1.0\n"


def test_what_a_failed_append_left_is_no_part_of_the_next_row(
    file, monkeypatch
):
    made = table(file)
    made.log(1, {"a": 1})
    made.flush()

    def full(path, data):
        files.append(path, data[:3])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(metrics, "append", full)
        made.log(2, {"a": 2})
        with pytest.raises(OSError, match="No space"):
            made.flush()
    assert file.read_bytes() == b"step,a\n1,1.0\n2,2"
    made.log(3, {"a": 3})
    made.flush()
    assert file.read_bytes() == b"step,a\n1,1.0\n2,2.0\n3,3.0\n"


def test_a_kill_at_any_operation_leaves_complete_rows(file, monkeypatch):
    calls = made_calls(random.Random(0), 12)
    every = [written(rows_of(calls[:n])) for n in range(1, len(calls) + 1)]
    for operation in itertools.count(1):
        with monkeypatch.context() as patch:
            kill = Kill(patch, operation)
            try:
                made = table(file)
                for step, values in calls:
                    made.log(step, values)
                    made.flush()
            except KilledError:
                pass
        there = file.read_bytes() if file.exists() else b""
        assert metrics.whole_lines(there) in (b"", *every)
        for path in file.parent.iterdir():
            path.unlink()
        if not kill.is_done:
            assert there == every[-1]
            break
    assert operation > 15


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("step,x\n1,a\n", "line 2: column x: wanted a number, got 'a'"),
        (
            "step,x\n1,2\n2,1_0\n",
            "line 3: column x: wanted a number, got '1_0'",
        ),
        ("step,x\n1, 2\n", "line 2: column x: wanted a number, got ' 2'"),
        ("step,x\n1,2,3\n", "line 2: wanted 2 cells, got 3"),
        ("step,x\n1\n", "line 2: wanted 2 cells, got 1"),
        ("step,x\n1,2\n\n2,3\n", "line 3: wanted 2 cells, got 0"),
        ("step,x\n2,1\n1,1\n", "line 3: wanted a step behind 2, got '1'"),
        ("step,x\n1,1\n1,1\n", "line 3: wanted a step behind 1, got '1'"),
        ("step,x\n1.5,1\n", "line 2: wanted a step behind -1, got '1.5'"),
        ("step,x\n,1\n", "line 2: wanted a step behind -1, got ''"),
        ("step,x\nnan,1\n", "got 'nan'"),
        ("step,x\ninf,1\n", "got 'inf'"),
        ("step,x\n" + "9" * 5000 + ",1\n", "wanted a step"),
        ('step,x\n1,"2\n', "unexpected end of data"),
        ("x,step\n1,2\n", "wanted columns step and others"),
        ("step,x,x\n1,2,3\n", "wanted columns step and others"),
        ("\n1,2\n", "line 2"),
        ("step,x\n1,\ufffd\n", "line 2: column x"),
        ("step,x\n1,\0\n", "damaged"),
    ],
)
def test_damage_is_one_line_that_says_where(file, text, says):
    file.write_text(text)
    for act in (
        lambda: metrics.read(file, file.read_bytes()),
        lambda: table(file),
    ):
        with pytest.raises(RunError, match="metrics.csv is damaged") as caught:
            act()
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_bytes_that_are_no_text_are_one_line(file):
    with pytest.raises(RunError, match="is damaged, it is no table of metrics"):
        metrics.read(file, b"step,x\n1,\xff\n")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is missing or empty; the run has 12 steps"),
        (b"step,x\n", "its last row is not that of step 12"),
        (b"step,x\n6,1.0\n", "its last row is not that of step 12"),
        (b"step,x\n6,1.0\n12,2.", "its last line has no end"),
    ],
)
def test_a_finished_table_that_is_cut_is_refused(file, data, says):
    with pytest.raises(RunError, match=says):
        metrics.check_end(file, data, 12)
    metrics.check_end(file, b"step,x\n6,1.0\n12,2.0\n", 12)
    metrics.check_end(file, b"", None)
