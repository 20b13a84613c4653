"""Losses, found by name; the plain NLL is logged beside each of them.

For programs of others: ``KerasLoss(name, ...)`` is one of them for Keras's
``compile``, ``numpy_loss(name, logits, labels, ...)`` the same in NumPy;
``learnt_targets(logits, labels)`` are those of online label smoothing. They
are imported when they are first asked for.
"""

import importlib
from typing import Any

from ls_tf import extras

_PUBLIC = {
    "KerasLoss": "ls_tf.objective.keras_loss",
    "learnt_targets": "ls_tf.analysis.numpy_losses",
    "numpy_loss": "ls_tf.analysis.numpy_losses",
}


def __getattr__(name: str) -> Any:
    """Imports what is public when it is first asked for."""
    if name in _PUBLIC:
        with extras.needed(f"ls_tf.losses.{name}"):
            return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'ls_tf.losses' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is public, imported or not."""
    return [*globals(), *_PUBLIC]
