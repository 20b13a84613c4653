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
"""

from ls_tf.stopping.handlers import (
    SIGNALS,
    listening,
)
from ls_tf.stopping.imports import (
    importing,
)
from ls_tf.stopping.limits import (
    PATIENCE_SECONDS,
    farewell,
    left,
    limit,
    refuse,
)
from ls_tf.stopping.requests import (
    StoppedError,
    answer,
    deferred,
    doing,
    look,
    request,
    requested,
    saving,
)
from ls_tf.stopping.waiting import (
    Aside,
    aside,
    is_abandoned,
    readable,
    wait,
)

__all__ = [
    "Aside",
    "PATIENCE_SECONDS",
    "SIGNALS",
    "StoppedError",
    "answer",
    "aside",
    "deferred",
    "doing",
    "farewell",
    "importing",
    "is_abandoned",
    "left",
    "limit",
    "listening",
    "look",
    "readable",
    "refuse",
    "request",
    "requested",
    "saving",
    "wait",
]
