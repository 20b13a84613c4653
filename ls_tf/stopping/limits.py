"""A time limit asks to stop as a signal does.

Where nobody looks for some seconds, in a library's compiler say, it ends the
process as a second signal would: whoever gave the limit has promised the
machine to somebody else.
"""

import os
import signal
import threading
import time

from ls_tf import exit_codes, streams
from ls_tf.durations import spoken
from ls_tf.stopping import requests
from ls_tf.stopping.requests import noted

# What is begun before a time limit has these seconds behind it to be saved.
PATIENCE_SECONDS = 8.0
_BY_LIMIT = signal.SIGALRM  # stands for the limit where a signal's number would


class _Limit:
    """A time limit, and the thread that watches it."""

    def __init__(self, seconds: float, command: str) -> None:
        self.until = time.monotonic() + seconds
        self.command = command
        minutes = f"{seconds / 60:g} min"
        said = spoken(seconds) if seconds >= 3600 else minutes
        self.words = f"the time limit of {said}"
        self.ended = threading.Event()  # there is nothing to watch any more
        self._told = streams.copy_of_messages()
        threading.Thread(target=self._watch, name="limit", daemon=True).start()

    def _watch(self) -> None:
        if not self.ended.wait(max(self.until - time.monotonic(), 0.0)):
            if not requests.requested():
                noted.what = what = noted.present
                noted.number, noted.since = _BY_LIMIT, time.monotonic()
                self.tell(f"{self.words} is over: stopping after {what}")
            patience = PATIENCE_SECONDS
            while not self.ended.wait(patience):
                if not noted.is_saving:
                    self.tell(
                        f"{self.words} is over: stopped at once; the last "
                        f"checkpoint is intact; go on with: {self.command}"
                    )
                    os._exit(exit_codes.STOPPED)
                patience = requests.PAUSE_SECONDS
        os.close(self._told)

    def tell(self, line: str) -> None:
        streams.say_to(self._told, line)
        noted.answered.set()


_present: list[_Limit] = []  # one at most


def limit(seconds: float, command: str) -> None:
    """Asks the process to stop when a time is over.

    Within ``listening``, and no longer. What has not stopped
    ``PATIENCE_SECONDS`` later, and is not ``saving``, is ended.

    Args:
        seconds: from now on.
        command: what goes on afterwards, for the line that says so.

    Source: ours.
    """
    end()
    _present.append(_Limit(seconds, command))


def left() -> float:
    """Seconds until the time limit; infinitely many where there is none."""
    if not _present:
        return float("inf")
    return _present[0].until - time.monotonic()


def refuse(seconds: float, what: str, *, late: float = 0.0) -> None:
    """Stops now if something would last beyond the time limit.

    Args:
        seconds: that it is thought to take.
        what: it is, with {} for those seconds: "the next step takes {}".
        late: seconds that it may last beyond.

    Raises:
        StoppedError: it would.
    """
    if not _present or seconds <= left() + late:
        return
    if not requests.requested():
        noted.number, noted.since = _BY_LIMIT, time.monotonic()
        _present[0].tell(
            f"{spoken(max(left(), 0))} are left of {_present[0].words}, "
            f"{what.format(spoken(seconds))}: stopping"
        )
    requests.look()


def farewell() -> str:
    """What became of the work after a ``StoppedError``, and how to go on."""
    if not _present or noted.number != _BY_LIMIT:
        return "stopped; the state is saved and the same command resumes"
    return f"stopped; the state is saved; go on with: {_present[0].command}"


def end() -> None:
    """Lets nothing be watched any more."""
    for watched in _present:
        watched.ended.set()
    _present.clear()
