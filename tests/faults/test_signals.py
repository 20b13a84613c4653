"""A request to stop in every phase: answered, obeyed, and nothing lost.

A process signals itself in some phase of its work. Within a second it says
what it stops after, within ten it ends with exit code 3, and the same command
comes to the results of a process that was left alone. Two signals in a row end
it at once.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import made_records
import pytest
from command_line import said
from harness import FAULTY, WORK, FaultyLine, differences
from own_signal import Signal

from ls_tf.records.locks import locked
from ls_tf.records.runs import Path as RunPath
from ls_tf.spec import registry

REPORT = "re_fig2_penultimate_mnist"
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "two in a row")
ANSWER_SECONDS, END_SECONDS = 1.0, 10.0
ENGINE = "ls_tf.training.tensorflow_engine:TensorFlowEngine"
TRANSLATED = (*WORK["translation"], "--mode=translate")
SWEEP = ("--report=quick_tour", "--run_missing", "--smoke")


@dataclasses.dataclass(frozen=True)
class Phase:
    """Where the process is interrupted.

    Attributes:
        work: the command's flags, or the kind of work of the harness.
        at: see ``own_signal``.
        entry: the n-th time.
        delay: seconds in the phase, where it takes some.
        before: what is there: "" for nothing.
        fresh: a process that Python starts, with its imports to come.
    """

    work: str | tuple[str, ...]
    at: str
    entry: int = 1
    delay: float = 0.0
    before: str = ""
    fresh: bool = False

    @property
    def flags(self):
        return WORK[self.work] if isinstance(self.work, str) else self.work


MEASURE = "ls_tf.measuring.measure:measure"
PHASES = {
    "importing": Phase("classification", "import:keras.src.layers", fresh=True),
    "building": Phase("classification", "ls_tf.running.assembly:recipe"),
    "first call": Phase("classification", f"{ENGINE}.run", delay=0.1),
    "table": Phase("distillation", "ls_tf.training.tables:_Build._make"),
    "training": Phase("classification", f"{ENGINE}.run", 5),
    "writing a checkpoint": Phase(
        "classification", "ls_tf.training.checkpoints:write_folder", 3
    ),
    "periodic measurement": Phase("classification", MEASURE, 2),
    "final measurement": Phase("classification", MEASURE, 5),
    "final decoding": Phase("translation", MEASURE, 2, delay=0.3),
    "between runs of a sweep": Phase(
        SWEEP, "ls_tf.running.sweep:_Sweep.train", 2
    ),
    "waiting for a lock": Phase(
        "distillation",
        "ls_tf.training.tables:_Wait.once",
        delay=0.5,
        before="a held table",
    ),
    "building a report": Phase(
        (f"--report={REPORT}",),
        "ls_tf.pages.builder:_files",
        before="records",
    ),
    "translating": Phase(
        TRANSLATED,
        "ls_tf.measuring.translator:ModelTranslator.translate",
        delay=0.1,
        before="a trained run",
    ),
}
SHORT = [
    ("training", "SIGTERM"),
    ("final measurement", "SIGINT"),
    ("building", "SIGHUP"),
    ("building a report", "two in a row"),
]
TEXT = b"seven\nthree hundred\n" * 300  # several blocks of lines


class Ended:
    """A process, and when it said and did what."""

    def __init__(self, line, phase, name, log):
        number = getattr(signal, name, signal.SIGINT)
        sent = Signal(phase.at, number, str(log), phase.entry, phase.delay)
        environment = {"LS_TF_SIGNAL": json.dumps(dataclasses.asdict(sent))}
        process, self._read = _started(line, phase, environment)
        deadline = time.monotonic() + 240
        self.answered = self.again = None
        while process.poll() is None and time.monotonic() < deadline:
            if self.answered is None and b"; again to stop" in self._read():
                self.answered = time.monotonic()
            if name == "two in a row" and self.answered and not self.again:
                time.sleep(0.3)
                self.again = time.monotonic()
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGINT)
            time.sleep(0.01)
        self.ended = time.monotonic()
        if process.poll() is None:
            process.send_signal(9)
            process.wait(10)
        self.code = process.returncode
        self.err = self._read().decode().splitlines()
        if self.answered is None and "; again to stop" in "".join(self.err):
            self.answered = self.ended  # both since the last look
        process.communicate()  # closes its files
        assert log.exists(), (phase, self.code, self.err[-5:])
        self.sent = float(log.read_text())


def _started(line, phase, environment):
    """A process, and what gives its standard error so far."""
    if phase.fresh:
        path = line.folder / "stderr"
        with path.open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, str(FAULTY), *line.words(*phase.flags)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=err,
                env=line.environment(**environment),
            )
        return process, path.read_bytes
    process = line.begin(*phase.flags, stdin=TEXT, **environment)
    # Its descriptor is the process's: where that stands is not to be moved.
    number = process.stderr.fileno()
    return process, lambda: os.pread(number, 1 << 20, 0)


class Places:
    """What is there before a phase, and what the work leaves; made once."""

    def __init__(self, folder):
        self._folder, self._made = folder, {}

    def _make(self, phase, line):
        line.folder.mkdir(parents=True)
        if phase.before == "records":
            for need in registry.get("ls_tf.reports", REPORT).REQUIRES:
                made_records.write(line.runs, need)
        elif phase.before == "a trained run":
            code, _, err = line.ended(*WORK["translation"])
            assert code == 0, err
        elif phase.before == "a held table":
            code, _, err = line.ended(*phase.flags)
            assert code == 0, err
            shutil.rmtree(line.runs / "fc_digits_student")
            for table in line.runs.glob("fc_digits/*/seed=0/tables/*"):
                for file in table.iterdir():
                    file.unlink()

    def of(self, phase):
        """A line before the phase, and one after the work; its output."""
        key = (phase.flags, phase.before)
        if key not in self._made:
            line = FaultyLine(self._folder / str(len(self._made)) / "line")
            self._make(phase, line)
            whole = line.copied("whole")
            code, out, err = whole.ended(*phase.flags, stdin=TEXT)
            assert code == 0, err
            self._made[key] = line, whole, _plain(out)
        return self._made[key]


def _plain(out):
    """Lines of output without the folders of this test."""
    return [
        text.rpartition("/line/")[2].rpartition("/whole/")[2] for text in out
    ]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return Places(tmp_path_factory.mktemp("signals"))


def _held(phase, line):
    """Holds the table that the work waits for, in this living process."""
    if phase.before != "a held table":
        return contextlib.nullcontext()
    (table,) = line.runs.glob("fc_digits/*/seed=0/tables/*")
    return locked(RunPath(table))


def _interrupted(places, folder, phase, name):
    """Seconds until the answer and until the end; checks all the rest."""
    line, whole, out = places.of(phase)
    folder.mkdir(parents=True)
    tried = FaultyLine(folder / "line")
    shutil.copytree(line.folder, tried.folder)
    try:
        with _held(phase, tried):
            ended = Ended(tried, phase, name, folder / "signal")
        assert not any("Traceback" in text for text in ended.err), ended.err
        assert ended.code == 3, (ended.code, ended.err[-5:])
        assert ended.answered is not None, ended.err
        answer, end = ended.answered - ended.sent, ended.ended - ended.sent
        assert answer < ANSWER_SECONDS and end < END_SECONDS, (answer, end)
        assert 1 <= len(said(ended.err)) <= 3, ended.err
        if ended.again is not None and ended.ended > ended.again:
            assert ended.ended - ended.again < ANSWER_SECONDS
        (tried.folder / "stderr").unlink(missing_ok=True)
        code, again, err = tried.ended(*phase.flags, stdin=TEXT)
        assert code == 0, err
        assert _plain(again) == out
        if tried.runs.exists():
            assert differences(tried.runs, whole.runs) == []
        return answer, end
    finally:
        shutil.rmtree(folder)


@pytest.mark.long
@pytest.mark.parametrize(
    "phase",
    [
        pytest.param(
            name,
            id=name.replace(" ", "_"),
            marks=pytest.mark.xdist_group(f"signals_{phase.flags[0]}"),
        )
        for name, phase in PHASES.items()
    ],
)
def test_every_signal_in_every_phase(places, tmp_path, figures, phase):
    seen, wrong = [], {}
    for name in SIGNALS:
        try:
            seen.append(
                _interrupted(places, tmp_path / name, PHASES[phase], name)
            )
        except AssertionError as error:
            wrong[name] = str(error)[:600]
    figures(
        phase,
        tries=len(SIGNALS),
        wrong=len(wrong),
        answered=round(max((a for a, _ in seen), default=0), 2),
        ended=round(max((e for _, e in seen), default=0), 2),
    )
    assert not wrong, "\n".join(f"{n}: {text}" for n, text in wrong.items())


@pytest.mark.parametrize(("phase", "name"), SHORT)
def test_a_signal_in_a_phase(places, tmp_path, phase, name):
    _interrupted(places, tmp_path / "tried", PHASES[phase], name)
