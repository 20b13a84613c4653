"""The process's request to stop, and who looks whether there is one.

The state is the process's, as signals are.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

# What comes so soon after the first signal is the same request: ``timeout``
# signals its child and then the child's group, a terminal that closes and its
# shell both send SIGHUP.
SAME_SECONDS = 0.2
PAUSE_SECONDS = 0.25  # between two looks of who waits
_ANSWER_SECONDS = 1.0


class StoppedError(BaseException):
    """A signal asked to stop; what was finished before is kept.

    It is no ``Exception``: nobody who handles errors handles it by mistake.
    """


class _Requests:
    """Whether the process was asked to stop, and what it is doing."""

    def __init__(self) -> None:
        self.number = 0  # of the signal
        self.since = 0.0
        self.what = ""  # was done then
        self.doing: list[str] = []
        self.deferred = 0
        self.is_heard = False
        self.is_program = False
        self.is_saving = False
        self.before: dict[int, Any] = {}
        self.answered = threading.Event()
        self.answered.set()  # nobody is to be waited for

    @property
    def present(self) -> str:
        """What is being done."""
        # Another thread may end it as this one asks.
        return (self.doing[-1:] or ["the present work"])[0]

    def handler_before(self, number: int) -> Any:
        """The handler of before; one that was not set from Python is lost."""
        handler = self.before[number]
        return signal.SIG_DFL if handler is None else handler

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Notes a signal; the main thread runs it."""
        if not self.number:
            self.number, self.since = number, time.monotonic()
            self.what = self.present
            return
        is_same = time.monotonic() - self.since < SAME_SECONDS
        if not self.is_program and not is_same:
            # Again, in somebody else's program: it is theirs to handle.
            signal.signal(number, self.handler_before(number))
            signal.raise_signal(number)


noted = _Requests()


def requested() -> bool:
    """Whether the process was asked to stop."""
    return noted.number != 0


def request(number: int = signal.SIGTERM) -> None:
    """Asks the process to stop, as a signal does; from any thread."""
    noted.handle(number, None)


def look() -> None:
    """Breaks off the work if the process was asked to stop.

    To be called wherever nothing would be left half-done.

    Raises:
        StoppedError: it was.
    """
    if noted.number and not noted.deferred:
        raise StoppedError


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Within it ``look`` raises nothing: for what must be done to the end."""
    noted.deferred += 1
    try:
        yield
    finally:
        noted.deferred -= 1


@contextlib.contextmanager
def saving() -> Iterator[None]:
    """As ``deferred``, and a time limit waits for its end."""
    noted.is_saving = True
    try:
        with deferred():
            yield
    finally:
        noted.is_saving = False


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Names what is done, for the line that a signal is answered with.

    Args:
        what: after "stopping after": "compiling", "measuring report/ece".

    Raises:
        StoppedError: the process was asked to stop before.
    """
    look()
    noted.doing.append(what)
    try:
        yield
    finally:
        noted.doing.pop()


def answer() -> None:
    """Lets the line come first that says what was being done."""
    if requested():
        noted.answered.wait(_ANSWER_SECONDS)
