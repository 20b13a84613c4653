"""Programs that start at once: copies of a process that has its imports.

To import TensorFlow or JAX takes several seconds of one core, and a test of
the command line would pay them for every command. ``start`` asks a process
that has imported an engine, and has used nothing of it yet, for a copy of
itself, which runs a script as ``python SCRIPT WORDS`` would: a process of its
own with its own environment, devices, files and signals, and with an end of
its own. What it shares with the copies beside it is what was decided at the
import: the seed of Python's hashes, and what the imports write to standard
error. Tests of that, and of what is imported at all, start a fresh process.
The pictures of a small run take half of its time: they are one pixel each, but
for those who ask for them drawn.

Run as a program, this is the process that is copied.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What a run of an experiment imports; to leave one out costs time only.
IMPORTED = (
    "keras",
    "sklearn.datasets",
    "ls_tf.cli",
    "ls_tf.running.assembly",
    "ls_tf.running.execute",
    "ls_tf.running.loop",
    "ls_tf.running.sweep",
    "ls_tf.tasks.distillation",
    "ls_tf.pages.drawing",
)
# One white pixel.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c63f80f0001010100b138f6140000000049454e44ae426082"
)


def _file(files):
    return files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))


class Program:
    """A running copy; as a ``subprocess.Popen`` with all three pipes.

    Attributes:
        pid: of the process.
        returncode: None while it runs; minus the number of a signal.
        stdout: a file of text with what it has written.
        stderr: likewise.
    """

    def __init__(
        self, copied, script, words, *, env, cwd=None, stdin=b"", draws=False
    ):
        self.args = [str(script), *words]
        self.returncode = None
        self._copied = copied
        self._files = contextlib.ExitStack()
        self._status, status = os.pipe()
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            self.stdout, self.stderr = _file(self._files), _file(self._files)
            copied.ask(
                {
                    "argv": self.args,
                    "env": dict(env),
                    "cwd": str(cwd or Path.cwd()),
                    "draws": draws,
                },
                [given.fileno(), self.stdout.fileno(), self.stderr.fileno()],
                status,
            )
        os.close(status)
        self.pid = self._read()

    def _read(self):
        """The next number about the process: its id, then its exit code."""
        text = b""
        while not text.endswith(b"\n"):
            more = os.read(self._status, 1)
            assert more, self._copied.said()
            text += more
        return int(text)

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = self._read()
            os.close(self._status)
            self.stdout.seek(0)
            self.stderr.seek(0)
        return self.returncode

    def poll(self):
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout=None):
        self.wait(timeout)
        with self._files:
            return self.stdout.read(), self.stderr.read()


class _Copied:
    """The process that is copied; it ends with this one."""

    def __init__(self, engine):
        self._socket, theirs = socket.socketpair()
        self._files = contextlib.ExitStack()
        self._log = _file(self._files)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                env={
                    **os.environ,
                    "KERAS_BACKEND": engine,
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                },
            )

    def ask(self, request, standard, status):
        """Asks for a copy with these standard files."""
        message = json.dumps(request).encode() + b"\n"
        descriptors = [*standard, status]
        sent = socket.send_fds(self._socket, [message], descriptors)
        self._socket.sendall(message[sent:])

    def said(self):
        """What it has written to standard error."""
        self._log.seek(0)
        return self._log.read()

    def close(self):
        self._socket.close()
        self._process.wait()
        self._files.close()


@functools.cache
def _copied(engine):
    copied = _Copied(engine)
    atexit.register(copied.close)
    return copied


def start(script, *words, engine, **options):
    """Starts ``python SCRIPT WORDS``; its options are those of ``Program``."""
    return Program(_copied(engine), script, words, **options)


def run(script, *words, engine, code=0, timeout=300, **options):
    """As ``subprocess.run``, with text; asserts the exit code."""
    program = start(script, *words, engine=engine, **options)
    try:
        program.wait(timeout)
    finally:
        program.send_signal(9)
    out, err = program.communicate()
    assert program.returncode == code, err
    return subprocess.CompletedProcess(program.args, code, out, err)


def _reap():
    """Waits for the children that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _serve(control):
    """Copies this process for each request; a copy returns what to run."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 4)
        while message and not message.endswith(b"\n"):
            message += control.recv(1 << 20)
        if not message:
            _reap()
            sys.exit()
        _reap()
        if os.fork() == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
    control.close()
    *standard, status = descriptors
    # A process between them waits for the program, as a shell would.
    if (pid := os.fork()) != 0:
        for descriptor in standard:
            os.close(descriptor)
        os.write(status, f"{pid}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(status, f"{code}\n".encode())
        os._exit(0)
    os.close(status)
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
        os.close(descriptor)
    return json.loads(message)


def main(descriptor):
    sys.path[0] = str(ROOT)
    for name in IMPORTED:
        importlib.import_module(name)
    engine = os.environ["KERAS_BACKEND"]
    importlib.import_module(f"ls_tf.training.{engine}_engine")
    gc.freeze()  # so that no collection in a copy touches what it shares
    request = _serve(socket.socket(fileno=int(descriptor)))
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    if not request["draws"]:
        drawing = importlib.import_module("ls_tf.pages.drawing")
        drawing.png = lambda figure, dpi: PICTURE
    sys.argv = request["argv"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
