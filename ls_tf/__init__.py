"""Label-smoothing study in Keras 3 on TensorFlow and JAX, and its library.

What is public is imported when it is first asked for: ``import ls_tf`` costs
nothing, and ``ls_tf.calibration`` needs NumPy and SciPy alone.

* ``analyze``: what smoothing did to a network, from two files of logits;
* ``calibration``, ``temperature``, ``geometry``, ``distillation``: arrays of
  any framework in, numbers out;
* ``losses``: for Keras's ``compile`` and in NumPy;
* ``decoding``: beam search;
* ``plot``: diagrams on axes of matplotlib;
* ``runs``: recorded runs as a table, or as a network.

See docs/library.md.
"""

import importlib
from typing import Any

from ls_tf import extras

__version__ = "0.1.0"

_PUBLIC = (
    "calibration",
    "decoding",
    "distillation",
    "geometry",
    "losses",
    "plot",
    "runs",
    "temperature",
)


def __getattr__(name: str) -> Any:
    """Imports what is public when it is first asked for."""
    with extras.needed(f"ls_tf.{name}"):
        if name == "analyze":
            return importlib.import_module("ls_tf.verdict.verdict").analyze
        if name in _PUBLIC:
            return importlib.import_module(f"ls_tf.{name}")
    raise AttributeError(f"module 'ls_tf' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is public, imported or not."""
    return [*globals(), *_PUBLIC, "analyze"]
