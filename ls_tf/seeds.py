"""One run seed, and from it one seed for every purpose.

Nothing here keeps state: the seed of a purpose is a pure function of the run
seed and the words that name the purpose, so that adding a purpose changes no
other one, and a resumed run draws what the unbroken run would have drawn.
"""

import hashlib

import numpy as np


def _digest(seed: int, purpose: tuple[str | int, ...]) -> bytes:
    if seed < 0:
        raise ValueError(f"wanted a seed of 0 or more, got {seed}")
    text = "/".join([str(int(seed)), *(str(word) for word in purpose)])
    return hashlib.sha256(text.encode()).digest()


def derive(seed: int, *purpose: str | int) -> int:
    """Gives the seed of one purpose.

    Args:
        seed: the run's seed, 0 or more.
        *purpose: words and numbers that name the purpose, e.g.
            ``("init", "hidden_1")``.

    Returns:
        int in [0, 2**31).

    Raises:
        ValueError: if ``seed`` is negative.

    Source: ours.
    """
    return int.from_bytes(_digest(seed, purpose)[:4], "big") >> 1


def philox(seed: int, *purpose: str | int) -> np.random.Generator:
    """Gives a counter-based generator for one purpose.

    Args:
        seed: the run's seed, 0 or more.
        *purpose: words and numbers that name the purpose, e.g.
            ``("plan", epoch)``.

    Returns:
        A NumPy generator on Philox with a 128-bit key, equal on every machine.

    Raises:
        ValueError: if ``seed`` is negative.

    Source: ours.
    """
    key = int.from_bytes(_digest(seed, purpose)[:16], "big")
    return np.random.Generator(np.random.Philox(key=key))
