"""Runs the command line in processes of its own, on the embedded digits."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import programs
from etils import epath

from ls_tf import exit_codes
from ls_tf.training import checkpoints

PROGRAM = programs.ROOT / "run_experiment.py"


def _engine(flags: Sequence[str]) -> str:
    """The engine that the flags choose."""
    return "jax" if "--engine=jax" in flags else "tensorflow"


class Line:
    """The command line with one runs directory.

    A command is a process of its own: a copy of one that has its imports,
    see ``programs``, or with ``fresh`` one that Python starts. TensorBoard's
    pictures are drawn by the latter, and by all of a line that ``draws``.
    """

    def __init__(self, folder: Path, *, draws: bool = False):
        self.folder, self.draws = folder, draws
        self.runs = folder / "runs"

    def words(self, *flags: str) -> list[str]:
        return [
            f"--runs_dir={self.runs}",
            f"--reports_dir={self.folder / 'reports'}",
            *flags,
        ]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
        return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", **more}

    def start(
        self,
        *flags: str,
        fresh: bool = False,
        program: Path = PROGRAM,
        **environment: str,
    ):
        """A process as ``subprocess.Popen`` gives it."""
        words = self.words(*flags)
        env = self.environment(**environment)
        if not fresh:
            return programs.start(
                PROGRAM,
                *words,
                engine=_engine(flags),
                env=env,
                draws=self.draws,
            )
        return subprocess.Popen(
            [sys.executable, str(program), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )

    def __call__(
        self,
        *flags: str,
        code: int = 0,
        fresh: bool = False,
        stdin: bytes = b"",
        **environment: str,
    ):
        words = self.words(*flags)
        env = self.environment(**environment)
        if not fresh:
            return programs.run(
                PROGRAM,
                *words,
                engine=_engine(flags),
                code=code,
                env=env,
                stdin=stdin,
                draws=self.draws,
            )
        done = subprocess.run(
            [sys.executable, str(PROGRAM), *words],
            input=stdin.decode(),
            capture_output=True,
            text=True,
            env=env,
            timeout=300,
        )
        assert done.returncode == code, done.stderr
        return done

    def folder_of(self, *flags: str) -> Path:
        printed = json.loads(self(*flags, "--mode=print").stdout)
        return self.runs / printed["folder"]


def free_ports(number: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(number)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    found = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return found


def start_workers(
    line: Line, *flags: str, each=((), ()), programs=(PROGRAM,) * 4
):
    """Starts the processes of a run, each with flags of its own too."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(len(each))]
    return [
        line.start(
            *flags,
            *own,
            "--strategy=multi_worker",
            fresh=True,
            TF_CONFIG=json.dumps(
                {
                    "cluster": {"worker": workers},
                    "task": {"type": "worker", "index": index},
                }
            ),
            program=programs[index],
        )
        for index, own in enumerate(each)
    ]


def start_jax_processes(line: Line, *flags: str, each=((), ())):
    """Starts JAX processes of one run, each with flags of its own too."""
    (port,) = free_ports(1)
    return [
        line.start(
            *flags,
            "--engine=jax",
            "--strategy=multi_worker",
            f"--coordinator=127.0.0.1:{port}",
            f"--processes={len(each)}",
            f"--process={index}",
            *own,
        )
        for index, own in enumerate(each)
    ]


# A run that does not end by itself, and saves soon.
ENDLESS = (
    "--experiment=fc_digits",
    "--set=train.steps=100000",
    "--set=train.log_every_steps=10",
    "--set=train.checkpoint_every_steps=10",
)


def ended(processes, code: int = 0, timeout: float = 100):
    """Standard output and errors of each; all end with the code."""
    told = []
    try:
        for process in processes:
            told.append(process.communicate(timeout=timeout))
            assert process.returncode == code, told[-1][1]
            assert "Traceback" not in told[-1][1]
    finally:
        for process in processes[len(told) :]:
            process.send_signal(signal.SIGKILL)
    return told


# The first words; what a run is trained on, where it goes on, what came of it.
_FIRST_AND_LAST = (
    r"ls_tf: (?:loading \w+$|reading |(?:jax|tensorflow), \d+ x |"
    r"resumes from step |\w+ .*: accuracy )"
)
_EXPECTED = re.compile(f"{_FIRST_AND_LAST}|fc_digits")


def said(lines: Sequence[str]) -> list[str]:
    """The program's own lines, beside the first and the last of a run."""
    own = [line for line in lines if line.startswith("ls_tf: ")]
    return [line for line in own if not re.match(_FIRST_AND_LAST, line)]


def said_of(done) -> list[str]:
    """As ``said``, of a program that has ended."""
    return said(done.stderr.splitlines())


def refusal(stderr: str) -> str:
    """The one line of what is refused, before or after an engine is loaded."""
    lines = stderr.splitlines()
    begins = ("ls_tf: loading jax", "ls_tf: loading tensorflow")
    if lines[0] in begins or lines[0].startswith("ls_tf: reading "):
        del lines[0]
    assert len(lines) == 1, stderr
    return lines[0]


def beside_progress(stderr: str) -> list[str]:
    """The lines beside the progress of ``fc_digits``, its devices and end."""
    texts = stderr.replace("\r", "\n").splitlines()
    return [t for t in texts if t and not _EXPECTED.match(t)]


def until_saved(folder: Path, process, timeout: float = 200) -> epath.Path:
    """Waits for a run's first checkpoint; gives where they lie."""
    saved = epath.Path(folder) / "checkpoints"
    until = time.monotonic() + timeout
    while not checkpoints.steps(saved):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)
    return saved


def lose_one(folder: Path, processes, killed: int, name: str) -> None:
    """Kills one of two processes: the other ends, and says which is lost.

    Args:
        folder: of the run.
        processes: that have begun it; it is ``ENDLESS``.
        killed: 0 or 1.
        name: what the line and the record begin with.
    """
    saved = until_saved(folder, processes[0])
    processes[killed].send_signal(signal.SIGKILL)
    processes[killed].communicate()
    began = time.monotonic()
    ((_, stderr),) = ended([processes[1 - killed]], exit_codes.LOST, 60)
    assert time.monotonic() - began < 30
    # Beside the progress one line, and none of the engine's.
    (said,) = beside_progress(stderr)
    assert said.startswith(f"ls_tf: {name}")
    assert said.endswith(
        " is lost (its connection was closed); the last checkpoint is intact"
    )
    assert checkpoints.latest(saved) is not None
    run = json.loads((folder / "run.json").read_text())
    if killed:
        assert run["outcome"] == "lost"
        assert run["reason"].startswith(name)
        assert not (folder / "lock").exists()
    else:
        assert run["outcome"] == "running"  # as of any process that is killed


def arrays(folder: Path) -> dict[str, np.ndarray]:
    """The newest checkpoint's arrays."""
    found = checkpoints.latest(epath.Path(folder) / "checkpoints")
    return dict(found.arrays)


def assert_equal_bits(a: dict, b: dict) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype, name
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
