"""The handlers of signals, and the thread that a signal itself wakes."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

from ls_tf import exit_codes, streams
from ls_tf.stopping import limits, requests
from ls_tf.stopping.requests import noted

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


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
    if noted.is_heard:
        set_again()
        yield
        return
    _forget()
    noted.is_heard, noted.is_program = True, program
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
                limits.end()
                _ignore()


def _forget() -> None:
    noted.is_heard, noted.is_program = False, False
    noted.number, noted.what = 0, ""
    noted.answered.set()
    limits.end()


def _set_handlers() -> Callable[[], None]:
    """Sets the handlers; gives what sets those of before again."""
    noted.before = {
        number: handler
        for number in SIGNALS
        if (handler := signal.getsignal(number)) != signal.SIG_IGN
        or number == signal.SIGINT
    }
    set_again()

    def undo() -> None:
        for number in noted.before:
            signal.signal(number, noted.handler_before(number))
        noted.before = {}

    return undo


def set_again() -> None:
    """Sets the handlers; a library may have set its own where it began.

    TensorFlow does so where several workers train, for SIGTERM, and Python is
    not told.
    """
    if threading.current_thread() is threading.main_thread():
        for number in noted.before:
            signal.signal(number, noted.handle)


def _ignore() -> None:
    """Lets signals pass: at its end Python takes handlers away, but not this.

    What they would end has been done; only libraries are being let go.
    """
    if threading.current_thread() is threading.main_thread():
        for number in noted.before:
            signal.signal(number, signal.SIG_IGN)


def _start_watch() -> Callable[[], None]:
    """Starts the thread that signals wake; gives what ends it."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    told = streams.copy_of_messages()
    noted.answered.clear()
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


def _watch(pipe: int, told: int) -> None:
    """Answers the first signal, and ends the process at the second."""
    since: float | None = None
    while numbers := os.read(pipe, 64):
        if not any(number in SIGNALS for number in numbers):
            continue
        if since is None:
            what = noted.what or noted.present
            streams.say_to(
                told, f"stopping after {what}; again to stop at once"
            )
            noted.answered.set()
            since = time.monotonic()
        elif time.monotonic() - since >= requests.SAME_SECONDS:
            streams.say_to(
                told,
                "stopped at once; the last checkpoint is intact, the same "
                "command resumes",
            )
            os._exit(exit_codes.STOPPED)
