"""What a job does where it is carried out: the command line, as a child.

A launcher hands a ``Carrier`` to its library, which calls it elsewhere.
"""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any

from etils.epath import Path

from ls_tf.launchers import child

_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Carrier:
    """The command line of a job, to be called as a function.

    Attributes:
        words: of the command line after the interpreter.
        folder: where it begins, if there is such a folder there.
        environment: variables that are set, or taken away (None).
        deaf_to: signals that the child is not to hear, beside SIGUSR2, with
            which Slurm warns all processes of a job, and which ends one.
    """

    words: tuple[str, ...]
    folder: str
    environment: Mapping[str, str | None]
    deaf_to: tuple[int, ...] = ()

    def __call__(self) -> int:
        """Carries the job out, and passes a SIGTERM on.

        Returns:
            int: the exit code; minus the number of a signal.
        """
        process = self.started()
        told = signal.signal(signal.SIGTERM, lambda *_: process.tell())
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGTERM, told)

    def checkpoint(self) -> Any:
        """Stops the child and says how to go on; for submitit.

        Returns:
            submitit.helpers.DelayedSubmission.
        """
        from submitit.helpers import DelayedSubmission

        for process in _Process.all_of_them:
            process.tell()
            process.wait()
        return DelayedSubmission(dataclasses.replace(self))

    def started(self, log: IO[bytes] | None = None) -> "_Process":
        """Starts the child.

        Args:
            log: for what it says; default: where this process says it.
        """
        return _Process(self, log)


class _Process:
    """The child of a job; a class of its own, for a signal may come any time.

    ``subprocess`` waits with a lock in hand, so that a handler could not.
    """

    all_of_them: "list[_Process]" = []

    def __init__(self, carrier: Carrier, log: IO[bytes] | None) -> None:
        """Starts it."""
        environment = dict(os.environ)
        for name, value in carrier.environment.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        deaf_to = ",".join(
            str(int(n)) for n in (signal.SIGUSR2, *carrier.deaf_to)
        )
        words = [sys.executable, "-I", "-S", str(child.__file__)]
        words += [str(os.getpid()), deaf_to, sys.executable, *carrier.words]
        self._process = subprocess.Popen(
            words,
            cwd=carrier.folder if Path(carrier.folder).is_dir() else None,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        self._code: int | None = None
        self._is_told = False
        self.all_of_them.append(self)

    def tell(self, *_: int | FrameType | None) -> None:
        """Asks it to stop, once: asked twice it would not save its state."""
        if not self._is_told and self._code is None:
            self._is_told = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGINT)

    def wait(self) -> int:
        """Waits for its end; gives the exit code."""
        while self._code is None:
            try:
                pid, status = os.waitpid(self._process.pid, os.WNOHANG)
            except ChildProcessError:
                return 0  # a handler was quicker, or interrupts who was
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
                self._process.returncode = self._code
            else:
                time.sleep(_PAUSE_SECONDS)
        return self._code
