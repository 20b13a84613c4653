"""From a model's next-token distribution to whole sentences.

``beam_search`` is for step functions of any framework, and needs NumPy alone;
``compiled_beam_search`` is the same search as one compiled loop of Keras, which
the translations of the recorded runs are made with (``search``). Both are
imported when they are first asked for.
"""

import importlib
from typing import Any

from ls_tf import extras

_PUBLIC = {
    "beam_search": ("ls_tf.decoding.any_step", "beam_search"),
    "compiled_beam_search": ("ls_tf.decoding.search", "beam_search"),
}


def __getattr__(name: str) -> Any:
    """Imports what is public when it is first asked for."""
    if name in _PUBLIC:
        module, attribute = _PUBLIC[name]
        with extras.needed(f"ls_tf.decoding.{name}"):
            return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'ls_tf.decoding' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is public, imported or not."""
    return [*globals(), *_PUBLIC]
