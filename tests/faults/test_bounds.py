"""What a long run costs: as much at its end as at its beginning."""

import dataclasses
import os
import time
from pathlib import Path

import pytest
from harness import FaultyLine

from ls_tf.records import runs
from ls_tf.spec.resolve import resolve

STEPS = 100_000
FLAGS = (
    "--experiment=fc_digits",
    "--mode=train",
    "--set=model.options.hidden=16,16",
    f"--set=train.steps={STEPS}",
    "--set=train.log_every_steps=10",
    "--set=train.checkpoint_every_steps=5000",
    "--set=evaluators.0.every_steps=0",
)
TIME_FACTOR = 1.05
MEMORY_MIB = 32.0  # more at the end than after a fifth


def _bytes_written():
    """By this process, to whatever file."""
    for text in Path("/proc/self/io").read_text().splitlines():
        name, _, number = text.partition(": ")
        if name == "wchar":
            return int(number)
    raise AssertionError("no wchar")


def test_a_row_writes_as_much_however_many_there_are(tmp_path):
    identity = resolve("fc_digits", smoke=True)
    written = []
    with runs.opened(str(tmp_path / "runs"), identity) as directory:
        for first in range(10_000, 13_000, 1000):
            before = _bytes_written()
            for step in range(first, first + 1000):
                directory.log(step, {"train/loss": 0.5, "epoch": 0.25})
            written.append(_bytes_written() - before)
    assert max(written) <= 1.05 * min(written), written
    assert max(written) < 1000 * 200  # bytes for each row


@dataclasses.dataclass(frozen=True)
class Sample:
    """How a process stands: its step, CPU seconds and memory, MiB."""

    step: int
    seconds: float
    mib: float


def _sampled(pid, folder):
    """A ``Sample``; None before the first row and after the end."""
    try:
        rows = (folder / "metrics.csv").read_bytes()[-300:].splitlines()
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    step = rows[-1].partition(b",")[0]
    if not step.isdigit() or not pages:
        return None
    ticks = int(stat[11]) + int(stat[12])
    return Sample(
        int(step),
        ticks / os.sysconf("SC_CLK_TCK"),
        pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
    )


def _rate(samples, first, last):
    """CPU milliseconds a step, between two parts of the run."""
    part = [s for s in samples if first * STEPS <= s.step <= last * STEPS]
    seconds = part[-1].seconds - part[0].seconds
    return 1000 * seconds / (part[-1].step - part[0].step)


@pytest.mark.long
@pytest.mark.xdist_group("bounds")
def test_100000_steps_are_flat(line: FaultyLine, figures):
    folder = line.folder_of(*FLAGS)
    process = line.begin(*FLAGS)
    samples = []
    while process.poll() is None:
        sample = _sampled(process.pid, folder)
        if sample is not None:
            samples.append(sample)
        time.sleep(0.1)
    _, err = process.communicate()
    assert process.returncode == 0, err
    # CPU time: others may use the machine for a moment.
    first, last = _rate(samples, 0.05, 0.35), _rate(samples, 0.65, 0.95)
    early = max(s.mib for s in samples if s.step <= STEPS // 5)
    late = max(s.mib for s in samples)
    rows = (folder / "metrics.csv").read_text().count("\n") - 1
    figures(
        "100,000 steps",
        rows=rows,
        first=round(first, 4),
        last=round(last, 4),
        early_mib=round(early),
        late_mib=round(late),
    )
    assert rows == STEPS // 10
    assert last < TIME_FACTOR * first, (first, last)
    assert late - early < MEMORY_MIB, (early, late)
