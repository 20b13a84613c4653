"""A process that signals itself where it is asked to.

What is to be interrupted is named by a function of the product, "MODULE:NAME",
or by a module whose import has begun, "import:NAME". When it is entered for
the n-th time, and a while after, the process gets its signal.
"""

import dataclasses
import functools
import importlib
import os
import sys
import threading
import time


@dataclasses.dataclass(frozen=True)
class Signal:
    """When, and which.

    Attributes:
        at: the function or the import.
        number: of the signal.
        entry: the n-th time, from 1.
        delay: seconds after that.
        log: a file for the time of the signal (``time.monotonic``).
    """

    at: str
    number: int
    log: str
    entry: int = 1
    delay: float = 0.0


def _send(signal):
    with open(signal.log, "w") as file:
        file.write(str(time.monotonic()))
    os.kill(os.getpid(), signal.number)


class _Counter:
    """Sends the signal at its n-th call."""

    def __init__(self, signal):
        self._signal, self._count = signal, 0

    def __call__(self):
        self._count += 1
        if self._count != self._signal.entry:
            return
        if self._signal.delay:
            timer = threading.Timer(self._signal.delay, _send, [self._signal])
            timer.daemon = True
            timer.start()
        else:
            _send(self._signal)


class _Finder:
    """Finds no module; sees that one is looked for."""

    def __init__(self, name, entered):
        self._name, self._entered = name, entered

    def find_spec(self, name, path, target=None):
        if name == self._name:
            self._entered()


def install(signal):
    """Waits in this process for what is to be interrupted."""
    entered = _Counter(signal)
    where, _, name = signal.at.partition(":")
    if where == "import":
        sys.meta_path.insert(0, _Finder(name, entered))
        return
    owner = importlib.import_module(where)
    *above, last = name.split(".")
    for part in above:
        owner = getattr(owner, part)
    function = getattr(owner, last)

    @functools.wraps(function)
    def called(*args, **options):
        entered()
        return function(*args, **options)

    setattr(owner, last, called)
