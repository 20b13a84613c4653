"""Why a training ends before its last step, and how a signal asks for it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class StoppedError(Exception):
    """A signal asked to stop; the state was saved."""


class NonFiniteLossError(Exception):
    """The loss is not a number any more; the message is one line."""


@dataclass
class StopRequest:
    """Whether SIGTERM or SIGINT has come."""

    signal: int = 0

    def __bool__(self) -> bool:
        """True once a signal has come."""
        return self.signal != 0


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turns SIGTERM and SIGINT into a request, seen between steps."""
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:
        request.signal = number

    before = {
        number: signal.signal(number, note)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
