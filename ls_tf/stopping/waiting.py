"""What waits, or lets a library take its time, and still hears a request."""

import functools
import select
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ls_tf.stopping.requests import PAUSE_SECONDS, look

T = TypeVar("T")

_under_way: "set[Aside[Any]]" = set()


def wait(seconds: float) -> None:
    """Sleeps, but not through a request to stop.

    Raises:
        StoppedError: it came.
    """
    until = time.monotonic() + seconds
    look()
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, PAUSE_SECONDS))
        look()


def readable(descriptor: int, seconds: float | None = None) -> bool:
    """Waits until a read would not block, but not through a request to stop.

    Args:
        descriptor: of the open file; the end of it can be read too.
        seconds: how long; default: until it can be read.

    Returns:
        bool: whether it can be read; False after ``seconds``.

    Raises:
        StoppedError: a signal came.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        look()
        left = PAUSE_SECONDS
        if until is not None:
            left = min(left, max(until - time.monotonic(), 0.0))
        if poll.poll(1000 * left):
            return True
        if until is not None and time.monotonic() >= until:
            return False


class Aside(Generic[T]):
    """A call of a library that knows of no requests to stop.

    A thread makes it while the one that waits looks. After a stop, or when it
    takes too long, the thread is left to itself: nobody sees what it returns,
    and the process ends as soon as it has said so, see ``is_abandoned``.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        """Takes what is to be called; a thread has to ``run`` it.

        Args:
            function: writes nothing that may not be left half-done, and uses
                no Keras, whose scopes belong to a thread.
        """
        self._function = function
        self._ended: list[Callable[[], T]] = []
        self._done = threading.Event()
        _under_way.add(self)

    def run(self) -> None:
        """Calls the function."""
        try:
            result = self._function()
            self._ended.append(lambda: result)
        except BaseException as error:
            self._ended.append(functools.partial(_raise, error))
        finally:
            _under_way.discard(self)
            self._done.set()

    @property
    def is_done(self) -> bool:
        """Whether it has returned, or raised."""
        return self._done.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits so long at most; whether it has returned, or raised."""
        return self._done.wait(seconds)

    def result(self, seconds: float | None = None) -> T:
        """Waits for what the function returns, or raises what it raised.

        Args:
            seconds: how long; default: until it returns.

        Raises:
            StoppedError: the process was asked to stop.
            TimeoutError: it did not return in ``seconds``.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while not self._done.wait(PAUSE_SECONDS):
            look()
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"no answer in {seconds:g} s")
        return self._ended[0]()


def aside(function: Callable[[], T], seconds: float | None = None) -> T:
    """Calls a function of a library in a thread of its own; see ``Aside``.

    Args:
        function: see ``Aside``.
        seconds: see ``Aside.result``.

    Raises:
        StoppedError: the process was asked to stop.
        TimeoutError: it did not return in ``seconds``.
    """
    look()
    call = Aside(function)
    threading.Thread(target=call.run, daemon=True).start()
    return call.result(seconds)


def _raise(error: BaseException) -> Any:
    raise error


def is_abandoned() -> bool:
    """Whether a call of ``Aside`` may still run at the process's end."""
    return bool(_under_way)
