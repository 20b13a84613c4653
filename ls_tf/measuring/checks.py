"""What evaluators refuse before the training instead of after it."""

import math
from collections.abc import Sequence
from typing import get_args

from ls_tf.analysis import calibration
from ls_tf.spec import SpecError, nearest

_HOTTEST = 1e6  # or coldest: beyond, quotients are infinite, or all equal


def choice(evaluator: str, option: str, value: str, literal: object) -> None:
    """Refuses a word that is none of a ``Literal``'s.

    Args:
        evaluator: for the message.
        option: its name, for the message.
        value: what was given.
        literal: the type of the option.

    Raises:
        SpecError: one line that lists what exists.
    """
    known = get_args(literal)
    if value not in known:
        raise SpecError(
            f"{evaluator}: {option}: got '{value}'; "
            f"{nearest(str(value), known)}"
        )


def bins(evaluator: str, num_bins: int, edge: str) -> None:
    """Refuses bins that no calibration error can have.

    Args:
        evaluator: for the message.
        num_bins: wanted as 1 or more.
        edge: wanted as one of ``calibration.Edge``.

    Raises:
        SpecError: one line.
    """
    if num_bins < 1:
        raise SpecError(
            f"{evaluator}: num_bins: wanted 1 or more, got {num_bins}"
        )
    choice(evaluator, "edge", edge, calibration.Edge)


def positive(evaluator: str, option: str, value: int) -> None:
    """Refuses a number below 1.

    Args:
        evaluator: for the message.
        option: its name, for the message.
        value: what was given.

    Raises:
        SpecError: one line.
    """
    if value < 1:
        raise SpecError(f"{evaluator}: {option}: wanted 1 or more, got {value}")


def temperatures(evaluator: str, grid: Sequence[float]) -> None:
    """Refuses a grid that a curve over temperatures cannot have.

    Args:
        evaluator: for the message.
        grid: wanted positive, finite and rising.

    Raises:
        SpecError: one line.
    """
    if not grid:
        raise SpecError(
            f"{evaluator}: temperatures: wanted one or more, got none"
        )
    for value in grid:
        if not (math.isfinite(value) and value > 0):
            raise SpecError(
                f"{evaluator}: temperatures: wanted each finite and more than "
                f"0, got {value} among {_text(grid)}"
            )
        if not 1 / _HOTTEST <= value <= _HOTTEST:
            raise SpecError(
                f"{evaluator}: temperatures: wanted each from "
                f"{1 / _HOTTEST:g} to {_HOTTEST:g}, got {value}"
            )
    if any(b <= a for a, b in zip(grid, grid[1:], strict=False)):
        raise SpecError(
            f"{evaluator}: temperatures: wanted each greater than the one "
            f"before, got {_text(grid)}"
        )


def _text(grid: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in grid)
