"""What JAX has compiled, shared by all engines of a process.

The runs of a sweep differ in numbers that their programs take as arguments, so
that the program of the first is that of all. What tells programs apart is their
whole text: it costs tracing each anew, which is a small part of compiling, and
can take no two for one that compute different things.

Where batches have several shapes each has a program, and these are compiled
side by side. The thread that waits for one traces the next meanwhile: Keras's
scopes belong to a thread, and compilers need none.
"""

import hashlib
import os
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import jax

from ls_tf import stopping
from ls_tf.training.jax_traced import Traced

# More than a sweep of Transformers has, for training and measuring.
_KEPT = 256
# How many are compiled at once before they are needed: a bound on what
# compilers take of memory.
_MOST_AHEAD = max(2, min(8, os.cpu_count() or 1))
# What an earlier process has kept is there so soon. To begin others before
# would only hold it up.
_SOON_SECONDS = 0.5


class _Compilers:
    """Threads that compile what they are given, in its order."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads = 0

    def give(self, call: Callable[[], None]) -> None:
        self._calls.put(call)
        if self._threads < _MOST_AHEAD:
            self._threads += 1
            # As daemons they hold up no end of the process.
            threading.Thread(
                target=self._serve, name="compiling", daemon=True
            ).start()

    def _serve(self) -> None:
        while True:
            self._calls.get()()


class Compilation:
    """A program that is there, or is being compiled."""

    def __init__(self, made: Any) -> None:
        """Takes the program, or the call that makes it."""
        self._made = made

    @property
    def is_done(self) -> bool:
        """Whether nobody would wait for it."""
        is_call = isinstance(self._made, stopping.Aside)
        return not is_call or self._made.is_done

    def is_soon_done(self) -> bool:
        """Waits a moment; see ``is_done``."""
        if isinstance(self._made, stopping.Aside):
            return self._made.wait(_SOON_SECONDS)
        return True

    def program(self) -> Any:
        """Waits for it; raises what its compiler has raised.

        Raises:
            StoppedError: the process was asked to stop before it was there.
        """
        if isinstance(self._made, stopping.Aside):
            return self._made.result()
        return self._made


# Whether it is ahead of its need -> a program that is being compiled.
Begin = Callable[[bool], Compilation]


class _Programs:
    """The programs that were used last, and those that are being compiled."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[bytes, Any] = OrderedDict()
        self._begun: dict[bytes, stopping.Aside[Any]] = {}
        self._lock = threading.Lock()
        self._compilers = _Compilers()

    def begin(
        self, lowered: Any, devices: tuple[int, ...], *, ahead: bool
    ) -> Compilation:
        key = _key(lowered, devices)
        with self._lock:
            if key in self._compiled:
                self._compiled.move_to_end(key)
                return Compilation(self._compiled[key])
            if key in self._begun:
                return Compilation(self._begun[key])
            # To compile takes longer than a stop may.
            call = stopping.Aside(lambda: self._make(key, lowered))
            self._begun[key] = call
        if ahead:
            self._compilers.give(call.run)
        else:
            threading.Thread(target=call.run, daemon=True).start()
        return Compilation(call)

    def _make(self, key: bytes, lowered: Any) -> Any:
        try:
            program = lowered.compile(_options())
            with self._lock:
                self._compiled[key] = program
                while len(self._compiled) > _KEPT:
                    self._compiled.popitem(last=False)
            return program
        finally:
            with self._lock:
                del self._begun[key]


class InTurn:
    """Programs of several shapes; the next are begun while one is waited for.

    None is waited for but the one that is asked for.
    """

    def __init__(self, coming: Iterable[tuple[Any, Begin]] = ()) -> None:
        """Takes what will be asked for.

        Args:
            coming: keys, and what begins the program of each, in the order in
                which they will be asked for; a key may come again.
        """
        self._coming = iter(coming)
        self._begun: dict[Any, Compilation] = {}

    def program(self, key: Any, begin: Begin) -> Any:
        """Gives a program, when it is there.

        Args:
            key: what tells it from the others.
            begin: begins it, where that was not done ahead.

        Raises:
            StoppedError: the process was asked to stop before it was there.
        """
        stopping.look()
        if key not in self._begun:
            self._begun[key] = begin(False)
        wanted = self._begun[key]
        if wanted.is_soon_done():
            return wanted.program()
        while not wanted.is_done and self._begin_next():
            pass
        return wanted.program()

    def _begin_next(self) -> bool:
        """Traces one more, and gives it to a compiler."""
        for key, begin in self._coming:
            if key not in self._begun:
                stopping.look()  # to trace one takes a second
                self._begun[key] = begin(True)
                return True
        return False


_programs = _Programs()


def begin(
    function: Callable[..., Any],
    *arguments: Any,
    ahead: bool = False,
    traced: Traced | None = None,
    **options: Any,
) -> Compilation:
    """Begins to compile a function, or finds that its program is there.

    Args:
        function: pure, of arrays; it is traced before this returns, unless it
            was in an earlier process.
        arguments: what it is called with: arrays on their devices, and numbers.
        ahead: it is not needed yet; others that are begun so come first.
        traced: what the function's run has traced in earlier processes; its
            name and the arguments tell it from others of the run.
        options: of ``jax.jit``.

    Returns:
        The program to be: a function of arguments of these shapes and places.

    Source: ours.
    """
    if traced is not None:
        function = traced.traced(function, arguments, options)
    # What the function does not use stays an argument, so that the text says
    # of each argument which one it is.
    lowered = jax.jit(function, keep_unused=True, **options).lower(*arguments)
    arrays: list[Any] = jax.tree.leaves(arguments)
    places: list[Any] = [
        v.sharding.device_set for v in arrays if isinstance(v, jax.Array)
    ]
    devices = {device.id for place in places for device in place}
    return _programs.begin(lowered, tuple(sorted(devices)), ahead=ahead)


def _options() -> dict[str, str]:
    """Has the compiler keep what ``kernels.stored`` asks for.

    On processors it would forget the barriers before it makes its loops.
    """
    if jax.default_backend() != "cpu":
        return {}
    return {"xla_disable_hlo_passes": "cse_barrier_expander"}


def _key(lowered: Any, devices: tuple[int, ...]) -> bytes:
    """What tells a program from others: shapes, places and sums are in it."""
    about = (str(lowered.in_tree), str(lowered.out_tree), devices)
    digest = hashlib.sha256(repr(about).encode())
    digest.update(lowered.as_text().encode())
    return digest.digest()
