"""Processes that lie ready and run a case when they are told to.

Cases that cannot share a process (another Keras backend, another Python
environment) are timed in turn all the same.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

import _common
from _common import Case, Timing

# Does a number of units of work; gives the seconds that they took together.
Work = Callable[[int], float]


class Worker:
    """A process that answers; see ``serve``."""

    def __init__(self, words: Sequence[str]) -> None:
        """Starts it and waits until it is ready.

        Args:
            words: its command line.

        Raises:
            RuntimeError: it ended before it was ready.
        """
        self._words = list(words)
        self._process = subprocess.Popen(
            self._words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.facts: dict[str, Any] = self._answer()

    def case(self, name: str, units: int) -> Case:
        """Makes a case of one of its own.

        Args:
            name: which.
            units: how many units of work a round does.

        Returns:
            A case that gives seconds for each unit.
        """

        def run() -> float:
            stdin = self._process.stdin
            if stdin is None:
                raise RuntimeError("the worker has no pipe")
            stdin.write(json.dumps([name, units]) + "\n")
            stdin.flush()
            return float(self._answer()["seconds"]) / units

        return run

    def _answer(self) -> dict[str, Any]:
        stdout = self._process.stdout
        line = stdout.readline() if stdout else ""
        if not line:
            raise RuntimeError(f"the worker ended: {' '.join(self._words)}")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()


def add_peer_flag(parser: argparse.ArgumentParser, wants: str) -> None:
    """Adds ``--peer_python``, whose Python has PyTorch and what is wanted."""
    parser.add_argument(
        "--peer_python",
        default=sys.executable,
        help=f"a Python that has PyTorch and {wants}; default: this one",
    )


def timed(
    cases: Mapping[str, Case], workers: Sequence[Worker], repeats: int
) -> dict[str, Timing]:
    """Times the cases in turn and ends their workers, come what may."""
    try:
        return _common.interleaved(cases, repeats=repeats)
    finally:
        for worker in workers:
            worker.close()


def private_stdout() -> TextIO:
    """Keeps standard output for answers; what others print goes to stderr.

    To be called before libraries are imported that may print.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def serve(
    answers: TextIO, facts: Mapping[str, Any], works: Mapping[str, Work]
) -> None:
    """The worker's side: says that it is ready, then works until the end.

    Args:
        answers: what ``private_stdout`` gave.
        facts: what the other side should know.
        works: name -> work.
    """
    print(json.dumps(dict(facts)), file=answers, flush=True)
    for line in sys.stdin:
        name, units = json.loads(line)
        seconds = works[name](units)
        print(json.dumps({"seconds": seconds}), file=answers, flush=True)
