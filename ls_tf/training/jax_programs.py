"""What JAX has compiled, shared by all engines of a process.

The runs of a sweep differ in numbers that their programs take as arguments, so
that the program of the first is that of all. What tells programs apart is their
whole text: it costs tracing each anew, which is a small part of compiling, and
can take no two for one that compute different things.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jax

from ls_tf import stopping

# More than a sweep of Transformers has, for training and measuring.
_KEPT = 256


class _Programs:
    """The programs that were used last."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[bytes, Any] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, lowered: Any, devices: tuple[int, ...]) -> Any:
        key = _key(lowered, devices)
        with self._lock:
            if key in self._compiled:
                self._compiled.move_to_end(key)
                return self._compiled[key]
        # To compile takes longer than a stop may.
        program = stopping.aside(lowered.compile)
        with self._lock:
            self._compiled[key] = program
            while len(self._compiled) > _KEPT:
                self._compiled.popitem(last=False)
        return program


_programs = _Programs()


def compiled(
    function: Callable[..., Any], *arguments: Any, **options: Any
) -> Any:
    """Compiles a function, or finds that its program is there already.

    Args:
        function: pure, of arrays.
        arguments: what it is called with: arrays on their devices, and numbers.
        options: of ``jax.jit``.

    Returns:
        The program: a function of arguments of these shapes and places.

    Raises:
        StoppedError: the process was asked to stop before it was compiled.

    Source: ours.
    """
    # What the function does not use stays an argument, so that the text says
    # of each argument which one it is.
    lowered = jax.jit(function, keep_unused=True, **options).lower(*arguments)
    arrays: list[Any] = jax.tree.leaves(arguments)
    places: list[Any] = [
        v.sharding.device_set for v in arrays if isinstance(v, jax.Array)
    ]
    devices = {device.id for place in places for device in place}
    return _programs.of(lowered, tuple(sorted(devices)))


def _key(lowered: Any, devices: tuple[int, ...]) -> bytes:
    """What tells a program from others: shapes, places and sums are in it."""
    about = (str(lowered.in_tree), str(lowered.out_tree), devices)
    digest = hashlib.sha256(repr(about).encode())
    digest.update(lowered.as_text().encode())
    return digest.digest()
