"""How many networks of a stack fit in memory."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath

from ls_tf.spec import SpecError


def limit(devices: Sequence[Any]) -> int:
    """Bytes that a program may take on JAX devices, together.

    Args:
        devices: of one kind. Devices made of one CPU share its memory.

    Returns:
        int: 0 if it cannot be told.

    Source: ours.
    """
    if devices[0].platform == "cpu":
        return _free_on_host()
    stats = [d.memory_stats() or {} for d in devices]
    return sum(int(s.get("bytes_limit", 0)) for s in stats)


def _free_on_host() -> int:
    try:
        lines = epath.Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return 0


def bytes_of(variables: Sequence[Any]) -> int:
    """Bytes that the values of some Keras variables take.

    Source: ours.
    """
    return sum(
        math.prod(v.shape) * np.dtype(str(v.dtype)).itemsize for v in variables
    )


def refuse(networks: int, *, fixed: int, each: int, limit: int) -> None:
    """Refuses a stack that does not fit, and says how many would.

    Args:
        networks: how many are wanted.
        fixed: bytes that all of them share.
        each: bytes of each.
        limit: bytes that there are; 0 refuses nothing.

    Raises:
        SpecError: one line.

    Source: ours.
    """
    if not limit or fixed + networks * each <= limit:
        return
    fitting = max(0, (limit - fixed) // max(each, 1))
    raise SpecError(
        f"--stack: {networks} networks need about "
        f"{(fixed + networks * each) / 2**30:.1f} GiB of memory, there are "
        f"{limit / 2**30:.1f}; about {fitting} would fit"
    )


def refuse_compiled(
    networks: int, analysis: Any, *, fixed: int, limit: int
) -> None:
    """Refuses a compiled stack by the memory that its program takes.

    Args:
        networks: how many are stacked.
        analysis: JAX's memory analysis of the program; None refuses nothing.
        fixed: bytes of the data that the networks share.
        limit: bytes that there are; 0 refuses nothing.

    Raises:
        SpecError: one line.

    Source: ours.
    """
    if analysis is None:
        return
    total = (
        analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        - analysis.alias_size_in_bytes
        + analysis.temp_size_in_bytes
    )
    each = -(-max(0, total - fixed) // networks)
    refuse(networks, fixed=fixed, each=each, limit=limit)
