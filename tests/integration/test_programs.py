"""A copy of a process with its imports is the process that Python starts."""

import json
import signal
import subprocess
import sys

import programs
import pytest
from command_line import arrays, assert_equal_bits, refusal

pytestmark = pytest.mark.slow

SHORT = ("--experiment=fc_digits", "--set=train.steps=30")

SCRIPT = """
import json, os, signal, sys
print(json.dumps([
    sys.argv, sys.path[0], __name__, os.getcwd(), dict(os.environ),
    sys.stdin.read(), sys.stdout.encoding, sys.stdout.line_buffering,
    str(signal.getsignal(signal.SIGINT)), str(signal.getsignal(signal.SIGCHLD)),
]))
print("to standard error", file=sys.stderr)
if sys.argv[1] == "kill":
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("end", ["0", "3", "kill"])
def test_a_script_sees_the_same(tmp_path, end):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    env = {"PATH": "/bin", "LC_ALL": "C.UTF-8", "OF_THIS_TEST": "é"}
    started = subprocess.run(
        [sys.executable, str(script), end, "word"],
        input=b"some lines\n",
        capture_output=True,
        cwd=tmp_path,
        env=env,
    )
    code = -signal.SIGKILL if end == "kill" else int(end)
    assert started.returncode == code
    copied = programs.run(
        script,
        end,
        "word",
        engine="tensorflow",
        code=code,
        cwd=tmp_path,
        env=env,
        stdin=b"some lines\n",
    )
    assert json.loads(copied.stdout) == json.loads(started.stdout)
    assert copied.stderr == started.stderr.decode() == "to standard error\n"


@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_a_run_says_and_becomes_the_same(tmp_path, line, engine):
    flags = (*SHORT, f"--engine={engine}")
    started = line(*flags, fresh=True)
    folder = line.folder_of(*flags)
    weights, rows = arrays(folder), (folder / "metrics.csv").read_text()
    measured = {
        p.name: json.loads(p.read_text())["scalars"]
        for p in (folder / "measurements").glob("*.json")
    }
    line.runs.rename(tmp_path / "started")
    copied = line(*flags)
    assert copied.stdout == started.stdout
    # All but the line whose speed differs.
    assert len(copied.stderr.splitlines()) == len(started.stderr.splitlines())
    assert_equal_bits(arrays(folder), weights)
    assert (folder / "metrics.csv").read_text() == rows
    assert measured == {
        p.name: json.loads(p.read_text())["scalars"]
        for p in (folder / "measurements").glob("*.json")
    }


@pytest.mark.parametrize(
    "flags",
    [
        ("--set=model.options.hidden=0,4",),
        ("--set=data.augmentation=shfit2", "--engine=jax"),
    ],
    ids=["options", "jax"],
)
def test_what_is_refused_says_the_same(line, flags):
    flags = (*SHORT, *flags)
    started = line(*flags, code=2, fresh=True)
    copied = line(*flags, code=2)
    assert started.stdout == copied.stdout == ""
    assert started.stderr == copied.stderr
    assert refusal(started.stderr).startswith("ls_tf: ")
    assert not line.runs.exists()
