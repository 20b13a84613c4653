"""A translation run from the shell: trained, killed, resumed, used."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import command_line
import pytest
from command_line import arrays, assert_equal_bits, said_of

pytestmark = pytest.mark.slow

# Dropout noise, Adam's state, batches of several shapes, and checkpoints that
# fall between rows. Little of everything, so that little is compiled.
FLAGS = (
    "--experiment=transformer_numbers",
    "--smoke",
    "--set=data.train=train[:300]",
    "--set=train.steps=12",
    "--set=train.log_every_steps=5",
    "--set=train.checkpoint_every_steps=2",
    "--mode=train",
)


@pytest.fixture(scope="module")
def trained(shared_line):
    shared_line(*FLAGS)
    return shared_line


def test_killed_and_resumed_it_ends_with_the_same_bits(trained, line):
    folder = line.folder_of(*FLAGS)
    process = line.start(*FLAGS)
    began = time.monotonic()
    while not list((folder / "checkpoints").glob("step-*")):
        time.sleep(0.02)
        assert process.poll() is None and time.monotonic() - began < 250
    process.send_signal(signal.SIGKILL)
    process.communicate()
    line(*FLAGS)
    there = trained.folder_of(*FLAGS)
    assert_equal_bits(arrays(folder), arrays(there))
    assert (folder / "metrics.csv").read_text() == (
        there / "metrics.csv"
    ).read_text()


STUDENT = (
    "--experiment=transformer_numbers_student",
    "--smoke",
    # So few that all batches have one shape.
    "--set=data.train=train[:60]",
    "--set=teacher.changes.data.train=train[:60]",
    "--set=train.log_every_steps=1",
    "--mode=train",
)


def test_both_engines_teach_a_student_alike(line):
    rows = []
    for engine in ("tensorflow", "jax"):
        # The teacher of both is what the first engine has trained.
        line(*STUDENT, "--run_missing", f"--engine={engine}")
        folder = line.folder_of(*STUDENT)
        with open(folder / "metrics.csv") as file:
            rows.append(list(csv.DictReader(file)))
        shutil.rmtree(folder)
    for one, other in zip(*rows, strict=True):
        for name in ("train/loss", "train/nll"):
            assert float(one[name]) == pytest.approx(float(other[name]), 1e-5)
        # Half of the loss is the teacher's.
        assert abs(float(one["train/loss"]) - float(one["train/nll"])) > 0.1
    assert len(rows[0]) == 2


def translated(line, text, *flags, code=0):
    words = (*FLAGS[:-1], "--mode=translate", *flags)
    return line(*words, stdin=text, code=code)


@pytest.fixture(scope="module")
def measured(trained):
    trained(*FLAGS[:-1], "--mode=eval")
    return trained


def test_lines_in_lines_out(measured):
    lines = ["seven", "", "three hundred twenty-three", "nine " * 300, "seven"]
    found = translated(measured, ("\n".join(lines) + "\n").encode()).stdout
    answers = found.splitlines()
    assert len(answers) == 5
    assert answers[1] == "" and answers[0] == answers[4] != ""
    # The other engine translates with the same weights.
    again = translated(measured, b"seven\n", "--engine=jax").stdout
    assert again.splitlines() == answers[:1]


def test_each_line_is_answered_while_the_input_stays_open(measured):
    words = measured.words(*FLAGS[:-1], "--mode=translate")
    with subprocess.Popen(
        [sys.executable, str(command_line.PROGRAM), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=measured.environment(),
    ) as process:
        answers = []
        for line in (b"seven\n", b"\xef\xbb\xbfseven\r\n", b"seven\n"):
            process.stdin.write(line)
            process.stdin.flush()
            answers.append(process.stdout.readline())
        assert answers[0] == answers[2] != b"\n"
        # The answer to a bad line is given after those before it.
        process.stdin.write(b"seven\n\xff\n")
        process.stdin.flush()
        out, err = process.communicate(timeout=60)
    assert (out, process.returncode) == (answers[0], 2)
    assert b"ls_tf: standard input, line 5: wanted UTF-8" in err


def test_no_lines_are_no_lines(measured):
    assert translated(measured, b"").stdout == ""


def test_what_is_measured_lies_in_the_record(measured):
    folder = measured.folder_of(*FLAGS) / "measurements"
    found = json.loads((folder / "translation_report.json").read_text())
    assert found["count"] == 32
    assert "tok:intl" in found["notes"]["bleu_uncased"]
    assert 0 <= found["scalars"]["bleu"] <= 100


def one_line(done):
    (mine,) = said_of(done)
    assert "Traceback" not in done.stderr
    return mine


def test_bad_input_is_one_line(measured, line):
    done = translated(measured, b"seven\nthr\xffee\n", code=2)
    assert "standard input, line 2: wanted UTF-8, got byte 0xff" in one_line(
        done
    )
    assert "is missing; make it with" in one_line(
        translated(line, b"seven\n", code=2)
    )
    assert not line.runs.exists()
    done = measured("--experiment=fc_digits", "--mode=translate", code=2)
    assert "fc_digits is no translation" in one_line(done)
