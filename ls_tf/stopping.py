"""Requests to stop: a signal is noted, never raised, and every phase looks.

SIGTERM, SIGINT and SIGHUP ask the process to stop. Python runs their handlers
between two of its own instructions, wherever that is, and drops what they
raise inside a callback of the garbage collector; inside a compiled call it
runs none. So the handler only notes the request, ``look`` raises it where the
work can be broken off, and a thread that is woken by the signal itself tells
the person what is waited for; a compiled call lets it run, but not every
library's call. A second signal is for the person who does not
want to wait: it ends the process at once, whatever it is doing. Files are
whole or not there at any instant, and the lock of a dead process is taken
over, so that this loses what came after the last checkpoint and no more.

A time limit asks as a signal does. Where nobody looks for some seconds, in a
library's compiler say, it ends the process as a second signal would: whoever
gave the limit has promised the machine to somebody else.

The state is the process's, as signals are.
"""

import contextlib
import functools
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, Generic, TypeVar

from ls_tf import exit_codes
from ls_tf.durations import spoken

T = TypeVar("T")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# What comes so soon after the first signal is the same request: ``timeout``
# signals its child and then the child's group, a terminal that closes and its
# shell both send SIGHUP.
_SAME_SECONDS = 0.2
_PAUSE_SECONDS = 0.25  # between two looks of who waits
_ANSWER_SECONDS = 1.0
# What is begun before a time limit has these seconds behind it to be saved.
PATIENCE_SECONDS = 8.0
_BY_LIMIT = signal.SIGALRM  # stands for the limit where a signal's number would


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
        self.aside: set[Aside[Any]] = set()  # those that have not ended
        self.is_saving = False
        self.limit: _Limit | None = None
        self.before: dict[int, Any] = {}
        self.answered = threading.Event()
        self.answered.set()  # nobody is to be waited for

    @property
    def present(self) -> str:
        """What is being done."""
        # Another thread may end it as this one asks.
        return (self.doing[-1:] or ["the present work"])[0]

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Notes a signal; the main thread runs it."""
        if not self.number:
            self.number, self.since = number, time.monotonic()
            self.what = self.present
            return
        is_same = time.monotonic() - self.since < _SAME_SECONDS
        if not self.is_program and not is_same:
            # Again, in somebody else's program: it is theirs to handle.
            signal.signal(number, _before(number))
            signal.raise_signal(number)


_requests = _Requests()


class _Limit:
    """A time limit, and the thread that watches it."""

    def __init__(self, seconds: float, command: str) -> None:
        self.until = time.monotonic() + seconds
        self.command = command
        minutes = f"{seconds / 60:g} min"
        said = spoken(seconds) if seconds >= 3600 else minutes
        self.words = f"the time limit of {said}"
        self.ended = threading.Event()  # there is nothing to watch any more
        self._told = _copy_of_standard_error()
        threading.Thread(target=self._watch, name="limit", daemon=True).start()

    def _watch(self) -> None:
        if not self.ended.wait(max(self.until - time.monotonic(), 0.0)):
            if not requested():
                _requests.what = what = _requests.present
                _requests.number, _requests.since = _BY_LIMIT, time.monotonic()
                self.tell(f"{self.words} is over: stopping after {what}")
            patience = PATIENCE_SECONDS
            while not self.ended.wait(patience):
                if not _requests.is_saving:
                    self.tell(
                        f"{self.words} is over: stopped at once; the last "
                        f"checkpoint is intact; go on with: {self.command}"
                    )
                    os._exit(exit_codes.STOPPED)
                patience = _PAUSE_SECONDS
        os.close(self._told)

    def tell(self, line: str) -> None:
        _tell(self._told, line)
        _requests.answered.set()


def requested() -> bool:
    """Whether the process was asked to stop."""
    return _requests.number != 0


def request(number: int = signal.SIGTERM) -> None:
    """Asks the process to stop, as a signal does; from any thread."""
    _requests.handle(number, None)


def look() -> None:
    """Breaks off the work if the process was asked to stop.

    To be called wherever nothing would be left half-done.

    Raises:
        StoppedError: it was.
    """
    if _requests.number and not _requests.deferred:
        raise StoppedError


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Within it ``look`` raises nothing: for what must be done to the end."""
    _requests.deferred += 1
    try:
        yield
    finally:
        _requests.deferred -= 1


@contextlib.contextmanager
def saving() -> Iterator[None]:
    """As ``deferred``, and a time limit waits for its end."""
    _requests.is_saving = True
    try:
        with deferred():
            yield
    finally:
        _requests.is_saving = False


def limit(seconds: float, command: str) -> None:
    """Asks the process to stop when a time is over.

    Within ``listening``, and no longer. What has not stopped
    ``PATIENCE_SECONDS`` later, and is not ``saving``, is ended.

    Args:
        seconds: from now on.
        command: what goes on afterwards, for the line that says so.

    Source: ours.
    """
    _end_limit()
    _requests.limit = _Limit(seconds, command)


def left() -> float:
    """Seconds until the time limit; infinitely many where there is none."""
    if _requests.limit is None:
        return float("inf")
    return _requests.limit.until - time.monotonic()


def refuse(seconds: float, what: str, *, late: float = 0.0) -> None:
    """Stops now if something would last beyond the time limit.

    Args:
        seconds: that it is thought to take.
        what: it is, with {} for those seconds: "the next step takes {}".
        late: seconds that it may last beyond.

    Raises:
        StoppedError: it would.
    """
    if _requests.limit is None or seconds <= left() + late:
        return
    if not requested():
        _requests.number, _requests.since = _BY_LIMIT, time.monotonic()
        _requests.limit.tell(
            f"{spoken(max(left(), 0))} are left of {_requests.limit.words}, "
            f"{what.format(spoken(seconds))}: stopping"
        )
    look()


def farewell() -> str:
    """What became of the work after a ``StoppedError``, and how to go on."""
    if _requests.limit is None or _requests.number != _BY_LIMIT:
        return "stopped; the state is saved and the same command resumes"
    return f"stopped; the state is saved; go on with: {_requests.limit.command}"


def _end_limit() -> None:
    if _requests.limit is not None:
        _requests.limit.ended.set()
    _requests.limit = None


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Names what is done, for the line that a signal is answered with.

    Args:
        what: after "stopping after": "compiling", "measuring report/ece".

    Raises:
        StoppedError: the process was asked to stop before.
    """
    look()
    _requests.doing.append(what)
    try:
        yield
    finally:
        _requests.doing.pop()


class _Finder:
    """Finds no module, but looks whenever one is imported."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: Any = None
    ) -> None:
        if threading.get_ident() == self._thread:
            look()


@contextlib.contextmanager
def importing(what: str) -> Iterator[None]:
    """Looks at each import within; for libraries that take seconds.

    A library that was broken off is not whole: the process has to end.

    Args:
        what: after "importing": "TensorFlow".

    Raises:
        StoppedError: the process was asked to stop.
    """
    finder: Any = _Finder()
    with doing(f"importing {what}"):
        sys.meta_path.insert(0, finder)
        try:
            yield
        except Exception as error:
            # Extension modules make an ImportError of what is raised.
            if _is_stop(error):
                raise StoppedError from error
            raise
        finally:
            sys.meta_path.remove(finder)
            _set_again()
    look()  # some make nothing of it


def _is_stop(error: BaseException | None) -> bool:
    """Whether an error is, or was made of, a ``StoppedError``."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, StoppedError):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def wait(seconds: float) -> None:
    """Sleeps, but not through a request to stop.

    Raises:
        StoppedError: it came.
    """
    until = time.monotonic() + seconds
    look()
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _PAUSE_SECONDS))
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
        left = _PAUSE_SECONDS
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
        _requests.aside.add(self)

    def run(self) -> None:
        """Calls the function."""
        try:
            result = self._function()
            self._ended.append(lambda: result)
        except BaseException as error:
            self._ended.append(functools.partial(_raise, error))
        finally:
            _requests.aside.discard(self)
            self._done.set()

    @property
    def is_done(self) -> bool:
        """Whether it has returned, or raised."""
        return self._done.is_set()

    def result(self, seconds: float | None = None) -> T:
        """Waits for what the function returns, or raises what it raised.

        Args:
            seconds: how long; default: until it returns.

        Raises:
            StoppedError: the process was asked to stop.
            TimeoutError: it did not return in ``seconds``.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while not self._done.wait(_PAUSE_SECONDS):
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


def answer() -> None:
    """Lets the line come first that says what was being done."""
    if requested():
        _requests.answered.wait(_ANSWER_SECONDS)


def is_abandoned() -> bool:
    """Whether a call of ``Aside`` may still run at the process's end."""
    return bool(_requests.aside)


@contextlib.contextmanager
def listening(*, program: bool = False, last: bool = False) -> Iterator[None]:
    """Within it, signals are requests to stop.

    Nested in another it changes nothing. Outside the main thread no handler
    can be set, and only ``request`` asks. A SIGTERM or SIGHUP that was ignored
    stays ignored, as ``nohup`` wants it; SIGINT, which shells ignore for what
    a script starts with ``&``, is heard.

    Args:
        program: the process is ours: a second signal ends it at once. Else
            the second one is for the handler that was there before.
        last: nothing comes after it but the end of the process, which is not
            disturbed by a late signal either.

    Source: ours.
    """
    if _requests.is_heard:
        _set_again()
        yield
        return
    _forget()
    _requests.is_heard, _requests.is_program = True, program
    with contextlib.ExitStack() as undo:
        undo.callback(_forget)
        if threading.current_thread() is threading.main_thread():
            if program:
                undo.callback(_start_watch())
            undo.callback(_set_handlers())
        try:
            yield
        finally:
            if last:
                undo.pop_all()
                _end_limit()
                _ignore()


def _forget() -> None:
    _requests.is_heard, _requests.is_program = False, False
    _requests.number, _requests.what = 0, ""
    _requests.answered.set()
    _end_limit()


def _set_handlers() -> Callable[[], None]:
    """Sets the handlers; gives what sets those of before again."""
    _requests.before = {
        number: handler
        for number in SIGNALS
        if (handler := signal.getsignal(number)) != signal.SIG_IGN
        or number == signal.SIGINT
    }
    _set_again()

    def undo() -> None:
        for number in _requests.before:
            signal.signal(number, _before(number))
        _requests.before = {}

    return undo


def _set_again() -> None:
    """Sets the handlers; a library may have set its own where it began.

    TensorFlow does so where several workers train, for SIGTERM, and Python is
    not told.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _requests.before:
            signal.signal(number, _requests.handle)


def _ignore() -> None:
    """Lets signals pass: at its end Python takes handlers away, but not this.

    What they would end has been done; only libraries are being let go.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _requests.before:
            signal.signal(number, signal.SIG_IGN)


def _before(number: int) -> Any:
    """The handler of before; one that was not set from Python is lost."""
    handler = _requests.before[number]
    return signal.SIG_DFL if handler is None else handler


def _start_watch() -> Callable[[], None]:
    """Starts the thread that signals wake; gives what ends it."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    told = _copy_of_standard_error()
    _requests.answered.clear()
    before = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    thread = threading.Thread(
        target=_watch, args=(ours, told), name="stopping", daemon=True
    )
    thread.start()

    def undo() -> None:
        signal.set_wakeup_fd(before)
        os.close(theirs)
        thread.join()
        os.close(ours)
        os.close(told)

    return undo


def _copy_of_standard_error() -> int:
    """A copy: others may turn standard error away for a while."""
    try:
        return os.dup(2)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _watch(pipe: int, told: int) -> None:
    """Answers the first signal, and ends the process at the second."""
    since: float | None = None
    while numbers := os.read(pipe, 64):
        if not any(number in SIGNALS for number in numbers):
            continue
        if since is None:
            what = _requests.what or _requests.present
            _tell(told, f"stopping after {what}; again to stop at once")
            _requests.answered.set()
            since = time.monotonic()
        elif time.monotonic() - since >= _SAME_SECONDS:
            _tell(
                told,
                "stopped at once; the last checkpoint is intact, the same "
                "command resumes",
            )
            os._exit(exit_codes.STOPPED)


def _tell(descriptor: int, line: str) -> None:
    """Writes a line where nothing can fail, nor wait for a reader."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    with contextlib.suppress(OSError):
        if poll.poll(0):
            # A progress bar stands on the terminal's present line.
            start = "\n" if os.isatty(descriptor) else ""
            os.write(descriptor, f"{start}ls_tf: {line}\n".encode())
