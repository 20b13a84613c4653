"""The flags: which there are, and what they say.

They are read here; ``cli`` starts what they name.
"""

from ls_tf.arguments.flags import (
    ALL,
    COMPARE,
    MODES,
    Flags,
    read,
    read_analyze,
    usage,
    usage_of_analyze,
)
from ls_tf.arguments.meaning import (
    changes,
    check_data_dir,
    of_runs,
    recorded,
    time_limit,
    whole,
    whole_or_none,
)
from ls_tf.arguments.unused import (
    refuse_unused,
)

__all__ = [
    "ALL",
    "COMPARE",
    "Flags",
    "MODES",
    "changes",
    "check_data_dir",
    "of_runs",
    "read",
    "read_analyze",
    "recorded",
    "refuse_unused",
    "time_limit",
    "usage",
    "usage_of_analyze",
    "whole",
    "whole_or_none",
]
