"""Standard streams that are closed, full or have no reader."""

import os
import subprocess
import sys

import programs
import pytest

from ls_tf import streams

PROGRAM = """
import os, sys
from ls_tf import streams
{before}
try:
    with streams.guarded():
        {body}
except streams.OutputError as error:
    os.write({report}, str(error).encode())
    sys.exit(5 if not error.has_no_reader else 7)
"""


def run(body, *, before="", report=2, code=0, **files):
    """Runs a program whose streams are files, or None for a closed one."""
    closed = [
        number
        for number, name in enumerate(("stdin", "stdout", "stderr"))
        if files.get(name, 0) is None
    ]

    def close():
        for number in closed:
            os.close(number)

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            PROGRAM.format(body=body, before=before, report=report),
        ],
        stdout=files.get("stdout") or subprocess.PIPE,
        stderr=files.get("stderr") or subprocess.PIPE,
        preexec_fn=close,
        timeout=60,
        env={k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"},
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def full():
    with open("/dev/full", "wb") as file:
        yield file


@pytest.fixture
def unread():
    ours, theirs = os.pipe()
    os.close(ours)
    yield theirs
    os.close(theirs)


SAY = "print('said', file=sys.stderr); print('given'); sys.stdout.flush()"


def test_what_is_said_has_the_programs_name(capsys):
    streams.say("a run: begins")
    assert capsys.readouterr() == ("", "ls_tf: a run: begins\n")


def test_a_thread_says_the_same_and_waits_for_no_reader():
    ours, theirs = os.pipe()
    streams.say_to(theirs, "a run: ends")
    assert os.read(ours, 100) == b"ls_tf: a run: ends\n"
    os.set_blocking(theirs, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(theirs, b"." * 4096)
    os.set_blocking(theirs, True)
    streams.say_to(theirs, "nobody reads this")
    os.close(ours)
    streams.say_to(theirs, "nor this")
    os.close(theirs)


def test_open_streams_are_as_they_were():
    done = run(SAY)
    assert (done.stdout, done.stderr) == (b"given\n", b"said\n")


def test_what_cannot_be_said_is_dropped(full, unread):
    for stream in (full, unread, None):
        assert run(SAY, stderr=stream).stdout == b"given\n"


def test_what_cannot_be_given_is_an_error_and_python_adds_nothing(full, unread):
    done = run(SAY, stdout=full, code=5)
    assert done.stderr == (
        b"said\nstandard output cannot be written: No space left on device"
    )
    run(SAY, stdout=unread, code=7)
    done = run(SAY, stdout=None, code=5)
    assert b"it is closed" in done.stderr


def test_a_large_output_fails_where_it_is_printed(full):
    run("print('x' * 10**6); os._exit(0)", stdout=full, code=5)


def test_python_adds_nothing_at_its_end(full):
    # Printed and never flushed by the program.
    done = run("print('given')", stdout=full)
    assert done.stderr == b""


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    body = f"file = open('{tmp_path}/data', 'wb'); number = file.fileno(); " + (
        "os.write(2, b'a library speaks'); os.write(1, b'and prints'); "
        "assert os.read(0, 9) == b''; assert number > 2"
    )
    done = run(body, stdin=None, stdout=None, stderr=None)
    assert done.stdout == done.stderr == b""
    assert (tmp_path / "data").read_bytes() == b""


@pytest.mark.parametrize(
    ("encoding", "text", "data"),
    [
        # A name of bytes that are no UTF-8, as Python holds it.
        ("utf-8:strict", r"r/\udcff/\u00e9", b"r/\xff/\xc3\xa9\n"),
        ("ascii:strict", r"r/\u00e9", b"r/\xc3\xa9\n"),
        ("ascii:strict", r"r/\ud800", b"r/\\ud800\n"),
        ("utf-8:strict", r"plain", b"plain\n"),
    ],
)
def test_a_path_is_given_as_its_own_bytes(encoding, text, data):
    # Set in the program: the encoding of its own text is another matter.
    code, _, errors = encoding.partition(":")
    before = f"sys.stdout.reconfigure(encoding='{code}', errors='{errors}')"
    body = f"print('a'); print('{text}')"
    assert run(body, before=before).stdout == b"a\n" + data


def test_streams_come_back():
    code = (
        "assert (sys.stdout, sys.stderr) == before and not closed(); "
        "print('given')"
    )
    done = run(
        "pass",
        before="before = sys.stdout, sys.stderr\n"
        "closed = streams.is_output_closed\n"
        "with streams.guarded():\n"
        "    assert sys.stdout is not before[0]\n"
        f"{code}",
    )
    assert done.stdout == b"given\n"


# --- The command line

FLAGS = ("--experiment=fc_digits", "--mode=print")


def command(*flags, stdin=subprocess.DEVNULL, closed=(), **files):
    return subprocess.run(
        [sys.executable, "-m", "run_experiment", *flags],
        cwd=programs.ROOT,
        stdin=stdin,
        stdout=files.get("stdout", subprocess.PIPE),
        stderr=files.get("stderr", subprocess.PIPE),
        preexec_fn=lambda: [os.close(number) for number in closed],
        timeout=60,
    )


@pytest.mark.parametrize("flags", [FLAGS, ("--help",)])
def test_what_is_asked_for_and_cannot_be_given_is_one_line(flags, full):
    for files, closed, reason in (
        ({"stdout": full}, (), "No space left on device"),
        ({}, (1,), "it is closed"),
    ):
        done = command(*flags, closed=closed, **files)
        assert (done.returncode, done.stderr.decode()) == (
            5,
            f"ls_tf: standard output cannot be written: {reason}; what is "
            "recorded is kept\n",
        )


def test_a_reader_that_has_gone_is_no_fault(unread):
    done = command(*FLAGS, stdout=unread)
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_standard_error_the_code_says_it(full, unread):
    bad = "--experiment=none"
    assert command(bad, closed=(2,)).returncode == 2
    assert command(bad, stderr=full).returncode == 2
    assert command(bad, stderr=unread).returncode == 2
    done = command(*FLAGS, closed=(0, 2))
    assert done.returncode == 0 and b'"seed": 0' in done.stdout


def test_a_translation_wants_its_input_open():
    flags = ("--experiment=transformer_numbers", "--mode=translate")
    done = command(*flags, closed=(0,))
    assert (done.returncode, done.stderr.decode()) == (
        2,
        "ls_tf: --mode=translate: wanted lines of text on standard input, it "
        "is closed\n",
    )
