"""A disk that is full, read-only, out of inodes, or fails now and then.

The run goes on until the disk fails: it ends with the exit code that is
promised and one line, the newest checkpoint that it leaves is whole, and on a
disk that is well again the same command comes to the same numbers.
"""

import json
import random
import subprocess

import pytest
from command_line import said
from etils import epath
from file_faults import Fault
from harness import (
    WORK,
    FaultyLine,
    count_operations,
    differences,
)

from ls_tf.training import checkpoints

FLAGS = WORK["classification"]
# Kind of fault -> the exit codes that are promised.
CODES = {"full": (5,), "inodes": (5,), "readonly": (2, 5), "every": (5,)}
AT_EVERY = 10  # of "every": each tenth write fails


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An unbroken run, and its operations."""
    line = FaultyLine(tmp_path_factory.mktemp("disk") / "whole")
    return line, count_operations(line, *FLAGS)


def _saved(line):
    """The step of the newest checkpoint, 0 for none; raises if it is not whole.

    One before it may be half removed: the disk failed in the middle of that.
    """
    newest = 0
    for folder in line.runs.glob("*/*/seed=0/checkpoints"):
        for step in checkpoints.steps(epath.Path(folder))[-1:]:
            newest = checkpoints.read(epath.Path(folder), step).step
    return newest


def _check_end(code, err, wanted):
    """An exit code that is promised, and one line that says why."""
    assert code in wanted, (code, err)
    assert not any("Traceback" in text for text in err), err
    assert len(said(err)) == 1, err


def _healed(line, wanted):
    code, _, err = line.ended(*FLAGS)
    assert code == 0, err
    assert differences(line.runs, wanted.runs) == []


def _failed(line, whole, fault):
    """One failure and the healing; the exit code of the failure."""
    wanted, _ = whole
    line.folder.mkdir(parents=True)
    code, _, err = line.ended(*FLAGS, fault=fault)
    if code == 0:  # what failed was not needed, as a broken event file
        assert differences(line.runs, wanted.runs) == []
        return code
    _check_end(code, err, CODES[fault.kind])
    _saved(line)
    _healed(line, wanted)
    return code


@pytest.mark.parametrize("kind", sorted(CODES))
def test_a_disk_that_fails_in_the_middle(
    whole, tmp_path, figures, is_long, kind
):
    rng = random.Random(kind)
    total = len(whole[1])
    tries = 8 if is_long else 1
    codes = []
    for number in range(tries):
        # Parts of the run, each once: its beginning, its rows, its end.
        at = int(total * (number + rng.random()) / tries)
        fault = Fault("", kind, AT_EVERY + number if kind == "every" else at)
        if not is_long and kind != "every":
            fault = Fault("", kind, total // 2)
        line = FaultyLine(tmp_path / str(number))
        codes.append(_failed(line, whole, fault))
    figures(
        kind,
        runs=len(codes),
        **{f"exit {c}": codes.count(c) for c in sorted(set(codes))},
        checkpoints_damaged=0,
        different=0,
    )
    assert any(codes)


@pytest.fixture
def mounted(tmp_path):
    """Mounts a small file system in memory; skips where that may not be."""
    places = []

    def mount(options):
        place = tmp_path / f"disk{len(places)}"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "more"),
    [
        ("size=120k", "size=64m"),
        ("size=64m,nr_inodes=20", "size=64m,nr_inodes=0"),
    ],
    ids=["full", "inodes"],
)
def test_a_small_file_system(whole, mounted, figures, options, more):
    wanted, _ = whole
    place = mounted(options)
    line = FaultyLine(place / "line")
    line.folder.mkdir()
    code, _, err = line.ended(*FLAGS)
    _check_end(code, err, (5,))
    step = _saved(line)
    again = line.ended(*FLAGS)
    _check_end(again[0], again[2], (5,))
    assert _saved(line) >= step
    subprocess.run(["mount", "-o", f"remount,{more}", str(place)], check=True)
    _healed(line, wanted)
    figures(f"tmpfs {options}", runs=2, **{"exit 5": 2}, different=0)


def test_a_full_disk_before_the_first_file(tmp_path, whole):
    """Nothing is written, not even a lock."""
    line = FaultyLine(tmp_path / "line")
    line.folder.mkdir()
    code, _, err = line.ended(*FLAGS, fault=Fault("", "full", 1))
    _check_end(code, err, (5,))
    left = [p for p in line.folder.rglob("*") if p.is_file()]
    assert left == []
    assert json.dumps(said(err)).count("no space left") == 1
